"""``shinso report [--quick|--full]``: the main job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.language import _

HELP = "train every system, measure every claim, write the whole report"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("report")
    profile = parser.add_mutually_exclusive_group()
    profile.add_argument("--quick", action="store_true", help=_("few seeds (the default)"))
    profile.add_argument("--full", action="store_true", help=_("all seeds"))
    parser.add_argument("--workers", type=int, help=_("processes; one for each core without"))
    parser.add_argument(
        "--folder", type=Path, default=Path("report"), help=_("where it is written")
    )
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.cli.progress import ClaimProgress
    from shinso.report import job

    with ClaimProgress() as progress:
        page = job.run(
            job.Job(
                folder=read.folder,
                profile="full" if read.full else "quick",
                workers=read.workers,
            ),
            progress,
        )
    print(json.dumps({"page": str(page)}) if read.json else page)
    return 0
