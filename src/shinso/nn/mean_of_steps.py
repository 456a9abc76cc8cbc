"""The mean over a sequence's own steps."""

from jaxtyping import Bool, Float
from torch import Tensor


def mean_of_steps(
    x: Float[Tensor, "batch time width"], real: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch width"]:
    """real: False behind a sequence's end, which is not counted; at least one step of each is True."""
    return (x * real.unsqueeze(-1)).sum(1) / real.sum(1, keepdim=True)
