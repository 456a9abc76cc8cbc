"""Whether a reduced precision pays on this machine: measured, never assumed.

Where a processor has no instructions for bfloat16, its kernels are emulated and can be many times
slower than those for float32; where it has them they may pay for some layers and not for others.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

ROUNDS = 5


def bf16_over_fp32(device: torch.device) -> float:
    """Time of a small convolutional training step under bfloat16, divided by that in float32.

    Below 1 it pays. Takes about a second at most; the random state stays as it was.
    """
    # On a processor that others use too, its own seconds count, not those that pass.
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        network = nn.Sequential(
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)
        ).to(device)
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        images = torch.randn(32, 64, 16, 16, device=device)
        images = images.contiguous(memory_format=torch.channels_last)

        def seconds(*, reduced: bool) -> float:
            began = clock()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=reduced):
                loss = network(images).float().square().mean()
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            return clock() - began

        for reduced in (False, True):  # the first call prepares kernels
            seconds(reduced=reduced)
        ratios = [seconds(reduced=True) / seconds(reduced=False) for _ in range(ROUNDS)]
    return statistics.median(ratios)
