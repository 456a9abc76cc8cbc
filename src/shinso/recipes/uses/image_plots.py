"""Pictures of a classifier of images: reliability, its worst cases, overlays of saliency."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from shinso.objectives.calibration import Reliability
from shinso.recipes.recipe import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_IN = 1.2
COLUMNS = 6
RED_SHARE, OVERLAY_PX = 0.6, 160


def reliability_table(found: Reliability) -> Predictions:
    """A row for each bin that is not empty."""
    width = 1 / len(found.counts)
    rows = [
        (place * width, (place + 1) * width, int(count), float(said), float(right))
        for place, (count, said, right) in enumerate(
            zip(found.counts, found.said, found.right, strict=True)
        )
        if count
    ]
    return Predictions(("from", "to", "answers", "mean p", "right"), rows)


def draw_reliability(found: Reliability, figure: Figure) -> None:
    """Share of right answers over the probability given; the diagonal is honest."""
    axes = figure.subplots()
    full = found.counts > 0
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    axes.plot(found.said[full], found.right[full], "o-")
    for said, right, count in zip(
        found.said[full], found.right[full], found.counts[full], strict=True
    ):
        axes.annotate(
            str(count), (said, right), textcoords="offset points", xytext=(4, -10), size=7
        )
    axes.set_xlabel("probability of the class answered")
    axes.set_ylabel("share of right answers")
    axes.set_title(f"calibration error {found.error:.4f}", fontsize=10)


def show(axes: Axes, pixels: UInt8[np.ndarray, "channel height width"]) -> None:
    """An image without axes."""
    grey = len(pixels) == 1
    picture = pixels[0] if grey else pixels.transpose(1, 2, 0)
    axes.imshow(picture, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")


def draw_worst(
    pictures: Sequence[UInt8[np.ndarray, "channel height width"]],
    table: Predictions,
    figure: Figure,
) -> None:
    """The worst cases with what they are and what was answered."""
    rows = -(-len(pictures) // COLUMNS)
    figure.set_size_inches(COLUMNS * PICTURE_IN, rows * (PICTURE_IN + 0.45))
    grid = np.atleast_1d(figure.subplots(rows, COLUMNS, squeeze=False)).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, pixels, (_name, true, answered, said, _own) in zip(
        grid, pictures, table.rows, strict=False
    ):
        show(axes, pixels)
        axes.set_title(f"{true}\n→ {answered} {said:.2f}", fontsize=7)


def overlay(
    pixels: UInt8[np.ndarray, "channel height width"], saliency: Float[np.ndarray, "height width"]
) -> bytes:
    """A PNG of the image, and to its right the same with saliency laid over in red. Small images are
    enlarged by a whole factor, so that their pixels stay square."""
    from PIL import Image

    colours = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    plain = colours.transpose(1, 2, 0).astype(float)
    share = RED_SHARE * saliency[:, :, None]
    over = plain * (1 - share) + np.array([255.0, 0.0, 0.0]) * share
    both = np.concatenate([plain, over], axis=1).round().astype(np.uint8)
    factor = max(1, OVERLAY_PX // min(pixels.shape[1:]))
    both = both.repeat(factor, axis=0).repeat(factor, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(both).save(buffer, "PNG")
    return buffer.getvalue()
