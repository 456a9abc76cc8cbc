"""Training on with weights that are rounded wherever they are read (Jacob et al. 2018, section 3).

The forward pass sees rounded weights, the optimizer changes the ones behind them; a weight that
would do harm when rounded is moved until it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.utils import parametrize

from shinso.compress import quantizers
from shinso.compress.quantizers import Quantizer


class Rounded(nn.Module):
    """A weight as it will be stored. bits: 8 or 4 for whole numbers, 2 for ternary ones."""

    def __init__(self, bits: int, *, per_channel: bool) -> None:
        super().__init__()
        self.bits, self.per_channel = bits, per_channel

    def forward(self, weight: Tensor) -> Tensor:
        return quantizer_of(weight, self.bits, per_channel=self.per_channel).straight_through(
            weight
        )


def quantizer_of(weight: Tensor, bits: int, *, per_channel: bool) -> Quantizer:
    """The grid of a weight, the same while it is learned on and when it is stored."""
    if bits > 2:
        return quantizers.of_weight(weight, bits, per_channel=per_channel, calibration="minmax")
    return ternary_quantizer(weight)


def ternary_quantizer(weight: Tensor) -> Quantizer:
    """−1, 0, 1 as a grid. Rounding x / s sends |x| > s/2 to ±1; that s/2 is the threshold Δ of Li
    et al. (2016) if the scale is the mean magnitude of what lies beyond it, which for weights of
    normal or uniform shape it nearly is (0.61 and 0.66 of the scale, for 0.5)."""
    _, scale = quantizers.ternary(weight)
    zero = scale.new_zeros(scale.shape).int()
    return Quantizer(scale, zero, -1, 1)


@contextmanager
def rounded_weights(
    model: nn.Module, names: Mapping[str, nn.Parameter], bits: int, *, per_channel: bool
) -> Iterator[dict[str, nn.Parameter]]:
    """Within, the weights named are read rounded; gives the ones behind them, by the same names.
    Afterwards the network has those, unrounded, as its own again."""
    places = [(model.get_submodule(n.rpartition(".")[0]), n.rpartition(".")[2]) for n in names]
    for module, leaf in places:
        parametrize.register_parametrization(
            module, leaf, Rounded(bits, per_channel=per_channel), unsafe=True
        )
    try:
        yield {plain(n): p for n, p in model.named_parameters() if plain(n) in names}
    finally:
        for module, leaf in places:
            parametrize.remove_parametrizations(module, leaf, leave_parametrized=False)


def plain(name: str) -> str:
    """A parameter's own name, whether or not it is read through a rounding."""
    return name.replace("parametrizations.", "").removesuffix(".original")
