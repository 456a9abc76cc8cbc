"""Pictures of a segmenter: IoU of each class, borders laid over images, frames per second."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from shinso.data.mask_decoding import VOID, ClassTable
from shinso.recipes.recipe import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_IN = 2.4
SHARE = 0.45
SMALLEST_PX = 160


def colours_of(table: ClassTable) -> UInt8[np.ndarray, "class 3"]:
    """The table's colours; without them hues that lie apart, each next one at another lightness."""
    if table.colours:
        return np.array([[one >> 16, one >> 8 & 255, one & 255] for one in table.colours], np.uint8)
    count = len(table.names)
    found = []
    for number in range(count):
        # Multiples of the golden ratio stay apart from all earlier ones.
        hue, light = number * 0.618034 % 1.0, (0.5, 0.35, 0.68)[number % 3]
        found.append([round(255 * one) for one in colorsys.hls_to_rgb(hue, light, 0.85)])
    return np.array(found, dtype=np.uint8)


def borders(mask: UInt8[np.ndarray, "height width"]) -> np.ndarray:
    """True where the pixel to the right or below is of another class."""
    found = np.zeros(mask.shape, dtype=bool)
    found[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    found[:-1] |= mask[:-1] != mask[1:]
    return found


def laid_over(
    pixels: UInt8[np.ndarray, "channel height width"],
    mask: UInt8[np.ndarray, "height width"],
    colours: UInt8[np.ndarray, "class 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with the colour of each class laid over it and drawn in full at its borders; void
    stays as it is."""
    picture = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    plain = picture.transpose(1, 2, 0).astype(float)
    known = mask != VOID
    colour = colours[np.where(known, mask, 0)].astype(float)
    share = np.where(known, np.where(borders(mask), 1.0, SHARE), 0.0)[:, :, None]
    return (plain * (1 - share) + colour * share).round().astype(np.uint8)


def overlay(
    pixels: UInt8[np.ndarray, "channel height width"],
    mask: UInt8[np.ndarray, "height width"],
    colours: UInt8[np.ndarray, "class 3"],
) -> bytes:
    """A PNG of the image with the classes over it; small ones are enlarged by a whole factor."""
    from PIL import Image

    picture = laid_over(pixels, mask, colours)
    factor = max(1, SMALLEST_PX // min(picture.shape[:2]))
    buffer = io.BytesIO()
    Image.fromarray(picture.repeat(factor, axis=0).repeat(factor, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()


def draw_iou(table: Predictions, colours: UInt8[np.ndarray, "class 3"], figure: Figure) -> None:
    """A bar for each class, with its share of the pixels beside its name."""
    total = sum(row[1] for row in table.rows) or 1
    axes = figure.subplots()
    names = [f"{name} ({pixels / total:.1%})" for name, pixels, *_rest in table.rows]
    values = [row[2] if row[2] is not None else 0.0 for row in table.rows]
    places = np.arange(len(names))
    axes.barh(places, values, color=colours / 255.0, edgecolor="0.3", linewidth=0.5)
    for place, value in enumerate(values):
        axes.text(value + 0.01, place, f"{value:.3f}", va="center", fontsize=8)
    known = [row[2] for row in table.rows if row[2] is not None]
    axes.axvline(float(np.mean(known)), color="0.3", linestyle="--", linewidth=1)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("intersection over union (dashed: mean)")
    axes.set_ylabel("class (share of pixels)")


def draw_worst(
    pictures: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    table: Predictions,
    colours: UInt8[np.ndarray, "class 3"],
    figure: Figure,
) -> None:
    """The images with the least mean IoU: what they are (above) and what was answered (below)."""
    height, width = pictures[0][1].shape
    figure.set_size_inches(
        len(pictures) * PICTURE_IN * width / height * 0.8, 2 * (PICTURE_IN * 0.8 + 0.35)
    )
    grid = figure.subplots(2, len(pictures), squeeze=False)
    for column, (pixels, truth, answer) in enumerate(pictures):
        for axes, mask in zip(grid[:, column], (truth, answer), strict=True):
            axes.imshow(laid_over(pixels, mask, colours), interpolation="nearest")
            axes.grid(False)
            axes.set_xticks([])
            axes.set_yticks([])
        name, mean, _right, worst, least = table.rows[column]
        grid[0, column].set_title(str(name).rsplit("/", 1)[-1], fontsize=6)
        grid[1, column].set_title(f"IoU {mean:.2f}; {worst} {least:.2f}", fontsize=7)
    grid[0, 0].set_ylabel("true")
    grid[1, 0].set_ylabel("answered")


def draw_speed(table: Predictions, figure: Figure) -> None:
    """Frames a second by batch size."""
    axes = figure.subplots()
    names = [f"batch {row[0]}\n{row[1]} × {row[2]}" for row in table.rows]
    values = [row[-1] for row in table.rows]
    axes.bar(range(len(names)), values, width=0.5)
    for place, value in enumerate(values):
        axes.text(place, value, f"{value:.1f}", ha="center", va="bottom")
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("frames per second")
    threads, adds = table.rows[0][4], table.rows[0][3]
    axes.set_title(f"{adds / 1e6:,.0f} M multiply-adds an image, threads: {threads}", fontsize=9)
