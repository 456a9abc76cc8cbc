"""A linear layer on the kernels, against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shinso.nn import dense
from shinso.nn.dense import Dense


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(40, 3, 5), (300, 70, 33), (257, 64, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_layer_and_gradients_match_torch(monkeypatch, rows, inputs, outputs, bias):
    """On every processor: the kernels are right where they do not pay, too."""
    monkeypatch.setattr(dense, "KERNELS_PAY", True)
    torch.manual_seed(0)
    own, other = Dense(inputs, outputs, bias=bias), nn.Linear(inputs, outputs, bias=bias)
    other.load_state_dict(own.state_dict())
    x, error = torch.randn(rows, inputs), torch.randn(rows, outputs)
    found = []
    for layer in (own, other):
        given = x.clone().requires_grad_()
        out = layer(given)
        out.backward(error)
        found.append([out.detach(), given.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-4)


def test_leading_axes_and_small_batches_match_torch():
    torch.manual_seed(0)
    layer = Dense(4, 6)
    for shape in ((3, 50, 4), (2, 4), (4,), (0, 4)):
        x = torch.randn(shape)
        torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_gradcheck_in_float64():
    layer = Dense(3, 2).double()
    assert torch.autograd.gradcheck(layer, torch.randn(40, 3).double().requires_grad_())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 130])
def test_fixed_weights_give_what_the_layer_gives(monkeypatch, rows, bias):
    monkeypatch.setattr(dense, "KERNELS_PAY", True)
    torch.manual_seed(0)
    layer, other = nn.Linear(19, 45, bias=bias), nn.Linear(19, 45)
    fixed = dense.FixedDense(layer.weight, layer.bias)
    x = torch.randn(rows, 19)
    fixed(x)
    dense.FixedDense(other.weight, other.bias)(x)  # packs in the same scratch memory
    torch.testing.assert_close(fixed(x), layer(x).detach(), rtol=1e-5, atol=1e-5)
