"""Augmentation that moves boxes with the pixels, as SSD does it (Liu et al. 2016, 2.2 and 3.6).

Every number is drawn from (seed, epoch, index of the image), so that an image is changed alike
whichever thread does it, and a resumed run goes on bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shinso.data.boxed_batches import BoxBatch, BoxedSamples, View, batch_of, seen_through

LEAST_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
TRIES = 30
LEAST_VISIBLE_PX = 2.0
TONE_SHIFT, TONE_RANGE, HUE_RAD = 32.0, 0.5, 0.31  # 18 degrees

Window = tuple[float, float, float, float]


@final
@dataclass(frozen=True, kw_only=True)
class BoxAugmentation:
    """How much images are changed.

    mirror: left and right, for half of them. upside_down: top and bottom too. zoom_out: up to how
    many times as wide as the image half of the views are; 1: none. smallest_crop: least side of a
    part that is cut out, as a share of the image's; 1: none. tone: of brightness, contrast, colour,
    0 to 1.
    """

    mirror: bool = True
    upside_down: bool = False
    zoom_out: float = 1.0
    smallest_crop: float = 1.0
    tone: float = 0.0


class AugmentedBoxes:
    """Samples that are changed anew in every epoch."""

    def __init__(self, samples: BoxedSamples, how: BoxAugmentation, seed: int) -> None:
        self.samples, self.how, self.seed = samples, how, seed

    def __len__(self) -> int:
        return len(self.samples)

    def take_in(self, indices: Int[np.ndarray, " batch"], epoch: int) -> BoxBatch:
        """The batch of these images as they look in this epoch."""
        views, tones = [], []
        for place in indices:
            rng = np.random.default_rng([self.seed, epoch, int(place)])
            views.append(self._view(int(place), rng))
            tones.append(rng)
        scale = self.samples.scale
        if not self.how.tone:
            return batch_of(views, scale)
        pixels = torch.from_numpy(np.stack([view.pixels for view in views])).float()
        for row, rng in enumerate(tones):
            pixels[row] = toned(pixels[row], self.how.tone, rng)
        return batch_of(views, scale, images=scale.apply(pixels))

    def _view(self, place: int, rng: np.random.Generator) -> View:
        one = self.samples.images[place]
        boxes, how = one.boxes_xyxy_px, self.how
        window: Window = (0.0, 0.0, float(one.width), float(one.height))
        if how.zoom_out > 1 and rng.random() < 0.5:
            window = zoomed_out(window, how.zoom_out, rng)
        if how.smallest_crop < 1:
            window = cropped(window, boxes, how.smallest_crop, rng)
        size = self.samples.size_px
        pixels = seen_through(self.samples.pixels(place), window, size, self.samples.fill)
        moved, kept = moved_boxes(boxes, window, size)
        flips = [how.mirror and rng.random() < 0.5, how.upside_down and rng.random() < 0.5]
        if flips[0]:
            pixels = pixels[:, :, ::-1]
            moved[:, [0, 2]] = size[1] - moved[:, [2, 0]]
        if flips[1]:
            pixels = pixels[:, ::-1]
            moved[:, [1, 3]] = size[0] - moved[:, [3, 1]]
        hidden = (one.ignored | one.crowd)[kept]
        return View(pixels, moved[kept], one.classes[kept], hidden)


def zoomed_out(window: Window, most: float, rng: np.random.Generator) -> Window:
    """A window up to ``most`` times as wide and high, the image somewhere in it."""
    ratio = rng.uniform(1.0, most)
    width, height = window[2] - window[0], window[3] - window[1]
    left = window[0] - rng.uniform(0, ratio - 1) * width
    top = window[1] - rng.uniform(0, ratio - 1) * height
    return left, top, left + ratio * width, top + ratio * height


def cropped(
    window: Window,
    boxes: Float[np.ndarray, "box 4"],
    smallest: float,
    rng: np.random.Generator,
) -> Window:
    """A part of the window that holds the centre of an object and overlaps one by at least what is
    drawn; for one view of seven, or where none is found, the window itself."""
    choice = int(rng.integers(len(LEAST_OVERLAPS) + 1))
    if choice == len(LEAST_OVERLAPS):
        return window
    width, height = window[2] - window[0], window[3] - window[1]
    for _ in range(TRIES):
        across, down = rng.uniform(smallest, 1, 2)
        if not 0.5 <= across / down <= 2:
            continue
        left = window[0] + rng.uniform(0, 1 - across) * width
        top = window[1] + rng.uniform(0, 1 - down) * height
        part = (left, top, left + across * width, top + down * height)
        if not len(boxes):
            return part
        if (
            _centres_in(boxes, part).any()
            and _overlaps(boxes, part).max() >= LEAST_OVERLAPS[choice]
        ):
            return part
    return window


def _centres_in(boxes: Float[np.ndarray, "box 4"], window: Window) -> np.ndarray:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return (x > window[0]) & (x < window[2]) & (y > window[1]) & (y < window[3])


def _overlaps(boxes: Float[np.ndarray, "box 4"], window: Window) -> np.ndarray:
    """Intersection over union of each box with the window."""
    low = np.maximum(boxes[:, :2], window[:2])
    high = np.minimum(boxes[:, 2:], window[2:])
    common = (high - low).clip(min=0).prod(1)
    own = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    whole = (window[2] - window[0]) * (window[3] - window[1])
    return common / (own + whole - common)


def moved_boxes(
    boxes: Float[np.ndarray, "box 4"], window: Window, size_px: tuple[int, int]
) -> tuple[Float[np.ndarray, "box 4"], np.ndarray]:
    """Boxes in pixels of the view (height, width), cut to it, and which of them remain: those whose
    centre is in the window and of which something can be seen."""
    factors = np.array(
        [size_px[1] / (window[2] - window[0]), size_px[0] / (window[3] - window[1])] * 2
    )
    moved = (boxes - np.array([window[0], window[1]] * 2)) * factors
    moved = moved.clip(min=0, max=np.array([size_px[1], size_px[0]] * 2))
    seen = (moved[:, 2:] - moved[:, :2]).min(axis=1, initial=np.inf) >= LEAST_VISIBLE_PX
    return moved, _centres_in(boxes, window) & seen


def toned(
    pixels: Float[Tensor, "channel height width"], strength: float, rng: np.random.Generator
) -> Float[Tensor, "channel height width"]:
    """Brightness, contrast, and of colours saturation and hue, each for half of the images."""
    draws = rng.uniform(-strength, strength, 4)
    chosen = rng.random(4) < 0.5
    if chosen[0]:
        pixels = pixels + float(draws[0]) * TONE_SHIFT
    if chosen[1]:
        pixels = pixels * (1 + TONE_RANGE * float(draws[1]))
    if len(pixels) == 3 and (chosen[2] or chosen[3]):
        saturation = 1 + TONE_RANGE * float(draws[2]) if chosen[2] else 1.0
        turn = HUE_RAD * float(draws[3]) if chosen[3] else 0.0
        matrix = _colour_matrix(saturation, turn).to(pixels)
        pixels = (matrix @ pixels.reshape(3, -1)).view_as(pixels)
    return pixels.clamp(0, 255)


def _colour_matrix(saturation: float, turn_rad: float) -> Float[Tensor, "3 3"]:
    """Colours turned and stretched around grey, in the plane of chroma (NTSC's YIQ)."""
    to_yiq = torch.tensor(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]],
        dtype=torch.float64,
    )
    cos, sin = np.cos(turn_rad) * saturation, np.sin(turn_rad) * saturation
    around = torch.tensor([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]], dtype=torch.float64)
    return torch.linalg.inv(to_yiq) @ around @ to_yiq
