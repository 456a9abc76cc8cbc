"""Folders and archives of SGF files as arrays of moves; every damaged file is named."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int, Int8, Int64

from shinso.data.archives import is_archive
from shinso.data.file_tree import file_tree
from shinso.faults import DataFault, ManyDataFaults, UsageFault
from shinso.games.go import BLACK, WHITE, Position, Rules
from shinso.games.go_planes_numba import first_illegal
from shinso.games.record import Record, record_of, write_record
from shinso.games.sgf import parse_bytes
from shinso.language import _

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class GoGames:
    """Games of one board size, end to end.

    actions, colors: of all stones and moves; the stones set up before game g begin at ``begins[g]``,
    its moves at ``firsts[g]``. winners: 1 black, 2 white, 0 unknown. folders: train, valid or test,
    where a folder of that name holds the file.
    """

    side: int
    actions: Int[np.ndarray, " move"]
    colors: Int8[np.ndarray, " move"]
    begins: Int64[np.ndarray, " game_and_end"]
    firsts: Int64[np.ndarray, " game"]
    winners: Int8[np.ndarray, " game"]
    folders: tuple[str, ...]
    names: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.firsts)


def read_games(
    paths: Sequence[Path], *, side: int = 0, damaged: Literal["fail", "skip"] = "fail"
) -> GoGames:
    """All SGF files of folders, archives (tar, plain or compressed, and zip) and single files.

    side: take only games on boards of this size; 0 expects all to be of one. damaged: stop and name
    all faults, or leave these files out and say so.

    Raises ManyDataFaults with a fault for each damaged file; DataFault GO-NO-GAMES, GO-SIDES.
    """
    records: list[Record] = []
    digest = hashlib.sha256()
    faults: list[DataFault] = []
    for name, content in _files(paths):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        try:
            records.append(record_of(parse_bytes(content, name)[0], name))
        except DataFault as fault:
            faults.append(fault)
    notes: list[str] = []
    sides = Counter(record.side for record in records)
    if side:
        others = len(records) - sides[side]
        if others:
            notes.append(_("{count} games on other boards left out").format(count=others))
        records = [record for record in records if record.side == side]
    elif len(sides) > 1:
        raise DataFault(
            "GO-SIDES",
            place=", ".join(map(str, paths)),
            found=", ".join(f"{k}×{k}: {n}" for k, n in sides.most_common()),
            why=_("a network plays on one size of board"),
            next_step=f"--side {sides.most_common(1)[0][0]}",
        )
    if not records and not faults:
        raise DataFault(
            "GO-NO-GAMES",
            place=", ".join(map(str, paths)),
            found=_("no SGF file"),
            next_step=_("give a folder or an archive with files that end in .sgf"),
        )
    games, illegal = _legal_games(records, digest.hexdigest())
    faults += illegal
    if faults and damaged == "fail":
        raise ManyDataFaults(faults)
    if faults:
        notes.append(_("{count} damaged files left out").format(count=len(faults)))
    if games is None:
        raise faults[0]
    return GoGames(**{**vars(games), "notes": tuple(notes)})


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every SGF file, in the order of names."""
    for path in paths:
        if path.is_dir() or (is_archive(path) and path.exists()):
            for name, load in file_tree(path, _is_sgf).loads.items():
                yield name, load()
        else:
            try:
                yield path.name, path.read_bytes()
            except OSError as error:
                raise DataFault(
                    "DATA-UNREADABLE",
                    place=str(path),
                    found=f"{type(error).__name__}: {error}",
                    next_step=_("give a folder or an archive with files that end in .sgf"),
                ) from error


def _is_sgf(name: str) -> bool:
    return name.lower().endswith(".sgf")


def _legal_games(records: Sequence[Record], sha256: str) -> tuple[GoGames | None, list[DataFault]]:
    """The games that the rules allow, and a fault for each other one."""
    if not records:
        return None, []
    games = _arrays(records, sha256)
    wrong = np.empty(len(games), np.int64)
    first_illegal(
        Position.start(Rules(side=games.side)).board,
        games.actions, games.colors, games.begins, games.firsts, wrong,
    )  # fmt: skip
    faults = []
    for game in np.flatnonzero(wrong >= 0):
        number = int(wrong[game] - games.firsts[game]) + 1
        faults.append(
            DataFault(
                "SGF-MOVE",
                place=f"{games.names[game]} move {number}",
                found=_("the rules forbid this move"),
                next_step=_("mend the file there, or leave it out"),
            )
        )
    if not faults:
        return games, []
    kept = [record for record, place in zip(records, wrong, strict=True) if place < 0]
    return (_arrays(kept, sha256) if kept else None), faults


def _arrays(records: Sequence[Record], sha256: str) -> GoGames:
    actions, colors, begins, firsts = [], [], [0], []
    for record in records:
        setup = [(BLACK, a) for a in record.black] + [(WHITE, a) for a in record.white]
        firsts.append(begins[-1] + len(setup))
        for color, action in (*setup, *record.moves):
            actions.append(action)
            colors.append(color)
        begins.append(len(actions))
    return GoGames(
        side=records[0].side,
        actions=np.array(actions, np.int16),
        colors=np.array(colors, np.int8),
        begins=np.array(begins, np.int64),
        firsts=np.array(firsts, np.int64),
        winners=np.array([record.winner or 0 for record in records], np.int8),
        folders=tuple(_folder(record.name) for record in records),
        names=tuple(record.name for record in records),
        sha256=sha256,
    )


def _folder(name: str) -> str:
    return next((part for part in Path(name).parts if part in PARTS), "")


def write_games(records: Sequence[Record], path: Path) -> None:
    """An archive of SGF files, named as the records are; the same records give the same bytes but for
    the compression's own header."""
    mode = {".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w")
    try:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for record in records:
                content = write_record(record).encode()
                entry = tarfile.TarInfo(record.name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise UsageFault(
            "OUTPUT-REFUSED",
            place=str(path),
            found=f"{type(error).__name__}: {error}",
            next_step=_("give a file in a folder that can be written to"),
        ) from error
