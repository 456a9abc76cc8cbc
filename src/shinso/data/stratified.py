"""Parts of labelled samples: every class in every part, in like shares."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Int

from shinso.data.findings import Findings, shown
from shinso.data.splits import PARTS, SplitPart
from shinso.language import _

SMALLEST_CLASS = 3  # one sample for each part


def parse_shares(text: str) -> tuple[Fraction, Fraction, Fraction]:
    """Shares of train, valid and test from "0.7,0.15,0.15". ValueError that says the fix."""
    try:
        train, valid, test = (Fraction(part.strip()) for part in text.split(","))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"split is {text!r}; give three shares, such as 0.7,0.15,0.15") from error
    if min(train, valid, test) <= 0 or train + valid + test != 1:
        raise ValueError(f"split is {text!r}; give three shares above 0 that add up to 1")
    return train, valid, test


def stratified_split(
    labels: Sequence[str],
    shares: tuple[Fraction, Fraction, Fraction],
    seed: int,
    *,
    path: Path,
    places: Sequence[str] = (),
) -> dict[SplitPart, Int[np.ndarray, " sample"]]:
    """Indices of each part, ascending. Valid and test get the share of each class rounded to the
    nearest, at least one sample; train gets the rest, at least one.

    Raises ManyDataFaults DATA-RARE-CLASS for each class with fewer than three samples.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        members[label].append(place)
    findings = Findings(path)
    for label, found in sorted(members.items()):
        if len(found) < SMALLEST_CLASS:
            where = ", ".join(places[place] for place in found) if places else ""
            findings.fault(
                "DATA-RARE-CLASS",
                found=_("class {label} has {count} samples").format(
                    label=shown(label), count=len(found)
                )
                + (f" ({where})" if where else ""),
                why=_("train, valid and test need one each"),
                next_step=_("collect more, join it with another class, or take it out"),
            )
    findings.stop()
    rng = np.random.default_rng(seed)
    parts: dict[SplitPart, list[int]] = {part: [] for part in PARTS}
    for label in sorted(members):
        order = rng.permutation(members[label])
        valid = max(1, round(len(order) * shares[1]))
        test = max(1, round(len(order) * shares[2]))
        while valid + test > len(order) - 1:  # small classes: train keeps one
            valid, test = (valid - 1, test) if valid > test else (valid, test - 1)
        parts["test"] += order[:test].tolist()
        parts["valid"] += order[test : test + valid].tolist()
        parts["train"] += order[test + valid :].tolist()
    return {part: np.sort(np.array(found, dtype=np.int64)) for part, found in parts.items()}


def random_split(
    num_samples: int, shares: tuple[Fraction, Fraction, Fraction], seed: int, *, path: Path
) -> dict[SplitPart, Int[np.ndarray, " sample"]]:
    """Indices of each part, ascending, for samples without one label each.

    Raises ManyDataFaults DATA-TOO-SHORT where there are fewer than three samples.
    """
    if num_samples < len(PARTS):
        findings = Findings(path)
        findings.fault(
            "DATA-TOO-SHORT",
            found=_("{count} samples").format(count=num_samples),
            why=_("train, valid and test need one each"),
            next_step=_("give a file with more samples"),
        )
        findings.stop()
    return stratified_split([""] * num_samples, shares, seed, path=path)


def duplicates_across(
    samples: Sequence[Hashable], parts: Mapping[SplitPart, Int[np.ndarray, " _"]]
) -> list[str]:
    """Notes on samples of valid and test that stand in the train part too."""
    train = Counter(samples[place] for place in parts["train"])
    notes = []
    for part in PARTS[1:]:
        same = sum(samples[place] in train for place in parts[part])
        if same:
            notes.append(
                _(
                    "{same:,} of {count:,} samples of the {part} part stand in the train part too; "
                    "they flatter the result"
                ).format(same=same, count=len(parts[part]), part=part)
            )
    return notes
