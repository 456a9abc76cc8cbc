"""``shinso runs list|show|rm``. Reads run folders without importing torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.cli.terminal import print_columns
from shinso.language import _
from shinso.runs.folder import RunFolder, state_words

HELP = "list, show or remove runs"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("runs")
    parser.add_argument("do", choices=("list", "show", "rm"))
    parser.add_argument("names", type=Path, nargs="*", metavar="RUN")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help=_("folder of the runs"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    if read.do == "list":
        return _list(read.runs, as_json=read.json)
    if not read.names:
        parser.error(_("no run is given"))
    for path in read.names:
        folder = RunFolder.open(path)
        if read.do == "rm":
            folder.remove()
            print(_("removed {path}").format(path=path))
        elif read.json:
            print(
                json.dumps(
                    {**folder.status(), "data": folder.read_json("data.json")}, ensure_ascii=False
                )
            )
        else:
            _show(folder)
    return 0


def _list(root: Path, *, as_json: bool) -> int:
    found = [
        (str(one.path), one.state(), len(one.seeds_done()))
        for one in RunFolder.all_with_compressed(root)
    ]
    if as_json:
        rows = [dict(zip(("run", "state", "seeds_done"), row, strict=True)) for row in found]
        print(json.dumps(rows, ensure_ascii=False))
    elif found:
        words = state_words()
        print_columns([
            (_("run"), _("state"), _("seeds done")),
            *((name, words.get(state, state), seeds) for name, state, seeds in found),
        ])  # fmt: skip
    else:
        print(_("no runs in {folder}").format(folder=root))
    return 0


def _show(folder: RunFolder) -> None:
    status = folder.status()
    print(f"{folder.path}: {state_words().get(status['state'], status['state'])}")
    card = folder.path / "card.md"
    if card.exists():
        print(card.read_text(encoding="utf-8"))
    elif status["state"] != "running":
        print(folder.resume_line())
