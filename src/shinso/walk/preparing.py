"""One seed of an order, from its settings to a model that can take a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from shinso.contracts import Learner, Source
from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Begins, Built
from shinso.training.crew import Crew
from shinso.training.gradient import GradientLearner
from shinso.walk.order import Order


@dataclass
class Prepared:
    """One seed of an order, ready to train."""

    model: torch.nn.Module
    built: Built
    learner: Learner[Any]
    source: Source[Any]

    def close(self) -> None:
        """Let go of what the source holds open, such as copies of an environment."""
        if isinstance(self.source, Open):
            self.source.close()


@runtime_checkable
class Open(Protocol):
    """A source that holds something open."""

    def close(self) -> None: ...


def set_threads(order: Order) -> None:
    """As many threads as an order asks for; torch's own choice where it names none."""
    if order.run.config.threads:
        torch.set_num_threads(order.run.config.threads)


def device_of(order: Order) -> torch.device:
    """The device an order asks for; UsageFault DEVICE-MISSING where it is not there."""
    asked = order.run.config.device
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageFault(
            "DEVICE-MISSING",
            place="--device",
            found=_("no CUDA device is seen"),
            next_step=_("use --device cpu, or see shinso doctor"),
        )
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(asked)


def refuse_other_data(order: Order, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """RunFault DATA-CHANGED where data is not what a run began with: its parts would be others, and
    what was trained on must not be tested on. before, now: facts of the data."""
    if before.get("sha256") != now.get("sha256"):
        raise RunFault(
            "DATA-CHANGED",
            place=", ".join(map(str, order.paths)),
            found=f"sha256 {now.get('sha256')}",
            why=_("the run began with {sha}").format(sha=before.get("sha256")),
            next_step=_("bring the old file back, or train a new run"),
        )


def begun(order: Order, facts: Mapping[str, Any]) -> torch.nn.Module:
    """The network of an order before its first step: drawn, or with the weights it begins with."""
    model = order.recipe.make_model(
        order.config, order.network, order.network_settings.config, facts
    )
    if isinstance(order.recipe, Begins):
        order.recipe.begin(order.config, model)
    return model


def prepare(
    order: Order, data: Any, facts: Mapping[str, Any], seed: int, crew: Crew | None = None
) -> Prepared:
    """Build model, objective, source and learner of one seed; every weight follows from it.

    crew: those who train it together. UsageFault LEARNER-ALONE where that cannot be.
    """
    torch.manual_seed(seed)
    config = order.config
    model = begun(order, facts).to(device_of(order))
    built: Built = order.recipe.build(config, data, model, seed)
    if order.run.config.workers > 1 and order.run.config.together != "synchronous":
        from shinso.walk.asynchronously import prepare_asynchronous

        learner, source = prepare_asynchronous(order, model, built, seed)
        return Prepared(model, built, learner, source)
    if crew is None or crew.size == 1:
        learner = built.learner or GradientLearner(model, built.objective, config.training)
        return Prepared(model, built, learner, built.source)
    if built.learner is not None:
        raise UsageFault(
            "LEARNER-ALONE",
            place=f"--workers {crew.size}",
            found=type(built.learner).__name__,
            why=_("{task} does not learn by the gradient of a batch").format(task=order.task),
            next_step="--workers 1 --no-shard" if order.run.config.shard else "--workers 1",
        )
    from shinso.training.parallel.joined import JoinedCrew
    from shinso.training.parallel.shared import SharedSource
    from shinso.training.parallel.synchronous import SynchronousGradients

    assert isinstance(crew, JoinedCrew)
    if order.run.config.divided:
        from shinso.walk.dividing import prepare_divided

        learner, source = prepare_divided(order, model, built, seed, crew)
        return Prepared(model, built, learner, source)
    gradients = SynchronousGradients(model, built.objective, config.training, crew)
    learner = GradientLearner(model, built.objective, config.training, gradients=gradients)
    torch.manual_seed(seed + 1_000_003 * crew.rank)  # dropout of its own at each worker
    return Prepared(model, built, learner, SharedSource(built.source, crew))
