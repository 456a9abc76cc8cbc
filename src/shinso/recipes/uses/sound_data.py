"""Recordings as clips of a training, a validation and a test part, for ``audio``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shinso.data import mulaw
from shinso.data.recordings import Recordings, read_recordings
from shinso.data.sound_crops import SoundClips
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, stratified_split
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _
from shinso.models.sound_rivals import LinearPredictor, class_histogram
from shinso.recipes.recipe import Part
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from shinso.recipes.audio import Config


@dataclass(frozen=True)
class SoundData:
    """Recordings as clips of each part; names of the clips in the same order."""

    recordings: Recordings
    clips: Mapping[Part, SoundClips]
    names: Mapping[Part, Sequence[str]]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.recordings.facts(), "notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path]) -> SoundData:
    """Read, split; histogram and linear predictor from the train part."""
    path = only_one(paths, "audio", _("give a folder or an archive of WAV files"))
    found = _read(config, path, config.label_from, config.rate_hz)
    given: dict[SplitPart, Recordings] = {
        part: read_like(config, only_one(files, "audio"), found.label_rule, found.rate_hz)
        for part in PARTS[1:]
        if (files := getattr(config, part))
    }
    parts = _split(config, found, tuple(given))
    chosen: dict[SplitPart, tuple[Recordings, np.ndarray]] = {
        part: (given[part], np.arange(len(given[part]))) if part in given else (found, parts[part])
        for part in PARTS
    }
    classes = found.classes
    clips: dict[SplitPart, SoundClips] = {
        part: clips_of(*one, classes) for part, one in chosen.items()
    }
    names = {
        part: [recordings.names[row] for row in rows] for part, (recordings, rows) in chosen.items()
    }
    train = clips["train"]
    extra = {
        "class_names": list(classes),
        "split": _split_text(config),
        "part_recordings": {part: len(one) for part, one in clips.items()},
        "part_samples": {part: int(one.lengths.sum()) for part, one in clips.items()},
        "histogram": class_histogram(train.classes, mulaw.CLASSES).tolist(),
        "linear": LinearPredictor.fit(train.values).to_dict(),
    }
    notes = [
        *found.notes,
        *(note for one in given.values() for note in one.notes),
        *_twice(clips),
    ]
    return SoundData(found, cast(Any, clips), cast(Any, names), tuple(notes), extra)


def _read(config: Config, path: Path, label: str, rate_hz: int) -> Recordings:
    return read_recordings(path, label=label, rate_hz=rate_hz, silent=config.silent)


def read_like(
    config: Config, path: Path, label: str, rate_hz: int, *, needs_label: bool = True
) -> Recordings:
    """Other files under the rule that was decided on for the first ones."""
    return read_recordings(
        path,
        label=label,
        rate_hz=rate_hz,
        silent=config.silent,
        inside=True,
        needs_label=needs_label,
    )


def _twice(clips: Mapping[SplitPart, SoundClips]) -> list[str]:
    """Notes on recordings of valid and test that stand in the train part too."""
    contents = [blake2b(one.tobytes()).digest() for part in PARTS for one in clips[part].values]
    ends = np.cumsum([len(clips[part]) for part in PARTS])
    places: dict[SplitPart, np.ndarray] = {
        part: np.arange(end - len(clips[part]), end) for part, end in zip(PARTS, ends, strict=True)
    }
    return duplicates_across(contents, places)


def _split_text(config: Config) -> str:
    text = f"{config.split} seed {config.split_seed}"
    if config.test_names:
        text += f", test: {config.test_names}"
    for name in ("valid", "test"):
        if getattr(config, name):
            text += f", {name}: {', '.join(one.name for one in getattr(config, name))}"
    return text


def _split(config: Config, found: Recordings, given: Sequence[str]) -> dict[SplitPart, np.ndarray]:
    """Rows of each part of the recordings; parts given as files of their own have none."""
    shares = parse_shares(config.split)
    rest = np.arange(len(found))
    parts: dict[SplitPart, np.ndarray] = dict.fromkeys(PARTS, rest[:0])
    stems = [PurePosixPath(name).stem for name in found.names]
    if config.test_names:
        is_test = np.array([bool(re.search(config.test_names, stem)) for stem in stems])
        if not is_test.any() or is_test.all():
            raise DataFault(
                "DATA-TOO-SHORT",
                place=str(found.path),
                found=_("{count} of {all} names have {rule}").format(
                    count=int(is_test.sum()), all=len(rest), rule=config.test_names
                ),
                why=_("train and test need one recording each"),
                next_step=_("change --test-names"),
            )
        parts["test"], rest = rest[is_test], rest[~is_test]
    missing: list[SplitPart] = [
        part for part in PARTS[1:] if part not in given and not len(parts[part])
    ]
    if not missing:
        parts["train"] = rest
        return parts
    labels = [found.labels[row] for row in rest]
    if not any(labels) and len(rest) < len(PARTS):
        raise DataFault(
            "DATA-TOO-SHORT",
            place=str(found.path),
            found=_("{count} recordings").format(count=len(rest)),
            why=_("train, valid and test need one each"),
            next_step=_("cut them into more files, or name others with --valid and --test"),
        )
    split = stratified_split(
        labels, shares, config.split_seed, path=found.path, places=[found.names[i] for i in rest]
    )
    for part in missing:
        parts[part] = rest[split[part]]
    taken = np.concatenate([split[part] for part in missing])
    parts["train"] = np.delete(rest, taken)
    return parts


def clips_of(found: Recordings, rows: np.ndarray, classes: Sequence[str]) -> SoundClips:
    samples = [found.samples[row] for row in rows]
    labels = None
    if classes:
        number = {name: place for place, name in enumerate(classes)}
        faults = [
            DataFault(
                "DATA-UNKNOWN-LABEL",
                place=found.place(found.names[row]),
                found=repr(found.labels[row]),
                why=_("the train part has only the classes {classes}").format(
                    classes=", ".join(classes)
                ),
                next_step=_("mend the label, or train on data that hold this class"),
            )
            for row in rows
            if found.labels[row] not in number
        ]
        if faults:
            raise ManyDataFaults(faults)
        labels = [number[found.labels[row]] for row in rows]
    return SoundClips([mulaw.encode(one) for one in samples], samples, labels)
