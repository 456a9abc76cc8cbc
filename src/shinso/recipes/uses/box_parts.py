"""Images with boxes read, split and described: the data side of ``detect``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shinso.data.boxed_batches import BoxedSamples, seen_through
from shinso.data.image_batches import PixelScale
from shinso.data.labelled_boxes import BoxedImage, LabelledBoxes, own_split, read_boxes
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares
from shinso.data.text import sha256_of
from shinso.faults import DataFault
from shinso.language import _
from shinso.recipes.recipe import Part
from shinso.recipes.uses.prior_boxes import PriorBoxes

if TYPE_CHECKING:
    from shinso.recipes.detect import Config

LARGEST_PX, WIDEST = 300, 3.0
SCALED_BY = 100
"""Images of the train part from which the pixel scale is taken."""


@dataclass(frozen=True)
class BoxData:
    """Images with boxes as samples of each part."""

    samples: Mapping[Part, BoxedSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {"notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path], said: Sequence[str] = ()) -> BoxData:
    """Read, split; input size, sizes of objects, pixel scale and rivals from the train part."""
    boxes = read_boxes(paths, faulty=config.faulty, counts_from=config.counts_from)
    given: dict[SplitPart, LabelledBoxes] = {}
    if config.valid:
        given["valid"] = _more(config, config.valid, boxes)
    if config.test:
        given["test"] = _more(config, config.test, boxes)
    parts, how = _split(config, boxes, given)
    for part, found in parts.items():
        check_boxes(found, boxes.path, part)
    train, channels = parts["train"], boxes.channels
    size_px = _input_size(train, config.image_px)
    scale = _pixel_scale(train, channels, size_px)
    samples: dict[Part, BoxedSamples] = {
        part: BoxedSamples(found, size_px, scale) for part, found in parts.items()
    }
    extra = {
        **boxes.facts(),
        "class_names": list(boxes.classes),
        "split": how,
        "part_samples": {part: len(found) for part, found in parts.items()},
        "part_boxes": {part: _counts(found, boxes.classes) for part, found in parts.items()},
        "part_sha256": {part: more.sha256 for part, more in given.items()},
        "size_px": list(size_px),
        "object_px": list(_object_sizes(train, size_px, len(boxes.classes))),
        "pixel_scale": scale.to_dict(),
        "rivals": PriorBoxes.fit(train, len(boxes.classes), seed=config.split_seed).to_dict(),
    }
    if given:  # a run that goes on must find these files unchanged too
        every = [boxes.sha256, *(more.sha256 for more in given.values())]
        extra["sha256"] = hashlib.sha256("".join(every).encode()).hexdigest()
    notes = [*said, *boxes.notes, _("split: {how}").format(how=how)]
    notes += [f"{part}: {note}" for part, more in given.items() for note in more.notes]
    notes += _missing(extra["part_boxes"]) + _twice(parts)
    return BoxData(samples, tuple(notes), extra)


def _more(config: Config, paths: Sequence[Path], boxes: LabelledBoxes) -> LabelledBoxes:
    return read_boxes(
        paths,
        faulty=config.faulty,
        counts_from=config.counts_from,
        classes=boxes.classes,
        channels=boxes.channels,
    )


def check_boxes(images: Sequence[BoxedImage], path: Path, part: str) -> None:
    """Raise DataFault DATA-NO-BOXES where there is nothing to find."""
    if not any(len(one.classes) for one in images):
        raise DataFault(
            "DATA-NO-BOXES",
            place=str(path),
            found=_("{count:,} images without a box in the {part} part").format(
                count=len(images), part=part
            ),
            why=_("there is nothing to learn from, or to find"),
            next_step=_("give images with boxes, or another --split"),
        )


def _split(
    config: Config, boxes: LabelledBoxes, given: Mapping[SplitPart, LabelledBoxes]
) -> tuple[dict[SplitPart, tuple[BoxedImage, ...]], str]:
    """Parts that were given, else those that the data tell, else drawn; and how that was."""
    own = own_split(boxes)
    parts: dict[SplitPart, tuple[BoxedImage, ...]] = {p: m.images for p, m in given.items()}
    words = [f"{part} {len(more)} ({more.path.name})" for part, more in given.items()]
    if own.get("train"):
        rest = list(boxes.of_part("train"))
        for part in PARTS[1:]:
            if part not in parts and own.get(part):
                parts[part] = boxes.of_part(part)
                words.append(
                    _("{part} {count} (as the data say)").format(part=part, count=own[part])
                )
    else:
        rest = list(boxes.images)
    shares = dict(zip(PARTS, parse_shares(config.split), strict=True))
    waiting: list[SplitPart] = [part for part in PARTS[1:] if part not in parts]
    if len(rest) <= len(waiting):
        raise DataFault(
            "DATA-TOO-SHORT",
            place=str(boxes.path),
            found=_("{count} samples").format(count=len(rest)),
            why=_("train, valid and test need one each"),
            next_step=_("give a file with more samples"),
        )
    order = np.random.default_rng(config.split_seed).permutation(len(rest))
    whole = float(shares["train"] + sum(shares[part] for part in waiting))
    begin = 0
    for part in waiting:
        count = min(max(1, round(len(rest) * float(shares[part]) / whole)), len(rest) - 1 - begin)
        parts[part] = tuple(rest[i] for i in sorted(order[begin : begin + count].tolist()))
        begin += count
        words.append(
            _("{part} {count} (drawn with seed {seed})").format(
                part=part, count=count, seed=config.split_seed
            )
        )
    parts["train"] = tuple(rest[i] for i in sorted(order[begin:].tolist()))
    return parts, ", ".join([f"train {len(parts['train'])}", *words])


def _counts(images: Sequence[BoxedImage], classes: Sequence[str]) -> dict[str, int]:
    found = np.bincount(np.concatenate([one.classes for one in images]), minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, found, strict=True)}


def _input_size(images: Sequence[BoxedImage], image_px: int) -> tuple[int, int]:
    """Height and width of the network's input, in the median proportions of the images."""
    shorter = image_px or min(
        LARGEST_PX, int(np.median([min(one.height, one.width) for one in images]))
    )
    ratio = float(np.median([one.width / one.height for one in images]))
    longer = round(shorter * min(max(ratio, 1 / ratio), WIDEST))
    return (shorter, longer) if ratio >= 1 else (longer, shorter)


def _object_sizes(
    images: Sequence[BoxedImage], size_px: tuple[int, int], num_classes: int
) -> tuple[float, float]:
    """√(width · height) in the input: the least 5 % quantile of a class and the largest 95 %, so that
    a rare class of small or large objects has its default boxes too."""
    sizes: list[list[float]] = [[] for _ in range(num_classes)]
    for one in images:
        factor = size_px[0] / one.height * size_px[1] / one.width
        sides = one.boxes_xyxy_px[:, 2:] - one.boxes_xyxy_px[:, :2]
        for number, (width, height) in zip(one.classes, sides, strict=True):
            sizes[number].append(float(width * height * factor) ** 0.5)
    known = [own for own in sizes if own]
    least = min(float(np.quantile(own, 0.05)) for own in known)
    largest = max(float(np.quantile(own, 0.95)) for own in known)
    return max(least, 1.0), max(largest, 1.0, least)


def _pixel_scale(
    images: Sequence[BoxedImage], channels: int, size_px: tuple[int, int]
) -> PixelScale:
    some = images[:: max(1, len(images) // SCALED_BY)]
    views = [
        seen_through(
            one.pixels(channels), (0.0, 0.0, one.width, one.height), size_px, [0] * channels
        )
        for one in some
    ]
    return PixelScale.fit(np.stack(views))


def _missing(counts: Mapping[SplitPart, Mapping[str, int]]) -> list[str]:
    return [
        _("the {part} part has no box of {classes}; nothing is known of these").format(
            part=part, classes=", ".join(name for name, count in found.items() if not count)
        )
        for part, found in counts.items()
        if not all(found.values())
    ]


def _twice(parts: Mapping[SplitPart, Sequence[BoxedImage]]) -> list[str]:
    """Notes on images that stand in the train part too, byte by byte."""
    hashes: list[str] = []
    places: dict[SplitPart, np.ndarray] = {}
    for part in PARTS:
        begin = len(hashes)
        hashes += [sha256_of(one.load()) for one in parts[part]]
        places[part] = np.arange(begin, len(hashes))
    return duplicates_across(hashes, places)
