"""What a user gets from a trained translator, and its naive rivals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import nn

from shinso.data.parallel_batches import ParallelSamples, padded, seen
from shinso.data.parallel_text import ParallelText, read_pairs, read_sentences
from shinso.data.sides import check_sides, profile
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.subwords import BEGIN, END, PAD, UNKNOWN, Subwords
from shinso.faults import DataFault
from shinso.language import _
from shinso.models.word_for_word import word_table
from shinso.objectives.decoding import Search, search
from shinso.objectives.translation import loss_of
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses import translation_scores
from shinso.recipes.uses.translation_plots import alignment_plots, length_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.translate import Config

SENTENCES = 64  # translated together
SPARE = 10  # words that a translation may be longer than the train part's lengths promise


@dataclass(frozen=True)
class TranslationData:
    """Pairs of each part, with the subwords that encode them."""

    parts: Mapping[Part, ParallelText]
    subwords: tuple[Subwords, Subwords]
    longest: int
    sha256: str
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "notes": list(self.notes), **self.extra}

    def samples(self, part: Part) -> ParallelSamples:
        """The pairs of a part as numbers; of the train part only those that are not over-long."""
        pairs = self.parts[part]
        source, target = (
            one.encode(side)
            for one, side in zip(self.subwords, (pairs.source, pairs.target), strict=True)
        )
        if part == "train":
            kept = _short_enough(source, target, self.longest)
            source, target = [source[i] for i in kept], [target[i] for i in kept]
        return ParallelSamples(source, target)


def read_parts(config: Config, paths: Sequence[Path]) -> TranslationData:
    """Read and split; subwords, profiles and the unigram rival from the train part."""
    parts, split, notes = _parts(config, paths)
    train = parts["train"]
    profiles = {"source": profile(train.source), "target": profile(train.target)}
    for one in parts.values():
        notes += check_sides(one, profiles["source"], profiles["target"])
    subwords = _learnt(config, train)
    notes += _sizes_said(config, subwords)
    source, target = subwords[0].encode(train.source), subwords[1].encode(train.target)
    notes += _lengths_said(train, source, target, config.longest)
    kept = _short_enough(source, target, config.longest)
    if not kept:
        raise _nothing_short(train, config.longest)
    source, target = [source[i] for i in kept], [target[i] for i in kept]
    ratios = [(len(t) + 1) / (len(s) + 1) for s, t in zip(source, target, strict=True)]
    table = word_table(source, target, len(subwords[0]), len(subwords[1]))
    notes.append(translation_scores.signatures(config.tokenize))
    together = hashlib.sha256("".join(one.sha256 for one in parts.values()).encode()).hexdigest()
    extra = {
        "split": split,
        "part_pairs": {part: len(one) for part, one in parts.items()},
        "subwords": {
            "source": subwords[0].to_text(),
            "target": "" if config.joint else subwords[1].to_text(),
        },
        "vocabulary_sizes": {"source": len(subwords[0]), "target": len(subwords[1])},
        "profiles": profiles,
        "length_ratio": float(np.quantile(ratios, 0.999)),
        "word_table": table.tolist(),
    }
    return TranslationData(parts, subwords, config.longest, together, tuple(notes), extra)


def _parts(
    config: Config, paths: Sequence[Path]
) -> tuple[dict[Part, ParallelText], str, list[str]]:
    """The pairs of each part, how they came to be parts, and what is to be said of them."""
    names = (config.source, config.target)
    pairs = read_pairs(paths, names)
    notes = list(pairs.notes)
    parts: dict[Part, ParallelText] = {"train": pairs}
    if config.valid:
        parts["valid"] = read_pairs(config.valid, names)
        parts["test"] = read_pairs(config.test, names)
        notes += [*parts["valid"].notes, *parts["test"].notes]
        split = "given"
    else:
        shares = parse_shares(config.split)
        indices = random_split(len(pairs), shares, config.split_seed, path=pairs.paths[0])
        parts = {part: pairs.take(chosen.tolist()) for part, chosen in indices.items()}
        split = f"{config.split} seed {config.split_seed}"
        notes.append(_("the pairs were split at random: {split}").format(split=split))
    every = [pair for one in parts.values() for pair in zip(one.source, one.target, strict=True)]
    ends = np.cumsum([0, *(len(one) for one in parts.values())])
    places = {
        part: np.arange(first, last)
        for part, first, last in zip(parts, ends[:-1], ends[1:], strict=True)
    }
    return parts, split, [*notes, *duplicates_across(every, places)]  # pyright: ignore[reportArgumentType]


def _learnt(config: Config, train: ParallelText) -> tuple[Subwords, Subwords]:
    if config.joint:
        both = Subwords.train((*train.source, *train.target), config.vocabulary, config.subwords)
        return both, both
    size = config.source_vocabulary or config.vocabulary
    return (
        Subwords.train(train.source, size, config.subwords),
        Subwords.train(train.target, config.vocabulary, config.subwords),
    )


def _sizes_said(config: Config, subwords: tuple[Subwords, Subwords]) -> list[str]:
    asked = (config.source_vocabulary or config.vocabulary, config.vocabulary)
    few = [(len(one), size) for one, size in zip(subwords, asked, strict=True) if len(one) < size]
    return [
        _("the train part gives {found:,} subwords; {asked:,} were asked for").format(
            found=found, asked=size
        )
        for found, size in dict.fromkeys(few)
    ]


def _short_enough(
    source: Sequence[Sequence[int]], target: Sequence[Sequence[int]], longest: int
) -> list[int]:
    return [i for i in range(len(source)) if max(len(source[i]), len(target[i])) <= longest]


def _lengths_said(
    train: ParallelText,
    source: Sequence[Sequence[int]],
    target: Sequence[Sequence[int]],
    longest: int,
) -> list[str]:
    kept = set(_short_enough(source, target, longest))
    long = [train.lines[i] for i in range(len(source)) if i not in kept]
    if not long:
        return []
    return [
        _(
            "{count:,} train pairs have more than {longest} subwords on a side and are left out of "
            "training (--longest): line {lines}"
        ).format(
            count=len(long),
            longest=longest,
            lines=", ".join(map(str, long[:5])) + (", …" if len(long) > 5 else ""),
        )
    ]


def _nothing_short(train: ParallelText, longest: int) -> DataFault:
    return DataFault(
        "DATA-TOO-LONG",
        place=str(train.paths[0]),
        found=_("every train pair has more than {longest} subwords on a side").format(
            longest=longest
        ),
        why=_("there is nothing to learn from"),
        next_step=_("give a larger --longest, or cut the text into sentences"),
    )


class TranslationUse:
    """A trained translator."""

    better: Mapping[str, Literal["min", "max"]] = {
        "bleu": "max",
        "bleu_lowercase": "max",
        "chrf": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        kept = facts["subwords"]
        source = Subwords.from_text(kept["source"])
        self.subwords = (
            source, Subwords.from_text(kept["target"]) if kept["target"] else source,
        )  # fmt: skip
        self.names = (config.source, config.target)
        self._last: tuple[tuple[str, ...], list[str]] = ((), [])

    def read_new(self, paths: Sequence[Path]) -> TranslationData:
        pairs = read_pairs(paths, self.names)
        profiles = self.facts["profiles"]
        notes = [*pairs.notes, *check_sides(pairs, profiles["source"], profiles["target"])]
        return TranslationData(
            {"new": pairs}, self.subwords, self.config.longest, pairs.sha256, tuple(notes)
        )

    def evaluate(self, data: TranslationData, part: Part) -> Evaluation:
        pairs = data.parts[part]
        answers = self._translated(pairs.source)
        total, words = loss_of(self.model, self._batches(data, part))
        found = translation_scores.scores(answers, pairs.target, self.config.tokenize)
        return Evaluation(
            metrics={**found, "loss_nats": total / words},
            details={
                "translations": [
                    {"source": source, "reference": reference, "translation": answer}
                    for source, reference, answer in zip(
                        pairs.source, pairs.target, answers, strict=True
                    )
                ]
            },
        )

    def baselines(self, data: TranslationData, part: Part) -> dict[str, Evaluation]:
        pairs = data.parts[part]
        answers = {"copy": list(pairs.source), "unigram": self._word_for_word(pairs.source)}
        return {
            name: Evaluation(
                metrics=translation_scores.scores(found, pairs.target, self.config.tokenize)
            )
            for name, found in answers.items()
        }

    def paired(self, first: str, ours: Evaluation, second: str, others: Evaluation) -> str:
        rows, other_rows = ours.details["translations"], others.details["translations"]
        found = translation_scores.paired_bootstrap(
            [row["translation"] for row in rows],
            [row["translation"] for row in other_rows],
            [row["reference"] for row in rows],
            self.config.tokenize,
        )
        return _(
            "{second} − {first}: {difference:+.2f} BLEU, p = {p:.3f} (paired bootstrap, 1,000 samples "
            "of {sentences:,} sentences, first seeds)"
        ).format(
            first=first,
            second=second,
            difference=found.second - found.first,
            p=found.p_value,
            sentences=len(rows),
        )

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each sentence or pair: the source and its translation. A blank line stays
        blank."""
        from shinso.recipes.uses.files import only_one

        sentences, _notes = read_sentences(only_one(paths, "translate"), self.names)
        answers = self.translate(sentences)
        return Predictions(("source", "translation"), list(zip(sentences, answers, strict=True)))

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """Each line's translation before the next line is read."""
        for line in lines:
            yield self.translate([line])[0]

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """The best translation of each sentence; of a blank one, nothing."""
        answers = [""] * len(sentences)
        real = [place for place, one in enumerate(sentences) if one.strip()]
        pieces = self.subwords[0].encode([sentences[place].strip() for place in real])
        device = next(self.model.parameters()).device
        how = Search(
            begin=BEGIN,
            end=END,
            beams=self.config.beams,
            length_penalty=self.config.length_penalty,
            never=(PAD, UNKNOWN, BEGIN),
        )
        order = sorted(range(len(real)), key=lambda one: len(pieces[one]))
        for first in range(0, len(order), SENTENCES):
            chosen = order[first : first + SENTENCES]
            source, lengths = padded([[*pieces[one], END] for one in chosen])
            mask = seen(lengths, source.shape[1])
            limits = [self._longest(length) for length in lengths.tolist()]
            found = search(
                self.model,  # pyright: ignore[reportArgumentType]
                source.to(device),
                None if mask is None else mask.to(device),
                limits,
                how,
            )
            for one, best in zip(chosen, found, strict=True):
                answers[real[one]] = self.subwords[1].decode(best[0].words)
        return answers

    def _longest(self, source_length: int) -> int:
        """Words that a translation of so many may have, its end counted."""
        return int(np.ceil(self.facts["length_ratio"] * source_length)) + SPARE

    def _translated(self, sentences: tuple[str, ...]) -> list[str]:
        """Scores and plots of one part share a search."""
        if self._last[0] != sentences:
            self._last = (sentences, self.translate(sentences))
        return self._last[1]

    def _word_for_word(self, sentences: Sequence[str]) -> list[str]:
        table = self.facts["word_table"]
        return [
            self.subwords[1].decode([table[one] for one in pieces if table[one] >= 0])
            for pieces in self.subwords[0].encode(sentences)
        ]

    def _batches(self, data: TranslationData, part: Part) -> Iterator[Any]:
        device = next(self.model.parameters()).device
        for batch in data.samples(part).by_length(self.config.batch_tokens):
            yield batch.to(device)

    def plots(
        self, data: TranslationData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        pairs = data.parts[part]
        answers = self._translated(pairs.source)
        tokenize = self.config.tokenize
        return {
            "length": length_plot(pairs, answers, self.subwords[0], tokenize),
            **alignment_plots(self.model, self.subwords, pairs, answers),
        }
