"""``shinso list [TASK]``: what there is, each with its place in the course. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shinso.cli.parsing import Parser
from shinso.language import _
from shinso.walk import catalogue

HELP = "systems, models, claims, figures, lessons; a task shows its models' settings and presets"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("list")
    parser.add_argument("task", nargs="?", metavar="TASK")
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    if read.task:
        return _one(read.task)
    from shinso import figures, lessons
    from shinso.claims import catalogue as claims

    tasks = {
        task: {
            "title": str(catalogue.recipe(task).TITLE),
            "place": str(catalogue.recipe(task).PLACE),
            "models": list(catalogue.recipe(task).MODELS),
        }
        for task in catalogue.tasks()
    }
    said = {name: claims.load(name) for name in claims.names()}
    if read.json:
        print(
            json.dumps(
                {
                    "tasks": tasks,
                    "claims": {
                        n: {"says": str(c.says), "place": str(c.place)} for n, c in said.items()
                    },
                    "figures": list(figures.names()),
                    "lessons": list(lessons.names()),
                },
                ensure_ascii=False,
            )
        )
        return 0
    print(_("Tasks (shinso train TASK DATA)"))
    for task, about in tasks.items():
        print(f"  {task}: {about['title']}")
        print(f"      {about['place']} · {_('models')}: {', '.join(about['models'])}")
    print(_("Claims (shinso claims run NAME)"))
    for name, claim in said.items():
        print(f"  {name}: {claim.says}")
        print(f"      {claim.place}")
    print(_("Figures (shinso figure NAME)") + ": " + ", ".join(figures.names()))
    print(_("Lessons (shinso learn NAME)") + ": " + ", ".join(lessons.names()))
    return 0


def _one(task: str) -> int:
    from shinso.settings import schema

    module = catalogue.recipe(task)
    print(f"{task}: {module.TITLE}")
    print(f"  {module.PLACE}")
    print(f"  {module.READS}")
    for name, chosen in module.MODELS.items():
        print(f"  --model {name}")
        network = catalogue.network_class(chosen)
        for leaf in schema(network.Config).values():  # pyright: ignore[reportAttributeAccessIssue]
            if leaf.name not in chosen.fixed:
                print(
                    f"      {leaf.name}={leaf.default}  ({leaf.kind_name}) {_(leaf.help)}".rstrip()
                )
    for name, settings in catalogue.presets(module).items():
        print(f"  --preset {name}")
        print("      " + " ".join(f"{key}={value}" for key, value in settings.items()))
    return 0
