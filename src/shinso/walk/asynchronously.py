"""The learner of a run whose workers do not wait for each other."""

from __future__ import annotations

from typing import Any

from torch import nn

from shinso.extras import need
from shinso.faults import UsageFault
from shinso.language import _
from shinso.recipes.recipe import Built
from shinso.settings import parse_duration
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.asynchronous import AsynchronousLearner, Drawn
from shinso.walk.order import Order


def check_asynchronous(order: Order) -> None:
    """UsageFault HOGWILD-UNBOUNDED for what Hogwild cannot do, ExtraFault where Ray is missing,
    RunFault CLUSTER-NOT-FOUND where its cluster is."""
    settings, training = order.run.config, order.config.training
    if settings.together == "hogwild" and (training.average or settings.staleness >= 0):
        raise UsageFault(
            "HOGWILD-UNBOUNDED",
            place="--average" if training.average else "--staleness",
            why=_("nobody stands between Hogwild's workers and the weights"),
            next_step="--together server",
        )
    if settings.together == "ray":
        from shinso.training.parallel.ray_workers import check_cluster

        need("ray")
        check_cluster(settings.cluster)


def prepare_asynchronous(
    order: Order, model: nn.Module, built: Built, seed: int
) -> tuple[AsynchronousLearner, Drawn]:
    """Learner and source for ``--together server``, ``ray`` or ``hogwild``.

    Raises UsageFault LEARNER-ALONE for what does not learn by gradient, ASYNCHRONOUS-ON-CPU for
    another device, and the faults of ``check_asynchronous``.
    """
    settings, training = order.run.config, order.config.training
    if built.learner is not None:
        raise UsageFault(
            "LEARNER-ALONE",
            place=f"--workers {settings.workers}",
            found=type(built.learner).__name__,
            why=_("{task} does not learn by the gradient of a batch").format(task=order.task),
            next_step="--workers 1",
        )
    check_asynchronous(order)
    if next(model.parameters()).device.type != "cpu":
        raise UsageFault(
            "ASYNCHRONOUS-ON-CPU",
            place="--device",
            why=_("asynchronous workers compute on processors"),
            next_step=_("give --device cpu, or --together synchronous"),
        )
    learner: GradientLearner[Any] = GradientLearner(model, built.objective, training)
    source = Drawn(built.source)
    bound = settings.staleness if settings.staleness >= 0 else None
    return (
        AsynchronousLearner(learner, source, _workers(settings, learner, seed), bound=bound),
        source,
    )


def _workers(settings: Any, learner: GradientLearner[Any], seed: int) -> Any:
    timeout_s = parse_duration(settings.worker_timeout)
    if settings.together == "ray":
        from shinso.training.parallel.ray_workers import RayWorkers

        return RayWorkers(
            learner, settings.workers, seed, address=settings.cluster, timeout_s=timeout_s
        )
    from shinso.training.parallel.local_workers import HogwildWorkers, LocalWorkers

    kind = HogwildWorkers if settings.together == "hogwild" else LocalWorkers
    return kind(learner, settings.workers, seed, timeout_s=timeout_s)
