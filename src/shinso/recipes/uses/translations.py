"""What a user gets from a trained translator, and its naive rivals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import nn

from shinso.data.parallel_batches import ParallelSamples, padded, seen
from shinso.data.parallel_text import ParallelText, read_pairs, read_sentences
from shinso.data.sides import check_sides, profile
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.subwords import BEGIN, END, PAD, UNKNOWN, Subwords
from shinso.faults import DataFault, ManyDataFaults, UsageFault
from shinso.language import _
from shinso.models.word_for_word import word_table
from shinso.objectives.decoding import Search, search
from shinso.objectives.translation import loss_of
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses import translation_scores
from shinso.recipes.uses.translation_lengths import (
    check_fits,
    cut_in_two,
    lengths_said,
    nothing_short,
    short_enough,
    too_long_to_translate,
)
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
        source, target = self._encoded(part)
        if part == "train":
            kept = short_enough(source, target, self.longest)
            source, target = [source[i] for i in kept], [target[i] for i in kept]
        return ParallelSamples(source, target)

    def learnt(self) -> ParallelText:
        """The pairs of the train part that are not over-long."""
        return self.parts["train"].take(short_enough(*self._encoded("train"), self.longest))

    def check_fits(self, capacity: int) -> None:
        """Every pair that is learned from or evaluated must fit into the positions that a network
        learns. Raises ManyDataFaults DATA-TOO-LONG."""
        for part, pairs in self.parts.items():
            source, target = self._encoded(part)
            if part == "train":
                kept = short_enough(source, target, self.longest)
                pairs = pairs.take(kept)
                source, target = [source[i] for i in kept], [target[i] for i in kept]
            most = 1 + max(len(one) for one in (*source, *target))
            steps = {
                "train": _("give capacity={most} or more, or --longest {fits}"),
                "new": cut_in_two(),
            }
            step = steps.get(part, _("give capacity={most} or more, or take the line out"))
            check_fits(pairs, source, target, capacity, step.format(most=most, fits=capacity - 1))

    def _encoded(self, part: Part) -> tuple[list[list[int]], list[list[int]]]:
        pairs, (source, target) = self.parts[part], self.subwords
        return source.encode(pairs.source), target.encode(pairs.target)


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
    notes += lengths_said(train, source, target, config.longest)
    kept = short_enough(source, target, config.longest)
    if not kept:
        raise nothing_short(train, config.longest)
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
    if any(names) and all(len(some) == 2 for some in (paths, config.valid, config.test) if some):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--source, --target",
            found=_("two files, which have no columns to name"),
            next_step=_("give the source file and then the target file, without these flags"),
        )
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
        self.capacity: int | None = getattr(model, "capacity", None)  # recurrent ones have none
        self._last: tuple[tuple[str, ...], list[str]] = ((), [])

    def read_new(self, paths: Sequence[Path]) -> TranslationData:
        pairs = read_pairs(paths, self.names)
        notes = [*pairs.notes, *self._check_sides(pairs)]
        data = TranslationData(
            {"new": pairs}, self.subwords, self.config.longest, pairs.sha256, tuple(notes)
        )
        if self.capacity is not None:
            data.check_fits(self.capacity)
        return data

    def evaluate(self, data: TranslationData, part: Part) -> Evaluation:
        pairs = data.parts[part]
        answers = self._translated(pairs)
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

    def how_measured(self) -> str:
        return translation_scores.signatures(self.config.tokenize)

    def same_samples(self, ours: Evaluation, others: Evaluation) -> bool:
        first, second = (
            [(row["source"], row["reference"]) for row in one.details["translations"]]
            for one in (ours, others)
        )
        return first == second

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
        blank.

        Raises ManyDataFaults DATA-SWAPPED for pairs that look like the other direction's.
        """
        from shinso.recipes.uses.files import only_one

        path = only_one(paths, "translate")
        sentences = read_sentences(path, self.names)
        notes = sentences.notes
        if sentences.pairs is not None:
            notes += tuple(self._check_sides(sentences.pairs))
        places = [f"{path}:{line}" for line in sentences.lines]
        answers = self.translate(sentences.source, places)
        rows = list(zip(sentences.source, answers, strict=True))
        return Predictions(("source", "translation"), rows, notes)

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """Each line's translation before the next line is read."""
        for number, line in enumerate(lines, 1):
            yield self.translate([line], [_("line {line}").format(line=number)])[0]

    def translate(self, sentences: Sequence[str], places: Sequence[str] = ()) -> list[str]:
        """The best translation of each sentence; of a blank one, nothing.

        places: where each stands, as its fault names it; "line 1" and so on by default. Raises
        ManyDataFaults DATA-TOO-LONG for sentences that are longer than the network's capacity.
        """
        answers = [""] * len(sentences)
        real = [place for place, one in enumerate(sentences) if one.strip()]
        pieces = self.subwords[0].encode([sentences[place].strip() for place in real])
        if self.capacity is not None:
            self._check_fits(pieces, real, places)
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

    def sources(self, data: TranslationData) -> tuple[str, ...]:
        return data.learnt().source

    def retold(self, data: TranslationData, answers: Sequence[str]) -> TranslationData:
        """Pairs whose translation is blank teach nothing and are left out."""
        told = replace(data.learnt(), target=tuple(answers))
        kept = told.take(place for place, answer in enumerate(answers) if answer.strip())
        return replace(data, parts={**data.parts, "train": kept})

    def _check_sides(self, pairs: ParallelText) -> list[str]:
        profiles = self.facts["profiles"]
        return check_sides(pairs, profiles["source"], profiles["target"])

    def _check_fits(
        self, pieces: Sequence[Sequence[int]], real: Sequence[int], places: Sequence[str]
    ) -> None:
        assert self.capacity is not None
        faults: list[DataFault] = []
        for number, one in zip(real, pieces, strict=True):
            if len(one) >= self.capacity:
                place = places[number] if places else _("line {line}").format(line=number + 1)
                faults.append(too_long_to_translate(place, len(one), self.capacity))
        if faults:
            raise ManyDataFaults(faults)

    def _longest(self, source_length: int) -> int:
        """Words that a translation of so many may have, its end counted."""
        longest = int(np.ceil(self.facts["length_ratio"] * source_length)) + SPARE
        return longest if self.capacity is None else min(longest, self.capacity)

    def _translated(self, pairs: ParallelText) -> list[str]:
        """Scores and plots of one part share a search."""
        if self._last[0] != pairs.source:
            places = [f"{pairs.paths[0]}:{line}" for line in pairs.lines]
            self._last = (pairs.source, self.translate(pairs.source, places))
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
        answers = self._translated(pairs)
        tokenize = self.config.tokenize
        return {
            "length": length_plot(pairs, answers, self.subwords[0], tokenize),
            **alignment_plots(self.model, self.subwords, pairs, answers),
        }
