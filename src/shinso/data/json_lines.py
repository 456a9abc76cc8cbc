"""JSON lines: one object a line, every fault with its line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shinso.data.findings import Findings, shown
from shinso.data.text import FileText, first_bytes
from shinso.language import _


def looks_like_json(path: Path) -> bool:
    """Whether a file is JSON lines, by its name or by its first sign; False where none is."""
    if {".jsonl", ".ndjson", ".json"} & {suffix.lower() for suffix in path.suffixes}:
        return True
    return path.is_file() and first_bytes(path).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def read_objects(
    file: FileText, findings: Findings, required: tuple[str, ...], *, example: str = ""
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is one with the ``required`` keys.

    The others are faults in ``findings``: DATA-FORMAT, DATA-MISSING-COLUMN. Blank lines separate
    nothing and are passed over. example: how a line is to be written, where the keys do not say it.
    """
    example = example or "{" + ", ".join(f'"{key}": …' for key in required) + "}"
    for line, text in enumerate(file.text.split("\n"), 1):
        if not text.strip():
            continue
        try:
            content = json.loads(text)
            problem = "" if isinstance(content, dict) else shown(text)
        except (ValueError, RecursionError) as error:
            content, problem = None, f"{error}: {shown(text)}"
        if problem or not isinstance(content, dict):
            findings.fault(
                "DATA-FORMAT",
                line=line,
                found=problem,
                why=_("each line must be one JSON object"),
                next_step=_("write it like {example}").format(example=example),
            )
            continue
        missing = [key for key in required if key not in content]
        for key in missing:
            findings.missing_column(key, content, role=_("a key of every line"), line=line)
        if not missing:
            yield line, content
