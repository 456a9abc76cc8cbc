"""``shinso export RUN onnx|torch``: a file for other programs, compared with PyTorch first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.language import _

HELP = "write a run as ONNX or as a torch.export archive"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("export")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("form", choices=("onnx", "torch"))
    parser.add_argument("-o", "--output", type=Path, help=_("a folder; RUN/export without"))
    parser.add_argument("--seed", type=int, help=_("which seed is exported; the first without"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.cli.terminal import print_columns
    from shinso.walk.exporting import export_run
    from shinso.walk.run import Run

    done = export_run(Run.open(read.run), read.form, folder=read.output, seed=read.seed)
    if read.json:
        print(json.dumps({"file": str(done.path), **done.parity.as_dict()}))
        return 0
    print_columns(
        [
            (_("sizes never seen in the export"), _("largest difference to PyTorch")),
            *[
                (", ".join(f"{n} {s}" for n, s in c.sizes.items()), f"{c.difference:.1e}")
                for c in done.parity.comparisons
            ],
        ]
    )
    print(done.path)
    print(f"python {done.path.parent / 'example.py'}")
    return 0
