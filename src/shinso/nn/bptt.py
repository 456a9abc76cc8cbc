"""Back-propagation through time of the three recurrent cells, written out without autograd.

A sequence is run forward and every step's values are kept; then the error ε_t = ∂L/∂h_t walks from
the last step to the first (Werbos 1990). Each step turns the error that reaches its state into the
error of what stands inside its σ and tanh (δ), from which its weights' gradients follow, and into
the error of the state before it.

This is the form to read and to measure against; ``fused`` has the same equations for speed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.cells import ElmanCell, GRUCell, LSTMCell

Cell = ElmanCell | LSTMCell | GRUCell
States = tuple[Tensor, ...]
Weights = dict[str, nn.Parameter]

PEEPHOLES = ("weight_pi", "weight_pf", "weight_po")


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Derivatives of L, where ∂L/∂h_t of each output was given.

    parameters: by their names in the cell. initial: of h_0, for an LSTM of h_0 and c_0.
    errors: the error that enters each step's h_t, for an LSTM that of h_t and that of c_t, the
    way through h_t included. Without a window these are ∂L/∂h_t and ∂L/∂c_t.
    """

    inputs: Float[Tensor, "time batch input"]
    parameters: dict[str, Tensor]
    initial: tuple[Float[Tensor, "batch hidden"], ...]
    errors: tuple[Float[Tensor, "time batch hidden"], ...]


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What the errors of one step become; age: how many steps an error has come.

    here: of h_t (and c_t). before: of h_{t-1} (and c_{t-1}). projected: of W x_t + b.
    recurrent: of U h_{t-1} + b'. peepholes: of each peephole weight, by its name.
    """

    here: States
    before: States
    projected: Float[Tensor, "age batch gates"]
    recurrent: Float[Tensor, "age batch gates"]
    peepholes: dict[str, Float[Tensor, "age batch hidden"]]


@torch.no_grad()
def backward_through_time(
    cell: Cell,
    xs: Float[Tensor, "time batch input"],
    initial: Float[Tensor, "batch hidden"]
    | tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    grad_outputs: Float[Tensor, "time batch hidden"],
    *,
    window: int | None = None,
) -> Gradients:
    """Gradients of every input, parameter and initial state.

    initial: as the cell's hx: h_0, for an LSTM (h_0, c_0). grad_outputs: ∂L/∂h_t, what each
    output adds by itself.

    window: BPTT(h) of Williams & Peng 1990. The error of output t passes through the cell
    ``window`` times at most, at steps t, t-1, …, t-window+1, and is then dropped: for this output
    the state before those steps is a constant. So output t is differentiated as if the sequence
    began at step t-window+1 from a given state. The initial state receives the errors that reach
    it in time. None, or a window of at least all steps: everything flows to the beginning. The
    errors of different outputs are carried apart, which costs time × window.
    """
    states = initial if isinstance(initial, tuple) else (initial,)
    _check(cell, xs, states, grad_outputs, window)
    weights = dict(cell.named_parameters())
    trace = _follow(cell, weights, xs, states)
    parameters = {name: torch.zeros_like(value) for name, value in weights.items()}
    inputs = torch.empty_like(xs)
    errors = tuple(torch.empty_like(grad_outputs) for _ in states)
    flowing = tuple(grad_outputs.new_zeros(0, *part.shape) for part in states)
    nothing = torch.zeros_like(grad_outputs[:1])
    for t in reversed(range(len(xs))):
        fresh = (grad_outputs[t : t + 1], nothing)
        if window is None:
            entering = tuple(f + e.sum(0) for f, e in zip(fresh, flowing, strict=False))
        else:
            entering = tuple(
                torch.cat([f, e])[:window] for f, e in zip(fresh, flowing, strict=False)
            )
        step = trace.back(t, entering)
        flowing = step.before
        for total, part in zip(errors, step.here, strict=True):
            total[t] = part.sum(0)
        projected, recurrent = step.projected.sum(0), step.recurrent.sum(0)
        inputs[t] = projected @ weights["weight_ih"]  # ∂L/∂x_t = Wᵀ δ_t
        parameters["weight_ih"] += projected.T @ xs[t]  # ∂L/∂W = Σ_t δ_t x_tᵀ
        parameters["weight_hh"] += recurrent.T @ trace.h[t]  # ∂L/∂U = Σ_t δ_t h_{t-1}ᵀ
        if "bias_ih" in weights:
            parameters["bias_ih"] += projected.sum(0)  # ∂L/∂b = Σ_t δ_t
            parameters["bias_hh"] += recurrent.sum(0)  # ∂L/∂b' = Σ_t δ_t
        for name, part in step.peepholes.items():
            parameters[name] += part.sum((0, 1))
    return Gradients(
        inputs=inputs,
        parameters=parameters,
        initial=tuple(part.sum(0) for part in flowing),
        errors=errors,
    )


def error_norms(
    cell: Cell,
    xs: Float[Tensor, "time batch input"],
    initial: Float[Tensor, "batch hidden"]
    | tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    last_error: Float[Tensor, "batch hidden"],
    *,
    back: int | None = None,
) -> tuple[Float[Tensor, "steps_back batch"], ...]:
    """How much of the last output's error arrives k = 0, 1, …, ``back`` steps before it.

    The Euclidean norm of ∂L/∂h_{T-k}, for an LSTM also that of ∂L/∂c_{T-k}, where L depends on
    h_T alone, with ∂L/∂h_T = last_error: the product of k Jacobians at work (Hochreiter 1991;
    Hochreiter & Schmidhuber 1997, section 3.1). back: None goes to the initial state, k = T.
    """
    steps = len(xs)
    back = steps if back is None else back
    if not 0 <= back <= steps:
        raise ValueError(f"back is {back}; choose 0 to {steps}, the number of steps")
    grad_outputs = last_error.new_zeros(steps, *last_error.shape)
    grad_outputs[-1] = last_error
    found = backward_through_time(cell, xs, initial, grad_outputs)
    return tuple(
        torch.cat([start[None], error]).norm(dim=-1).flip(0)[: back + 1]
        for start, error in zip(found.initial, found.errors, strict=True)
    )


class _ElmanTrace:
    """h_t = g(a_t) with a_t = W x_t + b + U h_{t-1} + b' (Elman 1990)."""

    def __init__(self, cell: ElmanCell, weights: Weights, xs: Tensor, states: States) -> None:
        self.U, self.is_tanh = weights["weight_hh"], cell.nonlinearity == "tanh"
        self.h = list(states)
        for x in xs:
            a = F.linear(x, weights["weight_ih"], weights.get("bias_ih"))
            a = a + F.linear(self.h[-1], self.U, weights.get("bias_hh"))
            self.h.append(torch.tanh(a) if self.is_tanh else torch.relu(a))

    def back(self, t: int, entering: States) -> _Step:
        (e_h,) = entering  # ε_t
        h = self.h[t + 1]
        slope = 1 - h * h if self.is_tanh else (h > 0).to(h)  # g'(a_t)
        d = e_h * slope  # δ_t = ε_t ∘ g'(a_t)
        e_before = d @ self.U  # ε_{t-1} = Uᵀ δ_t
        return _Step(here=(e_h,), before=(e_before,), projected=d, recurrent=d, peepholes={})


class _LSTMTrace:
    """The equations of ``LSTMCell``; an absent gate is 1, whose slope 1 (1 - 1) is 0.

    Differs from Hochreiter & Schmidhuber 1997 and Gers & Schmidhuber 2000: they drop the error
    where it leaves the memory block; here it flows everywhere (as in Greff et al. 2017, app. A).
    """

    def __init__(self, cell: LSTMCell, weights: Weights, xs: Tensor, states: States) -> None:
        h, c = states
        absent = torch.zeros_like(h[0])
        self.p = {name: weights.get(name, absent) for name in PEEPHOLES}
        self.peeping = [name for name in PEEPHOLES if name in weights]
        self.U, self.switches = weights["weight_hh"], cell.switches
        self.h, self.c = [h], [c]
        self.gates: list[States] = []
        for x in xs:
            self._forward(
                F.linear(x, weights["weight_ih"], weights.get("bias_ih")), weights.get("bias_hh")
            )

    def _forward(self, projected: Tensor, bias_hh: Tensor | None) -> None:
        s, h, c = self.switches, self.h[-1], self.c[-1]
        one = torch.ones_like(c)
        i, f, g, o = (projected + F.linear(h, self.U, bias_hh)).chunk(4, dim=-1)
        i = torch.sigmoid(i + self.p["weight_pi"] * c) if s.input_gate else one
        f = torch.sigmoid(f + self.p["weight_pf"] * c) if s.forget_gate else one
        g = torch.tanh(g) if s.squash else g
        c = f * c + i * g
        o = torch.sigmoid(o + self.p["weight_po"] * c) if s.output_gate else one
        self.gates.append((i, f, g, o))
        self.c.append(c)
        self.h.append(o * (torch.tanh(c) if s.squash else c))

    def back(self, t: int, entering: States) -> _Step:
        e_h, e_c = entering  # ε_t of h; of c what comes from c_{t+1}
        i, f, g, o = self.gates[t]
        c, c_before = self.c[t + 1], self.c[t]
        one = torch.ones_like(c)
        k = torch.tanh(c) if self.switches.squash else c  # k_t = tanh(c_t)
        k_slope = 1 - k * k if self.switches.squash else one  # tanh'(c_t)
        g_slope = 1 - g * g if self.switches.squash else one  # tanh'
        d_o = e_h * k * o * (1 - o)  # δo_t = ε_t ∘ k_t ∘ σ'
        e_c = e_c + e_h * o * k_slope  # εc_t = εc of t+1 + ε_t ∘ o_t ∘ tanh'
        e_c = e_c + d_o * self.p["weight_po"]  # + δo_t ∘ p_o
        d_f = e_c * c_before * f * (1 - f)  # δf_t = εc_t ∘ c_{t-1} ∘ σ'
        d_i = e_c * g * i * (1 - i)  # δi_t = εc_t ∘ g_t ∘ σ'
        d_g = e_c * i * g_slope  # δg_t = εc_t ∘ i_t ∘ tanh'
        d = torch.cat([d_i, d_f, d_g, d_o], dim=-1)
        e_before = d @ self.U  # ε_{t-1} = Uᵀ δ_t
        peeped = d_i * self.p["weight_pi"] + d_f * self.p["weight_pf"]
        e_c_before = e_c * f + peeped  # εc_t ∘ f_t + δi_t ∘ p_i + δf_t ∘ p_f: the carousel
        peepholes = {
            "weight_pi": d_i * c_before,  # ∂L/∂p_i = Σ_t δi_t ∘ c_{t-1}
            "weight_pf": d_f * c_before,  # ∂L/∂p_f = Σ_t δf_t ∘ c_{t-1}
            "weight_po": d_o * c,  # ∂L/∂p_o = Σ_t δo_t ∘ c_t
        }
        return _Step(
            here=(e_h, e_c),
            before=(e_before, e_c_before),
            projected=d,
            recurrent=d,
            peepholes={name: peepholes[name] for name in self.peeping},
        )


class _GRUTrace:
    """The equations of ``GRUCell`` (Cho et al. 2014), with q_t = U_n h_{t-1} + b'_n."""

    def __init__(self, weights: Weights, xs: Tensor, states: States) -> None:
        self.U = weights["weight_hh"]
        self.h = list(states)
        self.gates: list[States] = []
        for x in xs:
            h = self.h[-1]
            r, z, n = F.linear(x, weights["weight_ih"], weights.get("bias_ih")).chunk(3, dim=-1)
            r_h, z_h, q = F.linear(h, self.U, weights.get("bias_hh")).chunk(3, dim=-1)
            r, z = torch.sigmoid(r + r_h), torch.sigmoid(z + z_h)
            n = torch.tanh(n + r * q)
            self.gates.append((r, z, n, q))
            self.h.append((1 - z) * n + z * h)

    def back(self, t: int, entering: States) -> _Step:
        (e_h,) = entering  # ε_t
        r, z, n, q = self.gates[t]
        d_n = e_h * (1 - z) * (1 - n * n)  # δn_t = ε_t ∘ (1 - z_t) ∘ tanh'
        d_z = e_h * (self.h[t] - n) * z * (1 - z)  # δz_t = ε_t ∘ (h_{t-1} - n_t) ∘ σ'
        d_r = d_n * q * r * (1 - r)  # δr_t = δn_t ∘ q_t ∘ σ'
        d_q = d_n * r  # δq_t = δn_t ∘ r_t
        recurrent = torch.cat([d_r, d_z, d_q], dim=-1)
        e_before = e_h * z + recurrent @ self.U  # ε_{t-1} = ε_t ∘ z_t + Uᵀ (δr, δz, δq)_t
        return _Step(
            here=(e_h,),
            before=(e_before,),
            projected=torch.cat([d_r, d_z, d_n], dim=-1),
            recurrent=recurrent,
            peepholes={},
        )


def _follow(
    cell: Cell, weights: Weights, xs: Tensor, states: States
) -> _ElmanTrace | _LSTMTrace | _GRUTrace:
    """The sequence run forward, every step's values kept."""
    if isinstance(cell, ElmanCell):
        return _ElmanTrace(cell, weights, xs, states)
    if isinstance(cell, LSTMCell):
        return _LSTMTrace(cell, weights, xs, states)
    return _GRUTrace(weights, xs, states)


def _check(
    cell: Cell, xs: Tensor, states: States, grad_outputs: Tensor, window: int | None
) -> None:
    """ValueError for shapes that do not fit the cell, no step at all, or a window below 1."""
    if window is not None and window < 1:
        raise ValueError(f"window is {window}; choose at least 1, or None for all steps")
    if xs.dim() != 3 or xs.shape[-1] != cell.input_size or not len(xs):
        raise ValueError(
            f"xs has shape {tuple(xs.shape)}; expected (time, batch, {cell.input_size}), time ≥ 1"
        )
    wanted = ("h_0", "c_0") if isinstance(cell, LSTMCell) else ("h_0",)
    if len(states) != len(wanted):
        raise ValueError(f"initial has {len(states)} states; expected {' and '.join(wanted)}")
    shape = (xs.shape[1], cell.hidden_size)
    for name, state in zip(wanted, states, strict=True):
        if state.shape != shape:
            raise ValueError(f"{name} of initial has shape {tuple(state.shape)}; expected {shape}")
    if grad_outputs.shape != (len(xs), *shape):
        raise ValueError(
            f"grad_outputs has shape {tuple(grad_outputs.shape)}; expected {(len(xs), *shape)}"
        )
