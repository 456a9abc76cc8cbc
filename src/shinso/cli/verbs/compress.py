"""``shinso compress RUN --do int8,prune=0.5,distill=gru:16``: a smaller run, and what it cost."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from shinso.cli.parsing import Parser, add_settings, given_settings
from shinso.language import _

if TYPE_CHECKING:
    from shinso.walk.compressing import Compressed

HELP = "make a run smaller: quantize, prune, distill"


def run(arguments: Sequence[str]) -> int:
    from shinso.compress.chain import FORMS
    from shinso.settings import resolve, schema
    from shinso.walk.compression import Compression

    if "--resume" in arguments or any(word.startswith("--resume=") for word in arguments):
        return _resume(arguments)
    known = schema(Compression)
    epilog = _("steps: {forms}\ngo on with a stopped one: shinso compress --resume FOLDER").format(
        forms=FORMS
    )
    epilog += "\n" + _(
        "all is computed on the CPU, wherever the run was trained: there a stopped one goes on bit "
        "for bit, and there its cost is measured"
    )
    parser = Parser("compress", epilog=epilog)
    parser.add_argument("run", type=Path, metavar="RUN")
    add_settings(parser, _("compressing"), known.values())
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    settings = resolve(Compression, ("flag", given_settings(read, known)))
    from shinso.cli.terminal import Terminal
    from shinso.training.stopping import StopRequest
    from shinso.walk.compressing import compress_run
    from shinso.walk.order import refuse_unread
    from shinso.walk.run import Run

    refuse_unread(settings)
    with StopRequest() as stop:
        done = compress_run(
            Run.open(read.run),
            settings.config,
            command=shlex.join(["shinso", *sys.argv[1:]]),
            audience=Terminal(),
            stop=stop,
        )
    return _show(done, as_json=read.json)


def _resume(arguments: Sequence[str]) -> int:
    parser = Parser("compress", _("go on with a stopped compression, bit for bit"))
    parser.add_argument("--resume", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.cli.terminal import Terminal
    from shinso.training.stopping import StopRequest
    from shinso.walk.compressing import resume_compression

    with StopRequest() as stop:
        done = resume_compression(read.resume, audience=Terminal(), stop=stop)
    return _show(done, as_json=read.json)


def _show(done: Compressed, *, as_json: bool) -> int:
    from shinso.cli.terminal import print_columns

    if as_json:
        before, after = (asdict(one) for one in (done.before, done.after))
        values = [vars(one) for one in done.values]
        found = {"run": str(done.run.folder.path), "metric": done.metric, "values": values}
        print(json.dumps({**found, "before": before, "after": after}))
        return 0
    print_columns(done.rows())
    for note in done.notes:
        print(note)
    print(done.run.folder.path / "report.html")
    return 0
