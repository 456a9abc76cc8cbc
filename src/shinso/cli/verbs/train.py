"""``shinso train TASK DATA [--flags] [key=value …]``, or ``shinso train --resume RUN``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from shinso.cli.parsing import Parser, add_settings, given_settings, split_assignments, take_name
from shinso.faults import UsageFault
from shinso.language import _
from shinso.settings import schema
from shinso.walk import catalogue

HELP = "train a system on your data"


def run(arguments: Sequence[str]) -> int:
    if "--resume" in arguments or any(word.startswith("--resume=") for word in arguments):
        return _resume(arguments)
    task, rest = take_name("train", arguments, catalogue.titles())
    module = catalogue.recipe(task)
    parser = parser_of(task, module)
    read = parser.read(rest)
    return _train(task, module, read)


def parser_of(task: str, module: ModuleType) -> Parser:
    """The parser of ``train TASK``: flags of the run, of the recipe, and of probing."""
    from shinso.walk.settings_of_runs import RunSettings

    models = ", ".join(module.MODELS)
    presets = ", ".join(catalogue.presets(module)) or "—"
    epilog = _(
        "models: {models}\nsettings of a model, given as key=value: shinso list {task}\n"
        "go on with a stopped run: shinso train --resume RUN"
    ).format(models=models, task=task)
    parser = Parser(f"train {task}", f"{module.TITLE}\n{module.READS}", epilog=epilog)
    parser.add_argument("words", nargs="*", metavar="DATA | key=value")
    add_settings(parser, _("the task"), schema(module.Config).values())
    add_settings(parser, _("the run"), schema(RunSettings).values())
    parser.add_argument("--config", type=Path, help=_("a YAML file of settings"))
    parser.add_argument("--preset", help=_("named settings of the task: {all}").format(all=presets))
    parser.add_argument("--json", action="store_true", help=_("the result as JSON"))
    probes = parser.add_argument_group(_("look before you train")).add_mutually_exclusive_group()
    probes.add_argument(
        "--one-batch", action="store_true", help=_("one step on one batch: shapes and numbers")
    )
    probes.add_argument(
        "--overfit", type=int, metavar="N", help=_("train on the first N samples only")
    )
    probes.add_argument("--find-lr", action="store_true", help=_("learning-rate range test"))
    return parser


def order_from(task: str, module: ModuleType, read: argparse.Namespace) -> Any:
    """The order that a parsed command line stands for. Imports torch."""
    from shinso.walk.order import file_layer, place, preset_layer
    from shinso.walk.settings_of_runs import RunSettings

    paths, assigned = split_assignments(read.words)
    layers = []
    if read.preset:
        layers.append(preset_layer(module, read.preset))
    if read.config:
        layers.append(file_layer(read.config))
    flags = given_settings(read, {**schema(module.Config), **schema(RunSettings)})
    layers += [("flag", flags), ("setting", assigned)]
    if not paths and catalogue.needs_data(module):
        raise UsageFault(
            "USAGE",
            place=f"shinso train {task}",
            found=_("no data is given"),
            why=str(module.READS),
            next_step=f"shinso train {task} DATA",
        )
    return place(task, paths, *layers)


def _train(task: str, module: ModuleType, read: argparse.Namespace) -> int:
    order = order_from(task, module, read)
    if read.one_batch or read.overfit is not None or read.find_lr:
        from shinso.cli.probes import probe

        return probe(order, read)
    from shinso.cli.terminal import Terminal
    from shinso.training.stopping import StopRequest
    from shinso.walk import training

    with StopRequest() as stop:
        run = training.train(
            order, command=["shinso", *sys.argv[1:]], audience=Terminal(), stop=stop
        )
    return _show(run, as_json=read.json)


def _resume(arguments: Sequence[str]) -> int:
    from shinso.walk.settings_of_runs import RunSettings

    parser = Parser("train", _("go on with a stopped run, bit for bit"))
    parser.add_argument("--resume", type=Path, metavar="RUN", required=True)
    parser.add_argument(
        "--previous-checkpoint",
        action="store_true",
        help=_("go on from the checkpoint before the last one"),
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help=_("go on with so many; as many as before without")
    )
    now = parser.add_argument_group(_("divide the model another way; as before without"))
    for name in ("tensor", "pipeline", "micro_batches"):
        leaf = schema(RunSettings)[name]
        now.add_argument(leaf.flag, type=int, metavar="N", help=_(leaf.help))
    now.add_argument(
        "--shard", action=argparse.BooleanOptionalAction, help=_(schema(RunSettings)["shard"].help)
    )
    parser.add_argument("--json", action="store_true", help=_("the result as JSON"))
    read = parser.read(arguments)
    if read.workers is not None and read.workers < 1:
        raise UsageFault(
            "SETTING-REFUSED",
            place="--workers",
            found=f"workers is {read.workers}; give at least 1",
            next_step=_("change the setting named above"),
        )
    from shinso.cli.terminal import Terminal
    from shinso.training.stopping import StopRequest
    from shinso.walk import training

    with StopRequest() as stop:
        run = training.resume(
            read.resume,
            previous_checkpoint=read.previous_checkpoint,
            workers=read.workers,
            division={
                name: getattr(read, name)
                for name in ("tensor", "pipeline", "micro_batches", "shard")
                if getattr(read, name) is not None
            },
            audience=Terminal(),
            stop=stop,
        )
    return _show(run, as_json=read.json)


def _show(run: Any, *, as_json: bool) -> int:
    from shinso.cli.terminal import print_table
    from shinso.training.parallel.place import is_first

    if not is_first():  # started by torchrun; the first worker shows what all did
        return 0
    table = run.table()
    if as_json:
        found = {"run": str(run.folder.path), "table": table.as_dict()}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print_table(table)
    print(run.folder.path / "report.html")
    return 0
