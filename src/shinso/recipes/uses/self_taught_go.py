"""What a user gets from a network that taught itself Go: its strength, and its opinion of positions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import nn

from shinso.experience.ladder import Ladder
from shinso.faults import DataFault, UsageFault
from shinso.games.elo import elo_of
from shinso.games.go import Position, Rules
from shinso.games.record import read_record
from shinso.games.vertices import vertex
from shinso.language import _
from shinso.models.go_inference import FoldedEvaluator
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses import starting_run
from shinso.search.contest import Mover, NetworkMover, RandomMover, RolloutMover, contest
from shinso.search.forest import Forest, ForestConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.alphago_zero import Config

SEEDS = {"valid": 1000, "test": 2000, "new": 3000}
"""Openings of the measuring games: other ones for each part."""


@dataclass(frozen=True)
class ZeroData:
    """The rules of the game, and what a start says of its network: all that is given."""

    side: int
    komi: float
    start_settings: Mapping[str, Any] | None = None
    start_sha256: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        return Rules(side=self.side, komi=self.komi)

    def facts(self) -> dict[str, Any]:
        text = f"Go {self.side} {self.komi:g} positional superko, area{self.start_sha256}"
        return {
            "side": self.side,
            "komi": self.komi,
            "start_settings": dict(self.start_settings) if self.start_settings else None,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }


def read_rules(config: Config) -> ZeroData:
    """Board and komi, those of the run that ``config.start`` names where the config has none.

    Raises RunFault RUN-NOT-FOUND, RUN-NOT-TRAINED, START-REFUSED.
    """
    if config.start is None:
        return ZeroData(config.side or 5, 24.0 if config.komi is None else config.komi)
    start = starting_run.read_start(
        config.start, task="alphago-zero", models=[config.model],
        train=f"shinso train alphago-zero --model {config.model}",
    )  # fmt: skip
    side = int(start.facts["side"])
    if config.model != "pooled":
        starting_run.refuse_side(config.start, side, config.side or side)
    komi = float(start.facts["komi"]) if config.komi is None else config.komi
    return ZeroData(config.side or side, komi, start.settings, start.sha256)


def refuse_files(paths: Sequence[Path]) -> None:
    """UsageFault DATA-FILES where there is a file."""
    if paths:
        raise UsageFault(
            "DATA-FILES",
            place="alphago-zero",
            found=", ".join(map(str, paths)),
            why=_("this task reads no data: it plays its own games"),
            next_step="shinso train go-policy " + " ".join(map(str, paths)),
        )


class ZeroUse:
    """A trained network, searching with twice the simulations of self-play."""

    better: Mapping[str, Literal["min", "max"]] = {
        "points_against_rollouts": "max",
        "points_against_random": "max",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.model = config, model
        self.data = ZeroData(facts["side"], facts["komi"])
        self.search = ForestConfig(simulations=2 * config.simulations)

    def read_new(self, paths: Sequence[Path]) -> ZeroData:
        refuse_files(paths)
        return self.data

    def evaluate(self, data: ZeroData, part: Part) -> Evaluation:
        return self._measured(self._mover(self.model), part)

    def baselines(self, data: ZeroData, part: Part) -> dict[str, Evaluation]:
        """Random moves, and a rollout search with as many simulations as the network's search."""
        simulations = self.search.simulations
        return {
            "random moves": self._measured(RandomMover(5), part),
            f"rollout search, {simulations}": self._measured(RolloutMover(simulations, 5), part),
        }

    def ladder(self, seed: int) -> Ladder:
        """Where its generations are rated while it learns."""
        return Ladder(
            self.data.rules,
            self.model,
            lambda model: self._mover(model, seed),
            {
                "rollouts": lambda: RolloutMover(self.config.opponent, seed),
                "random": lambda: RandomMover(seed),
            },
            games=self.config.match_games,
            seed=10_000 + 100_000 * seed,
        )

    def _mover(self, model: nn.Module, seed: int = 0) -> NetworkMover:
        return NetworkMover(FoldedEvaluator(model, self.config.inference), self.search, seed)

    def _measured(self, mover: Mover, part: Part) -> Evaluation:
        games, seed = self.config.match_games, SEEDS.get(part, 0)
        metrics, details = {}, {}
        rivals: dict[str, Mover] = {
            "points_against_rollouts": RolloutMover(self.config.opponent, seed),
            "points_against_random": RandomMover(seed),
        }
        for name, rival in rivals.items():
            points, count = contest(self.data.rules, mover, rival, games=games, seed=seed)
            metrics[name] = points / count
            elo = elo_of(points, count)
            ends = [None if not np.isfinite(end) else end for end in (elo.value, elo.low, elo.high)]
            details[name] = [{"games": count, "points": points, "elo_low_high": ends}]
        return Evaluation(metrics=metrics, details=details)

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each position of SGF files (for the empty board without): the value for Black,
        and the best move after a search."""
        rows: list[tuple[Any, ...]] = []
        for name, positions, played in self._games(paths):
            forest = Forest(
                replace(self.data.rules, ko="simple"), len(positions),
                FoldedEvaluator(self.model, self.config.inference), self.search,
            )  # fmt: skip
            for number, position in enumerate(positions):
                before = [-1, -1, *played[:number]]
                forest.plant(number, position, (before[-1], before[-2]))
            for number, found in enumerate(forest.search()):
                black = found.value if positions[number].turn == 1 else -found.value
                best = vertex(found.best, self.data.side)
                rows.append((name, number, black, best, float(found.visits.max())))
        return Predictions(("game", "move", "value_for_black", "best", "visits"), rows)

    def _games(self, paths: Sequence[Path]) -> list[tuple[str, list[Position], list[int]]]:
        rules = replace(self.data.rules, ko="simple")
        if not paths:
            return [("empty board", [Position.start(rules)], [])]
        found = []
        for path in paths:
            record = read_record(path)
            if record.side != self.data.side:
                raise DataFault(
                    "GO-SIDES",
                    place=str(path),
                    found=f"{record.side}×{record.side}",
                    why=_("the network plays on {side}×{side}").format(side=self.data.side),
                )
            positions = [one.with_komi(self.data.komi) for one in record.positions(self.data.komi)]
            found.append((str(path), positions, [action for _color, action in record.moves]))
        return found

    def plots(
        self, data: ZeroData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """The first move's chances, as the network alone sees them."""
        side = data.side
        forest = Forest(data.rules, 1, FoldedEvaluator(self.model), ForestConfig(simulations=1))
        forest.plant(0, Position.start(data.rules))
        forest.search()
        priors = forest.findings(0).priors[:-1].reshape(side, side)
        table = Predictions(
            ("row", *(vertex(c, side)[0] for c in range(side))),
            [(side - r, *map(float, priors[r])) for r in range(side)],
        )

        def draw(figure: Figure) -> None:
            axes = figure.subplots()
            image = axes.imshow(priors, cmap="Blues", vmin=0)
            axes.set_xticks(range(side), table.columns[1:])
            axes.set_yticks(range(side), [str(side - r) for r in range(side)])
            axes.grid(False)
            axes.set_ylabel("row")
            figure.colorbar(image, label=_("chance of the first move"))

        return {"first_move": (draw, table)}
