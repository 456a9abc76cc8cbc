"""Pictures of detections: boxes over images, precision–recall curves, confusion, speed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from shinso.objectives.detection_scores import Answers, VocScores, envelope
from shinso.recipes.recipe import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
    (148, 103, 40), (90, 90, 90),
)  # fmt: skip
"""Told apart by colour-blind readers too; classes beyond the eighth begin anew."""
SMALLEST_PICTURE_PX = 320
CURVE_POINTS = 200


def overlay(
    pixels: UInt8[np.ndarray, "channel height width"],
    answers: Answers,
    classes: Sequence[str],
    truth: Answers | None = None,
) -> Any:
    """The image as an RGB picture with its answers, name and score at each; truths dotted in white
    and black. Small images are enlarged by a whole factor."""
    from PIL import Image, ImageDraw

    grey = len(pixels) == 1
    picture = Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0)).convert("RGB")
    factor = max(1, SMALLEST_PICTURE_PX // min(picture.size))
    picture = picture.resize((picture.width * factor, picture.height * factor), 0)
    draw = ImageDraw.Draw(picture)
    if truth is not None:
        for left, top, right, bottom in (truth.boxes_xyxy_px * factor).tolist():
            _dotted(draw, (left, top, right - 1, bottom - 1))
    for box, score, number in zip(
        answers.boxes_xyxy_px * factor, answers.scores, answers.classes, strict=True
    ):
        colour = COLOURS[int(number) % len(COLOURS)]
        left, top, right, bottom = (float(one) for one in box)
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), None, colour, 2)
        text = f"{classes[int(number)]} {score:.2f}"
        at = (left + 2, max(0.0, top - 11))
        draw.rectangle(draw.textbbox(at, text), fill=colour)
        draw.text(at, text, fill="white")
    return picture


def _dotted(draw: Any, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    for place, dark in ((0, True), (4, False)):
        colour = "black" if dark else "white"
        for x in np.arange(left + place, right, 8):
            for y in (top, bottom):
                draw.line((x, y, min(x + 3, right), y), fill=colour)
        for y in np.arange(top + place, bottom, 8):
            for x in (left, right):
                draw.line((x, y, x, min(y + 3, bottom)), fill=colour)


def png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def curve_table(found: VocScores, classes: Sequence[str]) -> Predictions:
    """Precision at each recall, and the best precision at that recall or more; of long curves every
    so-manieth point."""
    rows = []
    for name, precision, recall in zip(classes, found.precision, found.recall, strict=True):
        if len(recall) != len(precision):  # a class without truths
            continue
        best = envelope(precision)
        rows += [
            (name, float(recall[place]), float(precision[place]), float(best[place]))
            for place in range(0, len(precision), max(1, len(precision) // CURVE_POINTS))
        ]
    return Predictions(("class", "recall", "precision", "best precision"), rows)


def draw_curves(table: Predictions, ap: dict[str, float], figure: Figure) -> None:
    """Precision over recall of each class, and its envelope, whose area is the AP."""
    axes = figure.subplots()
    for place, (name, value) in enumerate(ap.items()):
        colour = np.array(COLOURS[place % len(COLOURS)]) / 255
        own = [row for row in table.rows if row[0] == name]
        recall = [row[1] for row in own]
        axes.plot(recall, [row[2] for row in own], color=colour, alpha=0.4, linewidth=1)
        axes.step(
            recall,
            [row[3] for row in own],
            where="pre",
            color=colour,
            label=f"{name} AP {value:.3f}",
        )
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("recall (IoU ≥ 0.5)")
    axes.set_ylabel("precision")
    axes.legend(frameon=False, fontsize=8)


def draw_table(pictures: Sequence[Any], titles: Sequence[str], figure: Figure) -> None:
    """Pictures side by side, three in a row."""
    columns = 3
    rows = max(1, -(-len(pictures) // columns))
    figure.set_size_inches(10, rows * 2.8)
    for axes in np.ravel(figure.subplots(rows, columns, squeeze=False)):
        axes.axis("off")
    for axes, picture, title in zip(figure.axes, pictures, titles, strict=False):
        axes.imshow(np.asarray(picture))
        axes.set_title(title, fontsize=7)


def draw_speed(table: Predictions, figure: Figure) -> None:
    """Images a second at each batch size."""
    axes = figure.subplots()
    names = [f"batch {row[0]}\n{row[1]} × {row[2]}" for row in table.rows]
    axes.bar(names, [row[3] for row in table.rows], color="#0072B2", width=0.5)
    axes.set_ylabel("images a second, suppression included")
