"""Sound: a WaveNet learns to speak from recordings, sample by sample.

Place in the course: day 4, WaveNet. Reads a folder or an archive of WAV files; a label of each file,
from its folder or its name, conditions the whole sound.

Measured results, with command, time and hardware: docs/results/audio.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.sound_data import SoundData
    from shinso.recipes.uses.sounds import SoundUse

TITLE = Text("Sound, sample by sample", "音声の生成 (1 サンプルずつ)")
PLACE = Text("Day 4: WaveNet", "4 日目: WaveNet")
READS = Text(
    "a folder or an archive (.tar, .tar.gz, .tar.xz) of WAV files; the label of a file is its folder "
    "or a part of its name",
    "WAV ファイルのフォルダまたは書庫 (.tar、.tar.gz、.tar.xz)。ラベルはフォルダ名かファイル名の一部",
)
ABOUT = Text(
    "A WaveNet gives the probability of each sample from those before it: of 256 µ-law classes, or of "
    "16-bit levels by a mixture of logistics. Dilations double from layer to layer, so that what it "
    "hears reaches back exponentially far. Generation keeps what each layer has heard, so a sample "
    "costs each layer two small products. A histogram and a linear predictor stand in every table.",
    "WaveNet は、それまでのサンプルから次のサンプルの確率を出します (256 段階の μ-law、または混合ロジスティック"
    "分布による 16 ビット)。膨張率は層ごとに 2 倍になり、聞こえる範囲は指数的に広がります。生成時は各層が聞いた"
    "ものを保持するため、1 サンプルあたり各層は小さな積を 2 回計算するだけです。どの表にもヒストグラムと線形予測が"
    "並びます。",
)
NETWORK = "shinso.models.wavenet:WaveNet"
MODELS = {
    "wavenet": ModelChoice(NETWORK, {"output": "mulaw"}),
    "wavenet-logistics": ModelChoice(NETWORK, {"output": "logistics"}),
}
BRIEF = Brief(
    sample="tones.tar.xz",
    models=("wavenet", "wavenet-logistics"),
    settings={
        "steps": 60, "evaluate_every": 20, "crop": 400, "layers": 8, "largest_dilation": 128,
        "width": 16, "skips": 32, "batch_size": 4, "lr": 5e-3,
    },
)  # fmt: skip
PRESETS = {
    # The Free Spoken Digit Dataset as its authors split it: takes 0 to 4 of each speaker for test.
    "spoken-digits": {
        "test_names": r"_[0-4]$", "split": "0.9,0.05,0.05", "steps": 2600, "batch_size": 4,
        "crop": 4000, "layers": 30, "largest_dilation": 512, "width": 32, "skips": 64,
        "lr": 3e-3, "warmup": 100, "evaluate_every": 200, "average": 0.998,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train audio``."""

    label_from: str = setting(
        "auto", "label of a file: auto, none, folder, or an expression whose first group it is"
    )
    rate_hz: int = setting(0, "samples a second; others are resampled; 0: the commonest", unit="Hz")
    silent: Literal["fail", "drop", "keep"] = setting("fail", "what to do with silent files")
    crop: int = setting(4000, "samples of a clip that a step learns from", unit="samples")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test recordings")
    split_seed: int = setting(0, "which recordings fall into which part")
    test_names: str = setting("", "expression: files whose name (without ending) has it are test")
    valid: tuple[Path, ...] = setting((), "recordings to validate on, instead of a share")
    test: tuple[Path, ...] = setting((), "recordings to test on, instead of a share")
    look_samples: int = setting(200_000, "samples of the valid part that a look scores at most")
    model: str = setting("wavenet", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=4, lr=2e-3, warmup=0, evaluate_every=200, average=0.998
    )

    def __post_init__(self) -> None:
        import re

        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (("rate_hz", 0), ("crop", 2), ("split_seed", 0), ("look_samples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if self.test_names and self.test:
            raise ValueError("test_names and test are both given; give one of them")
        try:
            re.compile(self.test_names)
        except re.error as error:
            raise ValueError(f"test_names is {self.test_names!r}: {error}") from error

    def unread(self) -> dict[str, str]:
        return given_parts(self, "split", "split_seed")


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Settings of ``shinso generate`` for a run of ``audio``."""

    label: str = setting("", "what is spoken: one of the run's labels")
    seconds: float = setting(1.0, "how long", unit="s")
    temperature: float = setting(1.0, "below 1: likelier samples, above 1: wilder ones")
    seed: int = setting(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        for name in ("seconds", "temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")


def read(config: Config, paths: Sequence[Path]) -> SoundData:
    """One folder, archive or file of recordings. Raises DataFaults."""
    from shinso.recipes.uses.sound_data import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(network_config, num_labels=len(facts["class_names"]))


def build(config: Config, data: SoundData, model: nn.Module, seed: int) -> Built:
    from typing import cast

    from shinso.data.on_device import OnDevice
    from shinso.data.sound_crops import SoundCrops
    from shinso.objectives.waveforms import WaveObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    source = SoundCrops(
        data.clips["train"],
        batch_size=config.training.batch_size,
        crop=config.crop,
        context=cast(Any, model).receptive_field,
        seed=seed,
    )
    own = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        model.eval()
        return own.evaluate(data, "valid", most=config.look_samples).metrics

    mixture = bool(cast(Any, model).mixture)
    return Built(
        objective=WaveObjective(),
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("nats_16bit" if mixture else "nats_per_sample"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> SoundUse:
    from shinso.recipes.uses.sounds import SoundUse

    return SoundUse(config, facts, model)
