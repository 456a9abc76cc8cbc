"""The one way in which kernels are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

# Of the flags of fastmath, those that assume away NaN and infinity are missing: a NaN in the data
# must come out as one. The error model leaves out the check for division by zero, which would keep
# every loop with a quotient from being vectorised.
_OPTIONS = {
    "fastmath": {"contract", "reassoc", "arcp", "nsz", "afn"},
    "error_model": "numpy",
    "nogil": True,
}

# numba's disk cache looks at the file of the kernel itself; kernels call kernels of other files.
# With the hash of all of them in its name, a kernel is looked up anew after any edit.
_SOURCES = sorted(Path(__file__).parent.glob("*_numba.py"))
_STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:12]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without the GIL, vectorised, and keep the result on disk."""
    function.__qualname__ = f"{function.__qualname__}_{_STAMP}"
    return njit(cache=True, **_OPTIONS)(function)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of kernels' text under a name of its own; compiled only inside of them."""
    return njit(inline="always", **_OPTIONS)(function)
