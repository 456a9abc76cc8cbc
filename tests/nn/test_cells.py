"""The cells against torch's, whose names, shapes and draws they share."""

import pytest
import torch
from torch import nn

from shinso.nn import ElmanCell, GRUCell, LSTMCell
from shinso.nn.cells import check_nonlinearity

INPUT, HIDDEN, BATCH = 3, 4, 5
# float64: the same products added in another order, some 1e-16 of their size.
EXACT = {"rtol": 1e-12, "atol": 1e-12}
PAIRS = {
    "tanh": (ElmanCell, nn.RNNCell, {}),
    "relu": (ElmanCell, nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": (LSTMCell, nn.LSTMCell, {}),
    "gru": (GRUCell, nn.GRUCell, {}),
}


def pair(name, **changes):
    """Ours and torch's, drawn from one seed."""
    ours, torchs, extra = PAIRS[name]
    cells = []
    with torch.random.fork_rng(devices=[]):
        for make in (ours, torchs):
            torch.manual_seed(7)
            cells.append(make(INPUT, HIDDEN, dtype=torch.float64, **extra, **changes))
    return cells


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def state_for(cell, *batch):
    h = drawn(*batch, HIDDEN, seed=1).requires_grad_()
    if isinstance(cell, (LSTMCell, nn.LSTMCell)):
        return h, drawn(*batch, HIDDEN, seed=2).requires_grad_()
    return h


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("batch", [(), (BATCH,)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_cell_matches_torch(name, bias, batch):
    results = []
    for cell in pair(name, bias=bias):
        x, hx = drawn(*batch, INPUT).requires_grad_(), state_for(cell, *batch)
        new = flat(cell(x, hx))
        loss = sum((part * drawn(*part.shape, seed=5 + n)).sum() for n, part in enumerate(new))
        leaves = [x, *flat(hx), *cell.parameters()]
        results.append([*new, *torch.autograd.grad(loss, leaves)])
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, **EXACT)


@pytest.mark.parametrize("name", PAIRS)
def test_missing_state_matches_zeros(name):
    ours, torchs = pair(name)
    x = drawn(BATCH, INPUT)
    for one, other in zip(flat(ours(x)), flat(torchs(x)), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("name", PAIRS)
def test_cell_takes_any_batch_dimensions(name):
    cell, _ = pair(name)
    x, hx = drawn(2, 3, INPUT), state_for(cell, 2, 3)
    together = flat(cell(x, hx))
    alone = tuple(part[1, 2] for part in flat(hx))
    alone = flat(cell(x[1, 2], alone if len(alone) == 2 else alone[0]))
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1, 2], other, **EXACT)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", PAIRS)
def test_draws_and_state_dict_match_torch(name, bias):
    ours, torchs = pair(name, bias=bias)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    for key, value in torchs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    torchs.load_state_dict(ours.state_dict())
    x = drawn(BATCH, INPUT)
    torch.testing.assert_close(flat(ours(x))[0], flat(torchs(x))[0], **EXACT)
    fresh, _ = pair(name, bias=bias)
    fresh.load_state_dict(torchs.state_dict())
    assert torch.equal(flat(fresh(x))[0], flat(ours(x))[0])


def test_switched_lstms_of_one_seed_share_their_weights():
    cells = []
    for switches in ({}, {"peephole": True}, {"forget_gate": False}, {"squash": False}):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            cells.append(LSTMCell(INPUT, HIDDEN, **switches))
    for cell in cells[1:]:
        for name, value in cells[0].state_dict().items():
            assert torch.equal(cell.state_dict()[name], value)
    assert set(cells[1].state_dict()) - set(cells[0].state_dict()) == {
        "weight_pi",
        "weight_pf",
        "weight_po",
    }


@pytest.mark.parametrize("gate", ["input_gate", "forget_gate", "output_gate"])
def test_an_absent_gate_matches_one_held_open(gate):
    """σ(40) is 1 in float64 but for 4e-18."""
    sizes = {"input_size": INPUT, "hidden_size": HIDDEN, "dtype": torch.float64}
    absent, held = LSTMCell(**sizes, **{gate: False}), LSTMCell(**sizes)
    held.load_state_dict(absent.state_dict())
    start = {"input_gate": 0, "forget_gate": 1, "output_gate": 3}[gate] * HIDDEN
    with torch.no_grad():
        for name, weight in held.named_parameters():
            weight[start : start + HIDDEN] = 40.0 if name == "bias_ih" else 0.0
    x, hx = drawn(BATCH, INPUT), state_for(absent, BATCH)
    new = absent(x, hx)
    for one, other in zip(new, held(x, hx), strict=True):
        torch.testing.assert_close(one, other, **EXACT)
    new[0].sum().backward()
    for weight in absent.parameters():
        assert not weight.grad[start : start + HIDDEN].any()


def test_peepholes_match_their_equations():
    cell = LSTMCell(INPUT, HIDDEN, peephole=True, dtype=torch.float64)
    x, (h, c) = drawn(BATCH, INPUT), state_for(cell, BATCH)
    a = x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh
    a_i, a_f, a_g, a_o = a.split(HIDDEN, dim=-1)
    new_c = torch.sigmoid(a_f + cell.weight_pf * c) * c
    new_c = new_c + torch.sigmoid(a_i + cell.weight_pi * c) * torch.tanh(a_g)
    new_h = torch.sigmoid(a_o + cell.weight_po * new_c) * torch.tanh(new_c)
    for one, other in zip(cell(x, (h, c)), (new_h, new_c), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_error_flow_of_the_bare_carousel_is_one_at_every_step():
    cell = LSTMCell(
        HIDDEN,
        HIDDEN,
        input_gate=False,
        forget_gate=False,
        output_gate=False,
        squash=False,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ih[2 * HIDDEN : 3 * HIDDEN] = torch.eye(HIDDEN)
    xs = drawn(30, 2, HIDDEN)
    h, c = state_for(cell, 2)
    carried = [c]
    for x in xs:
        h, c = cell(x, (h, c))
        carried.append(c)
    torch.testing.assert_close(c, carried[0] + xs.sum(0), **EXACT)
    for flow in torch.autograd.grad(c.sum(), carried):
        assert torch.equal(flow, torch.ones_like(flow))


@pytest.mark.parametrize("cell", [ElmanCell, LSTMCell, GRUCell])
def test_config_errors_name_the_field(cell):
    with pytest.raises(ValueError, match="input_size is 0; it must be at least 1"):
        cell(0, HIDDEN)
    with pytest.raises(ValueError, match="hidden_size is -1; it must be at least 1"):
        cell(INPUT, -1)
    with pytest.raises(ValueError, match=r"input has shape \(5, 4\).*input_size = 3"):
        cell(INPUT, HIDDEN)(torch.zeros(BATCH, 4))
    state = torch.zeros(BATCH, HIDDEN + 1)
    with pytest.raises(ValueError, match=r"hx has shape \(5, 5\); expected \(5, 4\)"):
        cell(INPUT, HIDDEN)(
            torch.zeros(BATCH, INPUT), (state, state) if cell is LSTMCell else state
        )


def test_config_errors_of_switches_name_the_field():
    with pytest.raises(ValueError, match="nonlinearity is 'sigmoid'; choose 'tanh' or 'relu'"):
        check_nonlinearity("sigmoid")
    with pytest.raises(ValueError, match="peephole is True but every gate is off"):
        LSTMCell(
            INPUT, HIDDEN, input_gate=False, forget_gate=False, output_gate=False, peephole=True
        )
