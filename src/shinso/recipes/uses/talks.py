"""What a user gets from a trained network of dialogue, and its naive rival."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.data.dialogues import DialogueSamples, read_dialogues, text_of, words_of
from shinso.data.vocabulary import Vocabulary
from shinso.faults import UsageFault
from shinso.language import _
from shinso.objectives.dialogue import answer_nats, estimate_and_bound
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.talk_data import TalkData, samples_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.dialogue import Config, Generation

AT_ONCE = 32
SEED = 20160229  # of the draws behind scores: the same for every model and every look
ANSWERED = 200  # pieces of dialogue that are answered for the measures of variety


class TalkUse:
    """A trained network of dialogue. Nats are means over the words of answers, end signs included.

    perplexity: exp of nll_nats_per_word, which of VHRED is a bound.
    """

    better: Mapping[str, Literal["min", "max"]] = {
        "perplexity": "min",
        "nll_nats_per_word": "min",
        "estimated_nats_per_word": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts = config, facts
        self.model: Any = model
        self.vocabulary = Vocabulary.from_list(facts["vocabulary"])
        self.spoken: list[list[int]] = []  # a chat's turns so far

    def read_new(self, paths: Sequence[Path]) -> TalkData:
        found = read_dialogues(only_one(paths, "dialogue"), key=self.config.key)
        samples = samples_of(self.config, found.turns, self.vocabulary)
        return TalkData(found, {"new": samples}, found.notes)

    @torch.no_grad()
    def scores(self, data: TalkData, part: Part, *, most: int = 0) -> dict[str, float]:
        """most: pieces to score; 0 for all."""
        device = next(self.model.parameters()).device
        generator = torch.Generator().manual_seed(SEED)
        reconstruction = kl = words = turns = 0.0
        for batch in data.samples[part].batches(AT_ONCE, most):
            said, apart, counted = answer_nats(self.model, batch.to(device), generator)
            reconstruction += float(said.double().sum())
            kl += float(apart.double().sum()) if apart is not None else 0.0
            words, turns = words + float(counted.sum()), turns + len(said)
        nll = (reconstruction + kl) / words
        found = {"perplexity": math.exp(min(nll, 700.0)), "nll_nats_per_word": nll}
        found["reconstruction_nats_per_word"] = reconstruction / words
        if self.model.latent:
            found |= {"kl_nats_per_word": kl / words, "kl_nats_per_turn": kl / turns}
        return found

    def evaluate(self, data: TalkData, part: Part) -> Evaluation:
        metrics = self.scores(data, part)
        if self.model.latent:
            bound = metrics["nll_nats_per_word"]
            metrics["estimated_nats_per_word"] = self._estimated(data, part, bound)
        return Evaluation(metrics={**metrics, **self._variety(data, part)})

    @torch.no_grad()
    def _estimated(self, data: TalkData, part: Part, bound: float) -> float:
        """Of a part, in nats a word, of which as many pieces are estimated as are answered for the
        measures of variety.

        Pieces differ far more in their nats than in how far these lie below the bound: so the mean
        distance, taken from the bound of the whole part, stands for all of it, and beside it.
        """
        device = next(self.model.parameters()).device
        generator = torch.Generator().manual_seed(SEED)
        nats = bounds = words = 0.0
        for batch in data.samples[part].batches(AT_ONCE, ANSWERED):
            found, above = estimate_and_bound(
                self.model, batch.to(device), self.config.estimate_draws, generator
            )
            first = batch.turns.cumsum(0) - batch.turns
            nats, bounds = nats + float(found.double().sum()), bounds + float(above.double().sum())
            words += float(batch.lengths.sum() - batch.lengths[first].sum())
        if len(data.samples[part]) <= ANSWERED:
            return nats / words
        return bound - (bounds - nats) / words

    def _variety(self, data: TalkData, part: Part) -> dict[str, float]:
        """Of the likeliest answers (VHRED: for one draw of the latent variable): distinct words and
        pairs for each word or pair said, and the entropy of the words in nats (Li et al. 2016)."""
        said = [words for _place, _turn, words in self._answers(data.samples[part], ANSWERED)]
        return variety(said)

    def _answers(
        self, samples: DialogueSamples, most: int = 0
    ) -> Iterator[tuple[int, int, list[int]]]:
        """Dialogue, turn and words of an answer to every turn but the last of the pieces."""
        device = next(self.model.parameters()).device
        generator = torch.Generator().manual_seed(SEED)
        chosen = np.arange(len(samples))
        if most and len(samples) > most:
            chosen = np.linspace(0, len(samples) - 1, most).astype(int)
        for begin in range(0, len(chosen), AT_ONCE):
            rows = chosen[begin : begin + AT_ONCE]
            batch = samples.take(rows)
            with torch.no_grad():
                context = self.model.read(*batch.to(device)).context
            said = iter(
                self.model.say(
                    context, most_words=self.config.most_words, temperature=0.0,
                    generator=generator,
                )
            )  # fmt: skip
            for row, turns in zip(rows, batch.turns.tolist(), strict=True):
                dialogue, first = samples.origins[int(row)]
                for turn in range(1, turns):
                    yield dialogue, first + turn, next(said)

    def baselines(self, data: TalkData, part: Part) -> dict[str, Evaluation]:
        counts = np.array(self.facts["counts"], dtype=float) + 1
        nats = -np.log(counts / counts.sum())
        total = words = 0.0
        for batch in data.samples[part].batches(256):
            starts = torch.cumsum(batch.turns, 0) - batch.turns
            answers = np.setdiff1d(np.arange(len(batch.words)), starts.numpy())
            for row in answers:
                length = int(batch.lengths[row])
                total += float(nats[batch.words[row, :length].numpy()].sum())
                words += length
        nll = total / words
        metrics = {"perplexity": math.exp(nll), "nll_nats_per_word": nll}
        return {"unigram": Evaluation(metrics=metrics)}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for every turn but a dialogue's first: what it was, and what the network says."""
        data = self.read_new(paths)
        rows = []
        for dialogue, turn, words in self._answers(data.samples["new"]):
            given = text_of(data.dialogues.turns[dialogue][turn])
            rows.append((data.dialogues.places[dialogue], turn, given, self._text(words)))
        return Predictions(("dialogue", "turn", "given", "answer"), rows, data.notes)

    def _text(self, words: Sequence[int]) -> str:
        return text_of([self.vocabulary.words[word] for word in words])

    def plots(
        self, data: TalkData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        sums: dict[int, list[float]] = {}
        device = next(self.model.parameters()).device
        generator = torch.Generator().manual_seed(SEED)
        samples = data.samples[part]
        for batch in samples.batches(AT_ONCE, ANSWERED):
            with torch.no_grad():
                said, kl, words = answer_nats(self.model, batch.to(device), generator)
            nats = said if kl is None else said + kl
            turns = chain.from_iterable(range(1, count) for count in batch.turns.tolist())
            for turn, one, length in zip(turns, nats.tolist(), words.tolist(), strict=True):
                held = sums.setdefault(turn, [0.0, 0.0])
                held[0], held[1] = held[0] + one, held[1] + length
        rows = [(turn, total / words, int(words)) for turn, (total, words) in sorted(sums.items())]
        table = Predictions(("turn", "nll_nats_per_word", "words"), rows)
        return {"turns": (lambda figure: _draw(figure, table), table)}

    def generate(self, settings: Generation, prompt: str, output: Path | None) -> Iterator[str]:
        """The answer to ``prompt``, which with the earlier ones of the session is the context."""
        words = words_of(prompt)
        if not words:
            raise UsageFault(
                "GENERATE-NO-PROMPT",
                place="PROMPT",
                found=repr(prompt),
                why=_("an answer needs something to answer to"),
                next_step=_("give a turn in quotes, or - to type one turn a line"),
            )
        end = self.model.end
        self.spoken.append([*self.vocabulary.encode(words[: self.config.most_words]), end])
        generator = torch.Generator().manual_seed(settings.seed + len(self.spoken))
        recent = self.spoken[-(self.config.most_turns - 1) :]
        said = self.model.say(
            self.model.context_of(recent), most_words=settings.most_words,
            temperature=settings.temperature, generator=generator,
        )[0]  # fmt: skip
        self.spoken.append([*said, end])
        yield self._text(said)


def variety(said: Sequence[Sequence[int]]) -> dict[str, float]:
    """distinct-1 and -2: different words (pairs) over all said; entropy of the words in nats."""
    words = [word for turn in said for word in turn]
    pairs = [pair for turn in said for pair in pairwise(turn)]
    shares = np.array(list(Counter(words).values())) / max(len(words), 1)
    return {
        "distinct_1": len(set(words)) / max(len(words), 1),
        "distinct_2": len(set(pairs)) / max(len(pairs), 1),
        "entropy_nats": float(-(shares * np.log(shares)).sum()) if len(words) else 0.0,
    }


def _draw(figure: Figure, table: Predictions) -> None:
    axes = figure.subplots()
    turns, nats, _words = zip(*table.rows, strict=True)
    axes.plot(turns, nats, marker="o")
    axes.set_xlabel("turn of a piece (1: the first answer)")
    axes.set_ylabel("nll_nats_per_word")
