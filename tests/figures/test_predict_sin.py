import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from shinso.figures import predict_sin as figure
from shinso.figures import predict_sin_numba
from shinso.figures.closed_loop import fit_linear_ar, run_closed_loop
from shinso.figures.course import Weights, draw_weights

OMEGA = 10 * np.pi / 499


@pytest.fixture
def weights():
    return draw_weights(np.random.RandomState(5), 0.7, 1, 4, 1)


WINDOW, TARGET = np.array([0.3, -0.8, 0.5]), 0.9


class GuardedTanh(torch.autograd.Function):
    """tanh with the derivative 1/(cosh² u + 10⁻⁴) of the course's code."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return torch.tanh(u)

    @staticmethod
    def backward(ctx, upstream):
        (u,) = ctx.saved_tensors
        return upstream / (torch.cosh(u) ** 2 + 1e-4)


def torch_states(weights, tanh):
    """Weights as leaves, and u_t and z_t by automatic differentiation."""
    w_in, w_out, w = (torch.tensor(part, requires_grad=True) for part in weights)
    z, us, zs = torch.zeros(w.shape[0], dtype=torch.float64), [], []
    for x in WINDOW:
        us.append(x * w_in[0] + z @ w)
        zs.append(z := tanh(us[-1]))
    return (w_in, w_out, w), us, zs


def gradient_by_hand(weights, gradient):
    z, y = figure.forward(weights, WINDOW)
    return figure.backward(weights, WINDOW, TARGET, z, float(y), gradient)


def test_exact_gradient_matches_autograd(weights):
    leaves, _, zs = torch_states(weights, torch.tanh)
    expected = torch.autograd.grad(((zs[-1] @ leaves[1])[0] - TARGET) ** 2 / 2, leaves)
    for ours, theirs in zip(gradient_by_hand(weights, "exact"), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-14)


def test_exact_gradient_gradcheck(weights):
    def loss_at(index, place, step):
        moved = [part.copy() for part in weights]
        moved[index][place] += step
        return (figure.forward(Weights(*moved), WINDOW)[1] - TARGET) ** 2 / 2

    for index, slope in enumerate(gradient_by_hand(weights, "exact")):
        for place in np.ndindex(slope.shape):
            central = (loss_at(index, place, 1e-6) - loss_at(index, place, -1e-6)) / 2e-6
            # Rounding of a loss near 1, divided by 2e-6, is about 1e-10.
            assert central == pytest.approx(slope[place], rel=0, abs=1e-9)


def test_published_gradient_is_the_exact_one_with_the_three_described_changes(weights):
    """The error enters at every z_t, W's gradient takes z_t, and tanh′ has its guard."""
    (_, w_out, _), us, zs = torch_states(weights, GuardedTanh.apply)
    error = (zs[-1] @ w_out)[0].detach() - TARGET
    fixed = w_out.detach()
    deltas = torch.autograd.grad([(z @ fixed)[0] for z in zs], us, grad_outputs=[error] * len(zs))
    published = gradient_by_hand(weights, "published")
    expected_w = sum(torch.outer(z, d) for z, d in zip(zs, deltas, strict=True)).detach().numpy()
    expected_w_in = sum(x * d for x, d in zip(WINDOW, deltas, strict=True)).numpy()
    np.testing.assert_allclose(published.w, expected_w, rtol=0, atol=1e-14)
    np.testing.assert_allclose(published.w_in[0], expected_w_in, rtol=0, atol=1e-14)
    exact = gradient_by_hand(weights, "exact")
    np.testing.assert_array_equal(published.w_out, exact.w_out)
    assert np.abs(published.w - exact.w).max() > 0.01
    assert np.abs(published.w_in - exact.w_in).max() > 0.01


@pytest.mark.parametrize("gradient", ["published", "exact"])
def test_compiled_loop_matches_the_equations(weights, gradient):
    rng = np.random.RandomState(1)
    windows, targets = rng.randn(7, 3), rng.randn(7)
    expected, losses = Weights(*(part.copy() for part in weights)), []
    for _ in range(3):
        losses.append(0.0)
        for window, target in zip(windows, targets, strict=True):
            z, y = figure.forward(expected, window)
            losses[-1] += (float(y) - target) ** 2 / 2 / len(windows)
            down = figure.backward(expected, window, target, z, float(y), gradient)
            expected = Weights(*(w - 0.1 * d for w, d in zip(expected, down, strict=True)))
    before = [part.copy() for part in weights]
    learnt, epoch_losses = predict_sin_numba.train_windows(
        weights,
        windows,
        targets,
        epochs=3,
        lr=0.1,
        published=gradient == "published",
        guard=figure.GUARD,
    )
    # Sums in another order: a few units in the last place, through 21 updates.
    for ours, theirs in zip(learnt, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(epoch_losses, losses, rtol=1e-12)
    for kept, given_part in zip(weights, before, strict=True):
        np.testing.assert_array_equal(kept, given_part)


def test_published_run_matches_the_course_code():
    """First and last predictions of a run of the course's own code, whose seed is 0."""
    run = figure.train(figure.Config(seed=0, gradient="published")).network.closed_loop
    first = [0.12737514554932197, 0.19327885281048754, 0.26044148690276026]
    last = [-0.9718713359306402, -0.9671598542085058, -0.9597998457281189]
    # 199,000 updates and 200 steps of feedback leave 3e-13 of the rounding in other orders.
    np.testing.assert_allclose(run[:3], first, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run[-3:], last, rtol=0, atol=1e-10)


def test_split_matches_sklearn(monkeypatch):
    seen = {}

    def spy(weights, windows, targets, **settings):
        seen.update(windows=windows, targets=targets, weights=weights)
        return weights, np.zeros(settings["epochs"])

    monkeypatch.setattr(predict_sin_numba, "train_windows", spy)
    figure.train(figure.Config(seed=9, predictions=5))
    series = np.sin(np.linspace(0, 10 * np.pi, 500))
    windows = np.stack([series[start : start + 2] for start in range(498)])
    rng = np.random.RandomState(9)
    learnt, _, targets, _ = train_test_split(windows, series[2:], test_size=100, random_state=rng)
    np.testing.assert_allclose(seen["windows"], learnt, rtol=0, atol=1e-14)
    np.testing.assert_allclose(seen["targets"], targets, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(seen["weights"].w_in, 0.01 * rng.randn(1, 5))
    np.testing.assert_array_equal(seen["weights"].w_out, 0.01 * rng.randn(5, 1))
    np.testing.assert_array_equal(seen["weights"].w, 0.01 * rng.randn(5, 5))


def test_same_seed_gives_the_same_run():
    first, second, other = (
        figure.train(figure.Config(epochs=2, predictions=5, seed=seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.network.closed_loop, second.network.closed_loop)
    np.testing.assert_array_equal(first.epoch_losses, second.epoch_losses)
    assert not np.array_equal(first.epoch_losses, other.epoch_losses)


def test_linear_ar_follows_the_sine_to_rounding():
    result = figure.train(figure.Config(epochs=1))
    np.testing.assert_allclose(result.coefficients, [-1, 2 * np.cos(OMEGA)], rtol=0, atol=1e-12)
    assert result.linear_ar.one_step_rmse < 1e-14
    assert result.linear_ar.closed_loop_rmse < 1e-11


@given(st.floats(0.05, 3.0), st.floats(0.0, 6.28), st.floats(0.1, 10.0))
def test_two_numbers_continue_a_sine_holds_for_any_sine(omega, phase, amplitude):
    series = amplitude * np.sin(omega * np.arange(120) + phase)
    pieces = np.lib.stride_tricks.sliding_window_view(series[:60], 3)
    coefficients = fit_linear_ar(pieces[:, :2], pieces[:, 2])
    run = run_closed_loop(lambda windows: windows @ coefficients, series[:2], 118)
    assert np.abs(run - series[2:]).max() < 1e-8 * amplitude


def test_closed_loop_feeds_predictions_back():
    run = run_closed_loop(lambda windows: windows[:, 0] + windows[:, 1], np.array([1.0, 1.0]), 6)
    np.testing.assert_array_equal(run, [2, 3, 5, 8, 13, 21])


def test_errors_are_taken_against_the_sine_and_the_kept_windows():
    result = figure.train(figure.Config(epochs=1, predictions=20))
    truth = np.sin(np.linspace(0, 10 * np.pi, 500))
    np.testing.assert_allclose(result.sine, truth[2:22], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(result.steps, np.arange(2, 22))
    expected = np.sqrt(np.mean((truth[1] - truth[2:22]) ** 2))
    assert result.persistence.closed_loop_rmse == pytest.approx(expected, rel=1e-12)
    # The last value again errs by 2 sin(ω/2) cos(…), whose mean square is 2 sin²(ω/2).
    assert result.persistence.one_step_rmse == pytest.approx(2**0.5 * np.sin(OMEGA / 2), rel=0.1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("hidden", 0), ("predictions", 0), ("window", 1), ("points", 5), ("lr", 0.0)],
)
def test_config_names_the_field_that_is_wrong(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is {value}"):
        figure.Config(**{field: value})


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_config_refuses_an_empty_part(share):
    with pytest.raises(ValueError, match=r"^test_share is"):
        figure.Config(test_share=share)


def test_config_refuses_an_unknown_gradient():
    config = figure.Config()
    object.__setattr__(config, "gradient", "guessed")  # past the tests' check of types
    with pytest.raises(ValueError, match=r"^gradient is 'guessed'; choose published or exact"):
        config.__post_init__()
