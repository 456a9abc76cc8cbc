"""Memory that kernels need for the length of a call, kept for the next one.

Fresh memory of this size comes from the operating system page by page, at a tenth of the time of a
small training step. Each thread has its own.
"""

import threading
from math import prod

import numpy as np


class _Kept(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}


_kept = _Kept()


def scratch(name: str, *shape: int) -> np.ndarray:
    """float32 numbers of any value; they hold until the same thread asks for the same name."""
    size = prod(shape)
    kept = _kept.arrays.get(name)
    if kept is None or len(kept) < size:
        kept = _kept.arrays[name] = np.empty(size, np.float32)
    return kept[:size].reshape(shape)
