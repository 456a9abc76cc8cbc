"""What a user gets from a policy learnt from game records, and its naive rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import nn

from shinso.data.go_files import PARTS, GoGames, read_games
from shinso.data.go_positions import MoveBatch, MoveSamples, Reads
from shinso.data.stratified import parse_shares, random_split
from shinso.games.symmetry import inverses, symmetries
from shinso.games.vertices import vertex
from shinso.intervals import proportion
from shinso.language import _
from shinso.recipes.recipe import Evaluation, Part, Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.go_policy import Config


@dataclass(frozen=True)
class MoveData:
    """Games of each part. parts: the games, and which of them belong to the part."""

    parts: Mapping[str, tuple[GoGames, Int64[np.ndarray, " game"]]]
    notes: tuple[str, ...]
    split: str

    def samples(self, part: str, reads: Reads) -> MoveSamples:
        """All moves of a part, in the form that a network reads."""
        return MoveSamples(*self.parts[part], reads)

    def facts(self) -> dict[str, Any]:
        import hashlib

        digests = [games.sha256 for games, _chosen in self.parts.values()]
        games = self.parts[next(iter(self.parts))][0]
        train = self.parts.get("train")
        return {
            "sha256": hashlib.sha256("".join(digests).encode()).hexdigest(),
            "side": games.side,
            "split": self.split,
            "part_games": {part: len(chosen) for part, (_g, chosen) in self.parts.items()},
            "part_moves": {
                part: int((g.begins[chosen + 1] - g.firsts[chosen]).sum())
                for part, (g, chosen) in self.parts.items()
            },
            "offsets": _offsets(*train).tolist() if train else [],
            "notes": list(self.notes),
        }


def read_parts(config: Any, paths: Sequence[Path]) -> MoveData:
    """Read games; their parts are settings, folders of the data, or shares, in this order."""
    games = read_games(paths, side=config.side, damaged=config.damaged)
    everything = np.arange(len(games), dtype=np.int64)
    notes = games.notes
    if config.valid:
        parts = {"train": (games, everything)}
        for part, given in (("valid", config.valid), ("test", config.test)):
            others = read_games(given, side=games.side, damaged=config.damaged)
            notes += others.notes
            parts[part] = (others, np.arange(len(others), dtype=np.int64))
        return MoveData(parts, notes, "given files")
    folders = np.array(games.folders)
    if set(folders) == set(PARTS):
        parts = {part: (games, everything[folders == part]) for part in PARTS}
        return MoveData(parts, notes, "folders train, valid and test")
    shares = random_split(len(games), parse_shares(config.split), config.split_seed, path=paths[0])
    notes += (_("whole games are split by shares {split}").format(split=config.split),)
    parts = {part: (games, np.asarray(shares[part], np.int64)) for part in PARTS}
    return MoveData(parts, notes, f"{config.split} seed {config.split_seed}")


def _offsets(games: GoGames, chosen: Int64[np.ndarray, " game"]) -> Int[np.ndarray, "row column"]:
    """How often a move lies so many rows and columns from the last one, in games of a part."""
    side = games.side
    counts = np.zeros((2 * side - 1, 2 * side - 1), np.int64)
    samples = MoveSamples(games, chosen, "patterns")
    place = samples.place[samples.number > 0]
    now, last = games.actions[place].astype(int), games.actions[place - 1].astype(int)
    real = (now < side * side) & (last < side * side)
    now, last = now[real], last[real]
    rows = now // side - last // side + side - 1
    np.add.at(counts, (rows, now % side - last % side + side - 1), 1)
    return counts


class MoveUse:
    """A trained policy. Scores count moves, passes among them."""

    better: Mapping[str, Literal["min", "max"]] = {
        "top1": "max", "top5": "max", "loss_nats": "min",
    }  # fmt: skip

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.side: int = facts["side"]

    def read_new(self, paths: Sequence[Path]) -> MoveData:
        games = read_games(paths, side=self.side, damaged=self.config.damaged)
        return MoveData({"new": (games, np.arange(len(games), dtype=np.int64))}, games.notes, "new")

    def evaluate(self, data: MoveData, part: Part) -> Evaluation:
        samples = data.samples(part, self.model.reads)  # type: ignore[arg-type]
        found = list(self._answers(samples, self.config.looked_at))
        numbers = samples.number[samples.spread(self.config.looked_at)]
        return _scores(np.concatenate([one for one, _played in found]), numbers)

    def baselines(self, data: MoveData, part: Part) -> dict[str, Evaluation]:
        """Chance among empty points, and the commonest places relative to the last move."""
        samples = data.samples(part, "planes")
        chosen = samples.spread(self.config.looked_at)
        legal, ranks = [], []
        counts = np.array(self.facts["offsets"], float) + 1e-3
        games = samples.games
        for begin in range(0, len(chosen), 512):
            some = chosen[begin : begin + 512]
            batch = samples.take(some)
            allowed = (batch.inputs[:, 8] - batch.inputs[:, 14]).flatten(1).numpy() > 0
            allowed = np.concatenate([allowed, np.ones((len(some), 1), bool)], axis=1)
            last = np.where(
                samples.number[some] > 0, games.actions[samples.place[some] - 1], self.side**2
            )
            played = batch.actions.numpy()
            near = np.where(allowed, self._near(counts, last.astype(int)), 0.0)
            legal.append(_ranked(np.where(allowed, 1.0, 0.0), played))
            ranks.append(_ranked(near, played))
        numbers = samples.number[chosen]
        return {
            "any legal move": _scores(np.concatenate(legal), numbers),
            "commonest place beside the last move": _scores(np.concatenate(ranks), numbers),
        }

    def _near(
        self, counts: Float[np.ndarray, "row column"], last: Int[np.ndarray, " batch"]
    ) -> Float[np.ndarray, "batch action"]:
        """The counted share of every point as seen from the last move; even after a pass."""
        side = self.side
        window = np.lib.stride_tricks.sliding_window_view(counts, (side, side))
        row, column = last // side, last % side
        known = last < side * side
        row, column = np.where(known, row, 0), np.where(known, column, 0)
        found = window[side - 1 - row, side - 1 - column].reshape(len(last), -1).copy()
        found[~known] = 1.0
        passing = np.full((len(last), 1), found.sum(1, keepdims=True).min() * 1e-3)
        return np.concatenate([found, passing], axis=1)

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each move: what was played, what the policy would play, and how sure it is."""
        data = self.read_new(paths)
        samples = data.samples("new", self.model.reads)  # type: ignore[arg-type]
        rows: list[tuple[Any, ...]] = []
        for scores, played in self._answers(samples, 0, ranks=False):
            for probabilities, action in zip(scores, played, strict=True):
                at = len(rows)
                best = int(probabilities.argmax())
                rows.append(
                    (
                        samples.games.names[samples.game[at]],
                        int(samples.number[at]) + 1,
                        "?BW"[samples.games.colors[samples.place[at]]],
                        vertex(int(action), self.side),
                        float(probabilities[action]),
                        int((probabilities > probabilities[action]).sum()) + 1,
                        vertex(best, self.side),
                        float(probabilities[best]),
                    )
                )
        columns = (
            "game", "move", "color", "played", "probability", "rank", "best", "best_probability",
        )  # fmt: skip
        return Predictions(columns, rows)

    def plots(
        self, data: MoveData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        rows = self.evaluate(data, part).details["by_move"]
        table = Predictions(tuple(rows[0]), [tuple(row.values()) for row in rows])
        return {"accuracy_by_move": (lambda figure: _draw(rows, figure), table)}

    def _answers(
        self, samples: MoveSamples, at_most: int, *, ranks: bool = True
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rank and loss of each played move, or all probabilities; the played moves)."""
        self.model.eval()
        for batch in samples.batches(256, at_most):
            played = batch.actions.numpy()
            found = self._chances(batch)
            yield (_ranked(found, played) if ranks else found), played

    @torch.no_grad()
    def _chances(self, batch: MoveBatch) -> Float[np.ndarray, "batch action"]:
        """Softmax over all actions, averaged over symmetries where that is asked for."""
        inputs = batch.inputs.to(next(self.model.parameters()).device)
        if inputs.dim() == 3:  # patterns are the same seen from everywhere
            return self.model(inputs).softmax(-1).double().cpu().numpy()
        total = np.zeros((len(inputs), self.side**2 + 1))
        for there, back in zip(
            symmetries(self.side)[: self.config.turns], inverses(self.side), strict=False
        ):
            turned = inputs.flatten(2)[:, :, torch.from_numpy(there[:-1])].view_as(inputs)
            total += self.model(turned).softmax(-1).double().cpu().numpy()[:, back]
        return total / self.config.turns


def _ranked(
    chances: Float[np.ndarray, "batch action"], played: Int[np.ndarray, " batch"]
) -> Float[np.ndarray, "batch 3"]:
    """Chance that the played move comes first, or among five, with ties broken at random; −log p."""
    own = chances[np.arange(len(played)), played]
    ahead = (chances > own[:, None]).sum(1)
    tied = (chances == own[:, None]).sum(1)
    total = chances.sum(1)
    first = np.clip(1 - ahead, 0, tied) / tied
    five = np.clip(5 - ahead, 0, tied) / tied
    loss = -np.log(np.maximum(own / total, np.finfo(float).tiny))
    return np.stack([first, five, loss], axis=1)


def _scores(ranked: Float[np.ndarray, "move 3"], numbers: Int[np.ndarray, " move"]) -> Evaluation:
    """Means over moves, with an interval, and by the number of the move in its game."""
    top1, top5, loss = ranked.mean(0).tolist()
    interval = proportion(round(top1 * len(ranked)), len(ranked))
    width = max(10, int(numbers.max()) // 10 + 1)
    by_move = []
    for begin in range(0, int(numbers.max()) + 1, width):
        some = ranked[(numbers >= begin) & (numbers < begin + width)]
        if len(some):
            by_move.append(
                {
                    "from_move": begin + 1,
                    "to_move": begin + width,
                    "moves": len(some),
                    "top1": float(some[:, 0].mean()),
                    "top5": float(some[:, 1].mean()),
                }
            )
    return Evaluation(
        metrics={"top1": top1, "top5": top5, "loss_nats": loss},
        details={
            "top1_interval": [{"low": interval.low, "high": interval.high}],
            "by_move": by_move,
        },
    )


def _draw(rows: Sequence[Mapping[str, Any]], figure: Figure) -> None:
    axes = figure.subplots()
    middle = [(row["from_move"] + row["to_move"]) / 2 for row in rows]
    for name, mark in (("top5", "s--"), ("top1", "o-")):
        axes.plot(middle, [row[name] for row in rows], mark, label=name)
    axes.set_xlabel(_("move of the game"))
    axes.set_ylabel(_("share predicted"))
    axes.set_ylim(0, 1)
    axes.legend()
