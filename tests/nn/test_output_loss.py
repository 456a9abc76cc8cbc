"""The fused output layer and loss against torch's, and dropout by bytes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from shinso.nn import dense
from shinso.nn import output_loss as module
from shinso.nn.dropout import ByteDropout
from shinso.nn.output_loss import output_loss


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_output_loss_matches_torch(monkeypatch, with_bias, smoothing, rows, dtype):
    """In blocks of any size: values and all gradients; float32 on the kernels."""
    torch.manual_seed(0)
    monkeypatch.setattr(dense, "KERNELS_PAY", True)
    monkeypatch.setattr(module, "_BLOCK", rows * 11)
    hidden = torch.randn(7, 5, dtype=dtype, requires_grad=True)
    weight = torch.randn(11, 5, dtype=dtype, requires_grad=True)
    bias = torch.randn(11, dtype=dtype, requires_grad=True) if with_bias else None
    labels = torch.randint(11, (7,))
    parts = [part for part in (hidden, weight, bias) if part is not None]
    loss, nll = output_loss(hidden, weight, bias, labels, smoothing)
    scores = F.linear(hidden, weight, bias)
    expected = F.cross_entropy(scores, labels, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, F.cross_entropy(scores, labels))
    ours = torch.autograd.grad(3 * loss, parts)
    theirs = torch.autograd.grad(3 * expected, parts)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("lower", [True, False])
def test_output_loss_in_mixed_precision_is_near_the_exact_one(with_bias, lower):
    """Also of states that came out of a layer in the lower type already."""
    torch.manual_seed(0)
    hidden, weight = torch.randn(40, 16), torch.randn(23, 16)
    bias = torch.randn(23, requires_grad=True) if with_bias else None
    given = (hidden.bfloat16() if lower else hidden).requires_grad_()
    parts = [part for part in (given, weight.requires_grad_(), bias) if part is not None]
    labels = torch.randint(23, (40,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, nll = output_loss(given, weight, bias, labels, 0.1)
    expected = F.cross_entropy(F.linear(given.float(), weight, bias), labels, label_smoothing=0.1)
    torch.testing.assert_close(loss, expected, rtol=0.01, atol=0.01)
    assert loss.dtype == nll.dtype == torch.float32
    ours, theirs = (torch.autograd.grad(value, parts) for value in (loss, expected))
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.005)


def test_output_loss_on_several_threads_is_the_same(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(dense, "KERNELS_PAY", True)
    hidden, weight = torch.randn(4000, 40, requires_grad=True), torch.randn(90, 40)
    weight.requires_grad_()
    labels = torch.randint(90, (4000,))
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            loss, nll = output_loss(hidden, weight, None, labels, 0.1)
            found.append([loss, nll, *torch.autograd.grad(loss, (hidden, weight))])
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found[0], found[1])


def test_output_loss_without_gradients_makes_none():
    hidden, weight = torch.randn(4, 3), torch.randn(6, 3)
    with torch.no_grad():
        loss, nll = output_loss(hidden, weight, None, torch.tensor([0, 1, 2, 5]))
    assert not loss.requires_grad
    assert float(loss) == pytest.approx(float(nll))


def test_byte_dropout_drops_the_share_and_keeps_the_mean():
    torch.manual_seed(0)
    layer = ByteDropout(0.25)
    x = torch.ones(1000, 101, requires_grad=True)
    y = layer(x)
    dropped = float((y == 0).float().mean())
    assert dropped == pytest.approx(0.25, abs=0.005)  # 101,000 draws: three deviations are 0.004
    assert float(y.mean()) == pytest.approx(1.0, abs=0.01)
    # Every byte of the drawn words decides, not only some: each column has its share.
    assert ((y == 0).float().mean(0) - 0.25).abs().max() < 0.06
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert layer.eval()(x) is x


def test_byte_dropout_refuses_what_is_no_share():
    with pytest.raises(ValueError, match="p is 1"):
        ByteDropout(1.0)
