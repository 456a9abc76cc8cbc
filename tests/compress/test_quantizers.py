"""Our quantizers against PyTorch's own fake quantization, and against what each promises."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.compress import quantizers
from shinso.compress.learning_quantized import Rounded, plain, rounded_weights, ternary_quantizer
from shinso.compress.packing import packed, unpacked, whole_numbers
from shinso.compress.quantizers import of_activations, of_range, of_weight, range_of
from shinso.nn import GRU


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("symmetric", [True, False])
def test_rounding_matches_torch_per_tensor(symmetric: bool) -> None:
    x = drawn(64, 32) * 3 + 0.5
    ours = of_range(x.min(), x.max(), 8, symmetric=symmetric)
    theirs = torch.fake_quantize_per_tensor_affine(
        x, float(ours.scale), int(ours.zero_point), ours.low, ours.high
    )
    torch.testing.assert_close(ours.rounded(x), theirs, atol=1e-6, rtol=1e-6)


def test_rounding_matches_torch_per_channel() -> None:
    weight = drawn(16, 3, 3, 3) * torch.logspace(-2, 1, 16).view(16, 1, 1, 1)
    ours = of_weight(weight, 8, calibration="minmax")
    theirs = torch.fake_quantize_per_channel_affine(
        weight, ours.scale, ours.zero_point.float(), 0, -127, 127
    )
    torch.testing.assert_close(ours.rounded(weight), theirs, atol=1e-6, rtol=1e-6)
    one_scale = of_weight(weight, 8, per_channel=False, calibration="minmax")
    by_row = (ours.rounded(weight) - weight).square().sum()
    assert by_row < 0.5 * (one_scale.rounded(weight) - weight).square().sum()


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=40),
    st.integers(2, 8),
    st.booleans(),
)
def test_error_is_at_most_half_a_step_and_zero_stays_for_any(
    values: list[float], bits: int, symmetric: bool
) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    quantizer = of_range(x.min(), x.max(), bits, symmetric=symmetric)
    # A zero point that is rounded moves the range by up to half a step at its ends.
    error = (quantizer.rounded(x) - x).abs().max()
    assert error <= float(quantizer.scale) * (0.5 if symmetric else 1.0) * 1.000001 + 1e-12
    assert float(quantizer.rounded(torch.zeros(1, dtype=torch.float64))) == 0


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
def test_searched_range_is_no_worse_than_the_whole(bits: int, symmetric: bool) -> None:
    rows = torch.cat([drawn(4, 500), 12 * torch.ones(4, 1)], dim=1)

    def error(calibration: str) -> torch.Tensor:
        ends = range_of(rows, bits, symmetric=symmetric, calibration=calibration)  # type: ignore[arg-type]
        return (of_range(*ends, bits, symmetric=symmetric).rounded(rows) - rows).square().sum()

    assert error("mse") <= error("minmax") * 1.000001
    if bits == 4:
        assert error("mse") < 0.95 * error("minmax")


@pytest.mark.parametrize("calibration", ["percentile", "entropy", "mse"])
def test_calibrations_cut_off_a_lone_value_far_away(calibration: str) -> None:
    values = torch.cat([drawn(20_000), torch.tensor([60.0])])
    ends = range_of(values.view(1, -1), 4, symmetric=True, calibration=calibration)  # type: ignore[arg-type]
    assert float(ends[1]) < 20
    whole = range_of(values.view(1, -1), 4, symmetric=True, calibration="minmax")
    assert float(whole[1]) == 60


@pytest.mark.parametrize("calibration", ["percentile", "entropy", "mse"])
def test_rectified_units_are_rounded_about_as_well_as_by_their_whole_range(
    calibration: str,
) -> None:
    """Half of them are 0, which costs nothing; what is cut off costs more than finer steps bring."""
    values = drawn(50_000).relu()

    def error(how: str) -> float:
        quantizer = of_activations([values], calibration=how)  # type: ignore[arg-type]
        return float((quantizer.rounded(values) - values).square().mean())

    assert error(calibration) < 3 * error("minmax")


def test_activations_of_rectified_units_use_all_of_an_unsigned_grid() -> None:
    quantizer = of_activations([drawn(1000).relu()])
    assert (quantizer.low, quantizer.high, int(quantizer.zero_point)) == (0, 255, 0)


def test_straight_through_has_the_gradient_of_a_clamp() -> None:
    quantizer = of_range(torch.tensor(-1.0), torch.tensor(1.0), 8, symmetric=True)
    x = torch.tensor([-2.0, -0.3, 0.4, 1.5], requires_grad=True)
    y = quantizer.straight_through(x)
    torch.testing.assert_close(y, quantizer.rounded(x.detach()))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_ternary_matches_the_paper_and_its_grid_holds_it() -> None:
    weight = drawn(5, 200, seed=1)
    numbers, scale = quantizers.ternary(weight)
    row = weight[2]
    beyond = row.abs() > 0.7 * row.abs().mean()
    assert torch.equal(numbers[2].bool(), beyond)
    torch.testing.assert_close(scale[2], row[beyond].abs().mean())
    assert set(ternary_quantizer(weight).quantize(weight).unique().tolist()) == {-1, 0, 1}


@given(
    st.sampled_from([8, 4, 2]),
    st.integers(1, 7),
    st.integers(1, 9),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_packed_weights_come_back_for_any_size(
    bits: int, rows: int, columns: int, zeros: float, seed: int
) -> None:
    weight = drawn(rows, columns, seed=seed)
    weight[torch.rand(weight.shape, generator=torch.Generator().manual_seed(seed)) < zeros] = 0
    quantizer = of_weight(weight, bits) if bits > 2 else ternary_quantizer(weight)
    state = {"layer.weight": weight, "bias": drawn(rows), "sparse": weight, "n": torch.tensor(3)}
    file = packed(state, {"layer.weight": (quantizer, bits)})
    back = unpacked(file)
    torch.testing.assert_close(back["layer.weight"], quantizer.rounded(weight), atol=0, rtol=0)
    assert torch.equal(back["sparse"], weight)
    assert torch.equal(back["bias"], state["bias"])
    assert back["n"] == 3
    assert torch.equal(whole_numbers(file)["layer.weight"][0], quantizer.quantize(weight))


def test_packed_file_is_as_small_as_its_bits() -> None:
    weight = drawn(64, 64)

    def size(bits: int) -> int:
        quantizer = of_weight(weight, bits) if bits > 2 else ternary_quantizer(weight)
        return sum(
            t.numel() * t.element_size()
            for t in packed({"w": weight}, {"w": (quantizer, bits)}).values()
        )

    assert size(8) == 64 * 64 + 64 * 4
    assert size(4) == 64 * 64 // 2 + 64 * 4 + 16
    assert size(2) == 64 * 64 // 4 + 64 * 4 + 16


def test_a_damaged_file_is_a_fault() -> None:
    from shinso.faults import RunFault

    file = packed({"w": drawn(4, 4)}, {"w": (of_weight(drawn(4, 4), 4), 4)})
    del file["w|shape"]
    with pytest.raises(RunFault, match="RUN-WEIGHTS-UNREADABLE"):
        unpacked(file)


def test_learning_with_rounded_weights_leaves_plain_ones() -> None:
    model = GRU(3, 4)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    names = {n: p for n, p in model.named_parameters() if p.dim() > 1}
    x = drawn(5, 2, 3)
    plain_answer = model(x)[0]
    with rounded_weights(model, names, 4, per_channel=True) as behind:
        assert set(behind) == set(names)
        answer = model(x)[0]
        assert (answer - plain_answer).abs().max() > 1e-4
        answer.sum().backward()
        assert all(p.grad is not None for p in behind.values())
        assert {plain(n) for n in model.state_dict()} == set(before)
        learnt = {plain(n): one.clone() for n, one in model.state_dict().items()}
    assert set(model.state_dict()) == set(before)
    model.load_state_dict(learnt)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    rounded = Rounded(4, per_channel=True)(before["weight_hh_l0"])
    assert len(rounded[0].unique()) <= 15
