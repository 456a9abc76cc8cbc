"""The small translations behind claims: a task whose alignment is known, and the bundled sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from shinso.data import samples
from shinso.data.parallel_batches import ParallelSamples, TokenBatches, padded, seen
from shinso.data.parallel_text import read_pairs
from shinso.data.subwords import BEGIN, END, FIRST_PIECE, PAD, UNKNOWN, Subwords
from shinso.models.seq2seq import Seq2Seq
from shinso.models.transformer import Transformer
from shinso.models.word_for_word import word_table
from shinso.objectives.decoding import Search, search
from shinso.objectives.translation import TranslationObjective
from shinso.recipes.uses.translation_scores import scores
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

TOKENIZE = "char"  # the sample's target is Japanese, without blanks


def reversals(rng: np.random.Generator, number: int, words: int, lengths: range) -> ParallelSamples:
    """Sentences of random words; the translation is each word's own partner, in reverse order.

    Word i of a target of n words translates word n − 1 − i of its source. Partners are words of
    another language: source word w becomes (7 w + 3) mod ``words``, a bijection where 7 does not
    divide ``words``.
    """
    if words % 7 == 0:
        raise ValueError(f"words is {words}; give a number that 7 does not divide")
    source, target = [], []
    for _ in range(number):
        one = rng.integers(0, words, int(rng.choice(lengths)))
        source.append((one + FIRST_PIECE).tolist())
        target.append(((7 * one[::-1] + 3) % words + FIRST_PIECE).tolist())
    return ParallelSamples(source, target)


def average_attention(model: nn.Module) -> None:
    """Take the choice out of a decoder's attention: all scores are 0, so all words weigh the same."""
    held: list[torch.Tensor] = []
    if isinstance(model, Transformer):
        for block in model.decoder:
            cross: Any = block.cross
            held += [cross.query.weight, cross.query.bias]
    elif isinstance(model, Seq2Seq) and model.attention is not None:
        attention: Any = model.attention
        held.append(getattr(attention, "energy", attention.key).weight)
    for weight in held:
        with torch.no_grad():
            weight.zero_()
        weight.requires_grad_(False)


def learn(
    model: nn.Module, pairs: ParallelSamples, *, seed: int, steps: int, tokens: int, lr: float
) -> None:
    """Train for ``steps`` batches of so many words."""
    batches = TokenBatches(pairs, tokens=tokens, sentences=10_000, seed=seed)
    plan = Training(steps=steps, lr=lr, warmup=max(1, steps // 20), schedule="linear")
    learner = GradientLearner(model, TranslationObjective(), plan)
    for _ in range(steps):
        learner.step(batches.next_batch())
    model.eval()


def translate(model: Any, source: Sequence[Sequence[int]], longest: int) -> list[tuple[int, ...]]:
    """Greedy translations. source: with the sign of the end."""
    order = sorted(range(len(source)), key=lambda place: len(source[place]))
    table, lengths = padded([source[place] for place in order])
    how = Search(begin=BEGIN, end=END, beams=1, never=(PAD, UNKNOWN, BEGIN))
    found = search(model, table, seen(lengths, table.shape[1]), [longest] * len(source), how)
    answers: list[tuple[int, ...]] = [()] * len(source)
    for place, best in zip(order, found, strict=True):
        answers[place] = best[0].words
    return answers


def words_right(model: Any, pairs: ParallelSamples) -> float:
    """Share of the targets' words that stand in the greedy translation at their place."""
    answers = translate(model, pairs.source, int(pairs.target_lengths.max()) + 5)
    right = words = 0
    for answer, target in zip(answers, pairs.target, strict=True):
        true = target[1:-1]
        words += len(true)
        right += sum(a == b for a, b in zip(answer, true, strict=False))
    return right / words


@dataclass(frozen=True)
class Dates:
    """The bundled English–Japanese sentences, cut into subwords, in two parts."""

    subwords: Subwords
    learnt: ParallelSamples
    kept: ParallelSamples
    source: tuple[str, ...]
    references: tuple[str, ...]
    word_table: tuple[int, ...]

    def bleu(self, answers: Sequence[str]) -> float:
        return scores(answers, self.references, TOKENIZE)["bleu"]

    def bleu_of(self, model: Any) -> float:
        """Of greedy translations."""
        longest = int(self.kept.target_lengths.max()) + 10
        found = translate(model, self.kept.source, longest)
        return self.bleu([self.subwords.decode(one) for one in found])

    def word_for_word(self) -> list[str]:
        """Each subword by itself turned into the one it goes with most often."""
        return [
            self.subwords.decode(
                [self.word_table[one] for one in words[:-1] if self.word_table[one] >= 0]
            )
            for words in self.kept.source
        ]


def dates(rng: np.random.Generator, *, vocabulary: int, kept: int) -> Dates:
    """``kept`` sentences, drawn by ``rng``, are not learnt from."""
    pairs = read_pairs([samples.path("dates.en-ja.tsv")])
    order = rng.permutation(len(pairs)).tolist()
    rest, learnt = pairs.take(order[:kept]), pairs.take(order[kept:])
    subwords = Subwords.train((*learnt.source, *learnt.target), vocabulary)
    source, target = subwords.encode(learnt.source), subwords.encode(learnt.target)
    size = len(subwords)
    return Dates(
        subwords,
        ParallelSamples(source, target),
        ParallelSamples(subwords.encode(rest.source), subwords.encode(rest.target)),
        rest.source,
        rest.target,
        tuple(word_table(source, target, size, size).tolist()),
    )
