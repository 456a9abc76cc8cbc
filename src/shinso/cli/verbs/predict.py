"""``shinso predict RUN DATA [-o OUT.csv]``; ``shinso predict RUN -`` answers line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shinso.cli.parsing import Parser
from shinso.cli.standard_input import lines_of_input
from shinso.cli.use_settings import read_for_run
from shinso.faults import UsageFault
from shinso.language import _

if TYPE_CHECKING:
    from shinso.walk.run import Run

HELP = "use a run on new data"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("predict")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "data", type=Path, nargs="+", metavar="DATA",
        help=_("files, or - to answer each line of standard input as it comes"),
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help=_("a CSV file; standard output without"))
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help=_("draw answers over the data")
    )
    parser.add_argument("--seed", type=int, help=_("which seed predicts; the first without"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read, trained = read_for_run(parser, arguments)
    from shinso.runs.files import write_atomically
    from shinso.walk.card import csv_text

    _refuse_own_data(read.output, read.data)
    if read.data == [Path("-")]:
        return _stream(trained, read.seed)
    found = trained.predict(read.data, seed=read.seed)
    for note in found.notes:
        print(_("note: {note}").format(note=note), file=sys.stderr)
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
    if read.pictures:
        _draw(trained, read.data, read.pictures, read.seed)
    return 0


def _refuse_own_data(output: Path | None, data: Sequence[Path]) -> None:
    """UsageFault OUTPUT-IS-DATA: answers in the place of the questions would be all that is left."""
    if (
        output is not None
        and output.exists()
        and any(path.exists() and path.samefile(output) for path in data)
    ):
        raise UsageFault(
            "OUTPUT-IS-DATA",
            place=f"-o {output}",
            found=_("this file is read"),
            why=_("its content would be replaced by the answers"),
            next_step=_("give the answers a name of their own"),
        )


def _stream(trained: Run, seed: int | None) -> int:
    from shinso.recipes.recipe import Streams

    use = trained.use(seed)
    if not isinstance(use, Streams):
        raise UsageFault(
            "PREDICT-NO-STREAM",
            place="-",
            found=_("{task} does not answer line by line").format(task=trained.order.task),
            next_step=f"shinso predict {trained.folder.path} DATA",
        )
    for answer in use.stream(lines_of_input()):
        print(answer, flush=True)
    return 0


def _draw(trained: Run, data: Sequence[Path], folder: Path, seed: int | None) -> None:
    from shinso.recipes.recipe import Pictures
    from shinso.runs.files import write_atomically

    use = trained.use(seed)
    if not isinstance(use, Pictures):
        raise UsageFault(
            "PREDICT-NO-PICTURES",
            place="--pictures",
            found=_("{task} has nothing to draw over its data").format(task=trained.order.task),
            next_step=_("leave --pictures out"),
        )
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, content in use.pictures(data):
        write_atomically(folder / name, content)
        count += 1
    print(_("{count} pictures in {folder}").format(count=count, folder=folder))
