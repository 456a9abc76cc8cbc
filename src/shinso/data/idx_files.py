"""Images in the files of MNIST (IDX) and of CIFAR (binary records): pixels as they are, no codec."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from shinso.data.text import first_bytes, read_bytes, unpacked
from shinso.faults import DataFault
from shinso.language import _

UNSIGNED_BYTES = 8
CIFAR_PIXELS = 3 * 32 * 32


def is_idx(path: Path) -> bool:
    """Whether the file begins as an IDX file of bytes does: two zeros, the type, the axes."""
    begin = first_bytes(path, 4)
    return len(begin) == 4 and begin[:3] == bytes((0, 0, UNSIGNED_BYTES)) and 1 <= begin[3] <= 4


def read_idx(path: Path) -> tuple[UInt8[np.ndarray, "*axes"], bytes]:
    """The numbers, and the file as stored. Raises DataFault DATA-FORMAT where it is cut short or
    holds more than its head says."""
    raw = read_bytes(path)
    content = unpacked(raw, path)
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTES)):
        raise _fault(path, repr(content[:4]), _("this is no IDX file of bytes"))
    axes = content[3]
    head = 4 + 4 * axes
    if len(content) < head:
        found = _("{found:,} bytes, {wanted:,} announced").format(found=len(content), wanted=head)
        raise _fault(path, found, _("the file is not whole"))
    shape = np.frombuffer(content[4:head], dtype=">u4").astype(int)
    wanted, there = math.prod(shape.tolist()), len(content) - head
    if wanted != there:
        found = _("{found:,} bytes of numbers, {wanted:,} announced").format(
            found=there, wanted=wanted
        )
        raise _fault(path, found, _("the file is not whole"))
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(tuple(shape)), raw


def labels_beside(images: Path) -> Path | None:
    """The labels of MNIST's naming: train-images-idx3-ubyte.gz → train-labels-idx1-ubyte.gz."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    path = images.with_name(name)
    return path if name != images.name and path.exists() else None


def cifar_label_bytes(path: Path) -> int:
    """How many label bytes stand before each image: 1 (CIFAR-10), 2 (CIFAR-100), 0: no such file."""
    if path.suffix != ".bin":
        return 0
    size = path.stat().st_size
    fits = [count for count in (1, 2) if size and size % (CIFAR_PIXELS + count) == 0]
    return fits[0] if len(fits) == 1 else 0


def read_cifar(
    path: Path, label_bytes: int
) -> tuple[UInt8[np.ndarray, "image 3 32 32"], UInt8[np.ndarray, " image"], bytes]:
    """Pixels, labels (the fine ones of CIFAR-100) and the file as stored. Raises DataFault
    DATA-FORMAT where it is cut short."""
    raw = read_bytes(path)
    if over := len(raw) % (CIFAR_PIXELS + label_bytes):
        found = _("{count:,} bytes behind the last whole image").format(count=over)
        raise _fault(path, found, _("the file is not whole"))
    records = np.frombuffer(raw, dtype=np.uint8).reshape(-1, CIFAR_PIXELS + label_bytes)
    pixels = records[:, label_bytes:].reshape(-1, 3, 32, 32)
    return pixels, records[:, label_bytes - 1], raw


def _fault(path: Path, found: str, why: str) -> DataFault:
    return DataFault(
        "DATA-FORMAT",
        place=str(path),
        found=found,
        why=why,
        next_step=_("bring a whole copy of the file"),
    )
