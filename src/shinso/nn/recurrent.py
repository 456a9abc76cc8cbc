"""Recurrent layers over whole sequences, drop-in for ``torch.nn.RNN``, ``LSTM`` and ``GRU``.

Same constructors, parameter names, shapes, order and random draws, so that state dicts go both
ways; same outputs. The LSTM adds what torch's has not: peepholes and gates that can be left out.
"""

# The state is a tuple whose length each class knows.
# pyright: reportCallIssue=false

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from shinso.nn import portable
from shinso.nn.cells import (
    LSTMSwitches,
    Nonlinearity,
    Peepholes,
    check_nonlinearity,
    check_size,
    peephole_names,
)
from shinso.nn.sequence import State, Weights, run_elman, run_gru, run_lstm
from shinso.nn.steps import Steps, even_steps


class RecurrentLayers(nn.Module, ABC):
    """Stacked, one- or two-directional layers of one kind of cell.

    Subclasses say what one direction of one layer computes.
    """

    gates: int
    states: int
    operator: str  # the cell's name for ``nn.portable``

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        peeping: tuple[str, ...] = (),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("input_size", input_size)
        check_size("hidden_size", hidden_size)
        check_size("num_layers", num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it is a probability, from 0 to 1")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        rows = self.gates * hidden_size
        for layer, suffix in self._suffixes():
            width = input_size if layer == 0 else hidden_size * self.num_directions
            self._add(f"weight_ih{suffix}", (rows, width), device, dtype)
            self._add(f"weight_hh{suffix}", (rows, hidden_size), device, dtype)
            if bias:
                self._add(f"bias_ih{suffix}", (rows,), device, dtype)
                self._add(f"bias_hh{suffix}", (rows,), device, dtype)
        # Last, so that a seed gives the other weights as it does without peepholes.
        for _, suffix in self._suffixes():
            for name in peeping:
                self._add(f"{name}{suffix}", (hidden_size,), device, dtype)
        self.reset_parameters()

    @property
    def num_directions(self) -> int:
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw all weights anew: uniform in ±1/√hidden, as torch does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                shown.append(f"{name}={value}")
        return ", ".join(shown)

    @abstractmethod
    def _direction(
        self, x: Tensor, steps: Steps, state: State, suffix: str
    ) -> tuple[Tensor, State]:
        """One direction of one layer over flat rows: its outputs and its state after each
        sequence's last step."""

    def _run(
        self,
        input: Tensor | PackedSequence,  # noqa: A002
        hx: State | None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Everything around the layers: packing, batch order, missing dimensions."""
        if isinstance(input, PackedSequence):
            if portable.wanted():
                return portable.run_packed(self, self.operator, input, hx)
            return self._run_packed(input, hx)
        batched = self._check_input(input)
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        time, batch, _ = x.shape
        if hx is not None:
            self._check_state(hx, batch if batched else None)
            hx = hx if batched else tuple(part.unsqueeze(1) for part in hx)
        if portable.wanted():
            y, state = portable.run_padded(self, self.operator, x, None, hx)
        else:
            steps = even_steps(time, batch)
            y, state = self._stack(x.reshape(time * batch, -1), steps, hx)
            y = y.view(time, batch, -1)
        if not batched:
            return y.squeeze(1), tuple(part.squeeze(1) for part in state)
        return (y.transpose(0, 1) if self.batch_first else y), state

    def _run_packed(self, input: PackedSequence, hx: State | None) -> tuple[PackedSequence, State]:  # noqa: A002
        steps = Steps.packed(input.batch_sizes)
        if input.data.shape[-1] != self.input_size:
            raise ValueError(
                f"packed input has rows of {input.data.shape[-1]} features; "
                f"expected input_size = {self.input_size}"
            )
        if hx is not None:
            self._check_state(hx, steps.batch)
            if input.sorted_indices is not None:
                hx = tuple(part.index_select(1, input.sorted_indices) for part in hx)
        y, state = self._stack(input.data, steps, hx)
        if input.unsorted_indices is not None:
            state = tuple(part.index_select(1, input.unsorted_indices) for part in state)
        packed = PackedSequence(y, input.batch_sizes, input.sorted_indices, input.unsorted_indices)
        return packed, state

    def _stack(self, x: Tensor, steps: Steps, hx: State | None) -> tuple[Tensor, State]:
        """All layers and directions over flat rows."""
        start = (x.new_zeros(steps.batch, self.hidden_size),) * self.states
        last: list[State] = []
        outputs: list[Tensor] = []
        for number, (_layer, suffix) in enumerate(self._suffixes()):
            if number and number % self.num_directions == 0:
                x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
                x = F.dropout(x, self.dropout, self.training) if self.dropout else x
                outputs = []
            if hx is not None:
                start = tuple(part[number] for part in hx)
            if suffix.endswith("_reverse") and steps.even:
                y, end = self._direction(x, steps.backwards, start, suffix)
            elif suffix.endswith("_reverse"):
                mirror = steps.mirror.to(x.device)
                y, end = self._direction(x[mirror], steps, start, suffix)
                y = y[mirror]
            else:
                y, end = self._direction(x, steps, start, suffix)
            outputs.append(y)
            last.append(end)
        y = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        return y, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _suffixes(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def _weights(self, suffix: str) -> Weights:
        return (
            getattr(self, f"weight_ih{suffix}"),
            getattr(self, f"weight_hh{suffix}"),
            getattr(self, f"bias_ih{suffix}", None),
            getattr(self, f"bias_hh{suffix}", None),
        )

    def _add(
        self,
        name: str,
        shape: tuple[int, ...],
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))

    def _check_input(self, input: Tensor) -> bool:  # noqa: A002
        """Whether the input has a batch dimension; ValueError where it does not fit."""
        order = "(batch, time, {})" if self.batch_first else "(time, batch, {})"
        wanted = order.format(self.input_size) + f" or (time, {self.input_size})"
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size:
            raise ValueError(f"input has shape {tuple(input.shape)}; expected {wanted}")
        if 0 in input.shape:
            raise ValueError(
                f"input has shape {tuple(input.shape)}; at least one step of one sequence is needed"
            )
        return input.dim() == 3

    def _check_state(self, hx: State, batch: int | None) -> None:
        count = self.num_layers * self.num_directions
        wanted = (count, self.hidden_size) if batch is None else (count, batch, self.hidden_size)
        for name, part in zip(("h_0", "c_0"), hx, strict=False):
            if part.shape != wanted:
                raise ValueError(f"{name} of hx has shape {tuple(part.shape)}; expected {wanted}")
            if part.dtype != hx[0].dtype:
                raise ValueError(f"{name} of hx is {part.dtype}, h_0 is {hx[0].dtype}; convert one")


class RNN(RecurrentLayers):
    """Elman network (see ``ElmanCell``), drop-in for ``torch.nn.RNN``."""

    gates = 1
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Nonlinearity = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_nonlinearity(nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity: Nonlinearity = nonlinearity
        self.operator = nonlinearity

    def forward(
        self,
        input: Float[Tensor, "..."] | PackedSequence,  # noqa: A002
        hx: Float[Tensor, "..."] | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Outputs of the last layer and the final state of every layer."""
        y, (h,) = self._run(input, None if hx is None else (hx,))
        return y, h

    def _direction(
        self, x: Tensor, steps: Steps, state: State, suffix: str
    ) -> tuple[Tensor, State]:
        return run_elman(x, *state, self._weights(suffix), steps, self.nonlinearity)


class LSTM(RecurrentLayers):
    """Long short-term memory (see ``LSTMCell``), drop-in for ``torch.nn.LSTM``.

    peephole: adds ``weight_pi_l0``, ``weight_pf_l0``, ``weight_po_l0`` and so on.
    """

    gates = 4
    states = 2
    operator = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        peephole: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        switches = LSTMSwitches(
            input_gate=input_gate, forget_gate=forget_gate, output_gate=output_gate
        )
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            peeping=peephole_names(switches) if peephole else (),
            device=device,
            dtype=dtype,
        )
        self.switches = switches
        self.peephole = peephole

    def forward(
        self,
        input: Float[Tensor, "..."] | PackedSequence,  # noqa: A002
        hx: tuple[Float[Tensor, "..."], Float[Tensor, "..."]] | None = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Outputs of the last layer and the final (h, c) of every layer."""
        y, (h, c) = self._run(input, hx)
        return y, (h, c)

    def _direction(
        self, x: Tensor, steps: Steps, state: State, suffix: str
    ) -> tuple[Tensor, State]:
        peepholes = Peepholes(
            input=getattr(self, f"weight_pi{suffix}", None),
            forget=getattr(self, f"weight_pf{suffix}", None),
            output=getattr(self, f"weight_po{suffix}", None),
        )
        return run_lstm(x, *state, self._weights(suffix), peepholes, steps, self.switches)


class GRU(RecurrentLayers):
    """Gated recurrent units (see ``GRUCell``), drop-in for ``torch.nn.GRU``."""

    gates = 3
    states = 1
    operator = "gru"

    def forward(
        self,
        input: Float[Tensor, "..."] | PackedSequence,  # noqa: A002
        hx: Float[Tensor, "..."] | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Outputs of the last layer and the final state of every layer."""
        y, (h,) = self._run(input, None if hx is None else (hx,))
        return y, h

    def _direction(
        self, x: Tensor, steps: Steps, state: State, suffix: str
    ) -> tuple[Tensor, State]:
        return run_gru(x, *state, self._weights(suffix), steps)
