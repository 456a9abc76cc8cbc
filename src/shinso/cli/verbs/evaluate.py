"""``shinso evaluate RUN [DATA]``: all seeds and the baselines, on new data or a part again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.cli.use_settings import read_for_run
from shinso.language import _

HELP = "measure a run beside its baselines, on new data or again"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("evaluate")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("data", type=Path, nargs="*", metavar="DATA")
    parser.add_argument(
        "--part",
        choices=("train", "valid", "test"),
        default="",
        help=_("of the run's own data; test where none is named"),
    )
    parser.add_argument(
        "--require",
        default="",
        metavar="GATE",
        help=_("exit 4 unless met: beats=ROW, METRIC<NUMBER, METRIC>NUMBER"),
    )
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read, trained = read_for_run(parser, arguments)
    from shinso.cli.terminal import print_table

    gate = trained.gate(read.require, own=not read.data) if read.require else None
    table = trained.evaluate(read.data, part=read.part)
    if read.json:
        print(json.dumps(table.as_dict(), ensure_ascii=False))
    else:
        print_table(table)
    if gate is not None:
        gate.check(table, trained.order.model)
    return 0
