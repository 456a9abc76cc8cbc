"""What a user gets from a pre-trained BERT: hidden pieces guessed; and what guessing blindly gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from shinso.data.findings import Findings
from shinso.data.piece_batches import NONE, PieceSamples, Stretches, hide
from shinso.data.text import read_text
from shinso.data.wordpiece import INSIDE, MASK, WordPieces
from shinso.language import _
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.hidden_data import HiddenData, as_numbers, check, said_of
from shinso.recipes.uses.vocabulary_fits import check_fits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.bert_pretrain import Config

GUESSES = 5
AT_ONCE = 32
ROWS = 8  # of a call of the whole network, which answers at every place


class HiddenUse:
    """A pre-trained BERT."""

    better: Mapping[str, Literal["min", "max"]] = {"hidden_nats": "min", "hidden_accuracy": "max"}

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts = config, facts
        self.model: Any = model
        self.pieces = WordPieces(tuple(facts["pieces"]), facts["lower"])
        check_fits(self.model.bert.pieces.weight, len(self.pieces))

    def read_new(self, paths: Sequence[Path]) -> HiddenData:
        path = only_one(paths, "bert-pretrain")
        findings = Findings(path)
        file = read_text(path, findings)
        found = as_numbers(self.pieces, file.text.split("\n"))
        new = Stretches(*found, self.pieces, self.config.length, pairs=self.config.next_sentence)
        check(findings, self.pieces, {"new": found}, {"new": new})
        return HiddenData(
            path, self.pieces, {"new": new}, np.array(self.facts["counts"]), file.sha256,
            (*findings.notes, *said_of(self.pieces, found, "new")),
        )  # fmt: skip

    @torch.no_grad()
    def evaluate(self, data: HiddenData, part: Part) -> Evaluation:
        nats = right = hidden = followed = pairs = 0.0
        for batch in self._hidden_batches(data.parts[part]):
            states = self.model.bert(*batch[:3])
            there = batch.labels != NONE
            scores = self.model.scores(states[there])
            labels = batch.labels[there]
            nats += float(cross_entropy(scores, labels, reduction="sum"))
            right += float((scores.argmax(-1) == labels).sum())
            hidden += len(labels)
            if self.model.follows is not None:
                answers = self.model.follows(self.model.bert.whole(states)).argmax(-1)
                followed += float((answers == batch.follows).sum())
                pairs += len(answers)
        metrics = _scores(nats, right, hidden)
        if pairs:
            metrics["follows_accuracy"] = followed / pairs
        return Evaluation(metrics=metrics)

    @torch.no_grad()
    def call_whole(self, data: HiddenData, part: Part) -> None:
        batch = next(iter(self._hidden_batches(data.parts[part])))
        self.model(*(one[:ROWS] for one in batch[:3]))

    def baselines(self, data: HiddenData, part: Part) -> dict[str, Evaluation]:
        counts = np.array(self.facts["counts"], dtype=float) + 1
        logs = np.log(counts / counts.sum())
        found = [
            batch.labels[batch.labels != NONE].cpu().numpy()
            for batch in self._hidden_batches(data.parts[part])
        ]
        labels = np.concatenate(found)
        metrics = _scores(
            -float(logs[labels].sum()), float((labels == counts.argmax()).sum()), len(labels)
        )
        if self.config.next_sentence:
            metrics["follows_accuracy"] = 0.5
        return {"piece frequency": Evaluation(metrics=metrics)}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """The likeliest pieces at each [MASK] of a line; a line without one has its last word
        hidden."""
        path = only_one(paths, "bert-pretrain")
        findings = Findings(path)
        lines = read_text(path, findings).text.split("\n")
        numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
        rows: list[tuple[Any, ...]] = []
        for begin in range(0, len(numbered), AT_ONCE):
            some = numbered[begin : begin + AT_ONCE]
            for (number, _line), guesses in zip(
                some, self._guess([line for _n, line in some]), strict=True
            ):
                rows += [
                    (number, mask, rank, piece, chance)
                    for mask, found in enumerate(guesses, 1)
                    for rank, (piece, chance) in enumerate(found, 1)
                ]
        return Predictions(
            ("line", "mask", "rank", "piece", "probability"), rows, tuple(findings.notes)
        )

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """The guesses for each line's [MASK]."""
        for line in lines:
            guesses = self._guess([line]) if line.strip() else [[]]
            yield "  |  ".join(
                "  ".join(f"{piece} {chance:.3f}" for piece, chance in found)
                for found in guesses[0]
            )

    def plots(
        self, data: HiddenData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """Share guessed rightly, by how often the piece occurs in the train part."""
        right, labels = [], []
        with torch.no_grad():
            for batch in self._hidden_batches(data.parts[part]):
                there = batch.labels != NONE
                scores = self.model.scores(self.model.bert(*batch[:3])[there])
                right.append((scores.argmax(-1) == batch.labels[there]).cpu().numpy())
                labels.append(batch.labels[there].cpu().numpy())
        hits, counts = np.concatenate(right), np.array(self.facts["counts"])[np.concatenate(labels)]
        rows = []
        for low in (0, 10, 100, 1000, 10_000):
            mine = (counts >= low) & (counts < max(10 * low, 10))
            if mine.any():
                rows.append((f"{low:,}+", int(mine.sum()), float(hits[mine].mean())))
        table = Predictions(("seen", "hidden", "accuracy"), rows)
        return {"guesses": (lambda figure: _draw(table, figure), table)}

    @torch.no_grad()
    def _guess(self, lines: Sequence[str]) -> list[list[list[tuple[str, float]]]]:
        """For each line, for each hidden place, pieces with their probabilities."""
        mask = self.pieces.number[MASK]
        texts = []
        for line in lines:
            numbers = self._with_masks(line)
            if mask not in numbers:
                begin = max((n for n, at in enumerate(numbers) if not self._inside(at)), default=0)
                numbers = [*numbers[:begin], mask]
            # What stands before counts too, but no more than fits.
            room = self.config.length - 2
            last = len(numbers) - 1 - numbers[::-1].index(mask)
            first = max(0, min(last + 1 - room // 2, len(numbers) - room))
            texts.append((numbers[first : first + room], []))
        samples = PieceSamples(texts, [], self.pieces, self.config.length)
        batch = samples.take(range(len(texts))).to(self._device)
        chances = self.model.scores(self.model.bert(*batch[:3])).softmax(-1)
        found = []
        for row, pieces in zip(chances, batch.pieces, strict=True):
            best = row[pieces == mask].topk(min(GUESSES, len(self.pieces)))
            found.append([
                [(self.pieces.pieces[i], float(p)) for i, p in zip(ids, ps, strict=True)]
                for ids, ps in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ])  # fmt: skip
        return found

    def _with_masks(self, line: str) -> list[int]:
        parts = [self.pieces.encode(part) for part in line.split(MASK)]
        numbers = parts[0]
        for part in parts[1:]:
            numbers = [*numbers, self.pieces.number[MASK], *part]
        return numbers

    def _inside(self, number: int) -> bool:
        return self.pieces.pieces[number].startswith(INSIDE)

    def _hidden_batches(self, stretches: Stretches) -> Iterator[Any]:
        """All stretches in order, always hidden in the same way."""
        for begin in range(0, len(stretches), AT_ONCE):
            rng = np.random.default_rng([begin, 7])
            chosen = np.arange(begin, min(begin + AT_ONCE, len(stretches)))
            batch, begins = stretches.cut(chosen, rng)
            found = hide(
                batch, begins, self.pieces, rng,
                share=self.config.hidden_share, whole_words=self.config.whole_words,
            )  # fmt: skip
            if bool((found.labels != NONE).any()):
                yield found.to(self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _scores(nats: float, right: float, hidden: float) -> dict[str, float]:
    hidden = max(hidden, 1)
    return {"hidden_nats": nats / hidden, "hidden_accuracy": right / hidden}


def _draw(table: Predictions, figure: Figure) -> None:
    axes = figure.subplots()
    axes.bar([row[0] for row in table.rows], [row[2] for row in table.rows])
    axes.set_xlabel(_("occurrences of the token in the train part"))
    axes.set_ylabel(_("share guessed rightly"))
