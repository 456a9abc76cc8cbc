"""Images with masks, for ``segment``, decoded once into bytes.

Read: folders ``images`` and ``masks`` (divided into train, val and test or not), CamVid's ``train``
beside ``trainannot``, an archive of either, a CSV of image,mask. Images may have different sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from shinso.data.image_decoding import Header, Target, decode, read_header
from shinso.data.limits import check_memory, decoding_pool
from shinso.data.mask_decoding import (
    MOST_CLASSES,
    VOID,
    ClassTable,
    RawMask,
    is_colour,
    numbered,
    read_mask,
    read_table,
)
from shinso.data.mask_entries import Pair, Pairs, read_pairs
from shinso.data.splits import SplitPart
from shinso.data.text import read_bytes, sha256_of
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

Size = tuple[int, int]


@dataclass(frozen=True)
class Wanted:
    """How files become samples. size_px: height and width of all images; None leaves each its own.
    channels: 1 or 3; 0: RGB where any image has colours. table: of earlier data. void: ids, names
    or colours that do not count. class_names: of ids in their order."""

    size_px: Size | None = None
    channels: int = 0
    table: ClassTable | None = None
    table_file: Path | None = None
    class_names: tuple[str, ...] = ()
    void: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """masks: class numbers, ``VOID`` where none counts; empty where no mask was asked for.
    parts: where the data are divided already."""

    path: Path
    pixels: tuple[UInt8[np.ndarray, "channel height width"], ...]
    masks: tuple[UInt8[np.ndarray, "height width"], ...]
    names: tuple[str, ...]
    parts: tuple[SplitPart | None, ...]
    table: ClassTable
    sha256: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def channels(self) -> int:
        return len(self.pixels[0])


def read_masked(path: Path, wanted: Wanted, *, needs_mask: bool = True) -> MaskedImages:
    """Raises ManyDataFaults with every fault of every file: damaged images and masks, masks of
    another size (DATA-MASK-SIZE), unknown ids and colours, images without masks."""
    pairs = read_pairs(path, needs_mask=needs_mask)
    notes = list(pairs.notes)
    with decoding_pool() as pool:
        heads = _all(pool.map(_safe(_head), pairs.found))
        if needs_mask:
            raw, table = _masks(pool, pairs, wanted, notes)
            numbers = _all(
                [
                    *_of_other_size(pairs.found, [head for head, _digest in heads], raw),
                    *map(_safe(numbered), raw, repeat(table), (p.mask_place for p in pairs.found)),
                ]
            )
        else:
            numbers, table = [], wanted.table or ClassTable((), ())
        channels = wanted.channels or (1 if all(head.grey for head, _ in heads) else 3)
        targets = [
            Target(channels, *(wanted.size_px or (head.height, head.width))) for head, _d in heads
        ]
        _check_memory(targets, path)
        pixels = _all(pool.map(_safe(_pixels), pairs.found, targets))
    masks: list[np.ndarray] = []
    if needs_mask:
        masks = [
            nearest(one, (target.height, target.width))
            for one, target in zip(numbers, targets, strict=True)
        ]
    return MaskedImages(
        path,
        tuple(pixels),
        tuple(masks),
        tuple(pair.name for pair in pairs.found),
        tuple(pair.part for pair in pairs.found),
        table,
        _digest(pairs, [digest for _head, digest in heads]),
        (*notes, *_size_notes([head for head, _d in heads], wanted.size_px)),
    )


def _safe(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its fault returned: all files are looked at, so that a user mends them in one
    go."""

    def run(*given: Any) -> Any:
        try:
            return function(*given)
        except DataFault as fault:
            return fault

    return run


def _all(found: Iterable[Any]) -> list[Any]:
    results = list(found)
    faults = [one for one in results if isinstance(one, DataFault)]
    if faults:
        raise ManyDataFaults(faults)
    return results


def _head(pair: Pair) -> tuple[Header, str]:
    content = pair.image()
    return read_header(content, pair.image_place), sha256_of(content)


def _pixels(pair: Pair, target: Target) -> np.ndarray:
    # A copy of its own: Pillow lends memory that must not be written to.
    return np.array(decode(pair.image(), pair.image_place, target))


def _masks(
    pool: ThreadPoolExecutor, pairs: Pairs, wanted: Wanted, notes: list[str]
) -> tuple[list[RawMask], ClassTable]:
    """What stands in every mask, and the classes: as given, as the table beside the data says, or
    as the ids that occur."""
    table = wanted.table
    if table is None and wanted.table_file is not None:
        table = read_table(
            str(wanted.table_file), read_bytes(wanted.table_file), wanted.void, notes
        )
    elif table is None and pairs.table is not None:
        table = read_table(*pairs.table, wanted.void, notes)
    coloured = table is not None and bool(table.colours)

    def load(pair: Pair) -> RawMask:
        assert pair.mask is not None
        return read_mask(pair.mask(), pair.mask_place, colours=coloured)

    raw = _all(pool.map(_safe(load), pairs.found))
    return raw, table or _table_of_ids(raw, pairs, wanted)


def _table_of_ids(raw: Sequence[RawMask], pairs: Pairs, wanted: Wanted) -> ClassTable:
    """Without a table the ids of the masks are the classes; those of the training part, where the
    data are divided, so that an id that only a test mask has is found out."""
    void = {VOID, *(int(one) for one in wanted.void if one.isdigit())}
    divided = any(pair.part == "train" for pair in pairs.found)
    ids: set[int] = set()
    for one, pair in zip(raw, pairs.found, strict=True):
        if not one.coloured and (not divided or pair.part == "train"):
            ids |= set(one.distinct()[0].tolist())
    kept = tuple(sorted(ids - void))
    if len(kept) > MOST_CLASSES or (wanted.class_names and len(wanted.class_names) < len(kept)):
        raise DataFault(
            "DATA-UNKNOWN-ID",
            place=str(pairs.path),
            found=_("{count:,} ids from {low} to {high}").format(
                count=len(kept), low=kept[0], high=kept[-1]
            ),
            why=_("there are names for {count} classes").format(count=len(wanted.class_names))
            if wanted.class_names
            else _("more than {most} classes; these look like numbers of single objects").format(
                most=MOST_CLASSES
            ),
            next_step=_("name the ids that do not count in --void, or give a table with --classes"),
        )
    names = wanted.class_names or tuple(str(one) for one in kept)
    if wanted.class_names:
        kept = tuple(one for one in range(len(names) + len(void)) if one not in void)[: len(names)]
    colours = tuple(int(one[1:], 16) for one in wanted.void if is_colour(one))
    return ClassTable(names, kept, (), tuple(sorted(void)), colours)


def _of_other_size(
    pairs: Sequence[Pair], heads: Sequence[Header], raw: Sequence[RawMask]
) -> list[DataFault]:
    return [
        DataFault(
            "DATA-MASK-SIZE",
            place=pair.mask_place,
            found=_("a mask of {height} × {width} pixels").format(
                height=one.values.shape[0], width=one.values.shape[1]
            ),
            why=_("its image {name} has {height} × {width}").format(
                name=pair.image_place, height=head.height, width=head.width
            ),
            next_step=_("draw it at the size of the image, or take both out"),
        )
        for pair, head, one in zip(pairs, heads, raw, strict=True)
        if one.values.shape != (head.height, head.width)
    ]


def _check_memory(targets: Sequence[Target], path: Path) -> None:
    wanted = sum(one.height * one.width * (one.channels + 1) for one in targets)
    check_memory(
        wanted,
        path,
        found=_("{count:,} images with masks are {size:.1f} GB").format(
            count=len(targets), size=wanted / 1e9
        ),
        next_step=_("give a smaller --size"),
    )


def nearest(mask: UInt8[np.ndarray, "height width"], size_px: Size) -> np.ndarray:
    """Enlarged or reduced until it covers the size, and cut in the middle, as ``decode`` does with
    the image: each pixel takes the class under its centre."""
    height, width = mask.shape
    if (height, width) == size_px:
        return mask
    scale = max(size_px[0] / height, size_px[1] / width)
    rows, columns = (
        _centres(length, wanted, max(wanted, round(length * scale)))
        for length, wanted in ((height, size_px[0]), (width, size_px[1]))
    )
    return mask[rows[:, None], columns]


def _centres(length: int, wanted: int, resized: int) -> np.ndarray:
    first = (resized - wanted) // 2
    places = (np.arange(first, first + wanted) + 0.5) * length / resized
    return np.minimum(places.astype(np.int64), length - 1)


def _digest(pairs: Pairs, images: Sequence[str]) -> str:
    whole = hashlib.sha256(pairs.table[1] if pairs.table else b"")
    for pair, digest in zip(pairs.found, images, strict=True):
        mask = sha256_of(pair.mask()) if pair.mask else ""
        whole.update(f"{pair.name}\0{pair.part}\0{digest}\0{mask}\n".encode())
    return whole.hexdigest()


def _size_notes(heads: Sequence[Header], size_px: Size | None) -> list[str]:
    if size_px is None:
        return []
    other = sum((head.height, head.width) != size_px for head in heads)
    if not other:
        return []
    return [
        _("{count:,} images of other sizes were resized and cut to {height} × {width}").format(
            count=other, height=size_px[0], width=size_px[1]
        )
    ]
