"""A trained image network made fast for answers alone, on a CPU and without a compiler.

Three things: normalizations that follow a convolution are folded into its weights; weights and
images lie in the order that oneDNN's kernels read (channels last, weights packed once); an
activation and the addition of a shortcut are done by the convolution's own kernel while its result
is still in the cache. Dense blocks write into one tensor instead of concatenating again and again.

The layers of a block stand in it in the order in which they are called; that is how the parts that
belong together are found. The result is compared with the network itself before it is given out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.densenet import DenseBlock, DenseLayer
from shinso.nn.joints import Addition
from shinso.nn.norm import BatchNorm

ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.Hardswish: ("hardswish", []),
    nn.Hardsigmoid: ("hardsigmoid", []),
}
"""What oneDNN calls an activation, and its numbers."""
LARGEST_DEVIATION = 1e-4
"""Of the largest score; folding moves roundings."""


def optimized(network: nn.Module, images: Float[Tensor, "batch channel height width"]) -> nn.Module:
    """A copy of ``network`` for inference on images like these. Raises ArithmeticError where its
    scores are not the network's, which would be our bug.

    Other batch and image sizes work too; packed weights are best for this one. On other devices
    than a CPU normalizations are folded and memory is laid out, no more.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    images = images.contiguous(memory_format=torch.channels_last)
    fast = copy.deepcopy(network)
    fast.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    packed = images.device.type == "cpu" and torch.backends.mkldnn.is_available()
    sizes = _input_sizes(fast, images) if packed else {}
    for block in list(fast.modules()):
        _fuse(block, sizes)
    for parent in list(fast.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DenseBlock):
                setattr(parent, name, _OneTensorBlock(child))
    with torch.inference_mode():
        wanted, found = network(images), fast(images)
    worst = float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1e-12))
    if not worst <= LARGEST_DEVIATION:
        raise ArithmeticError(f"the optimized network deviates by {worst:.1e} of the largest score")
    return fast


def _input_sizes(network: nn.Module, images: Tensor) -> dict[nn.Module, list[int]]:
    """What each convolution reads. Kernels choose how weights are packed by it; weights packed
    for another size are packed again in every call, which can take thirty times the product."""
    sizes: dict[nn.Module, list[int]] = {}

    def look(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        sizes[layer] = list(given[0].shape)

    layers = [one for one in network.modules() if isinstance(one, nn.Conv2d)]
    handles = [one.register_forward_pre_hook(look) for one in layers]
    with torch.inference_mode():
        network(images)
    for handle in handles:
        handle.remove()
    return sizes


def _fuse(block: nn.Module, sizes: Mapping[nn.Module, list[int]]) -> None:
    """Fuse runs of layers among the direct children of ``block``: convolution, normalization?,
    (shortcut?, addition)?, activation?. sizes: inputs of convolutions whose weights are packed."""
    children = [(name, child) for name, child in block.named_children()]
    place = 0
    while place < len(children):
        name, layer = children[place]
        if not isinstance(layer, nn.Conv2d) or layer.padding_mode != "zeros":
            place += 1
            continue
        end = place + 1
        norm = _at(children, end, BatchNorm)
        end += norm is not None
        # A shortcut with layers of its own stands between the normalization and the addition.
        skipped = end + 1 if end < len(children) and children[end][0] == "downsample" else end
        addition = _at(children, skipped, Addition)
        if addition is not None:
            end = skipped + 1
        act = _at(children, end, *ACTIVATIONS)
        end += act is not None
        fused = FusedConvolution(layer, norm, act, size=sizes.get(layer))
        for gone, child in children[place:end]:
            if gone != "downsample" and not isinstance(child, Addition):
                setattr(block, gone, nn.Identity())
        if addition is None:
            setattr(block, name, fused)
        else:
            sum_name = children[skipped][0]
            setattr(block, sum_name, fused)  # it gets the convolution's input and the shortcut
        place = end


def _at(children: Sequence[tuple[str, nn.Module]], place: int, *kinds: type) -> Any:
    if place < len(children) and isinstance(children[place][1], kinds):
        return children[place][1]
    return None


def folded(conv: nn.Conv2d, norm: BatchNorm | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that does what ``conv`` and then ``norm`` do:
    W' = W · γ/√(σ² + ε), b' = (b − μ) · γ/√(σ² + ε) + β."""
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    bias = bias.to(conv.weight)
    if norm is None:
        return conv.weight.detach(), bias.detach()
    scale, shift = affine(norm)
    return (conv.weight * scale.view(-1, 1, 1, 1)).detach(), (bias * scale + shift).detach()


def affine(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and shift that a normalization is in evaluation."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale.detach(), (norm.bias - norm.running_mean * scale).detach()


class FusedConvolution(nn.Module):
    """A convolution with what follows it. Given a second tensor, it adds that before activating.

    size: of the input that weights are packed for; None: they are not packed."""

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: BatchNorm | None,
        act: nn.Module | None,
        *,
        size: list[int] | None,
    ) -> None:
        super().__init__()
        weight, bias = folded(conv, norm)
        self.shape = (
            [int(one) for one in conv.padding],  # padding is numbers: "zeros" mode was asked for
            list(conv.stride),
            list(conv.dilation),
            conv.groups,
        )
        self.out_channels = conv.out_channels
        self.act = act
        self.packed = size is not None
        self.unary, self.numbers = ACTIVATIONS[type(act)] if act is not None else ("none", [])
        if self.packed:
            weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.shape, size)
        else:
            weight = weight.contiguous(memory_format=torch.channels_last)
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        if not self.packed:
            padding, stride, dilation, groups = self.shape
            y = F.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)
            y = y if more is None else y + more
            return y if self.act is None else self.act(y)
        if more is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, self.weight, self.bias, *self.shape, self.unary, self.numbers, ""
            )
        unary = None if self.unary == "none" else self.unary
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, more, self.weight, self.bias, *self.shape, "add", 1.0, unary, self.numbers, ""
        )


class _OneTensorBlock(nn.Module):
    """A dense block whose layers write their channels into one tensor."""

    def __init__(self, block: DenseBlock) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for number in range(block.count):
            layer = getattr(block, f"denselayer{number + 1}")
            assert isinstance(layer, DenseLayer)
            self.layers.append(_DenseStep(layer))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        last = self.layers[-1]
        assert isinstance(last, _DenseStep)
        size = (batch, last.reads + last.adds, height, width)
        every = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        every[:, :channels] = x
        for layer in self.layers:
            assert isinstance(layer, _DenseStep)
            every[:, layer.reads : layer.reads + layer.adds] = layer(every[:, : layer.reads])
        return every


class _DenseStep(nn.Module):
    """Scale, shift, ReLU of all earlier channels, then what is left of the layer."""

    def __init__(self, layer: DenseLayer) -> None:
        super().__init__()
        scale, shift = affine(layer.norm1)
        self.scale, self.shift = scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)
        self.first = layer.conv1
        self.second = layer.conv2 if layer.bottleneck else nn.Identity()
        self.reads = len(scale)
        kept = self.second if layer.bottleneck else self.first
        assert isinstance(kept, FusedConvolution)
        self.adds = kept.out_channels

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addcmul(self.shift, x, self.scale).relu_()
        return self.second(self.first(x))
