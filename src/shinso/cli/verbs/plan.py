"""``shinso plan TASK DATA [--flags]``: what a mesh of workers would hold, send and take."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from shinso.cli.parsing import take_name
from shinso.faults import UsageFault
from shinso.language import _
from shinso.walk import catalogue

WIDER = [4**power for power in range(7)]
"""Numbers of workers among which the batch is shared in the second table."""
HELP = "what workers would hold, send and take, before they are started"


def run(arguments: Sequence[str]) -> int:
    from shinso.cli.verbs.train import order_from, parser_of

    task, rest = take_name("plan", arguments, catalogue.titles())
    module = catalogue.recipe(task)
    parser = parser_of(task, module)
    parser.prog = f"shinso plan {task}"
    mesh = parser.add_argument_group(_("the mesh"))
    mesh.add_argument("--data", type=int, default=1, help=_("workers that share each batch"))
    mesh.add_argument("--bandwidth", type=float, help=_("bytes a second between two workers"))
    mesh.add_argument("--latency", type=float, help=_("seconds of one message"))
    read = parser.read(rest)
    order = order_from(task, module, read)
    return _plan(order, read)


def _plan(order: Any, read: argparse.Namespace) -> int:
    from shinso.training.gradient import GradientLearner
    from shinso.training.parallel.measuring import measure_link, measure_step
    from shinso.training.parallel.planner import Link, Mesh, plan, scaling
    from shinso.walk.order import with_workers
    from shinso.walk.preparing import prepare

    if (read.bandwidth is None) != (read.latency is None):
        raise UsageFault(
            "USAGE",
            place="--bandwidth, --latency",
            found=_("one of the two is given"),
            next_step=_("give both, or neither to measure this machine's"),
        )
    try:
        asked = order.run.config
        mesh = Mesh(
            data=read.data, tensor=asked.tensor, pipeline=asked.pipeline,
            micro_batches=asked.passed_on, shard=asked.shard,
        )  # fmt: skip
        link = Link(bandwidth_bytes_s=read.bandwidth, latency_s=read.latency) if read.latency is not None else None  # fmt: skip
        order = with_workers(order, 1)
        data = order.recipe.read(order.config, order.paths)
        ready = prepare(order, data, data.facts(), order.seeds[0])
        if not isinstance(ready.learner, GradientLearner):
            raise UsageFault(
                "LEARNER-ALONE",
                place=order.task,
                found=type(ready.learner).__name__,
                why=_("{task} does not learn by the gradient of a batch").format(task=order.task),
                next_step=f"shinso train {order.task}",
            )
        measured = measure_step(ready.learner, ready.source.next_batch())
        checks: list[tuple[int, float, float]] = []
        if link is None:
            link, checks = measure_link()
        plans = [plan(measured, Mesh(), link), plan(measured, mesh, link)]
        wide = scaling(measured, link, WIDER)
    except ValueError as error:
        raise UsageFault(
            "MESH-REFUSED",
            place=f"shinso plan {order.task}",
            found=str(error),
            next_step=_("change the setting named above"),
        ) from error
    if read.json:
        found = {
            "measured": dataclasses.asdict(measured),
            "link": dataclasses.asdict(link),
            "link_checks": checks,
            "plans": [{**dataclasses.asdict(one), "step_s": one.step_s} for one in plans],
            "scaling": [{**dataclasses.asdict(one), "step_s": one.step_s} for one in wide],
        }
        print(json.dumps(found))
        return 0
    _show(measured, link, checks, plans, wide)
    return 0


def _show(measured: Any, link: Any, checks: Any, plans: Any, wide: Any) -> None:
    from shinso.cli.terminal import print_columns

    head = ("", _("one worker"), _("each of the mesh"))
    one, many = plans
    rows = [
        (_("workers"), one.mesh.workers, many.mesh.workers),
        (_("parameters held"), f"{one.parameters:,}", f"{many.parameters:,}"),
        (_("weights, gradients, moments"), *(_size(p.state_bytes) for p in plans)),
        (_("kept for the backward pass"), *(_size(p.kept_bytes) for p in plans)),
        (_("sent a step"), *(_size(p.sent_bytes) for p in plans)),
        (_("computing a step"), *(_time(p.compute_s) for p in plans)),
        (_("bubble"), *(_time(p.bubble_s) for p in plans)),
        (_("all-reduce of gradients"), *(_time(p.all_reduce_s) for p in plans)),
        (_("exchange of activations"), *(_time(p.exchange_s) for p in plans)),
        (_("a step at most"), *(_time(p.step_s) for p in plans)),
    ]
    print_columns([head, *rows])
    print()
    print(
        _("link: {bandwidth} a second, {latency} a message").format(
            bandwidth=_size(link.bandwidth_bytes_s), latency=_time(link.latency_s)
        )
    )
    for size, found, predicted in checks:
        print(
            _("  all-reduce of {size}: measured {found}, predicted {predicted}").format(
                size=_size(size), found=_time(found), predicted=_time(predicted)
            )
        )
    print()
    print(_("this batch of {size} among more workers:").format(size=measured.batch_size))
    table = [(_("workers"), _("computing"), _("all-reduce"), _("a step"), _("efficiency"))]
    for each in wide:
        share = measured.step_s / (each.mesh.workers * each.step_s)
        table.append(
            (str(each.mesh.workers), _time(each.compute_s), _time(each.all_reduce_s),
             _time(each.step_s), f"{share:.1%}")
        )  # fmt: skip
    print_columns(table)
    if len(wide) < len(WIDER):
        print(
            _("among {count} workers and more, one would get less than a sample").format(
                count=WIDER[len(wide)]
            )
        )


def _size(num_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000 or unit == "GB":
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    raise AssertionError


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale or unit == "µs":
            return f"{seconds / scale:.3g} {unit}"
    raise AssertionError
