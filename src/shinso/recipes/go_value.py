"""Who will win? A value network learnt from finished games.

Place in the course: day 4, AlphaGo: the value network. Reads folders and archives of SGF files with
results; ``shinso generate`` with a run of go-self-play writes such an archive.

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

    from shinso.recipes.uses.go_moves import MoveData
    from shinso.recipes.uses.go_values import ValueUse

TITLE = Text("Go: who wins (value network)", "囲碁: 勝敗の予測 (価値ネットワーク)")
PLACE = Text("Day 4: AlphaGo, value network", "4 日目: AlphaGo の価値ネットワーク")
READS = Text(
    "folders or archives (.tar, .tar.gz, .tar.xz) of SGF files with results (RE) on boards of one size; "
    "folders named train, valid and test are taken as these parts",
    "同じ路数で結果 (RE) のある SGF ファイルのフォルダー、またはアーカイブ (.tar、.tar.gz、.tar.xz)。"
    "train、valid、test という名のフォルダーはその区分として使います",
)
ABOUT = Text(
    "A convolutional network learns the result of a game from a position of it. Positions of one game "
    "share their result, so a network that learns from all of them can learn games by heart: with "
    "--positions one it sees a single position of each. How much worse it is on new games than on those it "
    "learnt from stands in every table.",
    "畳み込みネットワークが局面から対局の結果を学習します。同じ対局の局面は結果を共有するため、すべての局面から"
    "学習すると対局を丸暗記できてしまいます。--positions one では各対局から 1 局面だけを使います。学習した対局に"
    "比べて新しい対局でどれだけ誤差が大きいかを、どの表にも示します。",
)
MODELS = {"convolutional": ModelChoice("shinso.models.go_value:ValueNetwork")}
BRIEF = Brief(
    sample="go7.tar.gz",
    models=("convolutional",),
    settings={
        "positions": "all", "steps": 60, "batch_size": 32, "evaluate_every": 20,
        "looked_at": 500, "filters": 16, "blocks": 1,
    },
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train go-value``."""

    positions: Literal["one", "all"] = setting("one", "positions of a game that are learnt from")
    side: int = setting(0, "take only games on boards of this size; 0: all must be of one")
    damaged: Literal["fail", "skip"] = setting("fail", "damaged files: fail, or leave out aloud")
    valid: tuple[Path, ...] = setting((), "games to validate on, instead of a share")
    test: tuple[Path, ...] = setting((), "games to test on, instead of a share")
    split: str = setting(
        "0.8,0.1,0.1", "shares of train, valid and test games without such folders"
    )
    split_seed: int = setting(0, "which games fall into which part, and which position is the one")
    looked_at: int = setting(
        8192, "positions of a part that a score is taken over, spread evenly; 0: all"
    )
    model: str = setting("convolutional", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=128, lr=2e-3, weight_decay=1e-3, schedule="one-cycle",
        evaluate_every=200, checkpoint_every=200,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name in ("side", "split_seed", "looked_at"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if bool(self.valid) != bool(self.test):
            raise ValueError("valid and test belong together; give both or none")


def read(config: Config, paths: Sequence[Path]) -> MoveData:
    """Folders and archives of games. Raises DataFaults; GO-NO-RESULTS where a part has no winner."""
    from shinso.recipes.uses.go_values import read_results

    return read_results(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(network_config, side=facts["side"])


def build(config: Config, data: MoveData, model: nn.Module, seed: int) -> Built:
    from shinso.data.drawn_positions import DrawnPositions
    from shinso.data.on_device import OnDevice
    from shinso.data.prefetched import Prefetched
    from shinso.objectives.game_results import GameResultObjective
    from shinso.recipes.uses.go_values import samples_of
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    samples = samples_of(config, data, "train")
    size = config.training.batch_size
    user = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        return user.evaluate(data, "valid").metrics

    return Built(
        objective=GameResultObjective(),
        source=OnDevice(Prefetched(DrawnPositions(samples, size, seed)), device),
        validate=validate,
        selection=Selection("mse"),
        overfit=lambda number: OnDevice(DrawnPositions(samples, size, seed, only=number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ValueUse:
    from shinso.recipes.uses.go_values import ValueUse

    return ValueUse(config, facts, model)
