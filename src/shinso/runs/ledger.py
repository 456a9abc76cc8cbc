"""The evidence for claims on disk: one file for each seed of each claim, with and without cause.

``<root>/<claim>/quick-3.json`` holds what seed 3 gave, ``quick-3-control.json`` what it gave
with the cause removed: numbers, seconds, versions, the hash of the claim's file and the time.
A file is whole or absent. Nothing is deleted: evidence of an edited claim moves to ``stale/``
and a file that cannot be read to ``damaged/``. ``failed/`` holds why a seed gave nothing, until
it gives something.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from shinso.faults import RunFault
from shinso.language import _
from shinso.runs.files import write_fault, write_json

Number = float | int | str | list[Any]
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
FILE_NAME = re.compile(r"(?P<profile>[a-z]+)-(?P<seed>\d+)(?P<control>-control)?\.json")


@runtime_checkable
class Hashed(Protocol):
    """What staleness is asked of: a claim, known by its name and the hash of its file."""

    @property
    def name(self) -> str: ...

    @property
    def source_sha256(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one seed of one claim gave.

    numbers: by name with unit; threads: of the worker that measured; sha256: of the claim's
    file at that time; time: in UTC, when the measurement ended.
    """

    claim: str
    profile: str
    seed: int
    control: bool
    numbers: Mapping[str, Number]
    seconds: float
    threads: int
    versions: Mapping[str, str]
    sha256: str
    time: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why one seed of one claim gave nothing: a traceback, or the reason it was ended."""

    claim: str
    profile: str
    seed: int
    control: bool
    error: str
    seconds: float
    versions: Mapping[str, str]
    sha256: str
    time: str


Entry = TypeVar("Entry", Record, Failure)


def now() -> str:
    """The time in UTC, to the second, for ``time`` of a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(numbers: Mapping[str, Any]) -> dict[str, Number]:
    """A measurement in plain Python numbers, lists and strings, as JSON keeps it.

    NumPy's and torch's scalars and arrays are turned into numbers and lists. Raises ValueError
    that names a value of another kind, and a string that JSON could not tell from a number.
    """
    return {str(name): _plain(value, str(name), depth=0) for name, value in numbers.items()}


def _plain(value: Any, name: str, depth: int) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and depth == 0:
        if value in NOT_FINITE:
            raise ValueError(f"{name} is the string {value!r}; give the number, float({value!r})")
        return value
    if isinstance(value, list | tuple) and depth < 2:
        return [_plain(item, name, depth + 1) for item in value]
    kind = type(value).__name__
    raise ValueError(f"{name} holds a {kind}; give a number, a string or lists of numbers")


class Ledger:
    """Evidence below one folder. One process writes at a time; any number may read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, claim: str) -> Path:
        """Where the evidence for ``claim`` lies."""
        return self.root / claim

    def save(self, record: Record) -> Path:
        """Keep what a seed gave, whole or not at all; an earlier failure of it is forgotten."""
        path = self.folder(record.claim) / _file_name(record)
        write_json(path, asdict(record) | {"numbers": plain(record.numbers)})
        (path.parent / "failed" / path.name).unlink(missing_ok=True)
        return path

    def save_failure(self, failure: Failure) -> Path:
        """Keep why a seed gave nothing."""
        path = self.folder(failure.claim) / "failed" / _file_name(failure)
        write_json(path, asdict(failure))
        return path

    def records(self, claim: str, profile: str | None = None) -> list[Record]:
        """All that is known of ``claim``, by profile, control and seed, stale or not.

        Raises RunFault LEDGER-CORRUPT for a file that cannot be read. It is not passed over:
        a verdict over the seeds that happened to stay readable would be another verdict.
        """
        read = [_read(path, Record) for path in self._files(claim)]
        wanted = [record for record in read if profile in (None, record.profile)]
        return sorted(wanted, key=lambda record: (record.profile, record.control, record.seed))

    def failures(self, claim: str, profile: str | None = None) -> list[Failure]:
        """Seeds that gave nothing, and why. Raises RunFault LEDGER-CORRUPT as above."""
        read = [_read(path, Failure) for path in self._files(f"{claim}/failed")]
        return [failure for failure in read if profile in (None, failure.profile)]

    def stale(self, claim: Hashed) -> list[Record]:
        """Records measured before the claim's file was edited."""
        return [r for r in self.records(claim.name) if r.sha256 != claim.source_sha256]

    def set_aside_stale(self, claim: Hashed) -> list[Path]:
        """Move stale records to ``stale/<first 12 of their hash>/``; return where they are."""
        return [
            self._move(self.folder(claim.name) / _file_name(record), f"stale/{record.sha256[:12]}")
            for record in self.stale(claim)
        ]

    def set_aside_damaged(self, claim: str) -> list[Path]:
        """Move files that cannot be read to ``damaged/``; return where they are."""
        moved = []
        for path in [*self._files(claim), *self._files(f"{claim}/failed")]:
            try:
                if path.parent.name == "failed":
                    _read(path, Failure)
                else:
                    _read(path, Record)
            except RunFault:
                moved.append(self._move(path, "damaged"))
        return moved

    def _files(self, folder: str) -> list[Path]:
        return sorted(p for p in (self.root / folder).glob("*.json") if FILE_NAME.fullmatch(p.name))

    def _move(self, path: Path, folder: str) -> Path:
        """Into a folder beside it, without covering what lies there already."""
        claim = self.folder(path.relative_to(self.root).parts[0])
        target = claim / folder / path.name
        number = 1
        while target.exists():
            number += 1
            target = claim / folder / f"{path.stem}.{number}.json"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except OSError as error:
            raise write_fault(target, error, 0) from error
        return target


def _file_name(entry: Record | Failure) -> str:
    return f"{entry.profile}-{entry.seed}{'-control' if entry.control else ''}.json"


def _read(path: Path, kind: type[Entry]) -> Entry:
    """One entry, checked: its fields, their types, and that it is what its name says."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        expected = {field.name for field in fields(kind)}
        if not isinstance(content, dict) or set(content) != expected:
            raise ValueError(_("its fields are not {names}").format(names=sorted(expected)))
        if "numbers" in content:
            read = {key: _number(item) for key, item in content["numbers"].items()}
            content["numbers"] = plain(read)
        entry = kind(**content)
        _check_fields(entry)
        if _file_name(entry) != path.name:
            raise ValueError(_("it holds what belongs into {name}").format(name=_file_name(entry)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _corrupt(path, error) from error
    return entry


def _check_fields(entry: Record | Failure) -> None:
    kinds: dict[str, Any] = {
        "claim": str,
        "profile": str,
        "seed": int,
        "control": bool,
        "seconds": (int, float),
        "threads": int,
        "versions": dict,
        "sha256": str,
        "time": str,
        "error": str,
        "numbers": dict,
    }
    for field in fields(entry):
        value = getattr(entry, field.name)
        if not isinstance(value, kinds[field.name]):
            raise ValueError(
                _("its field {name} is {value!r}").format(name=field.name, value=value)
            )


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(item) for item in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _corrupt(path: Path, error: Exception) -> RunFault:
    folder = path.parent.parent if path.parent.name == "failed" else path.parent
    return RunFault(
        "LEDGER-CORRUPT",
        place=str(path),
        found=str(error),
        why=_("a verdict without this seed would be another verdict"),
        next_step=_(
            "restore the file, or measure again (the damaged file is kept): "
            "shinso claims run {name}"
        ).format(name=folder.name),
    )
