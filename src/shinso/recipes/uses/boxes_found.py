"""What a user gets from a trained detector."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.data.boxed_batches import BoxedSamples
from shinso.data.image_batches import PixelScale
from shinso.data.labelled_boxes import read_boxes
from shinso.objectives.detection_scores import Answers, Truths, evaluate_voc
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.box_parts import BoxData, check_boxes
from shinso.recipes.uses.box_pictures import (
    curve_table,
    draw_curves,
    draw_speed,
    draw_table,
    overlay,
    png,
)
from shinso.recipes.uses.box_scores import box_scores, confusion_table, counts_of, surer
from shinso.recipes.uses.label_scores import draw_confusion
from shinso.recipes.uses.prior_boxes import PriorBoxes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.detect import Config

AT_ONCE = 8
WORST = 9
TIMED_BATCHES, TIMED_ROUNDS = (1, 8), 5
COLUMNS = ("image", "class", "score", "left_px", "top_px", "right_px", "bottom_px")


class BoxUse:
    """A trained detector."""

    better: Mapping[str, Literal["min", "max"]] = {
        "map_50": "max",
        "map_50_95": "max",
        "map_75": "max",
        "map_50_voc": "max",
        "precision": "max",
        "recall": "max",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.scale = PixelScale.from_dict(facts["pixel_scale"])
        self.classes: list[str] = facts["class_names"]
        self.size_px: tuple[int, int] = (facts["size_px"][0], facts["size_px"][1])
        self.priors = PriorBoxes.from_dict(facts["rivals"])

    def read_new(self, paths: Sequence[Path]) -> BoxData:
        return self._read(paths, needs_boxes=True)

    def _read(self, paths: Sequence[Path], *, needs_boxes: bool) -> BoxData:
        found = read_boxes(
            paths,
            faulty=self.config.faulty,
            counts_from=self.config.counts_from,
            classes=self.classes,
            channels=self.facts["channels"],
            needs_boxes=needs_boxes,
        )
        if needs_boxes:
            check_boxes(found.images, found.path, "new")
        samples = BoxedSamples(found.images, self.size_px, self.scale)
        return BoxData({"new": samples}, found.notes)

    def evaluate(self, data: BoxData, part: Part) -> Evaluation:
        samples = data.samples[part]
        return self._scores(self.answers(samples), samples)

    def _scores(self, answers: Sequence[Answers], samples: BoxedSamples) -> Evaluation:
        return box_scores(answers, truths_of(samples), self.classes, self.config.score)

    def baselines(self, data: BoxData, part: Part) -> dict[str, Evaluation]:
        samples = data.samples[part]
        every = [self.priors.answers(one) for one in samples.images]
        return {
            name: self._scores([answers[name] for answers in every], samples) for name in every[0]
        }

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each box, the surest of an image first; an image in which nothing was found has
        one row without a box."""
        samples = self._read(paths, needs_boxes=False).samples["new"]
        rows: list[tuple[Any, ...]] = []
        for one, found in zip(samples.images, self.answers(samples), strict=True):
            shown = surer(found, self.config.score)
            for box, score, number in zip(
                shown.boxes_xyxy_px, shown.scores, shown.classes, strict=True
            ):
                edges = (round(float(edge), 2) for edge in box)
                rows.append((one.name, self.classes[int(number)], float(score), *edges))
            if not len(shown.scores):
                rows.append((one.name, "", None, None, None, None, None))
        return Predictions(COLUMNS, rows)

    def pictures(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """Each image with the boxes found in it."""
        samples = self._read(paths, needs_boxes=False).samples["new"]
        for place, found in enumerate(self.answers(samples)):
            shown = surer(found, self.config.score)
            name = samples.images[place].name.rsplit(".", 1)[0]
            content = png(overlay(samples.pixels(place), shown, self.classes))
            yield re.sub(r"[^\w.-]+", "_", name) + ".png", content

    def plots(
        self, data: BoxData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        samples = data.samples[part]
        answers, truths = self.answers(samples), truths_of(samples)
        voc = evaluate_voc(answers, truths, len(self.classes))
        curves = curve_table(voc, self.classes)
        ap = {
            name: float(value)
            for name, value in zip(self.classes, voc.ap, strict=True)
            if not np.isnan(value)
        }
        counts = confusion_table(answers, truths, self.classes, self.config.score)
        square = Predictions(counts.columns, counts.rows)
        worst, pictures = self._worst(samples, answers, truths)
        titles = [f"{row[0]}: {row[1]} missed, {row[2]} wrong" for row in worst.rows]
        speed = self.speed()
        return {
            "precision_recall": (lambda figure: draw_curves(curves, ap, figure), curves),
            "confusion": (lambda figure: draw_confusion(square, figure), counts),
            "worst": (lambda figure: draw_table(pictures, titles, figure), worst),
            "speed": (lambda figure: draw_speed(speed, figure), speed),
        }

    def _worst(
        self, samples: BoxedSamples, answers: Sequence[Answers], truths: Sequence[Truths]
    ) -> tuple[Predictions, list[Any]]:
        """The images with the most errors, missed objects and wrong answers alike; truths dotted."""
        rows = []
        for place, (said, true) in enumerate(zip(answers, truths, strict=True)):
            shown = surer(said, self.config.score)
            counts = counts_of(shown, true, len(self.classes))
            missed = int(counts[:-1, -1].sum())
            wrong = int(counts[:, :-1].sum() - np.diag(counts)[:-1].sum())
            rows.append((samples.images[place].name, missed, wrong, len(true.classes), place))
        rows.sort(key=lambda row: (-(row[1] + row[2]), row[0]))
        pictures = []
        for *_counts, place in rows[:WORST]:
            true = truths[place]
            drawn = Answers(true.boxes_xyxy_px, np.ones(len(true.classes)), true.classes)
            shown = surer(answers[place], self.config.score)
            pictures.append(overlay(samples.pixels(place), shown, self.classes, drawn))
        table = Predictions(
            ("image", "missed", "wrong", "boxes"), [row[:4] for row in rows[:WORST]]
        )
        return table, pictures

    def speed(self) -> Predictions:
        """Images a second of the network and suppression together, by the time that passes; the
        median of a few rounds. Decoding and resizing are not in it."""
        shape = (len(self.scale.mean), *self.size_px)
        threads = torch.get_num_threads()
        rows = []
        for batch in TIMED_BATCHES:
            images = torch.zeros(batch, *shape, device=self._device)
            images = images.contiguous(memory_format=torch.channels_last)
            seconds = []
            for _ in range(TIMED_ROUNDS + 1):  # the first prepares kernels
                began = time.perf_counter()
                self._detect(images)
                if self._device.type == "cuda":
                    torch.cuda.synchronize(self._device)
                seconds.append(time.perf_counter() - began)
            rate = batch / statistics.median(seconds[1:])
            rows.append((batch, shape[1], shape[2], rate, self._device.type, threads))
        names = ("batch", "height_px", "width_px", "images_per_s", "device", "threads")
        return Predictions(names, rows)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _detect(self, images: torch.Tensor) -> Any:
        detect = self.model.detect
        assert callable(detect)
        return detect(images, iou_threshold=self.config.suppress)

    def answers(self, samples: BoxedSamples) -> list[Answers]:
        """Boxes in pixels of each image itself."""
        found = []
        for batch in samples.batches(AT_ONCE):
            for one in self._detect(batch.images.to(self._device)):
                image = samples.images[len(found)]
                factors = np.array(
                    [image.width / self.size_px[1], image.height / self.size_px[0]] * 2
                )
                boxes = one.boxes_xyxy_px.double().cpu().numpy() * factors
                found.append(
                    Answers(boxes, one.scores.double().cpu().numpy(), one.classes.cpu().numpy())
                )
        return found


def truths_of(samples: BoxedSamples) -> list[Truths]:
    """What is in each image, in its own pixels."""
    return [
        Truths(one.boxes_xyxy_px, one.classes, one.ignored, one.crowd, one.area_px2)
        for one in samples.images
    ]
