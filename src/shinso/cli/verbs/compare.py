"""``shinso compare RUN RUN …``: several runs in one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.language import _

HELP = "several runs in one table"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("compare")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.cli.terminal import print_table
    from shinso.walk.run import Run, compare

    table = compare([Run.open(path) for path in read.runs])
    if read.json:
        print(json.dumps(table.as_dict(), ensure_ascii=False))
    else:
        print_table(table)
    return 0
