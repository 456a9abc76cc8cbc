"""How many images a network answers in a second, on this machine as it is now."""

from __future__ import annotations

import statistics
import time

import torch
from jaxtyping import Float
from torch import Tensor, nn


def frames_per_second(
    network: nn.Module, images: Float[Tensor, "batch channel height width"], *, rounds: int
) -> float:
    """Images over the median of the seconds that pass in a round; a first pass does not count."""
    seconds = []
    with torch.inference_mode():
        for _ in range(rounds + 1):
            began = time.perf_counter()
            network(images)
            if images.device.type == "cuda":
                torch.cuda.synchronize(images.device)
            seconds.append(time.perf_counter() - began)
    return len(images) / statistics.median(seconds[1:])
