"""What the pages of ``shinso ui`` show, made ready: runs, claims, a lesson. Nothing is drawn here."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from shinso import lessons
from shinso.claims import catalogue, chapters
from shinso.claims.claim import Profile, Verdict
from shinso.claims.judgement import Judgement, judge
from shinso.faults import Fault, UsageFault
from shinso.language import _, current
from shinso.lessons.mathml import mathml
from shinso.runs.folder import RunFolder
from shinso.runs.ledger import Ledger
from shinso.settings import resolve, schema
from shinso.walk.run import Run

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SEED = re.compile(r"seed[0-9]+")
SIGNS = {
    Verdict.HOLDS: ("holds", "✓"),
    Verdict.CONDITIONALLY: ("conditionally", "◐"),
    Verdict.REFUTED: ("refuted", "✕"),
    Verdict.UNDECIDED: ("undecided", "?"),
}
MOST_UNITS, MOST_STEPS = 6, 12
"""A lesson on a page is read number by number; larger ones are computed by ``shinso learn``."""


def folder_of(root: Path, *names: str) -> RunFolder:
    """The run below ``root`` by the parts of its path; RunFault RUN-NOT-FOUND, also for parts
    that are no plain names and so could lead elsewhere."""
    path = root.joinpath(*names)
    if not all(NAME.fullmatch(one) for one in names):
        return RunFolder.open(root / "not-a-run")
    return RunFolder.open(path)


def runs(root: Path) -> list[dict[str, Any]]:
    """A line for each run below ``root``, compressed ones below their own."""
    found = []
    for run in RunFolder.all_with_compressed(root):
        parts = run.path.relative_to(root).parts
        found.append(
            {
                "name": "/".join(parts),
                "task": parts[0],
                "state": run.state(),
                "seeds": len(run.seeds_done()),
                "plain": all(NAME.fullmatch(one) for one in parts),
            }
        )
    return found


def run(folder: RunFolder) -> dict[str, Any]:
    """What a run's page shows besides its curves; of a damaged one, what is wrong with it."""
    try:
        status = folder.status()
    except Fault as fault:
        status = {"state": folder.state(), "error": fault.text()}
    plots = sorted(path.stem for path in (folder.path / "plots").glob("*.png"))
    shown: dict[str, Any] = {
        "state": status["state"],
        "error": status.get("error", ""),
        "resume": status.get("resume", ""),
        "plots": [one for one in plots if NAME.fullmatch(one)],
        "command": _text(folder, "command.txt"),
        "settings": _text(folder, "config.yaml"),
        "tables": [],
    }
    if status["state"] == "done":
        try:
            opened = Run(folder)
            shown["tables"] = [
                (name, opened.table(part).cells())
                for name, part in ((_("Test part"), "test"), (_("Validation part"), "valid"))
            ]
        except Fault as fault:  # a damaged run must not cost its page
            shown["error"] = fault.text()
    return shown


def _text(folder: RunFolder, name: str) -> str:
    path = folder.path / name
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def rows_since(folder: RunFolder, told: dict[int, int]) -> list[dict[str, Any]]:
    """Rows of the curves that were not told yet, by seed; ``told`` counts them."""
    found = []
    for path in sorted(folder.path.glob("seed*/metrics.jsonl")):
        if not SEED.fullmatch(path.parent.name):
            continue
        seed = int(path.parent.name[4:])
        rows = list(folder.seed(seed).metrics.rows())
        # A resumed run takes some steps again, and its log is cut to where it goes on.
        first = told.get(seed, 0) if told.get(seed, 0) <= len(rows) else 0
        found += [{"seed": seed, **row} for row in rows[first:]]
        told[seed] = len(rows)
    return found


def claims(report: Path, profile: Profile) -> list[dict[str, Any]]:
    """Chapters in the course's order, each with its claims and their verdicts."""
    ledger = Ledger(report / "ledger")
    judged = [judge(catalogue.load(name), ledger, profile) for name in catalogue.names()]
    judged.sort(key=lambda one: chapters.place(one.claim.chapter))
    return [
        {
            "title": str(chapters.title(chapter)),
            "claims": [claim_line(one) for one in listed],
        }
        for chapter, listed in groupby(judged, key=lambda one: one.claim.chapter)
    ]


def claim_line(judgement: Judgement) -> dict[str, Any]:
    """One claim in a list: verdict as colour, sign and word."""
    look, sign = SIGNS[judgement.final_verdict]
    measured = bool(judgement.measurements)
    return {
        "name": judgement.claim.name,
        "says": str(judgement.claim.says),
        "look": look if measured else "unmeasured",
        "sign": sign if measured else "–",
        "word": _(judgement.final_verdict.value) if measured else _("not measured yet"),
    }


def claim(name: str, report: Path, profile: Profile) -> dict[str, Any]:
    """A claim's page. Raises UsageFault for a name that there is not."""
    judgement = judge(loaded(name), Ledger(report / "ledger"), profile)
    read = judgement.claim
    return {
        **claim_line(judgement),
        "chapter": str(chapters.title(read.chapter)),
        "place": str(read.place),
        "texts": [
            (title, str(text))
            for title, text in (
                (_("Measurement"), read.method), (_("Control"), read.control),
                (_("Rule"), read.rule), (_("Change of the rule"), read.rule_changed),
                (_("What is true"), read.truth),
            )
            if text
        ],
        "reason": str(judgement.reason),
        "estimates": list(judgement.finding.estimates) if judgement.finding else [],
        "seeds": [
            (side, [(one.seed, one.seconds) for one in records])
            for side, records in (
                (_("with the cause"), judgement.measurements), (_("control"), judgement.controls)
            )
        ],
        "has_figure": bool(judgement.measurements and judgement.controls),
        "stale": judgement.stale,
    }  # fmt: skip


def loaded(name: str) -> Any:
    """The claim of a name; UsageFault where there is none, never an import of something else."""
    if name not in catalogue.names():
        raise UsageFault("CLAIM-UNKNOWN", place=name, found=_("nothing has this name"))
    return catalogue.load(name)


def claim_figure(name: str, report: Path, profile: Profile) -> bytes:
    """The claim's figure as SVG, in the language in use."""
    from shinso.figures import style

    judgement = judge(loaded(name), Ledger(report / "ledger"), profile)
    figure = style.figure(7.2, 3.7)
    judgement.claim.draw(
        figure,
        [record.numbers for record in judgement.measurements],
        [record.numbers for record in judgement.controls],
    )
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def lesson(asked: Mapping[str, str]) -> dict[str, Any]:
    """A lesson computed, in the language in use. Raises UsageFault for settings that it refuses."""
    name = asked.get("lesson", "bptt")
    module = lessons.load(name)
    known = schema(module.Config)
    given = {key: value for key, value in asked.items() if key in known}
    config = resolve(module.Config, ("page", given)).config
    for key, most in (("hidden", MOST_UNITS), ("inputs", MOST_UNITS), ("steps", MOST_STEPS)):
        number = getattr(config, key)
        if number > most:
            raise UsageFault(
                "LESSON-TOO-LONG",
                place=key,
                found=str(number),
                next_step=f"shinso learn {name} --{key} {number}",
            )
    return _taught(name, config, current())


@lru_cache(maxsize=32)
def _taught(name: str, config: Any, _language: str) -> dict[str, Any]:
    module = lessons.load(name)
    found = module.teach(config)
    return {
        "title": str(found.title),
        "introduction": str(found.introduction),
        "largest_difference": found.largest_difference,
        "steps": [
            {
                "phase": one.phase, "time": one.time, "name": one.name, "mathml": mathml(one.formula),
                "shape": list(one.shape), "value": one.value, "note": str(one.note),
                "difference": one.difference,
            }
            for one in found.steps
        ],
        "questions": [
            {
                "question": str(one.question), "answers": [str(a) for a in one.answers],
                "correct": one.correct, "reason": str(one.reason),
            }
            for one in found.questions
        ],
    }  # fmt: skip
