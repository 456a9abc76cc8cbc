"""``shinso figure NAME``: a figure of the course, redrawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso import figures
from shinso.cli.parsing import Parser
from shinso.language import _, current

HELP = "redraw a figure of the course, as published and exact"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("figure")
    parser.add_argument("name", choices=figures.names())
    parser.add_argument(
        "--gradient",
        choices=("published", "exact", "both"),
        default="both",
        help=_("the gradient that the course printed, the right one, or both"),
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("figures"), metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    module = figures.load(read.name)
    made = module.make(read.output, gradient=read.gradient, seed=read.seed, language=current())
    if read.json:
        found = {"png": str(made.png), "csv": str(made.csv), "numbers": dict(made.numbers)}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print(module.TITLE)
    print(module.EXPLANATION)
    for name, value in made.numbers.items():
        print(f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}")
    print(made.png)
    print(made.csv)
    return 0
