"""A cell over a whole sequence, by the fastest way there is for the tensors at hand.

* ``fused``: compiled kernels, for float32 on the CPU;
* ``stepwise``: torch operations with derivatives by hand, for everything else;
* the cells themselves, step by step, where torch looks into the program, while it traces or
  compiles one and under automatic mixed precision; and for one or two steps, which would not pay
  for what the other ways prepare.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.compiler import is_compiling
from torch.jit import is_tracing  # pyright: ignore[reportPrivateImportUsage]
from torch.nn import functional as F

from shinso.nn import stepwise
from shinso.nn.cells import (
    LSTMSwitches,
    Nonlinearity,
    Peepholes,
    elman_step,
    gru_step,
    lstm_step,
)
from shinso.nn.steps import Steps

State = tuple[Tensor, ...]
Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]
"""weight_ih, weight_hh, bias_ih, bias_hh."""

_FEW = 2  # steps
_wanted: ContextVar[bool] = ContextVar("kernels wanted", default=True)


@contextmanager
def without_kernels() -> Iterator[None]:
    """Leave the compiled kernels aside, to compare with them or to look for a fault."""
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def run_elman(
    x: Tensor, h_0: Tensor, weights: Weights, steps: Steps, nonlinearity: Nonlinearity
) -> tuple[Tensor, State]:
    """Outputs of an Elman network, row by row, and (h_n,)."""
    way = _way(x, h_0, weights, steps)
    if way is None:
        weight_ih, weight_hh, bias_ih, bias_hh = weights

        def step(projected: Tensor, h: Tensor) -> State:
            return (elman_step(projected, h, weight_hh, bias_hh, nonlinearity),)

        return _loop(step, F.linear(x, weight_ih, bias_ih), steps, (h_0,))
    y, h_n = _apply(way.ElmanSequence, x, h_0, *weights, steps, nonlinearity == "tanh")
    return y, (h_n,)


def run_lstm(
    x: Tensor,
    h_0: Tensor,
    c_0: Tensor,
    weights: Weights,
    peepholes: Peepholes,
    steps: Steps,
    switches: LSTMSwitches,
) -> tuple[Tensor, State]:
    """Outputs of an LSTM, row by row, and (h_n, c_n)."""
    way = _way(x, h_0, weights, steps)
    if way is None:
        weight_ih, weight_hh, bias_ih, bias_hh = weights

        def step(projected: Tensor, h: Tensor, c: Tensor) -> State:
            return lstm_step(projected, h, c, weight_hh, bias_hh, switches, peepholes)

        return _loop(step, F.linear(x, weight_ih, bias_ih), steps, (h_0, c_0))
    peep = peepholes.input, peepholes.forget, peepholes.output
    y, h_n, c_n = _apply(way.LSTMSequence, x, h_0, c_0, *weights, *peep, steps, switches)
    return y, (h_n, c_n)


def run_gru(x: Tensor, h_0: Tensor, weights: Weights, steps: Steps) -> tuple[Tensor, State]:
    """Outputs of a GRU, row by row, and (h_n,)."""
    way = _way(x, h_0, weights, steps)
    if way is None:
        weight_ih, weight_hh, bias_ih, bias_hh = weights

        def step(projected: Tensor, h: Tensor) -> State:
            return (gru_step(projected, h, weight_hh, bias_hh),)

        return _loop(step, F.linear(x, weight_ih, bias_ih), steps, (h_0,))
    y, h_n = _apply(way.GRUSequence, x, h_0, *weights, steps)
    return y, (h_n,)


def _way(x: Tensor, h_0: Tensor, weights: Weights, steps: Steps) -> ModuleType | None:
    """The module with the sequence functions; None for the cells themselves."""
    if torch.is_autocast_enabled(x.device.type):
        return None
    for name, part in (("h_0", h_0), ("weight_ih", weights[0]), ("weight_hh", weights[1])):
        if part.dtype != x.dtype or part.device != x.device:
            found, wanted = f"{part.dtype} on {part.device}", f"{x.dtype} on {x.device}"
            raise ValueError(f"{name} is {found}, the input {wanted}; convert one with .to()")
    if len(steps.sizes) <= _FEW or is_tracing() or is_compiling():
        return None
    if x.device.type == "cpu" and x.dtype == torch.float32 and _wanted.get():
        return _fused() or stepwise
    return stepwise


class _Forgetful:
    """Stands for autograd's context where no gradient will be asked for."""

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass


def _apply(function: type[Function], *arguments: Any) -> Any:
    """The function; without gradients, also without the cost of its place in autograd's graph."""
    if torch.is_grad_enabled():
        return function.apply(*arguments)
    return function.forward(_Forgetful(), *arguments)


@cache
def _fused() -> ModuleType | None:
    """The functions on compiled kernels, imported when first needed; None without numba."""
    try:
        from shinso.nn import fused
    except ImportError:
        return None
    return fused


def _loop(
    step: Callable[..., State], projected: Tensor, steps: Steps, state: State
) -> tuple[Tensor, State]:
    """The cell step by step; sequences that end leave their state behind."""
    outputs: list[Tensor] = []
    ended: list[State] = []
    for first, last in steps.slices:
        size = last - first
        if size < len(state[0]):
            ended.append(tuple(part[size:] for part in state))
            state = tuple(part[:size] for part in state)
        state = step(projected[first:last], *state)
        outputs.append(state[0])
    ended.append(state)
    final = tuple(torch.cat(parts) for parts in zip(*reversed(ended), strict=True))
    if steps.slices[0][0] > 0:  # the last step lies first
        outputs.reverse()
    return torch.cat(outputs), final
