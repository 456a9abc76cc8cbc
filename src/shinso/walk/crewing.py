"""Who trains a run: checked before there is a folder, joined as they are, or started by this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from shinso.runs.folder import RunFolder
from shinso.settings import parse_duration
from shinso.training.crew import Alone, Crew
from shinso.training.parallel.place import Place
from shinso.training.stopping import StopRequest
from shinso.walk.audience import Audience
from shinso.walk.order import Order
from shinso.walk.preparing import device_of
from shinso.walk.run import Run
from shinso.walk.run_log import Logged, told_status


def check_workers(order: Order, data: Any, place: Place | None) -> None:
    """What would stop the workers of an order is raised here, before a folder is made."""
    settings = order.run.config
    if settings.divided:
        from shinso.walk.dividing import check_divided

        check_divided(order, _network(order, data), place.size if place else settings.processes)
    if settings.together != "synchronous":
        from shinso.walk.asynchronously import check_asynchronous

        check_asynchronous(order)
        return
    if settings.processes == 1 and place is None:
        return
    from shinso.training.parallel.joined import check_free
    from shinso.training.parallel.synchronous import check_norms

    if place is None:
        check_free("127.0.0.1", settings.port)
    check_norms(_network(order, data))


def _network(order: Order, data: Any) -> torch.nn.Module:
    settings = order.network_settings.config
    return order.recipe.make_model(order.config, order.network, settings, data.facts())


def started(settings: Any) -> int:
    """Processes that run the loop: asynchronous workers serve the one that does."""
    return settings.processes if settings.together == "synchronous" else 1


@contextmanager
def crew_of(order: Order, place: Place | None) -> Iterator[Crew]:
    """Within, this process is one of the workers that the environment tells of, or alone."""
    if place is None:
        yield Alone()
        return
    from shinso.training.parallel.joined import joined

    timeout_s = parse_duration(order.run.config.worker_timeout)
    with joined(place, device_of(order), timeout_s) as crew:
        yield crew


def lead(
    order: Order,
    folder: RunFolder,
    audience: Audience,
    stop: StopRequest,
    previous_checkpoint: bool = False,
) -> Run:
    """Start the workers of a run and watch them; they train it, this process only tells."""
    from shinso.training.parallel.launch import Crewing, launch
    from shinso.walk.worker import command_of_worker, hear

    settings = order.run.config
    crewing = Crewing(
        workers=started(settings),
        restarts=settings.restarts,
        timeout_s=parse_duration(settings.worker_timeout),
        port=settings.port,
        threads=settings.threads,
    )
    command = command_of_worker(folder.path, settings, previous_checkpoint=previous_checkpoint)
    logged = Logged(folder, audience)
    with told_status(folder):
        launch(
            command,
            crewing,
            logs=folder.path / "workers",
            on_event=lambda event: hear(event, logged),
            stop=stop,
            resume=folder.resume_line(),
        )
    return Run(folder)
