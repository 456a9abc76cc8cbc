"""What a user gets from a policy that learnt by playing: its strength, its opinion, its games."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.data.go_files import write_games
from shinso.experience.policy_games import (
    UniformPolicy,
    alternating_seats,
    play_games,
    points_against,
)
from shinso.faults import UsageFault
from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import LEE_PLANES, lee_planes_of
from shinso.games.record import Record
from shinso.games.vertices import vertex
from shinso.intervals import proportion
from shinso.language import _
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses import starting_run
from shinso.recipes.uses.go_moves import MoveUse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.go_self_play import Config, Generation

SEEDS = {"valid": 1000, "test": 2000, "new": 3000}
OURS = "go-policy"
CHUNK = 512
"""Games that are played side by side where records are made."""
EXAMPLES = 32
"""Positions that the network is called with as a whole."""


@dataclass(frozen=True)
class PlayedData:
    """The rules of the game and the size of the network: all that is given."""

    side: int
    komi: float
    start_settings: Mapping[str, Any] | None
    start_sha256: str
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        return Rules(side=self.side, komi=self.komi, ko="simple")

    def facts(self) -> dict[str, Any]:
        text = f"Go {self.side} {self.komi:g} simple ko, area, {self.start_sha256}"
        return {
            "side": self.side,
            "komi": self.komi,
            "start_settings": dict(self.start_settings) if self.start_settings else None,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }


def read_start(config: Config, paths: Sequence[Path]) -> PlayedData:
    """Board and network of the run that ``config.start`` names.

    Raises UsageFault DATA-FILES, RunFault RUN-NOT-FOUND, RUN-NOT-TRAINED, START-REFUSED.
    """
    if paths:
        raise UsageFault(
            "DATA-FILES",
            place="go-self-play",
            found=", ".join(map(str, paths)),
            why=_("this task reads no data: it plays its own games"),
            next_step="shinso train go-policy " + " ".join(map(str, paths)),
        )
    if config.start is None:
        return PlayedData(config.side, config.komi, None, "")
    start = starting_run.read_start(
        config.start, task=OURS, models=[config.model],
        train="shinso train go-policy GAMES --model convolutional",
    )  # fmt: skip
    side = int(start.facts["side"])
    starting_run.refuse_side(config.start, side, config.side or side)
    return PlayedData(side, config.komi, start.settings, start.sha256)


class PlayedUse:
    """A trained policy that draws its moves by their chances, as in its training."""

    better: Mapping[str, Literal["min", "max"]] = {
        "points_against_start": "max",
        "points_against_random": "max",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: Any) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.data = PlayedData(facts["side"], facts["komi"], facts["start_settings"], "")

    def read_new(self, paths: Sequence[Path]) -> PlayedData:
        return read_start(self.config, paths)

    def evaluate(self, data: PlayedData, part: Part) -> Evaluation:
        return self._measured(self.model.policy, part)

    def baselines(self, data: PlayedData, part: Part) -> dict[str, Evaluation]:
        """The policy that it began as, and random moves."""
        return {
            "the policy it began as": self._measured(self.model.start, part),
            "random moves": self._measured(UniformPolicy(), part),
        }

    def _measured(self, policy: nn.Module, part: Part) -> Evaluation:
        games, seed = self.config.match_games, SEEDS.get(part, 0)
        rivals = {
            "points_against_start": self.model.start,
            "points_against_random": UniformPolicy(),
        }
        metrics, details = {}, {}
        for name, rival in rivals.items():
            points = points_against(self.data.rules, policy, rival, games, seed)
            interval = proportion(round(points), games)
            metrics[name] = points / games
            details[name] = [
                {"games": games, "points": points, "low": interval.low, "high": interval.high}
            ]
        return Evaluation(metrics=metrics, details=details)

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each move of SGF files, or, without any, for each first move on the empty board."""
        if paths:
            from shinso.recipes.go_policy import Config as ReadingConfig

            return MoveUse(
                ReadingConfig(side=self.data.side), {"side": self.data.side}, self.model.policy
            ).predict(paths)
        chances = self._first_moves()
        rows = [
            (vertex(action, self.data.side), float(chances[action]))
            for action in map(int, np.argsort(-chances, kind="stable"))
        ]
        return Predictions(("first_move", "probability"), rows)

    @torch.no_grad()
    def _first_moves(self) -> np.ndarray:
        side = self.data.side
        planes = np.empty((LEE_PLANES, side * side), np.float32)
        lee_planes_of(Position.start(self.data.rules).board, np.full(4, -1), planes)
        self.model.eval()
        shaped = torch.from_numpy(planes).view(1, LEE_PLANES, side, side)
        device = next(self.model.parameters()).device
        return self.model(shaped.to(device)).softmax(1)[0].double().cpu().numpy()

    @torch.no_grad()
    def call_whole(self, data: PlayedData, part: Part) -> None:
        rng = np.random.default_rng([SEEDS.get(part, 0), 12])
        policies = [self.model.policy] * 2
        played = play_games(data.rules, policies, alternating_seats(2), rng, keep=0).kept
        assert played is not None
        device = next(self.model.parameters()).device
        self.model(played.planes[:EXAMPLES].float().to(device))

    def generate(self, settings: Generation, prompt: str, output: Path | None) -> Iterator[str]:
        """Games of the policy against itself, as an archive of SGF files with their results."""
        if output is None or not output.name.endswith((".tar", ".tar.gz", ".tar.xz")):
            raise UsageFault(
                "OUTPUT-NEEDED",
                place="shinso generate",
                found=str(output or ""),
                why=_("games are written into an archive"),
                next_step="-o games.tar.gz",
            )
        rng = np.random.default_rng([settings.seed, 11])
        records: list[Record] = []
        while len(records) < settings.games:
            count = min(CHUNK, settings.games - len(records))
            seats = alternating_seats(count)
            played = play_games(self.data.rules, [self.model.policy] * 2, seats, rng)
            for moves, score in zip(played.moves, played.scores, strict=True):
                winner = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"
                records.append(
                    Record(
                        name=f"{len(records):06d}.sgf", side=self.data.side, komi=self.data.komi,
                        moves=tuple((1 + n % 2, action) for n, action in enumerate(moves)),
                        result=winner,
                    )
                )  # fmt: skip
        write_games(records, output)
        yield _("{count} games written to {path}").format(count=len(records), path=output)

    def plots(
        self, data: PlayedData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """The chances of the first move."""
        side = data.side
        chances = self._first_moves()[:-1].reshape(side, side)
        table = Predictions(
            ("row", *(vertex(c, side)[0] for c in range(side))),
            [(side - r, *map(float, chances[r])) for r in range(side)],
        )

        def draw(figure: Figure) -> None:
            axes = figure.subplots()
            image = axes.imshow(chances, cmap="Blues", vmin=0)
            axes.set_xticks(range(side), table.columns[1:])
            axes.set_yticks(range(side), [str(side - r) for r in range(side)])
            axes.grid(False)
            axes.set_ylabel("row")
            figure.colorbar(image, label=_("chance of the first move"))

        return {"first_move": (draw, table)}
