"""The learning rate as a pure function of the step: nothing to save, nothing to resume."""

from __future__ import annotations

import math

from shinso.training.plan import ScheduleName


def lr_factor(schedule: ScheduleName, step: int, steps: int, warmup: int) -> float:
    """What the peak learning rate is multiplied with at ``step`` (0 … steps − 1).

    constant: 1. linear: falls to 0. cosine: half a cosine to 0 (Loshchilov & Hutter 2017, without
    restarts). one-cycle: cosine up to the peak in the first 30 %, then down to 0 (Smith & Topin
    2018; differs: the rise starts at 1/25 of the peak, momentum stays). inverse-sqrt: as in
    Vaswani et al. 2017, eq. 3, scaled to 1 at the end of the warm-up.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - done
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case "inverse-sqrt":
            return math.sqrt(max(warmup, 1) / (step + 1)) if step + 1 > max(warmup, 1) else 1.0
        case "one-cycle":
            rise, start = 0.3, 0.04
            if done < rise:
                return start + (1 - start) * 0.5 * (1 - math.cos(math.pi * done / rise))
            return 0.5 * (1 + math.cos(math.pi * (done - rise) / (1 - rise)))
