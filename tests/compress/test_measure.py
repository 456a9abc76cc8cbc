"""Multiply–adds and bytes, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from shinso.compress.calls import Call
from shinso.compress.measure import latencies, memory, multiply_adds
from shinso.nn import LSTM


def test_products_are_those_counted_by_hand() -> None:
    conv = nn.Conv2d(4, 6, 3, groups=2)
    call = Call({"input": torch.randn(1, 4, 8, 8)})
    assert multiply_adds(conv, call) == 6 * 6 * 6 * (2 * 9)
    layer = LSTM(3, 5, bidirectional=True)
    call = Call({"input": torch.randn(7, 1, 3)})
    assert multiply_adds(layer, call) == 7 * 2 * (20 * 3 + 20 * 5)


def test_memory_is_weights_and_the_widest_layer() -> None:
    model = nn.Sequential(nn.Linear(2, 10), nn.Linear(10, 3))
    call = Call({"input": torch.randn(1, 2)})
    assert memory(model, call) == 4 * (20 + 10 + 30 + 3 + 10 + 3)


def test_more_work_takes_more_time() -> None:
    small, large = torch.randn(16, 16), torch.randn(400, 400)
    times = latencies([lambda: small @ small, lambda: large @ large], runs=5)
    assert times[0] < times[1]
