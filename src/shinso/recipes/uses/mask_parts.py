"""Masked images of a recipe read, divided and described, and their training batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from shinso.data.image_batches import PixelScale
from shinso.data.image_source import AugmentedSource
from shinso.data.mask_batches import AugmentedMasks, MaskAugmentation, MaskSamples
from shinso.data.mask_decoding import VOID
from shinso.data.masked_images import MaskedImages, Wanted, read_masked
from shinso.data.on_device import OnDevice
from shinso.data.prefetched import Prefetched
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.faults import DataFault
from shinso.language import _
from shinso.objectives.segmentation import SegmentationObjective, median_frequency
from shinso.recipes.recipe import Built, Part
from shinso.recipes.uses.files import only_one
from shinso.training.loop import Selection

if TYPE_CHECKING:
    from shinso.recipes.segment import Config
    from shinso.recipes.uses.masks import SegmentUse

LARGEST_CROP_PX = 512
PLACES = 32
"""The commonest class is counted on so many places along each axis."""


@dataclass(frozen=True)
class SegmentData:
    """Masked images as samples of each part."""

    samples: Mapping[Part, MaskSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {"notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path], said: Sequence[str] = ()) -> SegmentData:
    """Read, divide; pixel scale and baselines from the train part. said: further notes."""
    from shinso.recipes.segment import parse_size

    size = parse_size("size", config.size)
    path = only_one(paths, "segment", _("put the images of all into one folder"))
    wanted = Wanted(
        size_px=size, table_file=config.classes, class_names=config.class_names, void=config.void
    )
    images = read_masked(path, wanted)
    more = Wanted(size_px=size, channels=images.channels, table=images.table)
    given: dict[SplitPart, MaskedImages] = {}
    if config.valid:
        given["valid"] = read_masked(only_one(config.valid, "--valid"), more)
    if config.test:
        given["test"] = read_masked(only_one(config.test, "--test"), more)
    rows, split, notes = _parts(config, images, set(given))
    _check_classes(images)
    scale = _scale([images.pixels[i] for i in rows["train"]])
    samples: dict[Part, MaskSamples] = {
        part: MaskSamples(images, chosen, scale) for part, chosen in rows.items()
    }
    samples.update({part: MaskSamples(one, None, scale) for part, one in given.items()})
    extra = {
        "file": path.name,
        "sha256": _whole_digest(images, given),
        **images.table.as_facts(),
        "channels": images.channels,
        "smallest_px": [min(one.shape[axis] for one in images.pixels) for axis in (1, 2)],
        "largest_px": [max(one.shape[axis] for one in images.pixels) for axis in (1, 2)],
        "split": split,
        "part_samples": {part: len(one) for part, one in samples.items()},
        "pixel_scale": scale.to_dict(),
        **_counted(samples["train"], len(images.table.names)),
    }
    notes = [*said, *images.notes, *notes, *_rare(samples, images.table.names), *_twice(samples)]
    notes += [f"{part}: {note}" for part, one in given.items() for note in one.notes]
    return SegmentData(samples, tuple(notes), extra)


def _whole_digest(images: MaskedImages, given: Mapping[SplitPart, MaskedImages]) -> str:
    """A run that goes on must find all of its files unchanged."""
    every = [images.sha256, *(one.sha256 for one in given.values())]
    return hashlib.sha256("".join(every).encode()).hexdigest() if given else images.sha256


def _parts(
    config: Config, images: MaskedImages, given: set[SplitPart]
) -> tuple[dict[SplitPart, np.ndarray], str, list[str]]:
    """Rows of each part, how they were found, and what to say. Parts stand in the data, are given
    apart, or are drawn from the training images by shares."""
    found: dict[SplitPart, np.ndarray] = {
        part: np.array([i for i, one in enumerate(images.parts) if one == part], dtype=np.int64)
        for part in PARTS
        if part not in given
    }
    rest = np.array([i for i, one in enumerate(images.parts) if one is None], dtype=np.int64)
    if len(rest) and len(rest) < len(images):
        raise DataFault(
            "DATA-PART",
            place=str(images.path),
            found=_("{count:,} images of no part beside others of train, valid or test, such as "
                    "{name}").format(count=len(rest), name=images.names[rest[0]]),
            why=_("it is not clear what they are for"),
            next_step=_("put them into train, val or test"),
        )  # fmt: skip
    pool = rest if len(rest) else found["train"]
    missing: list[SplitPart] = [
        part for part in PARTS[1:] if part not in given and not len(found.get(part, ()))
    ]
    train, valid, test = parse_shares(config.split)
    notes: list[str] = []
    drawn: dict[SplitPart, np.ndarray] = {}
    if missing:
        shares = {"valid": valid, "test": test}
        total = train + sum(shares[part] for part in missing)
        if len(missing) == 2:
            drawn = random_split(
                len(pool), (train, valid, test), config.split_seed, path=images.path
            )
        else:
            drawn = _one_apart(len(pool), float(shares[missing[0]] / total), missing[0], config)
        notes.append(
            _("drawn from the training images by --split {split}: {parts}").format(
                split=config.split,
                parts=", ".join(f"{part} {len(drawn[part])}" for part in missing),
            )
        )
    result: dict[SplitPart, np.ndarray] = {part: one for part, one in found.items() if len(one)}
    result.update({part: pool[rows] for part, rows in drawn.items()})
    if not missing:
        result["train"] = pool
    _check_parts(images, result)
    how = f"{config.split} seed {config.split_seed}" if missing else "as the data come"
    how += "".join(f"; {part}: {getattr(config, part)[0]}" for part in sorted(given))
    return result, how, notes


def _one_apart(count: int, share: float, part: SplitPart, config: Config) -> dict[SplitPart, Any]:
    order = np.random.default_rng(config.split_seed).permutation(count)
    number = min(max(1, round(count * share)), count - 1)
    return {part: np.sort(order[:number]), "train": np.sort(order[number:])}


def _check_parts(images: MaskedImages, rows: Mapping[SplitPart, np.ndarray]) -> None:
    if any(not len(one) for one in rows.values()) or "train" not in rows:
        raise DataFault(
            "DATA-TOO-SHORT",
            place=str(images.path),
            found=_("{count} samples").format(count=len(images)),
            why=_("train, valid and test need one each"),
            next_step=_("give a file with more samples"),
        )


def _check_classes(images: MaskedImages) -> None:
    if len(images.table.names) < 2:
        raise DataFault(
            "DATA-ONE-CLASS",
            place=str(images.path),
            found=", ".join(images.table.names) or _("no class"),
            why=_("there is nothing to tell apart"),
            next_step=_("give masks of at least two classes"),
        )


def _scale(pixels: Sequence[np.ndarray]) -> PixelScale:
    """Images of any sizes as one row of pixels."""
    row = np.concatenate([one.reshape(len(one), -1) for one in pixels], axis=1)
    return PixelScale.fit(row[None, :, :, None])


def _counted(train: MaskSamples, num_classes: int) -> dict[str, Any]:
    """Pixels of each class, pixels of the images in which it is, and what is commonest where."""
    pixels = np.zeros(num_classes, dtype=np.int64)
    there = np.zeros(num_classes, dtype=np.int64)
    void = 0
    grid = np.zeros((PLACES, PLACES, num_classes + 1), dtype=np.int64)
    for mask in train.masks:
        counts = np.bincount(mask.ravel(), minlength=256)
        own = counts[:num_classes]
        pixels += own
        there[own > 0] += own.sum()
        void += int(counts[VOID])
        small = mask[np.ix_(*(_places(length) for length in mask.shape))]
        np.add.at(grid, (*np.indices(small.shape), np.minimum(small, num_classes)), 1)
    at_place = grid[:, :, :num_classes]
    common = np.where(at_place.any(2), at_place.argmax(2), pixels.argmax())
    return {
        "class_pixels": pixels.tolist(),
        "pixels_where_class_is": there.tolist(),
        "void_pixels": void,
        "commonest_at": common.tolist(),
    }


def _places(length: int) -> np.ndarray:
    return ((np.arange(PLACES) + 0.5) * length / PLACES).astype(np.int64)


def _rare(samples: Mapping[Part, MaskSamples], names: Sequence[str]) -> list[str]:
    notes = []
    for part, one in samples.items():
        counts = np.sum([np.bincount(mask.ravel(), minlength=256) for mask in one.masks], axis=0)
        missing = [name for number, name in enumerate(names) if not counts[number]]
        if missing:
            notes.append(
                _("the {part} part has no pixel of {classes}; nothing is known of these").format(
                    part=part, classes=", ".join(missing)
                )
            )
    return notes


def _twice(samples: Mapping[Part, MaskSamples]) -> list[str]:
    hashes: list[bytes] = []
    parts: dict[SplitPart, np.ndarray] = {}
    for part in PARTS:
        begin = len(hashes)
        hashes += [
            hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in samples[part].pixels
        ]
        parts[part] = np.arange(begin, len(hashes))
    return duplicates_across(hashes, parts)


def class_weights(config: Config, facts: Mapping[str, Any]) -> list[float] | None:
    """As ``--class-weights`` says; None for none."""
    if config.class_weights == "none":
        return None
    power = 0.5 if config.class_weights == "root" else 1.0
    return median_frequency(facts["class_pixels"], facts["pixels_where_class_is"], power)


def build_masks(
    config: Config, data: SegmentData, model: nn.Module, use: SegmentUse, seed: int
) -> Built:
    """Augmented batches made ahead; the valid part selects by mean IoU."""
    from shinso.recipes.segment import parse_size

    device = next(model.parameters()).device
    facts = data.facts()
    high, wide = (min(side, LARGEST_CROP_PX) for side in facts["smallest_px"])
    how = MaskAugmentation(
        crop_px=parse_size("crop", config.crop) or (high, wide),
        flip=config.flip,
        rescale=config.rescale,
        tone=config.tone,
    )
    samples = AugmentedMasks(data.samples["train"], how, seed)
    source = AugmentedSource(samples, config.training.batch_size, seed)

    def validate() -> Mapping[str, float]:
        model.eval()
        return use.evaluate(data, "valid").metrics

    return Built(
        objective=SegmentationObjective(class_weights(config, facts), dice=config.dice),
        source=OnDevice(Prefetched(source), device),
        validate=validate,
        selection=Selection("mean_iou", "max"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )
