"""A teacher's own answers in the place of the train part's targets: what a student learns in
sequence-level distillation (Kim & Rush 2016, "Sequence-Level Knowledge Distillation", section 3.2).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shinso.faults import Interrupted
from shinso.recipes.recipe import Retells
from shinso.runs.files import append_line, write_atomically
from shinso.runs.metrics import leading_rows
from shinso.training.stopping import StopRequest
from shinso.walk.audience import Audience

AT_ONCE = 256
"""Sentences between two looks whether to stop."""


def retold(
    use: Retells, data: Any, path: Path, audience: Audience | None, stop: StopRequest | None,
    resume: str,
) -> Any:  # fmt: skip
    """``data`` with what ``use`` answers to its train part.

    Answers are kept at ``path`` as they come, a line of JSON each, so that no sentence is translated
    twice. Raises Interrupted where ``stop`` was asked; resume: the command that goes on then.
    """
    sources = use.sources(data)
    answers: list[str] = []
    for row in leading_rows(path):
        if not isinstance(row.get("answer"), str):
            break
        answers.append(row["answer"])
    # A line that a kill tore would swallow the next one.
    write_atomically(path, "".join(_line(answer) + "\n" for answer in answers))
    while len(answers) < len(sources):
        if stop is not None and stop.asked:
            raise Interrupted(resume)
        for answer in use.translate(sources[len(answers) : len(answers) + AT_ONCE]):
            append_line(path, _line(answer))
            answers.append(answer)
        if audience is not None:
            audience.on_step(len(answers), len(sources), {})
    return use.retold(data, answers)


def _line(answer: str) -> str:
    return json.dumps({"answer": answer}, ensure_ascii=False)
