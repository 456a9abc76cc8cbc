"""How much of the memory one file may take: a small file can be made to unpack to any size.

A reader asks ``limits()``. A server, which reads what strangers send, lowers them::

    with limited(most_bytes=50_000_000, most_pixels=16_000_000):
        run.predict(...)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from shinso.faults import DataFault
from shinso.language import _

PILLOW_PIXELS = 178_956_970  # Pillow opens no image with more


@dataclass(frozen=True)
class Limits:
    """most_bytes: to which one file may unpack. most_pixels: of one image."""

    most_bytes: int
    most_pixels: int


_lowered: ContextVar[Limits | None] = ContextVar("lowered", default=None)


def memory_bytes() -> int:
    """What this machine has, free or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def limits() -> Limits:
    """Those in force here; unless lowered, half of the memory and what Pillow opens."""
    return _lowered.get() or Limits(memory_bytes() // 2, PILLOW_PIXELS)


@contextmanager
def limited(*, most_bytes: int | None = None, most_pixels: int | None = None) -> Iterator[None]:
    """Lower limits for all that is read within, in this thread and its ``decoding_pool``; one that
    is None or above the one in force stays."""
    now = limits()
    before = _lowered.set(
        Limits(
            now.most_bytes if most_bytes is None else min(most_bytes, now.most_bytes),
            now.most_pixels if most_pixels is None else min(most_pixels, now.most_pixels),
        )
    )
    try:
        yield
    finally:
        _lowered.reset(before)


def decoding_pool() -> ThreadPoolExecutor:
    """Threads for all cores, under the limits of the one that asks: Pillow decodes without Python's
    lock, so they decode side by side."""
    return ThreadPoolExecutor(os.cpu_count(), initializer=_lowered.set, initargs=(_lowered.get(),))


def too_large(path: Path) -> DataFault:
    """DATA-TOO-LARGE: the file would unpack to more than it may."""
    return DataFault(
        "DATA-TOO-LARGE",
        place=str(path),
        found=_("unpacked it is larger than {size:,.0f} MB").format(size=limits().most_bytes / 1e6),
        why=_("a compressed file is read whole into memory"),
        next_step=_("unpack it and give what is in it, or give a smaller part"),
    )


def check_memory(wanted_bytes: int, path: Path, *, found: str, next_step: str) -> None:
    """Raise DataFault DATA-TOO-LARGE where decoded images would fill half of the memory."""
    if wanted_bytes > memory_bytes() // 2:
        raise DataFault(
            "DATA-TOO-LARGE",
            place=str(path),
            found=found,
            why=_("images are kept decoded, and this machine has {size:.1f} GB of memory").format(
                size=memory_bytes() / 1e9
            ),
            next_step=next_step,
        )
