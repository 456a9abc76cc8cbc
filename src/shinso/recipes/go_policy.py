"""Policies learnt from game records: which move would be played here?

Place in the course: day 4, AlphaGo: the supervised policy network and the fast rollout policy. Reads
folders and archives of SGF files on boards of one size, up to 19×19.

Measured results, with command, time and hardware: docs/results/go.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.go_moves import MoveData, MoveUse

TITLE = Text("Go: moves of game records", "囲碁: 棋譜の着手予測")
PLACE = Text(
    "Day 4: AlphaGo, SL policy and rollout policy", "4 日目: AlphaGo の SL 方策とロールアウト方策"
)
READS = Text(
    "folders or archives (.tar, .tar.gz, .tar.xz) of SGF files on boards of one size; folders named "
    "train, valid and test are taken as these parts",
    "同じ路数の SGF ファイルのフォルダー、またはアーカイブ (.tar、.tar.gz、.tar.xz)。"
    "train、valid、test という名のフォルダーはその区分として使います",
)
ABOUT = Text(
    "A convolutional network, or a linear softmax over small patterns that is fast enough to play games "
    "to their end, learns to play as the games were played. Choosing at random among the legal moves, "
    "and the commonest place beside the last move, stand beside them in every table.",
    "畳み込みネットワーク、または終局まで打てるほど高速な小パターンの線形ソフトマックスが、棋譜の着手を"
    "まねて学習します。どの表にも、合法手からの無作為選択と、直前の着手から見て最も多い位置が並びます。",
)
MODELS = {
    "convolutional": ModelChoice("shinso.models.go_policy:ConvolutionalPolicy"),
    "residual": ModelChoice("shinso.models.go_policy:ResidualPolicy"),
    "rollout": ModelChoice("shinso.models.go_policy:RolloutPolicy"),
}
BRIEF = Brief(
    sample="go7.tar.gz",
    models=("rollout", "convolutional"),
    settings={
        "steps": 60, "batch_size": 32, "evaluate_every": 20, "looked_at": 500, "lr": 1e-2,
    },
)  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "go19": {
        "model": "residual", "filters": 64, "blocks": 3, "turns": 8, "steps": 4000,
        "batch_size": 128, "lr": 4e-3, "weight_decay": 1e-4, "precision": "bf16",
        "evaluate_every": 1000, "checkpoint_every": 500, "looked_at": 2000,
    },
    "go9": {
        "model": "residual", "filters": 32, "blocks": 2, "turns": 8, "steps": 800, "lr": 4e-3,
        "batch_size": 128, "weight_decay": 1e-3, "evaluate_every": 200, "looked_at": 2000,
    },
}  # fmt: skip
"""About twenty minutes of one core for 19×19, one minute for 9×9. bf16 pays where the processor has
its instructions; add --precision fp32 elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train go-policy``."""

    side: int = setting(0, "take only games on boards of this size; 0: all must be of one")
    damaged: Literal["fail", "skip"] = setting("fail", "damaged files: fail, or leave out aloud")
    valid: tuple[Path, ...] = setting((), "games to validate on, instead of a share")
    test: tuple[Path, ...] = setting((), "games to test on, instead of a share")
    split: str = setting(
        "0.8,0.1,0.1", "shares of train, valid and test games without such folders"
    )
    split_seed: int = setting(0, "which games fall into which part")
    looked_at: int = setting(
        8192, "moves of a part that a score is taken over, spread evenly; 0: all"
    )
    turns: int = setting(
        1, "symmetries that the answers of a network on planes are averaged over, 1 to 8"
    )
    model: str = setting("convolutional", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=4000, batch_size=128, lr=3e-3, schedule="one-cycle", evaluate_every=500,
        checkpoint_every=500,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name in ("side", "split_seed", "looked_at"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not 1 <= self.turns <= 8:
            raise ValueError(f"turns is {self.turns}; give 1 to 8")
        if bool(self.valid) != bool(self.test):
            raise ValueError("valid and test belong together; give both or none")


def read(config: Config, paths: Sequence[Path]) -> MoveData:
    """Folders and archives of games. Raises DataFaults, one for each damaged file."""
    from shinso.recipes.uses.go_moves import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(network_config, side=facts["side"])


def build(config: Config, data: MoveData, model: nn.Module, seed: int) -> Built:
    from shinso.data.drawn_positions import DrawnPositions
    from shinso.data.on_device import OnDevice
    from shinso.data.prefetched import Prefetched
    from shinso.objectives.move_prediction import MovePredictionObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    samples = data.samples("train", model.reads)  # type: ignore[arg-type]
    size = config.training.batch_size
    user = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        model.eval()
        return user.evaluate(data, "valid").metrics

    return Built(
        objective=MovePredictionObjective(),
        source=OnDevice(Prefetched(DrawnPositions(samples, size, seed)), device),
        validate=validate,
        selection=Selection("loss_nats"),
        overfit=lambda number: OnDevice(DrawnPositions(samples, size, seed, only=number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> MoveUse:
    from shinso.recipes.uses.go_moves import MoveUse

    return MoveUse(config, facts, model)
