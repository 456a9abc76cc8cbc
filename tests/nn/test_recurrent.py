"""The sequence layers against torch's, which they stand in for.

Tolerances: float64 adds the same products in another order, some 1e-15 of their size, and 1e-10
leaves room for sums over steps. float32 has 6e-8 for one product; over the hundreds of terms of
a gradient some 1e-6 of the largest entry, so 1e-5 of it is asked for: single entries may cancel.
"""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from shinso.nn import GRU, LSTM, RNN, LSTMCell

TIME, BATCH, INPUT, HIDDEN = 7, 5, 3, 4
RELATIVE = {torch.float32: 1e-5, torch.float64: 1e-10}
PAIRS = {
    "tanh": (RNN, nn.RNN, {}),
    "relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTM, nn.LSTM, {}),
    "gru": (GRU, nn.GRU, {}),
}
FORMS = {
    "plain": {},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True},
    "two layers, both directions, batch first, no bias": {
        "num_layers": 2,
        "bidirectional": True,
        "batch_first": True,
        "bias": False,
    },
}
DTYPES = [torch.float32, torch.float64]
VARIANTS = {
    "peephole": {"peephole": True},
    "no input gate": {"input_gate": False},
    "no forget gate": {"forget_gate": False},
    "no output gate": {"output_gate": False},
    "no gate": {"input_gate": False, "forget_gate": False, "output_gate": False},
    "peephole, no input gate": {"peephole": True, "input_gate": False},
    "peephole, no forget gate": {"peephole": True, "forget_gate": False},
    "peephole, no output gate": {"peephole": True, "output_gate": False},
    "peephole, input gate alone": {"peephole": True, "forget_gate": False, "output_gate": False},
}


def drawn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def made(make, *, hidden=HIDDEN, dtype=torch.float64, **extra):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return make(INPUT, hidden, dtype=dtype, **extra)


def pair(name, dtype, **changes):
    """Ours and torch's, drawn from one seed."""
    ours, torchs, extra = PAIRS[name]
    return [made(make, dtype=dtype, **extra, **changes) for make in (ours, torchs)]


def start_for(layer, batch=BATCH):
    """A random initial state as the layer takes it; of one sequence where batch is None."""
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (count, layer.hidden_size) if batch is None else (count, batch, layer.hidden_size)
    dtype = layer.weight_ih_l0.dtype
    h, c = (drawn(*shape, seed=s, dtype=dtype).requires_grad_() for s in (1, 2))
    return (h, c) if isinstance(layer, (LSTM, nn.LSTM)) else h


def flat(state):
    return state if isinstance(state, tuple) else (state,)


def everything(layer, x, hx=None):
    """Outputs, final states, and the gradients of input, initial states and parameters."""
    data = x.data if isinstance(x, PackedSequence) else x
    output, state = layer(x, hx)
    values = [output.data if isinstance(output, PackedSequence) else output, *flat(state)]
    loss = sum(
        (value * drawn(*value.shape, seed=20 + n, dtype=value.dtype)).sum()
        for n, value in enumerate(values)
    )
    leaves = [data, *([] if hx is None else flat(hx)), *layer.parameters()]
    return [value.detach() for value in values] + list(torch.autograd.grad(loss, leaves))


def assert_close(ours, theirs, dtype):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype == dtype
        tolerance = RELATIVE[dtype] * max(float(other.abs().max()), 1e-3)
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAIRS)
def test_layer_matches_torch(name, form, dtype):
    results = []
    for layer in pair(name, dtype, **FORMS[form]):
        shape = (BATCH, TIME, INPUT) if layer.batch_first else (TIME, BATCH, INPUT)
        x = drawn(*shape, dtype=dtype).requires_grad_()
        results.append(everything(layer, x, start_for(layer)) + everything(layer, x))
    assert_close(*results, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_wide_layer_over_a_large_batch_matches_torch(name, dtype):
    """Sizes that fill whole registers and that leave a rest in each dimension."""
    results = []
    ours, torchs, extra = PAIRS[name]
    for make in (ours, torchs):
        layer = made(make, hidden=37, dtype=dtype, **extra)
        x = drawn(6, 41, INPUT, dtype=dtype).requires_grad_()
        results.append(everything(layer, x, start_for(layer, 41)))
    assert_close(*results, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_single_sequence_matches_torch(name, bidirectional, dtype):
    results = []
    for layer in pair(name, dtype, bidirectional=bidirectional, num_layers=2):
        x = drawn(TIME, INPUT, dtype=dtype).requires_grad_()
        results.append(everything(layer, x, start_for(layer, None)) + everything(layer, x))
    assert_close(*results, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAIRS)
def test_packed_sequences_match_torch(name, form, dtype):
    results = []
    for layer in pair(name, dtype, **FORMS[form]):
        lengths = torch.tensor([3, 7, 1, 7, 4])
        padded = drawn(BATCH, TIME, INPUT, dtype=dtype).requires_grad_()
        x = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        output, _ = layer(x)
        assert isinstance(output, PackedSequence)
        for one, other in zip(output[1:], x[1:], strict=True):
            assert torch.equal(one, other)
        results.append(everything(layer, x, start_for(layer)) + everything(layer, x))
    assert_close(*results, dtype)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAIRS)
def test_draws_and_state_dict_match_torch(name, form):
    ours, torchs = pair(name, torch.float64, **FORMS[form])
    assert list(ours.state_dict()) == list(torchs.state_dict())
    for key, value in torchs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
    for layer, other in ((ours, torchs), (torchs, ours)):
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(0.1)
        other.load_state_dict(layer.state_dict())
        x = drawn(BATCH, TIME, INPUT)
        torch.testing.assert_close(ours(x)[0], torchs(x)[0], rtol=0, atol=1e-10)


def looped(layer, cell_, x, hx):
    """What the layer's docstring says, step by step."""
    h, c = (part[0] for part in hx)
    outputs = []
    for row in x:
        h, c = cell_(row, (h, c))
        outputs.append(h)
    return torch.stack(outputs), (h[None], c[None])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_lstm_variant_matches_a_loop_over_its_cell(variant, dtype):
    layer = made(LSTM, dtype=dtype, **VARIANTS[variant])
    cell = LSTMCell(INPUT, HIDDEN, dtype=dtype, **VARIANTS[variant])
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x, hx = drawn(TIME, BATCH, INPUT, dtype=dtype).requires_grad_(), start_for(layer)
    by_layer = everything(layer, x, hx)

    class Looped(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, hx):
            return looped(layer, self.cell, x, hx)

    assert_close(by_layer, everything(Looped(), x, hx), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_packed_lstm_variant_of_both_directions_matches_single_sequences(variant, dtype):
    layer = made(LSTM, dtype=dtype, bidirectional=True, num_layers=2, **VARIANTS[variant])
    sequences = [drawn(n, INPUT, seed=n, dtype=dtype) for n in (2, 6, 1, 6)]
    output, (_, c) = layer(pack_sequence(sequences, enforce_sorted=False))
    padded, _ = nn.utils.rnn.pad_packed_sequence(output)
    for place, sequence in enumerate(sequences):
        alone, (_, c_alone) = layer(sequence)
        assert_close([padded[: len(sequence), place], c[:, place]], [alone, c_alone], dtype)


@pytest.mark.parametrize("name", [*PAIRS, *VARIANTS])
def test_layer_gradcheck(name):
    make, extra = (LSTM, VARIANTS[name]) if name in VARIANTS else PAIRS[name][::2]
    layer = made(make, hidden=2, bidirectional=True, **extra)
    names = [key for key, _ in layer.named_parameters()]
    x, hx = drawn(3, 2, INPUT).requires_grad_(), start_for(layer, 2)

    def run(x, *rest):
        states, weights = rest[: len(flat(hx))], rest[len(flat(hx)) :]
        start = states if isinstance(hx, tuple) else states[0]
        values = torch.func.functional_call(
            layer, dict(zip(names, weights, strict=True)), (x, start)
        )
        return values[0], *flat(values[1])

    assert torch.autograd.gradcheck(run, (x, *flat(hx), *layer.parameters()))


@settings(max_examples=20)
@given(
    name=st.sampled_from(sorted(PAIRS)),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    hidden=st.integers(1, 9),
    form=st.sampled_from([{}, {"bidirectional": True}, {"num_layers": 2}]),
    dtype=st.sampled_from(DTYPES),
)
def test_packed_batch_one_by_one_holds_for_any_lengths(name, lengths, hidden, form, dtype):
    make, _, extra = PAIRS[name]
    layer = made(make, hidden=hidden, dtype=dtype, **extra, **form)
    sequences = [drawn(n, INPUT, seed=k, dtype=dtype) for k, n in enumerate(lengths)]
    output, state = layer(pack_sequence(sequences, enforce_sorted=False))
    padded, _ = nn.utils.rnn.pad_packed_sequence(output)
    for place, sequence in enumerate(sequences):
        alone, state_alone = layer(sequence)
        together = [padded[: len(sequence), place], *(part[:, place] for part in flat(state))]
        assert_close(together, [alone, *flat(state_alone)], dtype)


@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
def test_wrong_shapes_are_refused_with_both_shapes(make):
    layer = make(INPUT, HIDDEN)
    with pytest.raises(
        ValueError, match=r"\(7, 5, 2\); expected \(time, batch, 3\) or \(time, 3\)"
    ):
        layer(torch.zeros(TIME, BATCH, 2))
    with pytest.raises(ValueError, match=r"expected \(batch, time, 3\)"):
        make(INPUT, HIDDEN, batch_first=True)(torch.zeros(1, TIME, BATCH, INPUT))
    with pytest.raises(ValueError, match="at least one step of one sequence"):
        layer(torch.zeros(0, BATCH, INPUT))
    packed = pack_sequence([torch.zeros(TIME, 2)])
    with pytest.raises(ValueError, match="rows of 2 features; expected input_size = 3"):
        layer(packed)
    for shape, x in (((1, 2, HIDDEN), (TIME, BATCH, INPUT)), ((1, 1, HIDDEN), (TIME, INPUT))):
        h = torch.zeros(*shape)
        with pytest.raises(ValueError, match="h_0 of hx has shape"):
            layer(torch.zeros(*x), (h, h) if make is LSTM else h)
    if make is LSTM:
        fits, other = torch.zeros(1, BATCH, HIDDEN), torch.zeros(2, BATCH, HIDDEN)
        with pytest.raises(ValueError, match=r"c_0 of hx has shape \(2, 5, 4\)"):
            layer(torch.zeros(TIME, BATCH, INPUT), (fits, other))


@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
def test_config_errors_name_the_field(make):
    for field in ("input_size", "hidden_size", "num_layers"):
        sizes = {"input_size": INPUT, "hidden_size": HIDDEN, field: 0}
        with pytest.raises(ValueError, match=f"{field} is 0; it must be at least 1"):
            make(**sizes)
    with pytest.raises(ValueError, match=r"dropout is 1.5"):
        make(INPUT, HIDDEN, dropout=1.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_dropout_between_layers_is_for_training_only(name, dtype):
    ours, torchs = pair(name, dtype, num_layers=2, dropout=0.5)
    plain, _ = pair(name, dtype, num_layers=2)
    x = drawn(TIME, BATCH, INPUT, dtype=dtype)
    for layer in (ours, torchs):
        layer.eval()
    assert_close([ours(x)[0]], [torchs(x)[0]], dtype)
    assert torch.equal(ours(x)[0], plain(x)[0])
    ours.train()
    assert not torch.equal(ours(x)[0], plain(x)[0])


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", [*PAIRS, "peephole"])
def test_layer_repeats_bit_for_bit_and_on_two_threads(name, threads):
    """Wide enough that the batch is shared between threads, as ``threads`` decides.

    Bit-equal for one number of threads; two sum the weights' gradients by halves, so these
    differ by rounding.
    """
    make, extra = (LSTM, VARIANTS[name]) if name == "peephole" else PAIRS[name][::2]
    layer = made(make, hidden=128, dtype=torch.float32, **extra)
    x = drawn(24, 64, INPUT, dtype=torch.float32).requires_grad_()
    results = {}
    for count in (1, 2):
        threads(count)
        results[count] = everything(layer, x, start_for(layer, 64))
        again = everything(layer, x, start_for(layer, 64))
        assert all(torch.equal(a, b) for a, b in zip(results[count], again, strict=True))
    assert_close(results[1], results[2], torch.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*PAIRS, "peephole"])
def test_layer_is_the_same_without_gradients_copied_and_pickled(name, dtype):
    make, extra = (LSTM, VARIANTS[name]) if name == "peephole" else PAIRS[name][::2]
    layer = made(make, dtype=dtype, num_layers=2, bidirectional=True, **extra)
    x = drawn(TIME, BATCH, INPUT, dtype=dtype)
    expected = layer(x)[0]
    with torch.no_grad():
        assert torch.equal(layer(x)[0], expected)
        assert not layer(x)[0].requires_grad
    with torch.inference_mode():
        assert torch.equal(layer(x)[0], expected)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301  our own
        assert torch.equal(twin(x)[0], expected)
        assert repr(twin) == repr(layer)


@pytest.mark.parametrize("name", [*PAIRS, "peephole"])
def test_layer_turned_double_matches_one_made_double(name):
    make, extra = (LSTM, VARIANTS[name]) if name == "peephole" else PAIRS[name][::2]
    single = made(make, dtype=torch.float32, **extra)
    x = drawn(TIME, BATCH, INPUT).requires_grad_()
    rough = single(x.float())[0]
    double = single.double()
    made_double = made(make, dtype=torch.float64, **extra)
    made_double.load_state_dict(double.state_dict())
    assert_close(everything(double, x), everything(made_double, x), torch.float64)
    torch.testing.assert_close(rough.double(), double(x)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_frozen_parts_get_no_gradient_and_change_no_other(name, dtype):
    layer, _ = pair(name, dtype)
    x = drawn(TIME, BATCH, INPUT, dtype=dtype)
    layer(x)[0].sum().backward()
    full = {key: weight.grad.clone() for key, weight in layer.named_parameters()}
    layer.zero_grad()
    layer.weight_ih_l0.requires_grad_(False)
    layer(x)[0].sum().backward()
    assert layer.weight_ih_l0.grad is None
    for key, weight in layer.named_parameters():
        assert key == "weight_ih_l0" or torch.equal(weight.grad, full[key])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_final_state_alone_matches_torch(name, dtype):
    results = []
    for layer in pair(name, dtype):
        x = drawn(TIME, BATCH, INPUT, dtype=dtype).requires_grad_()
        state = flat(layer(x)[1])[-1]
        loss = (state * drawn(*state.shape, seed=9, dtype=dtype)).sum()
        # torch's output gate of the last step is reached through h alone.
        results.append([*torch.autograd.grad(loss, [x, *layer.parameters()])])
    assert_close(*results, dtype)


@pytest.mark.parametrize("name", PAIRS)
def test_views_and_expanded_inputs_match_their_copies(name):
    layer, _ = pair(name, torch.float32)
    wide = drawn(BATCH, TIME, 2 * INPUT, dtype=torch.float32)
    view = wide.transpose(0, 1)[:, :, ::2]
    assert torch.equal(layer(view)[0], layer(view.contiguous())[0])
    output, _ = layer(view)
    (expanded,) = torch.autograd.grad(output.sum(), layer.weight_hh_l0)
    output, _ = layer(view)
    ones = torch.ones_like(output)
    (plain,) = torch.autograd.grad(output, layer.weight_hh_l0, ones)
    assert torch.equal(expanded, plain)
