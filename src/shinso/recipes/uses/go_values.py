"""What a user gets from a value network: who wins, and how much was learnt by heart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from shinso.data.go_files import read_games
from shinso.data.go_results import ResultSamples
from shinso.faults import DataFault
from shinso.language import _
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.go_moves import MoveData, read_parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.go_value import Config


def read_results(config: Config, paths: Sequence[Path]) -> MoveData:
    """Games and their parts, each with games whose winner is known."""
    data = read_parts(config, paths)
    for part in data.parts:
        _refuse_without_winner(data, part, paths)
    known = sum(int((games.winners[chosen] > 0).sum()) for games, chosen in data.parts.values())
    every = sum(len(chosen) for _games, chosen in data.parts.values())
    if known == every:
        return data
    note = _("{count} games without a winner are left out").format(count=every - known)
    return MoveData(data.parts, (*data.notes, note), data.split)


def _refuse_without_winner(data: MoveData, part: str, paths: Sequence[Path]) -> None:
    games, chosen = data.parts[part]
    if not (games.winners[chosen] > 0).any():
        raise DataFault(
            "GO-NO-RESULTS",
            place=", ".join(map(str, paths)),
            found=_("no game of the part {part} says who won").format(part=part),
            why=_("the result is what the network learns"),
            next_step=_("give games with RE[B+...] or RE[W+...]"),
        )


def samples_of(config: Config, data: MoveData, part: str) -> ResultSamples:
    """The positions of a part; of train those that are learnt from, of the others all."""
    positions = config.positions if part == "train" else "all"
    return ResultSamples(*data.parts[part], positions, config.split_seed)


class ValueUse:
    """A trained value network. Errors are of results 1 and −1."""

    better: Mapping[str, Literal["min", "max"]] = {
        "mse": "min", "winner": "max", "mse_above_train": "min",
    }  # fmt: skip

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.side: int = facts["side"]

    def read_new(self, paths: Sequence[Path]) -> MoveData:
        games = read_games(paths, side=self.side, damaged=self.config.damaged)
        data = MoveData({"new": (games, np.arange(len(games), dtype=np.int64))}, games.notes, "new")
        _refuse_without_winner(data, "new", paths)
        return data

    def evaluate(self, data: MoveData, part: Part) -> Evaluation:
        return self._scores(data, part, self._values)

    def baselines(self, data: MoveData, part: Part) -> dict[str, Evaluation]:
        """How often each colour wins, counted on the train part of the run (or of these games)."""
        learnt = samples_of(self.config, data, "train" if "train" in data.parts else part)
        every = np.arange(len(learnt))
        black = learnt.black_moves(every)
        results = np.concatenate([one.results.numpy() for one in learnt.batches(2048)])
        means = {who: float(results[black == who].mean()) for who in np.unique(black)}

        def guess(samples: ResultSamples) -> np.ndarray:
            chosen = samples.spread(self.config.looked_at)
            return np.array([means.get(who, 0.0) for who in samples.black_moves(chosen)])

        return {"how often each colour wins": self._scores(data, part, guess)}

    def _scores(
        self, data: MoveData, part: Part, values_of: Callable[[ResultSamples], np.ndarray]
    ) -> Evaluation:
        """On the part, and how much larger the error is there than on the positions learnt from."""
        samples = samples_of(self.config, data, part)
        values, results = values_of(samples), self._results(samples)
        errors = (values - results) ** 2
        metrics = {
            "mse": float(errors.mean()),
            "winner": float(((values > 0) == (results > 0)).mean()),
        }
        if "train" in data.parts:
            learnt = samples_of(self.config, data, "train")
            train = float(((values_of(learnt) - self._results(learnt)) ** 2).mean())
            metrics["mse_above_train"] = metrics["mse"] - train
        numbers = samples.numbers(samples.spread(self.config.looked_at))
        return Evaluation(metrics=metrics, details={"by_move": _by_move(errors, numbers)})

    def _results(self, samples: ResultSamples) -> Float[np.ndarray, " sample"]:
        found = samples.batches(1024, self.config.looked_at)
        return np.concatenate([one.results.double().numpy() for one in found])

    @torch.no_grad()
    def _values(self, samples: ResultSamples) -> Float[np.ndarray, " sample"]:
        device = next(self.model.parameters()).device
        self.model.eval()
        return np.concatenate(
            [
                self.model(batch.planes.to(device)).double().cpu().numpy()
                for batch in samples.batches(256, self.config.looked_at)
            ]
        )

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each position before a move of games with a winner: the value for Black."""
        samples = samples_of(self.config, self.read_new(paths), "new")
        rows: list[tuple[Any, ...]] = []
        device = next(self.model.parameters()).device
        self.model.eval()
        games = samples.moves.games
        for begin in range(0, len(samples), 256):
            chosen = np.arange(begin, min(begin + 256, len(samples)))
            with torch.no_grad():
                values = self.model(samples.take(chosen).planes.to(device)).double().cpu().numpy()
            black = samples.black_moves(chosen)
            for row, at in enumerate(chosen):
                game = samples.moves.game[at]
                value = values[row] if black[row] else -values[row]
                winner = "?BW"[games.winners[game]]
                rows.append(
                    (games.names[game], int(samples.moves.number[at]), float(value), winner)
                )
        return Predictions(("game", "moves_before", "value_for_black", "winner"), rows)

    def plots(
        self, data: MoveData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        rows = self.evaluate(data, part).details["by_move"]
        table = Predictions(tuple(rows[0]), [tuple(row.values()) for row in rows])

        def draw(figure: Figure) -> None:
            axes = figure.subplots()
            middle = [(row["from_move"] + row["to_move"]) / 2 for row in rows]
            axes.plot(middle, [row["mse"] for row in rows], "o-")
            axes.set_xlabel(_("move of the game"))
            axes.set_ylabel(_("mean squared error of the result"))
            axes.set_ylim(bottom=0)

        return {"error_by_move": (draw, table)}


def _by_move(errors: np.ndarray, numbers: np.ndarray) -> list[dict[str, Any]]:
    width = max(5, int(numbers.max()) // 10 + 1)
    found = []
    for begin in range(0, int(numbers.max()) + 1, width):
        some = errors[(numbers >= begin) & (numbers < begin + width)]
        if len(some):
            found.append(
                {
                    "from_move": begin + 1,
                    "to_move": begin + width,
                    "positions": len(some),
                    "mse": float(some.mean()),
                }
            )
    return found
