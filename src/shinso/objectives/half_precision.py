"""Losses take numbers of half precision apart in float32."""

import torch
from torch import Tensor


def raised(x: Tensor) -> Tensor:
    """``x`` in float32 where it was in half precision; float64 stays what it is.

    Automatic mixed precision leaves a softmax in the type of its scores. In bfloat16 its parts then
    sum to 1 within half a percent only, and the gradients of all scores together no longer to 0: what
    is left over is the same in every step, and scores drift away with it.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
