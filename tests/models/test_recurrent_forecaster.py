"""The recurrent forecaster: begins as persistence, learns, and reads what it should."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shinso.models.recurrent_forecaster import RecurrentForecaster

CELLS = ["rnn", "lstm", "gru"]


def make(
    num_quantiles: int = 0,
    *,
    lookback: int = 20,
    horizon: int = 7,
    num_channels: int = 3,
    num_targets: int = 3,
    seed: int = 0,
    **settings_: object,
) -> RecurrentForecaster:
    torch.manual_seed(seed)
    return RecurrentForecaster(
        RecurrentForecaster.Config(**{"hidden": 8, "segment": 4, **settings_}),  # type: ignore[arg-type]
        lookback=lookback,
        horizon=horizon,
        num_channels=num_channels,
        num_targets=num_targets,
        num_quantiles=num_quantiles,
    )


def stir(model: RecurrentForecaster) -> RecurrentForecaster:
    """Give every weight a value, those too that begin at zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def windows(batch: int = 5, lookback: int = 20, channels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, lookback, channels, generator=generator).cumsum(1)


@given(
    lookback=st.integers(1, 30),
    horizon=st.integers(1, 12),
    segment=st.integers(0, 9),
    targets=st.integers(1, 3),
    covariates=st.integers(0, 2),
    num_quantiles=st.integers(0, 3),
    cell=st.sampled_from(CELLS),
    mix=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_an_untrained_model_is_persistence_holds_for_any_size(
    lookback: int,
    horizon: int,
    segment: int,
    targets: int,
    covariates: int,
    num_quantiles: int,
    cell: str,
    mix: bool,
) -> None:
    model = make(
        num_quantiles,
        lookback=lookback,
        horizon=horizon,
        num_channels=targets + covariates,
        num_targets=targets,
        segment=segment,
        cell=cell,
        mix=mix,
    )
    past = windows(2, lookback, targets + covariates)
    expected = past[:, -1:, :targets].expand(-1, horizon, -1)
    forecast = model(past)
    if num_quantiles:
        assert forecast.shape == (2, horizon, targets, num_quantiles)
        expected = expected[..., None].expand_as(forecast)
    assert torch.equal(forecast, expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("segment", [1, 4])
def test_a_batch_is_learned_by_heart_overfits(cell: str, segment: int) -> None:
    """Without the highway: the recurrent part alone must be able to."""
    sizes = {"hidden": 32, "num_channels": 2, "num_targets": 2}
    model = make(cell=cell, segment=segment, highway=False, **sizes)
    past, future = windows(6, channels=2), windows(6, 7, 2, seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss() -> Tensor:
        return (model(past) - future).square().mean()

    before = loss().item()
    for _ in range(300):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.02 * before


@pytest.mark.parametrize("num_quantiles", [0, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_gets_a_gradient(cell: str, num_quantiles: int) -> None:
    """From the second step on; at the first, what lies behind the zero output layer has none."""
    model = make(num_quantiles, cell=cell, mix=True, num_channels=4)
    past = windows(channels=4)

    def without_gradient() -> set[str]:
        forecast = model(past)
        uneven = torch.linspace(1, 2, forecast.numel()).view_as(forecast)
        named = dict(model.named_parameters())
        gradients = torch.autograd.grad((forecast * uneven).sum(), list(named.values()))
        return {name for name, one in zip(named, gradients, strict=True) if not one.any()}

    begins_at_zero = {"head.weight", "head.bias", "highway.weight"} | (
        {"spread"} if num_quantiles else set()
    )
    names = {name for name, _ in model.named_parameters()}
    assert without_gradient() == names - begins_at_zero
    stir(model)
    assert without_gradient() == set()


def test_a_segment_longer_than_the_horizon_writes_no_row_in_vain() -> None:
    model = make(horizon=3, segment=8)
    model(windows()).sum().backward()
    assert model.head.bias.grad is not None
    assert (model.head.bias.grad != 0).all()


def test_targets_do_not_see_each_other_unless_mixed() -> None:
    past = windows()
    moved = past.clone()
    moved[:, :-1, 1] += 5 * torch.randn(19, generator=torch.Generator().manual_seed(3))
    alone, mixed = stir(make()), stir(make(mix=True))
    kept = [0, 2]
    assert torch.equal(alone(past)[..., kept], alone(moved)[..., kept])
    assert not torch.allclose(alone(past)[..., 1], alone(moved)[..., 1])
    assert (mixed(past) - mixed(moved)).abs().amin((0, 1)).min() > 1e-4


def test_covariates_are_read() -> None:
    model = stir(make(num_channels=4))
    past = windows(channels=4)
    moved = past.clone()
    moved[:, 5, 3] += 4
    assert model(past).shape == (5, 7, 3)
    assert (model(past) - model(moved)).abs().amax((0, 1)).min() > 1e-4


@given(shift=st.floats(-50, 50), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_shifted_past_shifts_the_forecast_holds_for_any_shift(shift: float, seed: int) -> None:
    model, past = stir(make()).double(), windows(seed=seed).double()
    assert torch.allclose(model(past + shift), model(past) + shift, atol=1e-9)


@given(seed=st.integers(0, 200), scale=st.floats(0.01, 30))
@settings(max_examples=30, deadline=None)
def test_quantiles_never_cross_holds_for_any_weights(seed: int, scale: float) -> None:
    model = make(4, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    assert (model(windows(seed=seed)).diff(dim=-1) >= 0).all()


def test_quantiles_begin_as_far_apart_as_they_are_told() -> None:
    model, past = make(3), windows()
    spread = torch.tensor([-1.0, 0.0, 2.0]).expand(7, 3, 3) * torch.arange(1, 8)[:, None, None]
    model.start_spread(spread)
    assert torch.allclose(model(past), past[:, -1][:, None, :, None] + spread)
    with pytest.raises(ValueError, match="num_quantiles is 0"):
        make().start_spread(spread)


@pytest.mark.parametrize("cell", CELLS)
def test_a_segment_of_one_matches_the_step_by_step_network(cell: str) -> None:
    """segment=1 is the classic network: embed each row, recur over the rows, ask for each of the
    next rows from the last state. Written out here with torch's own layer."""
    model = stir(make(cell=cell, segment=1, highway=False, num_channels=1, num_targets=1)).double()
    past = windows(channels=1).double()
    kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    layer = kinds[cell](8, 8).double()
    layer.load_state_dict(model.recurrent.state_dict())
    change = past - past[:, -1:]
    _, state = layer(torch.relu(model.embed(change)).transpose(0, 1))
    rows = []
    for place in model.place:
        asked = torch.cat([place, model.channel[0]]).expand(1, len(past), -1)
        rows.append(model.head(layer(asked, state)[0][0]))
    expected = torch.stack(rows, dim=1) + past[:, -1:]
    assert torch.allclose(model(past), expected, atol=1e-10)


def test_a_look_back_that_segments_do_not_divide_repeats_its_first_row() -> None:
    """23 rows in segments of 4 read as 24 rows whose first two are alike."""
    short, even = (
        stir(make(lookback=rows, highway=False, num_channels=1, num_targets=1)) for rows in (23, 24)
    )
    past = windows(lookback=23, channels=1)
    assert torch.allclose(short(past), even(torch.cat([past[:, :1], past], dim=1)))


def test_the_highway_is_linear_in_the_past() -> None:
    model, past = make(), windows()
    generator = torch.Generator().manual_seed(2)
    assert model.highway is not None
    with torch.no_grad():
        model.highway.weight.copy_(torch.randn(7, 19, generator=generator))
    change = past - past[:, -1:]
    expected = past[:, -1:] + torch.einsum("hl,blc->bhc", model.highway.weight, change[:, :-1])
    assert torch.allclose(model(past), expected, atol=1e-5)


def test_saved_and_loaded_it_answers_the_same() -> None:
    model, other = stir(make(2)), make(2, seed=9).eval()
    assert not torch.equal(model(windows()), other(windows()))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(windows()), other(windows()))


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", 1), ("segment", -1), ("layers", 0), ("dropout", 1.0)]
)
def test_settings_that_make_no_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        RecurrentForecaster.Config(**{name: value})  # type: ignore[arg-type]
