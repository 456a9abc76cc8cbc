"""One step of the three recurrent cells, as equations that can be read.

Plain autograd, nothing tuned: these are what the fast layers in ``recurrent`` and the written-out
derivatives in ``bptt`` are measured against. Weights are named, shaped, ordered and drawn as in
``torch.nn.RNNCell``, ``LSTMCell`` and ``GRUCell``, so that state dicts go both ways.

Every cell takes any number of batch dimensions, none included.
"""

# Weights are registered by name, so a type checker sees no attribute.
# pyright: reportArgumentType=false

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Nonlinearity = Literal["tanh", "relu"]


@dataclass(frozen=True, kw_only=True)
class LSTMSwitches:
    """Which parts of an LSTM are there; an absent gate is the constant 1.

    squash: tanh around the cell's input and its output. Without it, and without gates, the cell
    is the bare constant error carousel: c_t = c_{t-1} + x_t.
    """

    input_gate: bool = True
    forget_gate: bool = True
    output_gate: bool = True
    squash: bool = True


@dataclass(frozen=True, kw_only=True)
class Peepholes:
    """Diagonal weights through which the gates see the cell; None beside an absent gate."""

    input: Float[Tensor, " hidden"] | None = None
    forget: Float[Tensor, " hidden"] | None = None
    output: Float[Tensor, " hidden"] | None = None


def elman_step(
    projected: Float[Tensor, "*batch hidden"],
    h: Float[Tensor, "*batch hidden"],
    weight_hh: Float[Tensor, "hidden hidden"],
    bias_hh: Float[Tensor, " hidden"] | None,
    nonlinearity: Nonlinearity,
) -> Float[Tensor, "*batch hidden"]:
    """h_t = g(W x_t + b + U h_{t-1} + b'), given W x_t + b."""
    pre = projected + F.linear(h, weight_hh, bias_hh)
    return torch.tanh(pre) if nonlinearity == "tanh" else torch.relu(pre)


def lstm_step(
    projected: Float[Tensor, "*batch gates"],
    h: Float[Tensor, "*batch hidden"],
    c: Float[Tensor, "*batch hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"] | None,
    switches: LSTMSwitches,
    peepholes: Peepholes,
) -> tuple[Float[Tensor, "*batch hidden"], Float[Tensor, "*batch hidden"]]:
    """(h_t, c_t), given W x_t + b; the rows of the weights are i, f, g, o."""
    i, f, g, o = (projected + F.linear(h, weight_hh, bias_hh)).chunk(4, dim=-1)
    i = torch.sigmoid(_peep(i, peepholes.input, c)) if switches.input_gate else 1.0
    f = torch.sigmoid(_peep(f, peepholes.forget, c)) if switches.forget_gate else 1.0
    g = torch.tanh(g) if switches.squash else g
    c = f * c + i * g
    o = torch.sigmoid(_peep(o, peepholes.output, c)) if switches.output_gate else 1.0
    h = o * (torch.tanh(c) if switches.squash else c)
    return h, c


def gru_step(
    projected: Float[Tensor, "*batch gates"],
    h: Float[Tensor, "*batch hidden"],
    weight_hh: Float[Tensor, "gates hidden"],
    bias_hh: Float[Tensor, " gates"] | None,
) -> Float[Tensor, "*batch hidden"]:
    """h_t, given W x_t + b; the rows of the weights are r, z, n."""
    r, z, n = projected.chunk(3, dim=-1)
    r_h, z_h, n_h = F.linear(h, weight_hh, bias_hh).chunk(3, dim=-1)
    r = torch.sigmoid(r + r_h)
    z = torch.sigmoid(z + z_h)
    n = torch.tanh(n + r * n_h)
    return (1 - z) * n + z * h


def _peep(
    pre: Float[Tensor, "*batch hidden"],
    weight: Float[Tensor, " hidden"] | None,
    c: Float[Tensor, "*batch hidden"],
) -> Float[Tensor, "*batch hidden"]:
    return pre if weight is None else pre + weight * c


class ElmanCell(nn.Module):
    """h_t = g(W x_t + b + U h_{t-1} + b') (Elman 1990); g is tanh or relu."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Nonlinearity = "tanh",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_nonlinearity(nonlinearity)
        self.nonlinearity: Nonlinearity = nonlinearity
        _add_weights(self, 1, input_size, hidden_size, bias, device, dtype)

    def forward(
        self,
        input: Float[Tensor, "*batch input"],  # noqa: A002  torch's name
        hx: Float[Tensor, "*batch hidden"] | None = None,
    ) -> Float[Tensor, "*batch hidden"]:
        """h_t; the state before the first step is zero where hx is not given."""
        _check_input(self, input)
        h = _zeros(self, input) if hx is None else hx
        _check_state(self, input, "hx", h)
        projected = F.linear(input, self.weight_ih, self.bias_ih)
        return elman_step(projected, h, self.weight_hh, self.bias_hh, self.nonlinearity)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}"


class LSTMCell(nn.Module):
    """Long short-term memory, each part switchable so that it can be taken away and missed.

    The cell with input and output gate is Hochreiter & Schmidhuber 1997, the forget gate Gers,
    Schmidhuber & Cummins 2000, the peepholes Gers, Schraudolph & Schmidhuber 2002:

        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ∘ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ∘ c_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t ∘ c_{t-1} + i_t ∘ g_t
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ∘ c_t + b_o)
        h_t = o_t ∘ tanh(c_t)

    peephole: adds weight_pi, weight_pf, weight_po, each only beside the gate it feeds.
    squash: see ``LSTMSwitches``.

    The weights keep torch's shape whatever is switched off: an absent gate's rows are drawn, never
    read, and their gradient is zero. So variants started from one seed differ in the switch alone.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        peephole: bool = False,
        squash: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.switches = LSTMSwitches(
            input_gate=input_gate, forget_gate=forget_gate, output_gate=output_gate, squash=squash
        )
        self.peephole = peephole
        peeping = peephole_names(self.switches) if peephole else ()
        _add_weights(self, 4, input_size, hidden_size, bias, device, dtype, peeping)

    @property
    def peepholes(self) -> Peepholes:
        """The peephole weights by the gate that they feed."""
        return Peepholes(
            input=getattr(self, "weight_pi", None),
            forget=getattr(self, "weight_pf", None),
            output=getattr(self, "weight_po", None),
        )

    def forward(
        self,
        input: Float[Tensor, "*batch input"],  # noqa: A002  torch's name
        hx: tuple[Float[Tensor, "*batch hidden"], Float[Tensor, "*batch hidden"]] | None = None,
    ) -> tuple[Float[Tensor, "*batch hidden"], Float[Tensor, "*batch hidden"]]:
        """(h_t, c_t); the state before the first step is zero where hx is not given."""
        _check_input(self, input)
        h, c = (_zeros(self, input), _zeros(self, input)) if hx is None else hx
        _check_state(self, input, "h of hx", h)
        _check_state(self, input, "c of hx", c)
        projected = F.linear(input, self.weight_ih, self.bias_ih)
        return lstm_step(
            projected, h, c, self.weight_hh, self.bias_hh, self.switches, self.peepholes
        )

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, peephole={self.peephole}, {self.switches}"


class GRUCell(nn.Module):
    """Gated recurrent unit (Cho et al. 2014) in the form that torch and cuDNN compute:

        r_t = σ(W_r x_t + b_r + U_r h_{t-1} + b'_r)
        z_t = σ(W_z x_t + b_z + U_z h_{t-1} + b'_z)
        n_t = tanh(W_n x_t + b_n + r_t ∘ (U_n h_{t-1} + b'_n))
        h_t = (1 - z_t) ∘ n_t + z_t ∘ h_{t-1}

    Differs: the paper resets h before it is multiplied, U_n (r_t ∘ h_{t-1}), and lets z keep the
    old state's complement; the reset after the product is one matrix product a step instead of two.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _add_weights(self, 3, input_size, hidden_size, bias, device, dtype)

    def forward(
        self,
        input: Float[Tensor, "*batch input"],  # noqa: A002  torch's name
        hx: Float[Tensor, "*batch hidden"] | None = None,
    ) -> Float[Tensor, "*batch hidden"]:
        """h_t; the state before the first step is zero where hx is not given."""
        _check_input(self, input)
        h = _zeros(self, input) if hx is None else hx
        _check_state(self, input, "hx", h)
        projected = F.linear(input, self.weight_ih, self.bias_ih)
        return gru_step(projected, h, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


def check_nonlinearity(nonlinearity: str) -> None:
    """ValueError for anything but tanh and relu."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}; choose 'tanh' or 'relu'")


def check_size(name: str, size: int) -> None:
    """ValueError for a size below 1."""
    if size < 1:
        raise ValueError(f"{name} is {size}; it must be at least 1")


def peephole_names(switches: LSTMSwitches) -> tuple[str, ...]:
    """Names of the peephole weights that this LSTM can have.

    ValueError where every gate is off: then there is nothing that could look at the cell.
    """
    present = {
        "weight_pi": switches.input_gate,
        "weight_pf": switches.forget_gate,
        "weight_po": switches.output_gate,
    }
    names = tuple(name for name, gate in present.items() if gate)
    if not names:
        raise ValueError("peephole is True but every gate is off; switch a gate on")
    return names


def _add_weights(
    cell: nn.Module,
    gates: int,
    input_size: int,
    hidden_size: int,
    bias: bool,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
    peeping: tuple[str, ...] = (),
) -> None:
    """Adds torch's parameters, drawn as torch draws them: uniform in ±1/√hidden.

    Peephole weights come last, so that a seed gives the others as it does without them.
    """
    check_size("input_size", input_size)
    check_size("hidden_size", hidden_size)
    cell.input_size, cell.hidden_size, cell.bias = input_size, hidden_size, bias
    rows = gates * hidden_size
    shapes: dict[str, tuple[int, ...] | None] = {
        "weight_ih": (rows, input_size),
        "weight_hh": (rows, hidden_size),
        "bias_ih": (rows,) if bias else None,
        "bias_hh": (rows,) if bias else None,
    }
    shapes |= dict.fromkeys(peeping, (hidden_size,))
    bound = hidden_size**-0.5
    for name, shape in shapes.items():
        if shape is None:
            cell.register_parameter(name, None)
            continue
        weight = torch.empty(shape, device=device, dtype=dtype).uniform_(-bound, bound)
        cell.register_parameter(name, nn.Parameter(weight))


def _zeros(cell: nn.Module, input: Tensor) -> Tensor:  # noqa: A002
    return input.new_zeros(*input.shape[:-1], cell.hidden_size)


def _check_input(cell: nn.Module, input: Tensor) -> None:  # noqa: A002
    if input.dim() == 0 or input.shape[-1] != cell.input_size:
        raise ValueError(
            f"input has shape {tuple(input.shape)}; its last dimension must be "
            f"input_size = {cell.input_size}"
        )


def _check_state(cell: nn.Module, input: Tensor, name: str, state: Tensor) -> None:  # noqa: A002
    wanted = (*input.shape[:-1], cell.hidden_size)
    if state.shape != wanted:
        raise ValueError(f"{name} has shape {tuple(state.shape)}; expected {wanted}")
