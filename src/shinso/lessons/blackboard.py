"""Where a lesson writes what it computes, each derivative beside automatic differentiation's."""

import torch
from torch import Tensor

from shinso.language import Text
from shinso.lessons.lesson import LessonStep, Numbers, Phase

TOLERANCE = 1e-10
"""Largest absolute difference to automatic differentiation, in float64, that a lesson allows."""


class LessonDisagreement(ArithmeticError):
    """A number derived by hand is not the one of automatic differentiation: our bug, never shown
    to a learner as if it were right."""


class Blackboard:
    """Keeps the lesson's steps in order, and the tensors that derivatives are taken by.

    In formulas ``{t}`` is the step in time, ``{p}`` the one before and ``{n}`` the one after.
    """

    def __init__(self) -> None:
        self.steps: list[LessonStep] = []
        self.largest_difference = 0.0
        self._watched: dict[str, Tensor] = {}

    def watch(self, name: str, value: Tensor) -> Tensor:
        """Remember ``value`` as ``name``, so that a derivative by it can be checked."""
        if value.requires_grad:
            value.retain_grad()
        self._watched[name] = value
        return value

    def given(self, name: str, value: Tensor, note: Text) -> Tensor:
        """Write down an input, a target or a weight."""
        self._write("given", None, name, name, value, note)
        return self.watch(name, value)

    def forward(
        self, time: int | None, name: str, formula: str, value: Tensor, note: Text
    ) -> Tensor:
        """Write down a quantity of the forward pass."""
        name = _at(name, time)
        self._write("forward", time, name, f"{name} = {_at(formula, time)}", value, note)
        return self.watch(name, value)

    def backward(
        self,
        time: int | None,
        name: str,
        formula: str,
        value: Tensor,
        note: Text,
        *,
        by: str,
    ) -> Tensor:
        """Write down a derivative of the error ``by`` a watched tensor.

        Raises LessonDisagreement where it differs from automatic differentiation by more than
        TOLERANCE.
        """
        name, by = _at(name, time), _at(by, time)
        autograd = self._watched[by].grad
        if autograd is None or autograd.shape != value.shape:
            raise LessonDisagreement(
                f"{name}: automatic differentiation has "
                f"{'nothing' if autograd is None else tuple(autograd.shape)}, "
                f"by hand it is {tuple(value.shape)}"
            )
        difference = float((value - autograd).abs().max())
        if not difference <= TOLERANCE:
            raise LessonDisagreement(
                f"{name}: by hand it differs from automatic differentiation by {difference:.3e}, "
                f"more than {TOLERANCE:.0e}"
            )
        self.largest_difference = max(self.largest_difference, difference)
        phase = "weights" if time is None else "backward"
        formula = f"{name} = {_at(formula, time)}"
        self._write(phase, time, name, formula, value, note, autograd, difference)
        return value

    def _write(
        self,
        phase: Phase,
        time: int | None,
        name: str,
        formula: str,
        value: Tensor,
        note: Text,
        autograd: Tensor | None = None,
        difference: float | None = None,
    ) -> None:
        self.steps.append(
            LessonStep(
                phase=phase,
                time=time,
                name=name,
                formula=formula,
                shape=tuple(value.shape),
                value=_numbers(value),
                note=note,
                autograd=None if autograd is None else _numbers(autograd),
                difference=difference,
            )
        )


def _at(template: str, time: int | None) -> str:
    return template if time is None else template.format(t=time, p=time - 1, n=time + 1)


def _numbers(value: Tensor) -> Numbers:
    return value.detach().to(torch.float64).tolist()
