"""Images of a recipe read, split and described: the data side of ``classify-images``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from shinso.data.image_batches import ImageSamples, PixelScale
from shinso.data.image_decoding import Target
from shinso.data.labelled_images import LabelledImages, read_images
from shinso.data.splits import SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, stratified_split
from shinso.faults import DataFault
from shinso.language import _
from shinso.models.pixel_baselines import PixelBaselines
from shinso.recipes.recipe import Part

if TYPE_CHECKING:
    from shinso.recipes.classify_images import Config


@dataclass(frozen=True)
class ImageData:
    """Images as samples of each part."""

    samples: Mapping[Part, ImageSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {"notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path], said: Sequence[str] = ()) -> ImageData:
    """Read, split; pixel scale and rivals from the train part. said: further notes."""
    images = read_images(paths, px=config.image_px)
    target = Target(images.channels, *images.size_px)
    given: dict[Part, LabelledImages] = {}
    if config.valid:
        given["valid"] = read_images(config.valid, like=target)
    if config.test:
        given["test"] = read_images(config.test, like=target)
    parts = _split(config, images, set(given))
    classes = images.classes
    if len(classes) < 2:
        raise DataFault(
            "DATA-ONE-CLASS",
            place=str(images.path),
            found=", ".join(classes) or _("no label"),
            why=_("there is nothing to tell apart"),
            next_step=_("give images of at least two classes"),
        )
    chosen = images.pixels[parts["train"]]
    scale = PixelScale.fit(chosen)
    samples: dict[Part, ImageSamples] = {
        part: ImageSamples(images, rows, scale, classes) for part, rows in parts.items()
    }
    for part, more in given.items():
        samples[part] = ImageSamples(more, None, scale, classes)
    train = samples["train"]
    rivals = PixelBaselines.fit(train.pixels, train.labels, len(classes), seed=config.split_seed)
    counts: dict[Part, np.ndarray] = {
        part: np.bincount(found.labels, minlength=len(classes)) for part, found in samples.items()
    }
    extra = {
        **images.facts(),
        "class_names": list(classes),
        "split": _split_text(config),
        "part_samples": {part: len(found) for part, found in samples.items()},
        "part_sha256": {part: more.sha256 for part, more in given.items()},
        "pixel_scale": scale.to_dict(),
        "class_shares": (counts["train"] / counts["train"].sum()).tolist(),
        "rivals": rivals.to_dict(),
    }
    if given:  # a run that goes on must find these files unchanged too
        every = [images.sha256, *(more.sha256 for more in given.values())]
        extra["sha256"] = hashlib.sha256("".join(every).encode()).hexdigest()
    notes = [*said, *images.notes, *_rare(counts, classes), *_twice(samples)]
    notes += [f"{part}: {note}" for part, more in given.items() for note in more.notes]
    return ImageData(samples, tuple(notes), extra)


def _split(
    config: Config, images: LabelledImages, given: set[Part]
) -> dict[SplitPart, Int[np.ndarray, " sample"]]:
    """Parts that are not given are drawn from the images; the shares of given ones go to the rest."""
    train, valid, test = parse_shares(config.split)
    if len(given) == 2:
        return {"train": np.arange(len(images))}
    if not given:
        return stratified_split(
            images.labels, (train, valid, test), config.split_seed,
            path=images.path, places=images.names,
        )  # fmt: skip
    drawn: SplitPart = "valid" if "test" in given else "test"
    share = valid if drawn == "valid" else test
    return two_parts(images, float(share / (train + share)), drawn, config.split_seed)


def two_parts(
    images: LabelledImages, share: float, drawn: SplitPart, seed: int
) -> dict[SplitPart, Int[np.ndarray, " sample"]]:
    """``share`` of each class goes into ``drawn``, the rest into train, which keeps at least one; a
    class of one image is in train alone."""
    labels = np.array(images.labels)
    rng = np.random.default_rng(seed)
    apart: list[int] = []
    for label in images.classes:
        members = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * share)), len(members) - 1)
        apart += members[:count].tolist()
    chosen = np.sort(np.array(apart, dtype=np.int64))
    if not len(chosen):
        raise DataFault(
            "DATA-TOO-SHORT",
            place=str(images.path),
            found=_("{count} samples").format(count=len(images)),
            why=_("every class has one image, so none can be kept for the {part} part").format(
                part=drawn
            ),
            next_step=_("give more images of a class"),
        )
    return {"train": np.setdiff1d(np.arange(len(images)), chosen), drawn: chosen}


def _split_text(config: Config) -> str:
    parts = [f"{config.split} seed {config.split_seed}"]
    parts += [
        f"{name}: {', '.join(map(str, paths))}"
        for name, paths in (("valid", config.valid), ("test", config.test))
        if paths
    ]
    return "; ".join(parts)


def _rare(counts: Mapping[Part, np.ndarray], classes: Sequence[str]) -> list[str]:
    """Notes on classes that a part lacks, and on those with a single image to learn from."""
    notes = []
    for part, found in counts.items():
        missing = [name for name, count in zip(classes, found, strict=True) if not count]
        if missing:
            notes.append(
                _("the {part} part has no image of {classes}; nothing is known of these").format(
                    part=part, classes=", ".join(missing)
                )
            )
    single = [name for name, count in zip(classes, counts["train"], strict=True) if count == 1]
    if single:
        notes.append(
            _("one image to learn from: {classes}; do not trust answers on these").format(
                classes=", ".join(single)
            )
        )
    return notes


def _twice(samples: Mapping[Part, ImageSamples]) -> list[str]:
    """Notes on images that stand in the train part too, byte by byte."""
    hashes: list[bytes] = []
    parts: dict[SplitPart, np.ndarray] = {}
    for part in ("train", "valid", "test"):
        rows = samples[part].pixels.flatten(1).numpy()
        begin = len(hashes)
        hashes += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        parts[part] = np.arange(begin, len(hashes))
    return duplicates_across(hashes, parts)
