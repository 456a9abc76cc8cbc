import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.figures import binary_addition as addition
from shinso.figures.course import Weights, draw_weights


@pytest.fixture
def weights():
    return draw_weights(np.random.RandomState(3), 1.0, 2, 6, 1)


@pytest.fixture
def pair():
    """77 + 59 in 8 bits: carries come and go."""
    inputs = addition.to_bits(np.array([77, 59]), 8).T
    return inputs, addition.to_bits(np.array(77 + 59), 8)


def torch_outputs(weights, inputs):
    """Weights as leaves, and v_t before the output's sigmoid, by automatic differentiation."""
    w_in, w_out, w = (torch.tensor(part, requires_grad=True) for part in weights)
    z = torch.zeros(w.shape[0], dtype=torch.float64)
    outputs = []
    for x in torch.tensor(inputs):
        z = torch.sigmoid(x @ w_in + z @ w)
        outputs.append((z @ w_out)[0])
    return (w_in, w_out, w), torch.stack(outputs)


def gradient_by_hand(weights, pair, gradient):
    inputs, targets = pair
    z, y = addition.forward(weights, inputs)
    return addition.backward(weights, inputs, targets, z, y, gradient)


def test_exact_gradient_matches_autograd(weights, pair):
    leaves, v = torch_outputs(weights, pair[0])
    loss = ((torch.tensor(pair[1]) - torch.sigmoid(v)) ** 2).sum() / 2
    expected = torch.autograd.grad(loss, leaves)
    for ours, theirs in zip(gradient_by_hand(weights, pair, "exact"), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-14)


def test_exact_gradient_gradcheck(weights, pair):
    inputs, targets = pair

    def loss_at(index, place, step):
        moved = [part.copy() for part in weights]
        moved[index][place] += step
        return addition.loss(targets, addition.forward(Weights(*moved), inputs)[1])

    for index, slope in enumerate(gradient_by_hand(weights, pair, "exact")):
        for place in np.ndindex(slope.shape):
            central = (loss_at(index, place, 1e-6) - loss_at(index, place, -1e-6)) / 2e-6
            # Rounding of a loss near 1, halved and divided by 1e-6, is about 1e-10.
            assert central == pytest.approx(slope[place], rel=0, abs=1e-9)


def test_published_gradient_takes_the_slope_of_the_squashed_output(weights, pair):
    """The same back-propagation, started from (y − d) σ(y) (1 − σ(y)) instead of ∂E/∂v."""
    leaves, v = torch_outputs(weights, pair[0])
    y = torch.sigmoid(v).detach()
    twice = torch.sigmoid(y)
    start = (y - torch.tensor(pair[1])) * twice * (1 - twice)
    expected = torch.autograd.grad(v, leaves, grad_outputs=start)
    published = gradient_by_hand(weights, pair, "published")
    for ours, theirs in zip(published, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-14)
    exact = gradient_by_hand(weights, pair, "exact")
    assert np.abs(published.w_out - exact.w_out).max() > 0.01


def test_published_run_matches_the_course_code():
    """Losses of pairs 0, 100 and 200 from a run of the course's own code with NumPy's seed 0."""
    result = addition.train(addition.Config(seed=0, gradient="published", pairs=201))
    expected = [1.707290143715457, 1.0607380941107871, 0.989592234988318]
    np.testing.assert_allclose(result.losses, expected, rtol=1e-12)


def test_draws_follow_the_order_of_the_course():
    """W_in, W_out, W, then for each pair its two operands, one number at a time."""
    rng = np.random.RandomState(7)
    w_in, w_out, w = rng.randn(2, 16), rng.randn(16, 1), rng.randn(16, 16)
    operands = np.array([[rng.randint(128), rng.randint(128)] for _ in range(3)])
    losses = []
    for a, b in operands:
        inputs = addition.to_bits(np.array([a, b]), 8).T
        targets = addition.to_bits(np.array(a + b), 8)
        z, y = addition.forward(Weights(w_in, w_out, w), inputs)
        losses.append(addition.loss(targets, y))
        down = addition.backward(Weights(w_in, w_out, w), inputs, targets, z, y, "exact")
        w_in, w_out, w = w_in - 0.1 * down.w_in, w_out - 0.1 * down.w_out, w - 0.1 * down.w
    config = addition.Config(seed=7, gradient="exact", pairs=3, record_every=1)
    np.testing.assert_array_equal(addition.train(config).losses, losses)


def test_same_seed_gives_the_same_run():
    first, second, other = (
        addition.train(addition.Config(pairs=50, record_every=10, seed=seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.losses, second.losses)
    np.testing.assert_array_equal(first.weights.w, second.weights.w)
    assert not np.array_equal(first.losses, other.losses)


def test_both_gradients_start_from_the_same_network_and_pairs():
    published, exact = (
        addition.train(addition.Config(pairs=2, record_every=1, gradient=gradient))
        for gradient in ("published", "exact")
    )
    assert published.losses[0] == exact.losses[0]
    assert published.losses[1] != exact.losses[1]


def test_mean_losses_cover_every_pair():
    every = addition.train(addition.Config(pairs=25, record_every=1)).losses
    result = addition.train(addition.Config(pairs=25, record_every=10))
    np.testing.assert_array_equal(result.recorded_pairs, [0, 10, 20])
    np.testing.assert_array_equal(result.losses, every[[0, 10, 20]])
    expected = [every[:10].mean(), every[10:20].mean(), every[20:].mean()]
    np.testing.assert_allclose(result.mean_losses, expected, rtol=1e-14)


def test_learnt_network_adds_every_pair_and_a_cut_one_forgets_the_carry():
    config = {"seed": 2, "gradient": "exact", "bits": 5, "pairs": 1200, "lr": 1.0}
    whole = addition.train(addition.Config(**config))
    cut = addition.train(addition.Config(**config, cut_recurrence=True))
    assert whole.sum_accuracy == 1.0
    assert not cut.weights.w.any()
    assert cut.bit_accuracy <= cut.no_carry_bit_accuracy < whole.bit_accuracy


def test_no_carry_sums_are_right_where_no_two_ones_meet():
    result = addition.train(addition.Config(pairs=1))
    assert result.no_carry_sum_accuracy == pytest.approx(0.75**7, rel=1e-12)


@given(
    st.integers(2, 16).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(0, 2**bits - 1)))
)
def test_bits_stand_for_their_number_holds_for_any_number(drawn):
    bits, number = drawn
    assert addition.to_bits(np.array(number), bits) @ 2.0 ** np.arange(bits) == number


@pytest.mark.parametrize(
    ("field", "value"),
    [("pairs", 0), ("hidden", 0), ("record_every", 0), ("bits", 10), ("lr", 0.0)],
)
def test_config_names_the_field_that_is_wrong(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is {value}"):
        addition.Config(**{field: value})


def test_config_refuses_an_unknown_gradient():
    config = addition.Config()
    object.__setattr__(config, "gradient", "guessed")  # past the tests' check of types
    with pytest.raises(ValueError, match=r"^gradient is 'guessed'; choose published or exact"):
        config.__post_init__()
