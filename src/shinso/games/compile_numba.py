"""The one way in which kernels of games and of their search are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

FOLDER = Path(__file__).parent


def compiler(*folders: Path) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: compile without the GIL and keep the result on disk.

    numba's cache looks at the file of the kernel itself, but kernels call kernels of other files.
    With a hash of all kernels of ``folders`` in its name, a kernel is looked up anew after any edit.
    """
    sources = sorted(path for folder in folders for path in folder.glob("*_numba.py"))
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]

    def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__qualname__ = f"{function.__qualname__}_{stamp}"
        return njit(cache=True, nogil=True, error_model="numpy")(function)

    return kernel


kernel = compiler(FOLDER)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of kernels that is compiled only inside of them."""
    return njit(forceinline=True, nogil=True, error_model="numpy")(function)
