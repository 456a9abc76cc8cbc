"""Autoencoders: a narrow code of images or of a table's rows, learned without labels.

Place in the course: day 3, autoencoder and VAE. Reads images in every form that ``classify-images``
reads (labels are passed over), MNIST's IDX files, and tables. Anomalies are what is said again badly.

Measured results, with command, time and hardware: docs/results/autoencode.md.
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

    from shinso.recipes.uses.codes import CodeData, CodeUse

TITLE = Text("Codes without labels: autoencoder, VAE", "ラベルなしの符号化: オートエンコーダ、VAE")
PLACE = Text("Day 3: autoencoder, VAE", "3 日目: オートエンコーダ、VAE")
READS = Text(
    "a folder, an archive or single files of images; MNIST's IDX files; CSV or Parquet with columns of "
    "numbers",
    "画像のフォルダ・書庫・ファイル、MNIST の IDX ファイル、数値の列をもつ CSV または Parquet",
)
ABOUT = Text(
    "An autoencoder squeezes each sample into a short code and says it again. A variational one "
    "makes the codes of all samples together fill N(0, I), so that codes drawn from there can be said "
    "too; its likelihood is bounded by the ELBO and estimated by importance weights, with "
    "reconstruction and KL divergence always apart. PCA of equal width and the mean stand in every "
    "table.",
    "オートエンコーダは各サンプルを短い符号に圧縮し、そこから復元します。変分オートエンコーダ (VAE) では全サンプルの"
    "符号が N(0, I) を満たすようになり、そこから引いた符号も復元できます。尤度は ELBO で下から抑え、重点サンプリングで"
    "推定します。再構成と KL は常に分けて示します。どの表にも、同じ次元の PCA と平均が並びます。",
)
DENSE = "shinso.models.autoencoder:DenseAutoencoder"
CONVOLUTIONAL = "shinso.models.autoencoder:ConvAutoencoder"
MODELS = {
    "vae": ModelChoice(DENSE, {"kind": "vae"}),
    "autoencoder": ModelChoice(DENSE, {"kind": "autoencoder"}),
    "iwae": ModelChoice(DENSE, {"kind": "iwae"}),
    "conv-vae": ModelChoice(CONVOLUTIONAL, {"kind": "vae"}),
    "conv-autoencoder": ModelChoice(CONVOLUTIONAL, {"kind": "autoencoder"}),
}
BRIEF = Brief(
    sample="digits.idx.gz",
    models=("autoencoder", "vae"),
    settings={
        "steps": 300, "evaluate_every": 100, "estimate_codes": 50, "estimate_samples": 100,
        "latent": 8, "lr": 3e-3, "look_samples": 200,
    },
)  # fmt: skip
PRESETS = {
    # Burda et al. 2016, one stochastic layer: 50 numbers, 2 × 200 tanh units, pixels drawn anew.
    "mnist": {
        "latent": 50, "split": "0.95,0.025,0.025", "steps": 560_000, "batch_size": 100, "lr": 1e-3,
        "schedule": "cosine", "warmup": 500, "average": 0.999, "evaluate_every": 5000,
        "checkpoint_every": 5000, "estimate_codes": 5000, "estimate_samples": 1000,
        "look_samples": 1500, "clip_norm": 0.0,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train autoencode``."""

    form: Literal["auto", "images", "table"] = setting("auto", "what the files hold")
    columns: tuple[str, ...] = setting((), "columns of a table; all columns of numbers without")
    image_px: int = setting(0, "side to which images are resized; 0: as they are", unit="px")
    pixels: Literal["auto", "binary", "grey"] = setting(
        "auto",
        "binary: drawn black or white anew each time; grey: as they are; auto: by the channels",
    )
    latent: int = setting(16, "numbers in the code")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test")
    split_seed: int = setting(0, "which samples fall into which part")
    valid: tuple[Path, ...] = setting((), "files to validate on, instead of a share")
    test: tuple[Path, ...] = setting((), "files to test on, instead of a share")
    beta: float = setting(1.0, "weight of the KL divergence")
    anneal_steps: int = setting(0, "steps in which that weight rises from 0")
    codes: int = setting(1, "codes drawn of a sample in a step; of iwae at least 2")
    estimate_codes: int = setting(500, "codes of a sample for the estimate of its likelihood")
    estimate_samples: int = setting(
        1000, "samples of a part whose likelihood is estimated, at most"
    )
    look_samples: int = setting(2000, "samples of the valid part that a look scores at most")
    model: str = setting("vae", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=3000, batch_size=128, lr=2e-3, evaluate_every=200, average=0.995
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (
            ("image_px", 0), ("latent", 1), ("split_seed", 0), ("anneal_steps", 0), ("codes", 1),
            ("estimate_codes", 1), ("estimate_samples", 1), ("look_samples", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta is {self.beta}; give 0 or more")

    def unread(self) -> dict[str, str]:
        found = given_parts(self, "split", "split_seed")
        if self.model.endswith("autoencoder"):
            found |= dict.fromkeys(("beta", "anneal_steps", "codes"), f"--model {self.model}")
        return found


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Settings of ``shinso generate`` for a run of ``autoencode``."""

    count: int = setting(64, "how many are drawn from N(0, I)")
    show: Literal["samples", "interpolation", "plane"] = setting(
        "samples",
        "draws from N(0, I), steps between such draws, or the plane of the two numbers that tell most",
    )
    seed: int = setting(0, "seed of the random numbers")

    def __post_init__(self) -> None:
        for name, least in (("count", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")


def read(config: Config, paths: Sequence[Path]) -> CodeData:
    """Images or a table. Raises DataFaults; UsageFault SETTING-REFUSED for a network that cannot
    read these."""
    from shinso.recipes.uses.code_data import check_shape, read_parts

    data = read_parts(config, paths)
    if MODELS[config.model].target == CONVOLUTIONAL:
        check_shape(config.model, data.extra["shape"])
    return data


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    import numpy as np
    import torch

    mean = np.array(facts["mean"])
    if facts["binary"]:
        mean = np.log(mean) - np.log1p(-mean)  # means of pixels lie inside 0 … 1
    start = torch.tensor(mean, dtype=torch.float32)
    return network(
        network_config,
        shape=tuple(facts["shape"]),
        binary=facts["binary"],
        latent=config.latent,
        start=start,
    )


def build(config: Config, data: CodeData, model: nn.Module, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.data.shuffled import ShuffledSource
    from shinso.data.unlabelled import DynamicBinarization
    from shinso.objectives.evidence import EvidenceObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    binary = data.extra["binary"]
    source = ShuffledSource(data.samples("train"), config.training.batch_size, seed)

    def ready(one: Any) -> OnDevice:
        return OnDevice(DynamicBinarization(one, seed) if binary else one, device)

    own = use(config, data.facts(), model)
    codes = max(config.codes, 2) if config.model == "iwae" else config.codes

    def validate() -> Mapping[str, float]:
        model.eval()
        return own.bounds(data, "valid", most=config.look_samples)

    return Built(
        objective=EvidenceObjective(
            beta=config.beta, anneal_steps=config.anneal_steps, samples=codes
        ),
        source=ready(source),
        validate=validate,
        selection=Selection(own.selects, own.better[own.selects]),
        overfit=lambda number: ready(source.fixed_subset(number)),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> CodeUse:
    from shinso.recipes.uses.codes import CodeUse

    return CodeUse(config, facts, model)
