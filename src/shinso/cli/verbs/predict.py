"""``shinso predict RUN DATA [-o OUT.csv]``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.language import _

HELP = "use a run on new data"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("predict")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA")
    parser.add_argument("-o", "--output", type=Path, help=_("a CSV file; standard output without"))
    parser.add_argument("--seed", type=int, help=_("which seed predicts; the first without"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.runs.files import write_atomically
    from shinso.walk.card import csv_text
    from shinso.walk.run import Run

    found = Run.open(read.run).predict(read.data, seed=read.seed)
    if read.json:
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        text = json.dumps(rows, ensure_ascii=False) + "\n"
    else:
        text = csv_text(found)
    if read.output:
        write_atomically(read.output, text)
        print(_("{count} rows in {file}").format(count=len(found.rows), file=read.output))
    else:
        print(text, end="")
    return 0
