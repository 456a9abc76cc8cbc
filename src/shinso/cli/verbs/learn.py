"""``shinso learn LESSON``: each step's numbers, formula and shapes, checked against autograd."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shinso import lessons
from shinso.cli.parsing import Parser, add_settings, given_settings, take_name
from shinso.language import _
from shinso.settings import resolve, schema

HELP = "a computation of the course, number by number"


def run(arguments: Sequence[str]) -> int:
    name, rest = take_name("learn", arguments, dict.fromkeys(lessons.names(), ""))
    module = lessons.load(name)
    parser = Parser(f"learn {name}")
    add_settings(parser, _("the lesson"), schema(module.Config).values())
    parser.add_argument("--quiz", action="store_true", help=_("check questions with reasons"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(rest)
    config = resolve(module.Config, ("flag", given_settings(read, schema(module.Config)))).config
    lesson = module.teach(config)
    if read.json:
        print(json.dumps(lessons.as_dict(lesson), ensure_ascii=False))
        return 0
    import shutil

    print(lessons.render_text(lesson, shutil.get_terminal_size((100, 40)).columns))
    if read.quiz:
        print(lessons.render_quiz(lesson))
    return 0
