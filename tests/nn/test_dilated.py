"""Gated dilated layers: compiled kernels against torch's operations, torch's against Conv1d."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shinso.nn import dilated
from shinso.nn.dilated import GatedDilatedStack, dilations_of


def stack_of(dilations=(1, 64, 200, 3), width=5, skips=7) -> GatedDilatedStack:
    torch.manual_seed(0)
    return GatedDilatedStack(width, skips, dilations)


def by_conv1d(stack: GatedDilatedStack, x: torch.Tensor) -> torch.Tensor:
    """The stack as one writes it first, channels before time."""
    h, total = x.transpose(1, 2), 0.0
    for layer, dilation in enumerate(stack.dilations):
        taps = torch.stack([stack.past[layer], stack.now[layer]], dim=2)
        a, b = F.conv1d(F.pad(h, (dilation, 0)), taps, stack.bias[layer], dilation=dilation).chunk(
            2, 1
        )
        z = a.tanh() * b.sigmoid()
        total = total + F.conv1d(z, stack.skip[layer].unsqueeze(-1))
        if layer + 1 < len(stack.dilations):
            h = h + F.conv1d(z, stack.residual[layer].unsqueeze(-1))
    return total.transpose(1, 2)


def test_dilations_double_and_begin_anew():
    assert dilations_of(5, 4) == (1, 2, 4, 1, 2)
    assert dilations_of(3, 1) == (1, 1, 1)
    assert stack_of((1, 2, 4)).receptive_field == 8


def test_torch_path_matches_conv1d():
    stack = stack_of().double()
    x = torch.randn(2, 260, 5, dtype=torch.float64)
    torch.testing.assert_close(stack(x), by_conv1d(stack, x))


@pytest.mark.parametrize("time", [1, 3, 130, 300])
def test_kernels_match_torch_path_and_its_gradients(time):
    """Blocks of 128 samples, dilations within and beyond a block and the whole series. Sums of
    300 float32 products differ in their last digits by the order of additions."""
    stack = stack_of()
    twin = stack_of().double()
    x = torch.randn(3, time, 5)
    condition = torch.randn(4, 3, 10)
    error = torch.randn(3, time, 7)
    found = []
    for one in (stack, twin):
        kind = one.bias.dtype
        given = [part.to(kind).requires_grad_() for part in (x.clone(), condition.clone())]
        out = one(*given)
        out.backward(error.to(kind))
        found.append([out.detach(), *(g.grad for g in given), *(p.grad for p in one.parameters())])
    for own, wanted in zip(*found, strict=True):
        torch.testing.assert_close(own.double(), wanted, rtol=2e-5, atol=2e-4)


def test_gradcheck_of_the_torch_path():
    stack = stack_of((1, 2, 3), width=2, skips=2).double()
    x = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(stack, (x,))


def test_nothing_is_kept_where_nothing_is_learned():
    stack = stack_of()
    x = torch.randn(2, 300, 5)
    with torch.no_grad():
        quiet = stack(x)
    torch.testing.assert_close(quiet, stack(x), rtol=0, atol=0)


def test_memory_given_back_is_not_read_again(monkeypatch):
    monkeypatch.setattr(dilated, "_SMALLEST", 0)
    stack = stack_of()
    x = torch.randn(2, 300, 5)
    first, second = stack(x).sum(), stack(2 * x).sum()
    first.backward(retain_graph=True)
    alone = stack.now.grad.clone()
    second.backward()  # took its memory before the first gave its own back
    with pytest.raises(RuntimeError, match="forward pass again"):
        first.backward()
    stack.zero_grad()
    stack(x).sum().backward()
    torch.testing.assert_close(stack.now.grad, alone, rtol=0, atol=0)


def test_automatic_mixed_precision_runs():
    stack = stack_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = stack(torch.randn(1, 20, 5))
    out.float().sum().backward()
    assert stack.skip.grad.isfinite().all()


@pytest.mark.parametrize("dilations", [(), (0,), (1, -2)])
def test_dilations_that_are_none_are_refused(dilations):
    with pytest.raises(ValueError, match="dilations is"):
        GatedDilatedStack(2, 2, dilations)


def test_is_a_module_with_its_parameters():
    names = {name for name, _ in stack_of().named_parameters()}
    assert names == {"past", "now", "bias", "residual", "skip"}
    assert isinstance(stack_of(), nn.Module)
