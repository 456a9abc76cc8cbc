"""Positions: their formula, and what rotary ones are for."""

from __future__ import annotations

import math

import pytest
import torch

from shinso.nn import positions
from shinso.nn.positions import LearnedPositions, SinusoidalPositions, rotate, sinusoids


@pytest.mark.parametrize("width", [6, 7])
def test_sinusoids_follow_the_paper(width):
    found = sinusoids(4, width, first=3)
    pairs = (width + 1) // 2
    for row, position in enumerate(range(3, 7)):
        for i in range(pairs):
            angle = position / 10_000 ** (2 * i / width)
            assert float(found[row, i]) == pytest.approx(math.sin(angle), abs=1e-6)
            if pairs + i < width:
                assert float(found[row, pairs + i]) == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("layer", [SinusoidalPositions(6), LearnedPositions(1000, 6)])
def test_pieces_get_the_positions_of_the_whole(layer):
    x = torch.randn(2, 700, 6)
    whole = layer(x)
    torch.testing.assert_close(
        torch.cat([layer(x[:, :300]), layer(x[:, 300:], first=300)], 1), whole
    )
    assert not torch.equal(whole[:, 0], whole[:, 1])


def test_learned_positions_end():
    with pytest.raises(ValueError, match="5 steps; 4 positions"):
        LearnedPositions(4, 6)(torch.zeros(1, 3, 6), first=2)


def test_rotary_products_depend_on_distance_alone():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 8, dtype=torch.float64).unbind(0)

    def product(at: int, other: int) -> float:
        return float((rotate(query, at) * rotate(key, other)).sum())

    assert product(2, 7) == pytest.approx(product(102, 107), rel=1e-5)  # the table is float32
    assert product(2, 7) != pytest.approx(product(2, 8), rel=1e-3)
    assert product(5, 5) == pytest.approx(float((query * key).sum()), rel=1e-5)
    with pytest.raises(ValueError, match="give an even one"):
        rotate(torch.zeros(1, 3))


def test_a_table_first_made_while_writing_serves_training():
    positions._turns.cache_clear()
    x = torch.randn(2, 5, 6)
    with torch.inference_mode():
        rotate(x)
    rotate(x.requires_grad_()).sum().backward()
    assert x.grad is not None
