"""A student learns what a teacher says, not only what is right.

Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network", section 2; hints
from inside the network: Romero et al. (2015), "FitNets", eq. 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.contracts import Compared, Compares, LeavesOut, Objective
from shinso.data.batch_parts import interleaved, joined_state, state_of_part
from shinso.faults import UsageFault
from shinso.language import _
from shinso.objectives.half_precision import raised

Answers = Literal["logits", "values"]
Carried = list[tuple[Tensor, ...]]
"""What a network brings from one window of a text to the next."""


@runtime_checkable
class Scoring(Protocol):
    """A network that answers with states and what it carries on, and makes scores of the states."""

    def scores(self, h: Tensor, /) -> Tensor: ...


class DistillationObjective:
    """(1 − share) · the task's own loss + share · the distance to the teacher's answer.

    logits: T² · KL(softmax(teacher / T) ‖ softmax(student / T)), whose gradient does not shrink
    with the temperature T. values: mean squared distance. The teacher answers exactly the call
    that the student was given, whatever the task's objective made of the batch; only what it carries
    from one call to the next is its own. Places that the task's loss leaves out teach nothing; an
    objective that ``Compares`` says itself which places count and what there is beside scores.
    """

    def __init__(
        self,
        objective: Objective[Any],
        teacher: nn.Module,
        *,
        answers: Answers,
        temperature: float = 4.0,
        share: float = 0.7,
        hint: Hint | None = None,
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}; give a number above 0")
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}; give 0 to 1")
        self.objective, self.teacher = objective, teacher.eval()
        self.answers: Answers = answers
        self.temperature, self.share, self.hint = temperature, share, hint
        self.carried: Carried = []

    def __call__(self, model: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        compare = self._comparison(model)
        heard: list[tuple[tuple[Any, ...], dict[str, Any], Any]] = []
        handle = model.register_forward_hook(
            lambda _module, given, named, answer: heard.append((given, named, answer)),
            with_kwargs=True,
        )
        try:
            own = dict(self.objective(model, batch))
        finally:
            handle.remove()
        if not heard:
            raise incomparable(model, _("its loss calls the network in parts, not as a whole"))
        taught = torch.zeros_like(own["loss"])
        hinted = torch.zeros_like(own["loss"])
        for given, named, answer in heard:
            student_inside = self.hint.heard if self.hint else None
            with torch.no_grad():
                told = self._told(given, named)
            said, told, of, beside = compare(batch, answer, told)
            far = distance(said, told, self.answers, self.temperature, of=of)
            taught = taught + (far if beside is None else far + beside) / len(heard)
            if self.hint is not None and student_inside is not None:
                hinted = hinted + self.hint.distance(student_inside) / len(heard)
        loss = (1 - self.share) * own["loss"] + self.share * taught + hinted
        return {**own, "loss": loss, "loss_task": own["loss"], "loss_teacher": taught}

    def _comparison(self, model: nn.Module) -> Callable[[Any, Any, Any], Compared]:
        """The objective's own, or that of scores at the places that count."""
        if isinstance(self.objective, Compares):
            return self.objective.comparison(model, self.teacher)

        def compare(batch: Any, answer: Any, told: Any) -> Compared:
            said = scores_of(model, answer)
            with torch.no_grad():
                told = scores_of(self.teacher, told)
            if said.shape != told.shape:
                raise incomparable(model, f"{tuple(said.shape)}, {tuple(told.shape)}")
            if isinstance(self.objective, LeavesOut):
                counted = self.objective.counted(batch)
                if counted is not None:
                    return Compared(said[counted], told[counted])
            return Compared(said, told)

        return compare

    def _told(self, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """The teacher's answer to a call, from its own state where the student's has one."""
        if len(given) == 2 and isinstance(given[1], list):
            given = (given[0], self.carried)
        answer = self.teacher(*given, **named)
        if isinstance(answer, tuple) and len(answer) == 2 and not isinstance(answer[1], Tensor):
            self.carried = [tuple(parts) for parts in answer[1]]
        return answer

    def state_dict(self) -> dict[str, Any]:
        return {
            "objective": self.objective.state_dict(),
            "carried": [list(parts) for parts in self.carried],
            **({} if self.hint is None else {"hint": self.hint.state_dict()}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.objective.load_state_dict(state["objective"])
        self.carried = [tuple(parts) for parts in state["carried"]]
        if self.hint is not None:
            self.hint.load_state_dict(state["hint"])

    def state_of_part(self, state: dict[str, Any], index: int, of: int, /) -> dict[str, Any]:
        own = state_of_part(self.objective, state["objective"], index, of)
        carried = [[_part(one, index, of) for one in layer] for layer in state["carried"]]
        return {**state, "objective": own, "carried": carried}

    def joined_state(self, states: Sequence[dict[str, Any]], /) -> dict[str, Any]:
        own = joined_state(self.objective, [state["objective"] for state in states])
        layers = zip(*(state["carried"] for state in states), strict=True)
        carried = [
            [interleaved(same, same[0].dim() - 2) for same in zip(*one, strict=True)]
            for one in layers
        ]
        return {**states[0], "objective": own, "carried": carried}


def _part(state: Tensor, index: int, of: int) -> Tensor:
    """Samples index, index + of, … of a state (direction, sample, unit) or of words (sample, time)."""
    return state[index::of] if state.dim() == 2 else state[:, index::of]


def scores_of(model: nn.Module, answer: Any) -> Float[Tensor, "*batch value"]:
    """A network's scores, classes last: its answer, or what its last layer makes of that where only
    the loss asks it, as of those that write words. UsageFault COMPRESS-REFUSED for other answers."""
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(model, Scoring):
        return model.scores(answer[0])  # the other is what is carried on
    if isinstance(output := getattr(model, "output", None), nn.Linear):
        return output(answer)
    if not isinstance(answer, Tensor) or answer.dim() < 2:
        raise incomparable(model, _("its answer holds no scores of a sample's classes"))
    return answer.movedim(1, -1) if answer.dim() == 4 else answer  # a class's map of pixels


def incomparable(model: nn.Module, found: str, *, next_step: str = "") -> UsageFault:
    """The fault of a network whose answers cannot be told from a teacher's. next_step: other than to
    do without a teacher."""
    return UsageFault(
        "COMPRESS-REFUSED",
        place=type(model).__name__,
        found=found,
        why=_("a teacher's answer must be comparable to its student's"),
        next_step=next_step or _("prune or quantize the run without --taught"),
    )


def distance(
    answer: Float[Tensor, "*batch value"],
    told: Float[Tensor, "*batch value"],
    answers: Answers,
    temperature: float,
    *,
    of: Tensor | None = None,
) -> Float[Tensor, ""]:
    """How far a student's answer is from the teacher's. Of answers with more axes than (batch,
    class), every place counts alike. of: what the sum over places is divided by, where it is not
    their number; of logits only."""
    answer, told = raised(answer), raised(told)
    if answers == "values":
        return F.mse_loss(answer, told)
    student = F.log_softmax(answer.flatten(0, -2) / temperature, dim=-1)
    teacher = F.log_softmax(told.flatten(0, -2) / temperature, dim=-1)
    found = F.kl_div(student, teacher, reduction="sum", log_target=True)
    return temperature**2 * (found / (len(student) if of is None else of))


class Hint(nn.Module):
    """What goes into the last linear layer of the student, mapped onto what goes into the
    teacher's: a linear regressor that learns with the student and is then thrown away."""

    def __init__(self, student: nn.Module, teacher: nn.Module, *, weight: float) -> None:
        super().__init__()
        self.weight = weight
        ours, theirs = last_linear(student), last_linear(teacher)
        self.regressor = nn.Linear(ours.in_features, theirs.in_features)
        self.heard: Tensor | None = None
        self._told: Tensor | None = None
        ours.register_forward_pre_hook(lambda _module, given: self._hear(given[0]))
        theirs.register_forward_pre_hook(lambda _module, given: self._tell(given[0]))

    def _hear(self, x: Tensor) -> None:
        self.heard = x

    def _tell(self, x: Tensor) -> None:
        self._told = x

    def distance(self, heard: Tensor) -> Float[Tensor, ""]:
        """The squared distance, weighted."""
        if self._told is None:
            raise ValueError("the teacher has said nothing; call it before")
        return self.weight * F.mse_loss(self.regressor(heard), self._told)


def last_linear(model: nn.Module) -> nn.Linear:
    """The linear layer that was made last; ValueError where there is none."""
    found = [one for one in model.modules() if isinstance(one, nn.Linear)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no linear layer; give no hint")
    return found[-1]
