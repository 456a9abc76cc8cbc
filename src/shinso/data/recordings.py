"""Recordings with their labels: a folder or an archive of WAV files, or one file.

Every file becomes 16-bit samples of one channel at one rate; what had to be changed for that is
said, and a file that cannot be read, or holds nothing, is a fault.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import Int16

from shinso.data.archives import is_archive
from shinso.data.file_tree import file_tree
from shinso.data.findings import shown
from shinso.data.labelled_series import ordered_classes
from shinso.data.recording_labels import decided, labels_of, rule_of
from shinso.data.sampled_sound import as_16_bit, missing_bytes, resampled
from shinso.data.text import read_bytes
from shinso.extras import need
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

KINDS = (".wav", ".flac", ".aiff", ".aif")
Silent = Literal["fail", "drop", "keep"]


@dataclass(frozen=True, eq=False)
class Recordings:
    """samples: 16-bit, one channel. labels: empty text where there are none. label_rule: where they
    came from, with "auto" decided: "none", "folder" or the expression."""

    path: Path
    names: tuple[str, ...]
    samples: tuple[Int16[np.ndarray, " _"], ...]
    labels: tuple[str, ...]
    label_rule: str
    rate_hz: int
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> tuple[str, ...]:
        """Each label once; none where there are no labels."""
        return ordered_classes([label for label in self.labels if label])

    def place(self, name: str) -> str:
        """Where a file of this name lies, to be shown."""
        return _place(self.path, name)

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "recordings": len(self),
            "label_rule": self.label_rule,
            "rate_hz": self.rate_hz,
            "seconds": sum(map(len, self.samples)) / self.rate_hz,
        }


def _place(path: Path, name: str) -> str:
    return f"{path}/{name}" if name != path.name else str(path)


@dataclass
class _Found:
    """What reading one file after another brings to light."""

    path: Path
    faults: list[DataFault] = field(default_factory=list)
    stereo: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    loud: list[str] = field(default_factory=list)

    def fault(self, code: str, name: str, *, found: str, why: str, next_step: str) -> None:
        place = _place(self.path, name)
        self.faults.append(DataFault(code, place=place, found=found, why=why, next_step=next_step))


def read_recordings(
    path: Path,
    *,
    label: str = "auto",
    rate_hz: int = 0,
    silent: Silent = "fail",
    inside: bool = False,
    needs_label: bool = True,
) -> Recordings:
    """label: "none"; "folder", the sub-folder a file lies in; a regular expression whose first
    group, found in the file's name without its ending, is the label; "auto": sub-folders where
    there are several, else what stands before the first underscore where every name has one, else
    none. rate_hz: 0 takes the commonest; files of another rate are resampled. silent: what to do
    with a file whose samples, as 16-bit numbers, are all equal. inside: whether ``path`` may be one
    of the labels' folders itself, or a file in it, instead of the folder of these folders.
    needs_label: whether a name without a label is a fault.

    Raises DataFault DATA-NOT-FOUND, DATA-EMPTY, or ManyDataFaults with every file that cannot be
    read or is not whole (DATA-FORMAT), is empty (DATA-EMPTY), holds NaN (DATA-NAN), is silent
    (DATA-SILENT) or has no label (DATA-NO-LABEL); UsageFault LABEL-RULE for no expression.
    """
    given = rule_of(label)  # a fault in it is told before anything is read
    found, digest = _Found(path), hashlib.sha256()
    read: list[tuple[str, np.ndarray, int]] = []
    for name, content in _files(path):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
        one = _samples(name, content, found, silent)
        if one is not None:
            read.append((name, *one))
    if not read and not found.faults:
        raise _nothing(path, len(found.silent))
    names = [name for name, _samples, _rate in read]
    label, rule = decided(label, given, names)
    labels, where = labels_of(names, label, rule, _above(path) if inside else "")
    if needs_label:
        _check_labels(names, labels, where, found)
    if found.faults:
        raise ManyDataFaults(found.faults)
    rate = rate_hz or Counter(own for _name, _samples, own in read).most_common(1)[0][0]
    notes = _notes(found, silent)
    if where and needs_label:
        notes.append(_("{count} labels: {where}").format(count=len(set(labels)), where=where))
    others = Counter(own for _name, _samples, own in read if own != rate)
    if others:
        notes.append(
            _(
                "{count:,} files have other rates ({rates} Hz); they are resampled to {rate} Hz"
            ).format(
                count=sum(others.values()), rates=", ".join(map(str, sorted(others))), rate=rate
            )
        )
    samples = tuple(as_16_bit(resampled(one, own, rate)) for _name, one, own in read)
    return Recordings(
        path, tuple(names), samples, tuple(labels), label, rate, digest.hexdigest(), tuple(notes)
    )


def _is_sound(name: str) -> bool:
    return name.lower().endswith(KINDS)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name below ``path`` and content of every sound file, in the order of the alphabet."""
    if path.is_file() and not is_archive(path):
        yield path.name, read_bytes(path)
    else:
        for name, load in file_tree(path, _is_sound).loads.items():
            yield name, load()


def _samples(
    name: str, content: bytes, found: _Found, silent: Silent
) -> tuple[np.ndarray, int] | None:
    """One channel from −1 to 1, and its rate; a fault and None where there is none to be had."""
    soundfile = need("soundfile")
    try:
        every, rate = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        found.fault(
            "DATA-FORMAT",
            name,
            found=re.sub(r"^Error opening <.*?>: ", "", str(error)),
            why=_("this is no sound that can be read"),
            next_step=_("save it anew as a WAV file, or take it out"),
        )
        return None
    missing = missing_bytes(content)
    if missing:
        found.fault(
            "DATA-FORMAT",
            name,
            found=_("{count:,} bytes fewer than its header says").format(count=missing),
            why=_("the file is not whole"),
            next_step=_("bring a whole copy of the file"),
        )
        return None
    if len(every) < 2:
        found.fault(
            "DATA-EMPTY",
            name,
            found=_("{count} samples").format(count=len(every)),
            why=_("a recording has at least two samples"),
            next_step=_("take the file out"),
        )
        return None
    if not np.isfinite(every).all():
        found.fault(
            "DATA-NAN",
            name,
            found=_("samples that are no finite numbers"),
            why=_("a finite number is needed at every time step"),
            next_step=_("save it anew as a WAV file, or take it out"),
        )
        return None
    if every.shape[1] > 1:
        found.stereo.append(name)
    one = every.mean(axis=1)
    if np.abs(one).max() > 1:
        found.loud.append(name)
    if np.ptp(as_16_bit(one)) == 0 and silent != "keep":
        found.silent.append(name)
        if silent == "fail":
            found.fault(
                "DATA-SILENT",
                name,
                found=_("all samples are equal"),
                why=_("a network that hears silence learns to be silent"),
                next_step=_("take the file out, or use --silent drop or --silent keep"),
            )
        return None
    return one, int(rate)


def _notes(found: _Found, silent: Silent) -> list[str]:
    notes = []
    if found.stereo:
        notes.append(
            _("{count:,} files have several channels; their mean is taken").format(
                count=len(found.stereo)
            )
        )
    if found.loud:
        notes.append(
            _("{count:,} files are louder than 16 bits can say and are clipped: {names}").format(
                count=len(found.loud), names=", ".join(found.loud[:5])
            )
        )
    if found.silent and silent == "drop":
        notes.append(
            _("{count:,} silent files are left out: {names}").format(
                count=len(found.silent), names=", ".join(found.silent[:5])
            )
        )
    return notes


def _above(path: Path) -> str:
    """The folder of those files of ``path`` that lie in no sub-folder; "" in an archive."""
    if is_archive(path):
        return ""
    return path.resolve().name if path.is_dir() else path.resolve().parent.name


def _check_labels(names: Sequence[str], labels: Sequence[str], where: str, found: _Found) -> None:
    """A fault for each name without a label, if there is to be one."""
    for name in [name for name, one in zip(names, labels, strict=True) if where and not one]:
        found.fault(
            "DATA-NO-LABEL",
            name,
            found=shown(PurePosixPath(name).name),
            why=_("the label is {where}").format(where=where),
            next_step=_("rename the file, or use --label-from none"),
        )


def _nothing(path: Path, silent: int) -> DataFault:
    return DataFault(
        "DATA-EMPTY",
        place=str(path),
        found=_("nothing but silent files ({count:,})").format(count=silent)
        if silent
        else _("no file that ends in {kinds}").format(kinds=", ".join(KINDS)),
        why=_("there is nothing to learn from"),
        next_step=_("give a folder or an archive of WAV files"),
    )
