"""``shinso check TASK DATA``: what was understood of the data, and every fault in it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser, add_settings, given_settings, split_assignments, take_name
from shinso.faults import ManyDataFaults
from shinso.language import _
from shinso.settings import resolve, schema
from shinso.walk import catalogue

HELP = "say what is understood of your data, list every fault in it"


def run(arguments: Sequence[str]) -> int:
    task, rest = take_name("check", arguments, catalogue.titles())
    module = catalogue.recipe(task)
    parser = Parser(f"check {task}", str(module.READS))
    parser.add_argument("words", nargs="+" if catalogue.needs_data(module) else "*", metavar="DATA")
    add_settings(parser, _("the task"), schema(module.Config).values())
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(rest)
    words, _assigned = split_assignments(read.words)
    flags = given_settings(read, schema(module.Config))
    config = resolve(module.Config, ("flag", flags)).config
    try:
        data = module.read(config, tuple(Path(word) for word in words))
    except ManyDataFaults as faults:
        if len(faults.faults) > faults.shown:
            rest_file = Path(f"{Path(words[0]).name if words else task}.faults.txt")
            text = "\n".join(fault.text() for fault in faults.faults)
            try:
                rest_file.write_text(text + "\n", encoding="utf-8")
                said = _("all {count} faults: {file}")
            except OSError:  # a folder of someone else's
                faults.shown = len(faults.faults)
                said = _("all {count} faults follow: {file} cannot be written")
            print(said.format(count=len(faults.faults), file=rest_file), file=sys.stderr)
        raise
    facts = data.facts()
    if read.json:
        print(json.dumps({"facts": facts, "notes": list(data.notes)}, ensure_ascii=False))
        return 0
    unshown = getattr(module, "UNSHOWN_FACTS", ())
    for name, value in facts.items():
        if name not in unshown:
            print(f"{name}: {_short(value)}")
    for note in data.notes:
        print(_("note: {note}").format(note=note))
    print(_("the data can be trained on:") + f" shinso train {task} {shlex.join(rest)}")
    return 0


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "…"
