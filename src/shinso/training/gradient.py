"""The learner of nearly every system: one optimizer step on an objective's loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from shinso.contracts import BatchIn, Carrying, Objective, Stateful, Weighed, WeighedByTerm
from shinso.data.batch_parts import joined_state, num_samples, parts_of, state_of_part
from shinso.faults import RunFault
from shinso.language import _
from shinso.training.plan import Training
from shinso.training.schedules import lr_factor
from shinso.training.weight_mean import WeightMean

Gradients = Callable[[Any], Mapping[str, Tensor]]
"""Leaves the gradient of a batch's loss in every parameter's ``grad``, which was None, and returns
the objective's scalars, detached."""


@runtime_checkable
class OfPieces(Protocol):
    """Gradients of parameters of which this process holds pieces only."""

    def norm(self, parameters: Sequence[nn.Parameter], /) -> Tensor:
        """Of the whole gradient, by the pieces in ``parameters`` and those of other workers."""
        ...


class GradientLearner(Generic[BatchIn]):
    """AdamW or SGD on ``objective(model, batch)["loss"]``, with schedule, clipping, precision and,
    where asked for, a running mean of the weights.

    Weight decay leaves biases, gains and other one-dimensional parameters alone.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective[BatchIn],
        training: Training,
        *,
        trained: Iterable[tuple[str, nn.Parameter]] | None = None,
        gradients: Gradients | None = None,
    ) -> None:
        """trained: the named parameters to change; all that ask for a gradient by default.
        gradients: where they come from; this process alone by default."""
        self.model = model
        self.objective = objective
        self.training = training
        self.gradients = gradients or OwnGradients(model, objective, training)
        named = list(model.named_parameters() if trained is None else trained)
        self.parameters = [parameter for _, parameter in named if parameter.requires_grad]
        matrices, vectors = ([one for _, one in group] for group in in_groups(named))
        self.optimizer = _optimizer(
            training,
            [
                {"params": matrices, "weight_decay": training.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
        )
        self.mean = WeightMean(model, training.average) if training.average else None
        self.steps_taken = 0

    def step(self, batch: BatchIn) -> Mapping[str, Tensor | float]:
        """One update; returns the objective's scalars with ``lr`` and ``gradient_norm``."""
        lr = self.training.lr * lr_factor(
            self.training.schedule, self.steps_taken, self.training.steps, self.training.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        scalars = self.gradients(batch)
        largest = self.training.clip_norm or float("inf")
        norm = self._norm()
        clip_grads_with_norm_(self.parameters, largest, norm)
        self.optimizer.step()
        if self.mean is not None:
            self.mean.add(self.steps_taken)
        self.steps_taken += 1
        return {**scalars, "lr": lr, "gradient_norm": norm}

    def _norm(self) -> Tensor:
        """Of the gradient, pieces of it that other workers hold included."""
        if isinstance(self.gradients, OfPieces):
            return self.gradients.norm(self.parameters)
        return get_total_norm([one.grad for one in self.parameters if one.grad is not None])

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the model has the weights that are validated and kept: their running mean."""
        if self.mean is None:
            yield
            return
        self.mean.swap()
        try:
            yield
        finally:
            self.mean.swap()

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state_dict(),
            "steps_taken": self.steps_taken,
            "gradients": self._gradients_state(),
            "mean": self.mean.kept if self.mean is not None else [],
        }

    def _gradients_state(self) -> dict[str, Any]:
        return self.gradients.state_dict() if isinstance(self.gradients, Stateful) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        _load_optimizer(self.optimizer, state["optimizer"])
        self.objective.load_state_dict(state["objective"])
        if isinstance(self.gradients, Stateful):
            # A run of one process may go on with several, and the other way round.
            alone = {"objectives": [state["objective"]]}
            self.gradients.load_state_dict(state.get("gradients") or alone)
        self.steps_taken = state["steps_taken"]
        if self.mean is not None:
            for own, saved in zip(self.mean.kept, state["mean"], strict=True):
                own.copy_(saved)


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """As ``load_state_dict``, but moments in shared memory stay there: other processes hold them."""
    shared = [
        (parameter, name, value)
        for parameter, state in optimizer.state.items()
        for name, value in state.items()
        if isinstance(value, Tensor) and value.is_shared()
    ]
    optimizer.load_state_dict(saved)
    for parameter, name, value in shared:
        value.copy_(optimizer.state[parameter][name])
        optimizer.state[parameter][name] = value


def in_groups(
    named: Iterable[tuple[str, nn.Parameter]],
) -> tuple[list[tuple[str, nn.Parameter]], list[tuple[str, nn.Parameter]]]:
    """Those that ask for a gradient, in the optimizer's groups: matrices, and vectors."""
    trained = [(name, one) for name, one in named if one.requires_grad]
    matrices = [(name, one) for name, one in trained if one.ndim > 1]
    return matrices, [(name, one) for name, one in trained if one.ndim <= 1]


class OwnGradients:
    """Gradients of this process alone, of the whole batch or of its parts one after the other."""

    def __init__(self, model: nn.Module, objective: Objective[Any], training: Training) -> None:
        self.model, self.objective, self.training = model, objective, training

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        parts = parts_of(batch, self.training.accumulate)
        if len(parts) == 1:
            scalars = evaluated(self.objective, self.model, batch, self.training)
            scalars["loss"].backward()
            return {name: value.detach() for name, value in scalars.items()}
        weights = [weights_of(self.objective, part) for part in parts]
        totals = {name: sum(one[name] for one in weights) for name in weights[0]}
        states = StatesOfParts(self.objective, len(parts))
        means: dict[str, Tensor] = {}
        for index, (part, own) in enumerate(zip(parts, weights, strict=True)):
            with states.of_part(index):
                scalars = evaluated(self.objective, self.model, part, self.training)
            shares = shares_of(own, totals, len(parts))
            loss = share_of_loss(scalars, shares)
            loss.backward()
            add_shares(means, scalars, loss, shares)
        states.join()
        return means

    def state_dict(self) -> dict[str, Any]:
        """What the objective carries from step to step, as ``SynchronousGradients`` keeps it."""
        return {"objectives": [self.objective.state_dict()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        load_own_state(self.objective, state["objectives"], 0, 1, self.training.batch_size)


class StatesOfParts:
    """The objective's state while a batch is learned in parts: each part goes on from where its
    samples were a batch ago, and a step counts once, however many parts it has."""

    def __init__(self, objective: Objective[Any], count: int) -> None:
        self.objective, self.count = objective, count
        self.before = objective.state_dict()
        self.after: dict[int, dict[str, Any]] = {}

    @contextmanager
    def of_part(self, index: int) -> Iterator[None]:
        """Within, the objective is evaluated on that part."""
        own = state_of_part(self.objective, self.before, index, self.count)
        self.objective.load_state_dict(own)
        yield
        self.after[index] = self.objective.state_dict()

    def join(self) -> None:
        """All parts are done: the objective has the state of the whole batch."""
        states = [self.after[index] for index in range(self.count)]
        self.objective.load_state_dict(joined_state(self.objective, states))


def load_own_state(
    objective: Objective[Any],
    kept: Sequence[dict[str, Any]],
    rank: int,
    size: int,
    batch_size: int,
) -> None:
    """The objective goes on with its share of what the objectives of other workers carried, however
    many these were.

    batch_size: of the joint batch; workers that are more than its samples each learn all of them.
    Raises RunFault RUN-OTHER-WORKERS where tensors were carried that belong to no single sample.
    """
    if len(kept) == size:
        own = kept[rank]
    elif isinstance(objective, Carrying):
        joint = kept[0] if batch_size < len(kept) else objective.joined_state(kept)
        own = joint if batch_size < size else objective.state_of_part(joint, rank, size)
    elif any(_tensors(one) for one in kept):
        raise RunFault(
            "RUN-OTHER-WORKERS",
            place=f"--workers {size}",
            found=_("{count} workers carried a state of their own").format(count=len(kept)),
            why=_("each goes on with the samples that its state remembers"),
            next_step=f"--workers {len(kept)}",
        )
    else:
        own = kept[0]
    objective.load_state_dict(own)


def _tensors(content: Any) -> bool:
    """Whether a state holds tensors."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list | tuple):
        return any(_tensors(one) for one in content)
    return isinstance(content, Tensor)


def evaluated(
    objective: Objective[Any], model: nn.Module, batch: Any, training: Training
) -> dict[str, Tensor]:
    """The objective's scalars, computed in the precision that ``training`` asks for."""
    device_type = next((one.device.type for one in model.parameters()), "cpu")
    with torch.autocast(device_type, dtype=torch.bfloat16, enabled=training.precision == "bf16"):
        return dict(objective(model, batch))


def weights_of(objective: Objective[Any], batch: Any) -> dict[str, float]:
    """Over how many things the loss of ``batch``, its terms or other scalars are means: the loss, and
    samples, where nothing else is said."""
    if isinstance(objective, WeighedByTerm):
        return dict(objective.term_weights(batch))
    if isinstance(objective, Weighed):
        return {"loss": objective.weight(batch)}
    return {"loss": num_samples(batch)}


def shares_of(
    own: Mapping[str, float], totals: Mapping[str, float], count: int
) -> dict[str, float]:
    """The share of each mean that one of ``count`` parts has, by the weights of all."""
    return {
        name: weight / totals[name] if totals[name] else 1 / count for name, weight in own.items()
    }


def share_of_loss(scalars: Mapping[str, Tensor], shares: Mapping[str, float]) -> Tensor:
    """What one part adds to the loss of the whole batch."""
    if "loss" in shares:
        return scalars["loss"] * shares["loss"]
    terms = [scalars[name] * share for name, share in shares.items() if name in scalars]
    return torch.stack(terms).sum()


def add_shares(
    sums: dict[str, Tensor],
    scalars: Mapping[str, Tensor],
    loss: Tensor,
    shares: Mapping[str, float],
) -> None:
    """Add what one part adds to each scalar of the whole batch."""
    first = next(iter(shares.values()))
    for name, value in scalars.items():
        own = loss if name == "loss" else value * shares.get(name, first)
        sums[name] = sums.get(name, 0.0) + own.detach().double()


def _optimizer(training: Training, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    # fused: one kernel a tensor instead of about ten, which is most of a small model's step.
    if training.optimizer == "sgd":
        nesterov = training.momentum > 0
        return torch.optim.SGD(
            groups, lr=training.lr, momentum=training.momentum, nesterov=nesterov, fused=True
        )
    first, second = training.betas
    return torch.optim.AdamW(groups, lr=training.lr, betas=(first, second), fused=True)
