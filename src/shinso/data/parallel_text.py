"""Pairs of sentences in two languages: one file of pairs, or two files line by line.

* two files, gzipped or not, of which line i of the one translates line i of the other;
* lines of ``source TAB target``, with further columns where the two are named;
* JSON lines, one object a pair.

Every fault is named with its line. A pair of two blank lines separates nothing and is passed over
aloud; a pair with one blank side is a fault, because then a line is missing or the files have come
apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shinso.data.findings import Findings, shown
from shinso.data.json_lines import looks_like_json, read_objects
from shinso.data.text import FileText, read_text
from shinso.faults import DataFault, ManyDataFaults, UsageFault
from shinso.language import _

NAMES = ("source", "target")


@dataclass(frozen=True)
class ParallelText:
    """source, target: sentences without blanks around them; equally many. lines: where each pair
    stands. paths: the files it was read from. sha256: of the files as stored."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    lines: tuple[int, ...]
    paths: tuple[Path, ...]
    sha256: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Iterable[int]) -> ParallelText:
        """Some of the pairs, in this order."""
        chosen = list(indices)
        return ParallelText(
            tuple(self.source[i] for i in chosen),
            tuple(self.target[i] for i in chosen),
            tuple(self.lines[i] for i in chosen),
            self.paths,
            self.sha256,
        )


def read_pairs(paths: Sequence[Path], names: tuple[str, str] = ("", "")) -> ParallelText:
    """names: of the source and target columns (TSV with a header) or keys (JSON lines).

    Raises UsageFault DATA-FILES for other than one or two files, ManyDataFaults for what is wrong
    in them.
    """
    if len(paths) == 2:
        return _aligned(paths[0], paths[1])
    if len(paths) != 1:
        raise UsageFault(
            "DATA-FILES",
            place=", ".join(map(str, paths)),
            found=_("{count} files").format(count=len(paths)),
            why=_("pairs stand in one file, or line by line in two"),
            next_step=_("give one file, or the source file and then the target file"),
        )
    findings = Findings(paths[0])
    file = read_text(paths[0], findings)
    rows = (_json_rows if looks_like_json(paths[0]) else _tab_rows)(file, findings, names)
    return _checked(rows, findings, paths, file.sha256)


@dataclass(frozen=True)
class Sentences:
    """What is to be translated. lines: where each stands. pairs: those beside which a translation
    stands already, None where there is none."""

    source: tuple[str, ...]
    lines: tuple[int, ...]
    pairs: ParallelText | None
    notes: tuple[str, ...]


def read_sentences(path: Path, names: tuple[str, str] = ("", "")) -> Sentences:
    """The sentences to translate in a file: the source side where every line is a pair, else the
    lines. A blank line is a sentence too, so that answers and lines stay beside each other."""
    findings = Findings(path)
    file = read_text(path, findings)
    rows: list[Row]
    if looks_like_json(path):
        key, other = names[0] or NAMES[0], names[1] or NAMES[1]
        rows = [
            (line, str(content[key]), str(content.get(other, "")))
            for line, content in read_objects(file, findings, (key,))
        ]
    else:
        lines = file.text.removesuffix("\n").split("\n")
        if all("\t" in line for line in lines if line.strip()):
            rows = _tab_rows(file, findings, names, only_source=True)
        else:
            rows = [(number, line, "") for number, line in enumerate(lines, 1)]
    findings.stop()
    paired = [
        (line, source, target) for line, source, target in rows if source.strip() and target.strip()
    ]
    return Sentences(
        tuple(source for _line, source, _target in rows),
        tuple(line for line, _source, _target in rows),
        _checked(paired, Findings(path), [path], file.sha256) if paired else None,
        tuple(findings.notes),
    )


def _aligned(source: Path, target: Path) -> ParallelText:
    # One file's faults do not hide the other's.
    files: list[FileText] = []
    faults: list[DataFault] = []
    notes: list[str] = []
    for path in (source, target):
        found = Findings(path)
        try:
            files.append(read_text(path, found))
        except DataFault as fault:
            faults.append(fault)
        notes += found.notes
    if faults:
        raise ManyDataFaults(faults)
    left, right = (file.text.removesuffix("\n").split("\n") for file in files)
    findings = Findings(source)
    if len(left) != len(right):
        findings.fault(
            "DATA-UNEQUAL-LINES",
            found=_("{left:,} lines here, {right:,} in {other}").format(
                left=len(left), right=len(right), other=target
            ),
            why=_("line i of one file must translate line i of the other"),
            next_step=_("find the line that is missing or cut in two, and mend that file"),
        )
        findings.stop()
    rows = [(line, *pair) for line, pair in enumerate(zip(left, right, strict=True), 1)]
    both = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    read = _checked(rows, findings, (source, target), both)
    return ParallelText(
        read.source, read.target, read.lines, read.paths, both, (*notes, *read.notes)
    )


Row = tuple[int, str, str]


def _json_rows(file: FileText, findings: Findings, names: tuple[str, str]) -> list[Row]:
    keys = (names[0] or NAMES[0], names[1] or NAMES[1])
    rows = []
    for line, content in read_objects(file, findings, keys):
        for key in keys:
            if not isinstance(content[key], str):
                findings.fault(
                    "DATA-FORMAT",
                    line=line,
                    column=key,
                    found=shown(repr(content[key])),
                    why=_("a sentence is a text"),
                    next_step=_("write it in quotes"),
                )
        rows.append((line, str(content[keys[0]]), str(content[keys[1]])))
    return rows


def _tab_rows(
    file: FileText, findings: Findings, names: tuple[str, str], *, only_source: bool = False
) -> list[Row]:
    lines = file.text.removesuffix("\n").split("\n")
    first = [cell.strip() for cell in lines[0].split("\t")]
    wanted = (names[0] or NAMES[0], names[1] or NAMES[1])
    has_header = all(name in first for name in wanted) or (only_source and wanted[0] in first)
    if any(names) and not has_header:
        for name, role in zip(wanted, NAMES, strict=True):
            if name not in first:
                findings.missing_column(name, first, role=role)
        findings.stop()
    # A file may begin with a blank line.
    width = len(next(line for line in lines if line.strip()).split("\t"))
    least = 1 if only_source else 2
    places = (0, 1)
    if has_header:
        places = (
            first.index(wanted[0]), first.index(wanted[1]) if wanted[1] in first else 0,
        )  # fmt: skip
    elif width > 2 and not only_source:
        findings.fault(
            "DATA-FORMAT",
            line=1,
            found=_("{count} columns: {line}").format(count=width, line=shown(lines[0])),
            why=_("which of them is translated into which is not said"),
            next_step=_("write a header line and name the columns with --source and --target"),
        )
        findings.stop()
    rows = []
    for line, text in enumerate(lines[has_header:], 1 + has_header):
        cells = text.split("\t")
        if not text.strip():
            rows.append((line, "", ""))
        elif len(cells) != max(width, least):
            findings.fault(
                "DATA-FORMAT",
                line=line,
                found=_("{count} columns: {line}").format(count=len(cells), line=shown(text)),
                why=_("each line holds a sentence, a tab and its translation"),
                next_step=_("put one tab between the two, or give two files"),
            )
        else:
            rows.append((line, cells[places[0]], cells[places[1]] if len(cells) > 1 else ""))
    return rows


def _checked(
    rows: Sequence[Row], findings: Findings, paths: Sequence[Path], sha256: str
) -> ParallelText:
    """Pairs with both sides; the rest is said, as notes or faults."""
    kept, blank = [], []
    for line, source, target in rows:
        source, target = source.strip(), target.strip()
        if source and target:
            kept.append((line, source, target))
        elif not source and not target:
            blank.append(line)
        else:
            side = NAMES[bool(source)]
            findings.fault(
                "DATA-HALF-PAIR",
                line=line,
                found=_("the {side} side is empty beside {other}").format(
                    side=side, other=shown(source or target)
                ),
                why=_("nothing can be learnt from one half, and files may have come apart here"),
                next_step=_("write the missing sentence, or take the line out on both sides"),
            )
    if not kept and not findings.any_fault:
        findings.fault(
            "DATA-EMPTY",
            found=_("no pair of sentences"),
            why=_("there is nothing to work on"),
            next_step=_("check that the right file was saved"),
        )
    findings.stop()
    if blank:
        findings.note(
            _(
                "{count:,} lines blank on both sides were passed over, the first in line {line}"
            ).format(count=len(blank), line=blank[0])
        )
    lines, source, target = zip(*kept, strict=True)
    return ParallelText(source, target, lines, tuple(paths), sha256, tuple(findings.notes))
