"""What a user gets from a trained segmenter."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from shinso.data.image_batches import PixelScale
from shinso.data.mask_batches import MaskSamples
from shinso.data.mask_decoding import VOID, ClassTable
from shinso.data.masked_images import MaskedImages, Wanted, read_masked
from shinso.models.tiling import Tiling, in_bands, reach_px, tiling_for
from shinso.objectives.segmentation_scores import by_class, class_iou, counted, scores_of
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.label_scores import draw_confusion
from shinso.recipes.uses.mask_parts import SegmentData
from shinso.recipes.uses.mask_plots import (
    colours_of,
    draw_iou,
    draw_speed,
    draw_worst,
    overlay,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.segment import Config

AT_ONCE = 8
WORST = 6
TIMED_BATCHES, TIMED_ROUNDS = (1, 8), 3


class SegmentUse:
    """A trained segmenter."""

    better: Mapping[str, Literal["min", "max"]] = {
        "mean_iou": "max",
        "pixel_accuracy": "max",
        "class_accuracy": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.scale = PixelScale.from_dict(facts["pixel_scale"])
        self.table = ClassTable.of_facts(facts)
        self._tiling: Tiling | None = None

    def read_new(self, paths: Sequence[Path]) -> SegmentData:
        images = self._read(paths, needs_mask=True)
        return SegmentData({"new": MaskSamples(images, None, self.scale)}, images.notes)

    def _read(self, paths: Sequence[Path], *, needs_mask: bool) -> MaskedImages:
        from shinso.recipes.segment import parse_size

        wanted = Wanted(
            size_px=parse_size("size", self.config.size),
            channels=self.facts["channels"],
            table=self.table,
        )
        return read_masked(only_one(paths, "segment"), wanted, needs_mask=needs_mask)

    def evaluate(self, data: SegmentData, part: Part) -> Evaluation:
        samples = data.samples[part]
        table = np.zeros((len(self.table.names),) * 2, dtype=np.int64)
        loss, pixels = 0.0, 0
        for place, top, scores in self._scores(samples):
            truth = samples.masks[place][top : top + scores.shape[1]]
            table += counted(truth, scores.argmax(0).numpy().astype(np.uint8), len(table))
            lost, number = _loss(scores, truth)
            loss, pixels = loss + lost, pixels + number
        return self._evaluation(table, loss / max(pixels, 1))

    def _evaluation(self, table: np.ndarray, loss: float) -> Evaluation:
        names = self.table.names
        confused = [
            {"true": name, **dict(zip(names, map(int, row), strict=True))}
            for name, row in zip(names, table, strict=True)
        ]
        return Evaluation(
            metrics={**scores_of(table), "loss_nats": loss},
            details={"by_class": by_class(table, names), "confusion": confused},
        )

    def baselines(self, data: SegmentData, part: Part) -> dict[str, Evaluation]:
        """The commonest class everywhere, and at each place of the picture its own."""
        samples = data.samples[part]
        common = np.array(self.facts["commonest_at"], dtype=np.uint8)
        most = int(np.argmax(self.facts["class_pixels"]))
        tables = {name: np.zeros((len(self.table.names),) * 2, dtype=np.int64)
                  for name in ("commonest class", "commonest at the place")}  # fmt: skip
        for truth in samples.masks:
            answers = (np.full_like(truth, most), stretched(common, truth.shape))
            for name, answer in zip(tables, answers, strict=True):
                tables[name] += counted(truth, answer, len(self.table.names))
        return {
            name: Evaluation(
                metrics=scores_of(table), details={"by_class": by_class(table, self.table.names)}
            )
            for name, table in tables.items()
        }

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each image: its file, its size, the share of each class."""
        rows = []
        samples = self._new(paths)
        for place, answer in self.answers(samples):
            shares = np.bincount(answer.ravel(), minlength=len(self.table.names)) / answer.size
            rows.append((samples.names[place], *answer.shape, *map(float, shares)))
        columns = ("image", "height", "width", *(f"share({name})" for name in self.table.names))
        return Predictions(columns, rows)

    def pictures(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """Of each image the mask, an indexed PNG that holds the ids of the training masks, and the
        borders of its classes laid over the image."""
        samples = self._new(paths)
        for place, answer in self.answers(samples):
            name = re.sub(r"[^\w.-]+", "_", samples.names[place].rsplit(".", 1)[0])
            yield f"{name}-mask.png", self.mask_png(answer)
            yield f"{name}-overlay.png", overlay(samples.pixels[place], answer, self.colours)

    def _new(self, paths: Sequence[Path]) -> MaskSamples:
        return MaskSamples(self._read(paths, needs_mask=False), None, self.scale)

    def mask_png(self, answer: UInt8[np.ndarray, "height width"]) -> bytes:
        """Ids as in the training masks; of 16 bits where one needs them, else with a palette."""
        from PIL import Image

        ids = np.array(self.table.ids)
        if ids.max() > 255:
            picture = Image.fromarray(ids[answer].astype(np.uint16))
        else:
            picture = Image.fromarray(ids[answer].astype(np.uint8), mode="P")
            palette = np.zeros((256, 3), dtype=np.uint8)
            palette[ids] = self.colours
            picture.putpalette(palette.tobytes())
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    @property
    def colours(self) -> UInt8[np.ndarray, "class 3"]:
        return colours_of(self.table)

    def plots(
        self, data: SegmentData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        samples = data.samples[part]
        names = self.table.names
        total = np.zeros((len(names),) * 2, dtype=np.int64)
        rows, answers = [], {}
        for place, answer in self.answers(samples):
            one = counted(samples.masks[place], answer, len(names))
            total += one
            answers[place] = answer
            least = _least(class_iou(one), names)
            found = scores_of(one)
            rows.append((place, found["mean_iou"], found["pixel_accuracy"], *least))
        rows.sort(key=lambda row: row[1])
        shown = [row[0] for row in rows[:WORST]]
        worst = Predictions(
            ("image", "mean_iou", "pixel_accuracy", "worst class", "its iou"),
            [(samples.names[row[0]], *row[1:]) for row in rows],
        )
        pictures = [(samples.pixels[i], samples.masks[i], answers[i]) for i in shown]
        classes = by_class(total, names)
        iou = Predictions(tuple(classes[0]), [tuple(row.values()) for row in classes])
        confusion = Predictions(
            ("true \\ answered", *names),
            [(name, *map(int, row)) for name, row in zip(names, total, strict=True)],
        )
        speed = self._speed(samples)
        return {
            "iou": (lambda figure: draw_iou(iou, self.colours, figure), iou),
            "confusion": (lambda figure: draw_confusion(confusion, figure), confusion),
            "worst": (lambda figure: draw_worst(pictures, worst, self.colours, figure), worst),
            "speed": (lambda figure: draw_speed(speed, figure), speed),
        }

    def _speed(self, samples: MaskSamples) -> Predictions:
        """Frames a second on this machine as it is, one image at a time and several."""
        from shinso.models.frame_rate import frames_per_second
        from shinso.nn.multiply_adds import cost

        image = samples.image(0).to(self._device)
        counted_adds = cost(self.model, image).multiply_adds
        rows = []
        for batch in TIMED_BATCHES:
            images = image.expand(batch, -1, -1, -1)
            images = images.contiguous(memory_format=torch.channels_last)
            fps = frames_per_second(self.model, images, rounds=TIMED_ROUNDS)
            rows.append((batch, *image.shape[2:], counted_adds, torch.get_num_threads(), fps))
        return Predictions(
            ("batch", "height", "width", "multiply-adds an image", "threads", "frames/s"), rows
        )

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def answers(
        self, samples: MaskSamples
    ) -> Iterator[tuple[int, UInt8[np.ndarray, "height width"]]]:
        """The class of every pixel of each image, by its place among the samples."""
        bands: list[np.ndarray] = []
        for place, _top, scores in self._scores(samples):
            bands.append(scores.argmax(0).numpy().astype(np.uint8))
            if sum(map(len, bands)) == samples.pixels[place].shape[1]:
                yield place, np.concatenate(bands)
                bands = []

    def _scores(self, samples: MaskSamples) -> Iterator[tuple[int, int, Tensor]]:
        """The image's place among the samples, a first row and scores (class, rows, width) from it
        on. Neighbours of one size share a pass; an image above the limit comes in bands."""
        waiting: list[int] = []
        for place, pixels in enumerate(samples.pixels):
            large = max(pixels.shape[1:]) > self.config.tile_px
            other = waiting and samples.pixels[waiting[0]].shape != pixels.shape
            if large or other or len(waiting) == AT_ONCE:
                yield from self._together(samples, waiting)
                waiting = []
            if not large:
                waiting.append(place)
                continue
            top = 0
            for band in self._in_bands(samples, place):
                yield place, top, band
                top += band.shape[1]
        yield from self._together(samples, waiting)

    def _together(
        self, samples: MaskSamples, places: Sequence[int]
    ) -> Iterator[tuple[int, int, Tensor]]:
        if not places:
            return
        images = torch.cat([samples.image(place) for place in places])
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            scores = self.model(images.to(self._device)).float().cpu()
        for place, one in zip(places, scores, strict=True):
            yield place, 0, one

    def _in_bands(self, samples: MaskSamples, place: int) -> Iterator[Tensor]:
        pixels = samples.pixels[place]

        def window(rows: slice, columns: slice) -> Tensor:
            part = torch.from_numpy(np.ascontiguousarray(pixels[:, rows, columns]))
            return self.scale.apply(part[None]).to(self._device)

        height, width = pixels.shape[1:]
        return in_bands(self.model, window, height, width, self.tiling)

    @property
    def tiling(self) -> Tiling:
        """How large images are cut: worked out once from what the network reaches."""
        if self._tiling is None:
            stride = int(self.model.stride)  # pyright: ignore[reportArgumentType]
            reach = reach_px(self.model, channels=self.facts["channels"], stride=stride)
            self._tiling = tiling_for(self.config.tile_px, self.config.overlap_px, reach, stride)
        return self._tiling


def _loss(scores: Tensor, truth: np.ndarray) -> tuple[float, int]:
    """Sum of −log p of the right class over the pixels that count, and their number."""
    labels = torch.from_numpy(truth).long()
    counts = labels != VOID
    logs = scores.log_softmax(0).permute(1, 2, 0)[counts]
    return float(-logs.gather(1, labels[counts][:, None]).double().sum()), int(counts.sum())


def _least(iou: np.ndarray, names: Sequence[str]) -> tuple[str, float]:
    if np.isnan(iou).all():
        return "", 0.0
    place = int(np.nanargmin(iou))
    return names[place], float(iou[place])


def stretched(
    common: UInt8[np.ndarray, "row column"], shape: tuple[int, ...]
) -> UInt8[np.ndarray, "height width"]:
    """The class of each place of a small grid, at the size of an image."""
    rows, columns = (
        np.arange(length) * side // length for length, side in zip(shape, common.shape, strict=True)
    )
    return common[rows[:, None], columns]
