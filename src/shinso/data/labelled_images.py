"""Images with labels, for ``classify-images``, decoded once into bytes.

Read: a folder with a folder per class, the same as an archive (tar, tar.gz, tar.xz, zip), CSV of
path,label, the IDX files of MNIST, the binary files of CIFAR. For new data without labels: a flat
folder or single files too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from shinso.data.archives import is_archive
from shinso.data.idx_files import cifar_label_bytes, is_idx, labels_beside, read_cifar, read_idx
from shinso.data.image_decoding import (
    Header,
    Target,
    common_target,
    decode,
    from_array,
    notes_on,
    read_header,
)
from shinso.data.image_entries import (
    Entries,
    Entry,
    csv_entries,
    file_entries,
    tree_entries,
)
from shinso.data.labelled_series import ordered_classes
from shinso.data.limits import check_memory, decoding_pool
from shinso.data.text import sha256_of
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """labels: empty text where there is none. names: the file of each image, or its number."""

    path: Path
    pixels: UInt8[np.ndarray, "image channel height width"]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        return ordered_classes([label for label in self.labels if label])

    @property
    def channels(self) -> int:
        return self.pixels.shape[1]

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[2], self.pixels.shape[3]

    def without_labels(self) -> LabelledImages:
        return replace(self, labels=("",) * len(self))

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was, for the run's ``data.json``."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "samples": len(self),
            "classes": dict(sorted(Counter(self.labels).items())),
            "channels": self.channels,
            "size_px": list(self.size_px),
        }


def read_images(
    paths: Sequence[Path], *, px: int = 0, like: Target | None = None, needs_label: bool = True
) -> LabelledImages:
    """Read images of whatever form ``paths`` have.

    px: side to which all are resized; 0 decides by the data. like: channels and size that a run
    already has, to which these images are brought. needs_label: False for new images.

    Raises DataFaults: DATA-IMAGE for each file that is no readable image, DATA-EMPTY for a class
    folder without images, DATA-FORMAT, DATA-NOT-FOUND, DATA-MISSING-COLUMN, DATA-TOO-LARGE.
    """
    paths = [Path(path) for path in paths]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(missing[0]),
            found=_("no such file or folder"),
            next_step=_("check the path; it is taken from the folder you are in"),
        )
    first = paths[0]
    if first.is_file() and is_idx(first):
        return _resized(_from_idx(paths, needs_label), px, like)
    if first.is_file() and cifar_label_bytes(first):
        return _resized(_from_cifar(paths), px, like)
    if (first.is_dir() or is_archive(first)) and len(paths) == 1:
        entries = tree_entries(first, needs_label=needs_label)
    elif first.suffix.lower() in (".csv", ".tsv") and len(paths) == 1:
        entries = csv_entries(first, needs_label=needs_label)
    elif not needs_label:
        entries = file_entries(paths)
    else:
        raise DataFault(
            "DATA-FORMAT",
            place=", ".join(map(str, paths)),
            found=_("files of a form that is not known"),
            why=_(
                "labelled images are a folder per class, an archive of it, a CSV of path,label, "
                "a pair of IDX files or CIFAR's .bin files"
            ),
            next_step=_("put the images of each class into a folder named after it"),
        )
    return _decoded(entries, px, like)


def _decoded(entries: Entries, px: int, like: Target | None) -> LabelledImages:
    with decoding_pool() as pool:
        heads, faults = _sorted_out(pool.map(_head, entries.found))
        if faults:
            raise ManyDataFaults(faults)
        headers = [header for header, _digest in heads]
        target = like or common_target(headers, px=px)
        _check_memory(len(headers), target, entries.path)
        pixels, faults = _sorted_out(pool.map(partial(_pixels, target), entries.found))
    if faults:
        raise ManyDataFaults(faults)
    digest = hashlib.sha256()
    for entry, (_header, content) in zip(entries.found, heads, strict=True):
        digest.update(f"{entry.name}\0{entry.label}\0{content}\n".encode())
    return LabelledImages(
        entries.path,
        np.stack(pixels),
        tuple(entry.label for entry in entries.found),
        tuple(entry.name for entry in entries.found),
        digest.hexdigest(),
        (*entries.notes, *notes_on(headers, target)),
    )


def _head(entry: Entry) -> tuple[Header, str] | DataFault:
    try:
        content = entry.load()
        return read_header(content, entry.place), sha256_of(content)
    except DataFault as fault:
        return fault


def _pixels(target: Target, entry: Entry) -> UInt8[np.ndarray, "channel height width"] | DataFault:
    try:
        return decode(entry.load(), entry.place, target)
    except DataFault as fault:
        return fault


def _sorted_out(found: Iterable[Any]) -> tuple[list[Any], list[DataFault]]:
    """Results, and all faults, so that a user mends them in one go."""
    results, faults = [], []
    for one in found:
        (faults if isinstance(one, DataFault) else results).append(one)
    return results, faults


def _check_memory(count: int, target: Target, path: Path) -> None:
    wanted = count * target.channels * target.height * target.width
    check_memory(
        wanted,
        path,
        found=_("{count:,} images of {height} × {width} are {size:.1f} GB").format(
            count=count, height=target.height, width=target.width, size=wanted / 1e9
        ),
        next_step=_("give a smaller --image-px"),
    )


def _from_idx(paths: Sequence[Path], needs_label: bool) -> LabelledImages:
    """One file of images, the labels behind it or beside it under MNIST's name."""
    images, raw = read_idx(paths[0])
    if images.ndim not in (3, 4):
        raise _idx_fault(paths[0], _("{axes} axes").format(axes=images.ndim), _("images have 3"))
    pixels = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    where = paths[1] if len(paths) == 2 else labels_beside(paths[0])
    if len(paths) > 2 or (where is None and needs_label):
        raise _idx_fault(
            paths[0], _("{count} files").format(count=len(paths)), _("its labels are another file")
        )
    labels = ("",) * len(pixels)
    if where is not None:
        numbers, more = read_idx(where)
        raw += more
        if numbers.shape != (len(pixels),):
            found = _("{labels} labels for {images} images").format(
                labels=len(numbers), images=len(pixels)
            )
            raise _idx_fault(where, found, _("each image needs one label"))
        labels = tuple(map(str, numbers.tolist()))
    names = tuple(map(str, range(len(pixels))))
    return LabelledImages(paths[0], pixels, labels, names, sha256_of(raw))


def _idx_fault(path: Path, found: str, why: str) -> DataFault:
    return DataFault(
        "DATA-FORMAT",
        place=str(path),
        found=found,
        why=why,
        next_step=_("give the images and then the labels: …-images-idx3-ubyte …-labels-idx1-ubyte"),
    )


def _from_cifar(paths: Sequence[Path]) -> LabelledImages:
    """Several files are joined in the order given."""
    usual = cifar_label_bytes(paths[0])
    parts = [read_cifar(path, cifar_label_bytes(path) or usual) for path in paths]
    pixels = np.concatenate([one for one, _labels, _raw in parts])
    numbers = np.concatenate([labels for _pixels, labels, _raw in parts])
    digest = sha256_of(b"".join(raw for *_rest, raw in parts))
    names = tuple(map(str, range(len(pixels))))
    return LabelledImages(paths[0], pixels, tuple(map(str, numbers.tolist())), names, digest)


def _resized(images: LabelledImages, px: int, like: Target | None) -> LabelledImages:
    """Brought to the size and channels that are asked for, where they are not so already."""
    height, width = images.size_px
    target = like or Target(images.channels, px or height, px or width)
    if target == Target(images.channels, height, width):
        return images
    header = Header(height, width, images.channels == 1, ())
    return replace(
        images,
        pixels=np.stack([from_array(one, target) for one in images.pixels]),
        notes=(*images.notes, *notes_on([header] * len(images), target)),
    )
