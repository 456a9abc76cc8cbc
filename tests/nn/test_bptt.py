"""Back-propagation written out by hand against autograd and against differences.

Tolerance: both sides add the same few hundred float64 terms in another order, so they differ by
some 1e-15 of their size; 1e-10 is far above that and far below any missing term.
"""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.nn import ElmanCell, GRUCell, LSTMCell
from shinso.nn.bptt import backward_through_time, error_norms

TIME, BATCH, INPUT, HIDDEN = 6, 3, 2, 4
EXACT = {"rtol": 1e-10, "atol": 1e-10}
GATES = ("input_gate", "forget_gate", "output_gate")
SWITCHES = {
    "+".join([*(g for g, on in zip(GATES, gates, strict=True) if on), *extra]) or "bare": {
        **dict(zip(GATES, gates, strict=True)),
        "peephole": "peephole" in extra,
        "squash": "squash" in extra,
    }
    for gates in itertools.product((True, False), repeat=3)
    for extra in ((), ("peephole",), ("squash",), ("peephole", "squash"))
    if any(gates) or "peephole" not in extra
}
CELLS = {
    "tanh": lambda **sizes: ElmanCell(**sizes),
    "relu": lambda **sizes: ElmanCell(**sizes, nonlinearity="relu"),
    "gru": lambda **sizes: GRUCell(**sizes),
    "lstm": lambda **sizes: LSTMCell(**sizes),
    "lstm with peepholes": lambda **sizes: LSTMCell(**sizes, peephole=True),
}


def case(build, *, seed=0, time=TIME, batch=BATCH, input_size=INPUT, hidden_size=HIDDEN, bias=True):
    """A cell in float64, a sequence, a start and an error of each output."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = build(input_size=input_size, hidden_size=hidden_size, bias=bias, dtype=torch.float64)
        xs = torch.randn(time, batch, input_size, dtype=torch.float64)
        states = [torch.randn(batch, hidden_size, dtype=torch.float64) for _ in range(2)]
        errors = torch.randn(time, batch, hidden_size, dtype=torch.float64)
    return cell, xs, tuple(states) if isinstance(cell, LSTMCell) else states[0], errors


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def leaf(value):
    return value.detach().clone().requires_grad_()


def by_autograd(cell, xs, initial, grad_outputs, window=None):
    """(inputs, parameters, initial), output by output: each from a state that is a constant."""
    xs, starts = leaf(xs), [leaf(part) for part in as_tuple(initial)]
    leaves = [xs, *cell.parameters(), *starts]
    total = [torch.zeros_like(one) for one in leaves]
    states = [tuple(starts)]
    for x in xs:
        hx = states[-1] if isinstance(cell, LSTMCell) else states[-1][0]
        states.append(as_tuple(cell(x, hx)))
    for t in range(len(xs)):
        begin = 0 if window is None else max(0, t + 1 - window)
        # At step 0 it is the initial state itself, whose gradient is asked for.
        state = states[0] if begin == 0 else tuple(part.detach() for part in states[begin])
        for x in xs[begin : t + 1]:
            hx = state if isinstance(cell, LSTMCell) else state[0]
            state = as_tuple(cell(x, hx))
        loss = (state[0] * grad_outputs[t]).sum()
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
        for sum_, part in zip(total, found, strict=True):
            sum_ += 0 if part is None else part
    names = [name for name, _ in cell.named_parameters()]
    parameters = dict(zip(names, total[1 : 1 + len(names)], strict=True))
    return total[0], parameters, tuple(total[1 + len(names) :])


def assert_equal(found, inputs, parameters, initial):
    torch.testing.assert_close(found.inputs, inputs, **EXACT)
    assert list(found.parameters) == list(parameters)
    for name, gradient in parameters.items():
        torch.testing.assert_close(found.parameters[name], gradient, **EXACT, msg=name)
    assert len(found.initial) == len(initial)
    for one, other in zip(found.initial, initial, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_gradients_match_autograd(name, bias):
    given_ = case(CELLS[name], bias=bias)
    assert_equal(backward_through_time(*given_), *by_autograd(*given_))


@pytest.mark.parametrize("name", SWITCHES)
def test_gradients_of_every_switched_lstm_match_autograd(name):
    given_ = case(lambda **sizes: LSTMCell(**sizes, **SWITCHES[name]))
    assert_equal(backward_through_time(*given_), *by_autograd(*given_))
    assert_equal(backward_through_time(*given_, window=2), *by_autograd(*given_, window=2))


@pytest.mark.parametrize("window", [1, 2, 3, TIME - 1])
@pytest.mark.parametrize("name", CELLS)
def test_truncated_gradients_match_autograd_from_detached_states(name, window):
    given_ = case(CELLS[name])
    truncated = backward_through_time(*given_, window=window)
    assert_equal(truncated, *by_autograd(*given_, window=window))
    full = backward_through_time(*given_)
    assert (truncated.parameters["weight_hh"] - full.parameters["weight_hh"]).abs().max() > 1e-3


@pytest.mark.parametrize("window", [TIME, TIME + 1, 10 * TIME])
@pytest.mark.parametrize("name", CELLS)
def test_a_window_of_all_steps_matches_none(name, window):
    given_ = case(CELLS[name])
    full = backward_through_time(*given_)
    windowed = backward_through_time(*given_, window=window)
    assert_equal(windowed, full.inputs, full.parameters, full.initial)
    for one, other in zip(windowed.errors, full.errors, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("name", CELLS)
def test_errors_match_autograd_at_every_state(name):
    cell, xs, initial, grad_outputs = case(CELLS[name])
    state, states = initial, []
    for x in xs:
        state = cell(x, state)
        states.append(as_tuple(state))
    loss = (torch.stack([part[0] for part in states]) * grad_outputs).sum()
    found = backward_through_time(cell, xs, initial, grad_outputs)
    for place, errors in enumerate(found.errors):
        expected = torch.autograd.grad(loss, [part[place] for part in states], retain_graph=True)
        torch.testing.assert_close(errors, torch.stack(expected), **EXACT)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_match_central_differences(name):
    """Central differences of step 1e-5 err by about 1e-10 of the third derivative plus 1e-11."""
    cell, xs, initial, grad_outputs = case(CELLS[name], time=3, batch=1, hidden_size=2)
    starts = as_tuple(initial)
    found = backward_through_time(cell, xs, initial, grad_outputs)
    gradients = {"xs": found.inputs, "h": found.initial[0], **found.parameters}
    tensors = {"xs": xs, "h": starts[0], **dict(cell.named_parameters())}
    if isinstance(cell, LSTMCell):
        gradients["c"], tensors["c"] = found.initial[1], starts[1]

    def loss():
        state, total = initial, 0.0
        for x, error in zip(xs, grad_outputs, strict=True):
            state = cell(x, state)
            total += float((as_tuple(state)[0] * error).sum())
        return total

    with torch.no_grad():
        for which, tensor in tensors.items():
            flat, step = tensor.view(-1), 1e-5
            for place in range(len(flat)):
                kept = float(flat[place])
                flat[place] = kept + step
                above = loss()
                flat[place] = kept - step
                below = loss()
                flat[place] = kept
                difference = (above - below) / (2 * step)
                got = float(gradients[which].reshape(-1)[place])
                assert got == pytest.approx(difference, abs=1e-8), (which, place)


@settings(max_examples=25)
@given(
    name=st.sampled_from(sorted(CELLS)),
    time=st.integers(1, 6),
    batch=st.integers(1, 3),
    input_size=st.integers(1, 3),
    hidden_size=st.integers(1, 4),
    window=st.none() | st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_equality_with_autograd_holds_for_any_sizes(name, window, **sizes):
    given_ = case(CELLS[name], **sizes)
    found = backward_through_time(*given_, window=window)
    assert_equal(found, *by_autograd(*given_, window=window))


@pytest.mark.parametrize("name", CELLS)
def test_window_one_sends_no_error_between_steps(name):
    cell, xs, initial, grad_outputs = case(CELLS[name])
    found = backward_through_time(cell, xs, initial, grad_outputs, window=1)
    assert torch.equal(found.errors[0], grad_outputs)
    only_last = torch.zeros_like(grad_outputs)
    only_last[-1] = grad_outputs[-1]
    found = backward_through_time(cell, xs, initial, only_last, window=2)
    assert found.inputs[-2:].abs().sum((1, 2)).gt(0).all()
    assert not found.inputs[:-2].any()
    assert not any(part.any() for part in found.initial)


@pytest.mark.parametrize("name", CELLS)
def test_error_norms_match_products_of_jacobians(name):
    cell, xs, initial, grad_outputs = case(CELLS[name], batch=1)
    last = grad_outputs[-1]
    parts = len(as_tuple(initial))

    def flat_step(x):
        def step(state):
            split = tuple(part[None] for part in state.chunk(parts))
            new = cell(x, split if parts == 2 else split[0])
            return torch.cat([part[0] for part in as_tuple(new)])

        return step

    state = torch.cat([part[0] for part in as_tuple(initial)])
    jacobians = []
    for x in xs:
        jacobians.append(torch.autograd.functional.jacobian(flat_step(x), state))
        state = flat_step(x)(state).detach()
    # Rows: ∂L/∂(h_{T-k}, c_{T-k}); of the last c only what does not pass through h_T is 0.
    error = torch.cat([last[0], *[torch.zeros(HIDDEN, dtype=torch.float64)] * (parts - 1)])
    norms = error_norms(cell, xs, initial, last)
    assert all(part.shape == (TIME + 1, 1) for part in norms)
    assert float(norms[0][0, 0]) == pytest.approx(float(last.norm()), rel=1e-12)
    for k, jacobian in enumerate(reversed(jacobians), start=1):
        error = jacobian.T @ error
        # c_{T-k} also acts through h_{T-k}, which the Jacobian holds apart: only h is compared.
        assert float(norms[0][k, 0]) == pytest.approx(float(error[:HIDDEN].norm()), rel=1e-10)
    shorter = error_norms(cell, xs, initial, last, back=2)
    assert all(torch.equal(one, other[:3]) for one, other in zip(shorter, norms, strict=True))


def carousel(hidden=3):
    """c_t = c_{t-1} + x_t and h_t = c_t: no gates, no squashing, no recurrent weight."""
    cell = LSTMCell(
        hidden,
        hidden,
        input_gate=False,
        forget_gate=False,
        output_gate=False,
        squash=False,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ih[2 * hidden : 3 * hidden] = torch.eye(hidden)
    return cell


def test_error_in_the_bare_carousel_stays_exactly_itself():
    xs = torch.randn(50, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    zeros, last = torch.zeros(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    _, norms = error_norms(carousel(), xs, (zeros, zeros), last)
    assert torch.equal(norms, torch.full((51, 2), 3, dtype=torch.float64).sqrt())


def test_nothing_is_left_on_the_cell_nor_changed():
    cell, xs, initial, grad_outputs = case(CELLS["lstm"])
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    found = backward_through_time(cell, leaf(xs), initial, grad_outputs)
    assert all(parameter.grad is None for parameter in cell.parameters())
    assert not any(value.requires_grad for value in found.parameters.values())
    assert all(torch.equal(before[name], value) for name, value in cell.state_dict().items())


def test_faults_name_what_does_not_fit():
    cell, xs, initial, grad_outputs = case(CELLS["tanh"])
    with pytest.raises(ValueError, match="window is 0; choose at least 1"):
        backward_through_time(cell, xs, initial, grad_outputs, window=0)
    with pytest.raises(ValueError, match=r"xs has shape \(6, 3, 3\); expected \(time, batch, 2\)"):
        backward_through_time(cell, xs.new_zeros(TIME, BATCH, 3), initial, grad_outputs)
    with pytest.raises(ValueError, match="time ≥ 1"):
        backward_through_time(cell, xs[:0], initial, grad_outputs[:0])
    with pytest.raises(ValueError, match="initial has 2 states; expected h_0"):
        backward_through_time(cell, xs, (initial, initial), grad_outputs)
    with pytest.raises(ValueError, match=r"h_0 of initial has shape \(3, 5\); expected \(3, 4\)"):
        backward_through_time(cell, xs, torch.zeros(3, 5), torch.zeros(TIME, 3, 5))
    with pytest.raises(ValueError, match="back is 7; choose 0 to 6"):
        error_norms(cell, xs, initial, grad_outputs[-1], back=7)
