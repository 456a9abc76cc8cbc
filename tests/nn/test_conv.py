"""Convolutions of the course and what they cost."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shinso.nn.conv import (
    Convolution,
    Depthwise,
    DepthwiseSeparable,
    Dilated,
    Pointwise,
    Transposed,
)
from shinso.nn.multiply_adds import cost


def test_depthwise_matches_one_convolution_for_each_channel() -> None:
    torch.manual_seed(0)
    layer = Depthwise(4, 3, stride=2)
    x = torch.randn(2, 4, 9, 9)
    parts = [
        nn.functional.conv2d(x[:, n : n + 1], layer.weight[n : n + 1], stride=2, padding=1)
        for n in range(4)
    ]
    torch.testing.assert_close(layer(x), torch.cat(parts, 1))


def test_pointwise_matches_a_linear_layer_at_each_position() -> None:
    torch.manual_seed(0)
    layer = Pointwise(4, 6)
    x = torch.randn(2, 4, 5, 5)
    linear = x.permute(0, 2, 3, 1) @ layer.weight[:, :, 0, 0].T
    torch.testing.assert_close(layer(x), linear.permute(0, 3, 1, 2))


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (3, 2), (5, 3)])
def test_dilated_convolution_sees_what_it_says(size: int, dilation: int) -> None:
    layer = Dilated(1, 1, size, dilation=dilation)
    nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 31, 31, requires_grad=True)
    answer = layer(x)
    assert answer.shape == x.shape
    (slope,) = torch.autograd.grad(answer[0, 0, 15, 15], x)
    touched = slope[0, 0, 15].nonzero().flatten()
    assert int(touched[-1] - touched[0]) + 1 == layer.sees_px
    assert len(touched) == size


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_transposed_convolution_enlarges_evenly(factor: int) -> None:
    layer = Transposed(1, 1, factor)
    nn.init.ones_(layer.weight)
    answer = layer(torch.ones(1, 1, 6, 6))
    assert answer.shape == (1, 1, 6 * factor, 6 * factor)
    # Away from the border each pixel gets equally many terms.
    inner = answer[0, 0, factor:-factor, factor:-factor]
    assert inner.min() == inner.max()


def test_odd_sizes_and_factors_are_asked_for() -> None:
    with pytest.raises(ValueError, match="size is 4"):
        Convolution(1, 1, 4)
    with pytest.raises(ValueError, match="factor is 1"):
        Transposed(1, 1, 1)


@given(
    channels=st.integers(1, 12),
    out=st.integers(1, 12),
    size=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    px=st.integers(5, 12),
)
@settings(max_examples=25)
def test_count_matches_torch_for_any_sizes(channels, out, size, stride, px) -> None:
    network = nn.Sequential(
        Convolution(channels, out, size, stride=stride, bias=True),
        DepthwiseSeparable(out, channels, size, act=nn.ReLU),
        Transposed(channels, 3, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 4),
    ).eval()
    x = torch.zeros(2, channels, px, px)
    found = cost(network, x)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    assert 2 * found.multiply_adds == counter.get_total_flops()
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert [layer.kind for layer in found.layers][-1] == "Linear"
