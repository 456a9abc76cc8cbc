"""Images with boxes as samples and batches: resized to the network's input, boxes with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from shinso.data.image_batches import PixelScale
from shinso.data.labelled_boxes import BoxedImage

CACHED_BYTES = 1_500_000_000
"""Decoded images kept in memory; those beyond are decoded again whenever they are needed."""


class BoxBatch(NamedTuple):
    """images: standardized, channels last in memory. boxes: in pixels of the network's input, rows
    beyond an image's own have class −1. ignored: neither object nor background."""

    images: Float[Tensor, "batch channel height width"]
    boxes_xyxy_px: Float[Tensor, "batch most 4"]
    classes: Int[Tensor, "batch most"]
    ignored: Bool[Tensor, "batch most"]

    def to(self, device: torch.device | str) -> BoxBatch:
        return BoxBatch(*(part.to(device, non_blocking=True) for part in self))


class View(NamedTuple):
    """What a network is shown of one image, and the boxes in it; crowds count as ignored."""

    pixels: UInt8[np.ndarray, "channel height width"]
    boxes_xyxy_px: Float[np.ndarray, "box 4"]
    classes: Int[np.ndarray, " box"]
    ignored: Bool[np.ndarray, " box"]


def seen_through(
    pixels: UInt8[np.ndarray, "channel height width"],
    window_xyxy_px: tuple[float, float, float, float],
    size_px: tuple[int, int],
    fill: Sequence[int],
) -> UInt8[np.ndarray, "channel new_height new_width"]:
    """The window of the image, brought to ``size_px`` (height, width); where the window lies beyond
    the image it is filled with a colour."""
    from PIL import Image

    height, width = size_px
    left, top, right, bottom = window_xyxy_px
    across, down = width / (right - left), height / (bottom - top)
    # Whole pixels of the result that show the image, and what of the image they show.
    x0, y0 = max(0, round(-left * across)), max(0, round(-top * down))
    x1 = min(width, round((pixels.shape[2] - left) * across))
    y1 = min(height, round((pixels.shape[1] - top) * down))
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    shown = (
        max(0.0, left + x0 / across),
        max(0.0, top + y0 / down),
        min(float(pixels.shape[2]), left + x1 / across),
        min(float(pixels.shape[1]), top + y1 / down),
    )
    part = picture.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=shown)
    drawn = np.asarray(part, dtype=np.uint8)
    drawn = drawn[None] if drawn.ndim == 2 else drawn.transpose(2, 0, 1)
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return np.ascontiguousarray(drawn)
    found = np.empty((len(pixels), height, width), dtype=np.uint8)
    found[:] = np.array(fill, dtype=np.uint8)[:, None, None]
    found[:, y0:y1, x0:x1] = drawn
    return found


class BoxedSamples:
    """Some images with their boxes, resized as a whole: sides are stretched where they must be."""

    def __init__(
        self, images: Sequence[BoxedImage], size_px: tuple[int, int], scale: PixelScale
    ) -> None:
        """size_px: height and width of the network's input. scale: its means are the channels."""
        self.images, self.size_px, self.scale = tuple(images), size_px, scale
        self._decoded: dict[int, UInt8[np.ndarray, "channel height width"]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, place: int) -> UInt8[np.ndarray, "channel height width"]:
        """Of the whole image, as it is."""
        found = self._decoded.get(place)
        if found is None:
            found = self.images[place].pixels(len(self.scale.mean))
            with self._lock:
                if self._bytes + found.nbytes <= CACHED_BYTES:
                    self._decoded[place] = found
                    self._bytes += found.nbytes
        return found

    def view(self, place: int) -> View:
        """The whole image in the network's size."""
        one = self.images[place]
        whole = (0.0, 0.0, float(one.width), float(one.height))
        pixels = seen_through(self.pixels(place), whole, self.size_px, self.fill)
        factors = np.array([self.size_px[1] / one.width, self.size_px[0] / one.height] * 2)
        return View(pixels, one.boxes_xyxy_px * factors, one.classes, one.ignored | one.crowd)

    @property
    def fill(self) -> list[int]:
        return [round(mean) for mean in self.scale.mean]

    def take(self, indices: Int[np.ndarray, " batch"]) -> BoxBatch:
        return batch_of([self.view(int(place)) for place in indices], self.scale)

    def batches(self, batch_size: int) -> Iterator[BoxBatch]:
        """All samples in order, as they are."""
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))


def batch_of(
    views: Sequence[View],
    scale: PixelScale,
    *,
    images: Float[Tensor, "batch channel height width"] | None = None,
) -> BoxBatch:
    """images: standardized pixels where they were changed on the way."""
    most = max(1, *(len(view.classes) for view in views))
    boxes = torch.zeros(len(views), most, 4)
    classes = torch.full((len(views), most), -1, dtype=torch.long)
    ignored = torch.zeros(len(views), most, dtype=torch.bool)
    for row, view in enumerate(views):
        count = len(view.classes)
        boxes[row, :count] = torch.from_numpy(view.boxes_xyxy_px)
        classes[row, :count] = torch.from_numpy(view.classes)
        ignored[row, :count] = torch.from_numpy(view.ignored)
    if images is None:
        images = scale.apply(torch.from_numpy(np.stack([view.pixels for view in views])))
    return BoxBatch(images, boxes, classes, ignored)
