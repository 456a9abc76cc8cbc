"""What a user gets from a trained classifier of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from shinso.data.image_batches import ImageSamples, PixelScale
from shinso.data.image_decoding import Target
from shinso.data.labelled_images import read_images
from shinso.models.pixel_baselines import PixelBaselines
from shinso.objectives.calibration import reliability
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.image_parts import ImageData
from shinso.recipes.uses.image_plots import draw_reliability, draw_worst, overlay, reliability_table
from shinso.recipes.uses.label_scores import confusion, draw_confusion, label_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.classify_images import Config

AT_ONCE = 250
WORST = 24


class ImageUse:
    """A trained classifier of images."""

    # No system is the better one for its calibration error: who always says how often each class
    # occurs has almost none. What it is worth to be calibrated and to know is in the loss.
    better: Mapping[str, Literal["min", "max"]] = {
        "accuracy": "max",
        "macro_f1": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.scale = PixelScale.from_dict(facts["pixel_scale"])
        self.classes: list[str] = facts["class_names"]
        self.target = Target(facts["channels"], *facts["size_px"])

    def read_new(self, paths: Sequence[Path]) -> ImageData:
        return self._read(paths, needs_label=True)

    def _read(self, paths: Sequence[Path], *, needs_label: bool) -> ImageData:
        images = read_images(paths, like=self.target, needs_label=needs_label)
        if not needs_label:  # what a new folder is called is no label
            images = images.without_labels()
        samples = ImageSamples(images, None, self.scale, self.classes)
        return ImageData({"new": samples}, images.notes)

    def evaluate(self, data: ImageData, part: Part) -> Evaluation:
        samples = data.samples[part]
        return self._scores(self.probabilities(samples), samples)

    def _scores(
        self, probabilities: Float[np.ndarray, "sample class"], samples: ImageSamples
    ) -> Evaluation:
        scores = label_scores(probabilities, samples.labels, self.classes)
        error = reliability(probabilities, samples.labels).error
        metrics = {**scores.metrics, "calibration_error": error}
        return Evaluation(metrics=metrics, details=scores.details)

    def baselines(self, data: ImageData, part: Part) -> dict[str, Evaluation]:
        samples = data.samples[part]
        rivals = PixelBaselines.from_dict(self.facts["rivals"])
        shares = np.array(self.facts["class_shares"])
        answers = {
            "majority": np.tile(shares, (len(samples), 1)),
            **rivals.answers(samples.pixels),
        }
        return {name: self._scores(found, samples) for name, found in answers.items()}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each image: its file, the class, each class's probability."""
        samples = self._read(paths, needs_label=False).samples["new"]
        rows = [
            (name, self.classes[int(one.argmax())], *map(float, one))
            for name, one in zip(samples.names, self.probabilities(samples), strict=True)
        ]
        return Predictions(("image", "class", *(f"p({name})" for name in self.classes)), rows)

    def pictures(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """Each image beside where the network looked for its answer (Grad-CAM); a picture is called
        after its image and the answer."""
        from shinso.models.saliency import grad_cam

        samples = self._read(paths, needs_label=False).samples["new"]
        for begin in range(0, len(samples), AT_ONCE):
            chosen = np.arange(begin, min(begin + AT_ONCE, len(samples)))
            batch = samples.take(chosen)
            maps, found = grad_cam(self.model, batch.images.to(self._device))
            for place, saliency, one in zip(chosen, maps, found, strict=True):
                answer = self.classes[int(one.argmax())]
                name = samples.names[place].rsplit(".", 1)[0]
                content = overlay(samples.pixels[place].numpy(), saliency.cpu().numpy())
                yield re.sub(r"[^\w.-]+", "_", f"{name}-{answer}") + ".png", content

    def plots(
        self, data: ImageData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        samples = data.samples[part]
        probabilities = self.probabilities(samples)
        counts = confusion(probabilities.argmax(axis=1), samples.labels, self.classes)
        bins = reliability(probabilities, samples.labels)
        worst = self._worst(probabilities, samples)
        pictures = [samples.pixels[place].numpy() for place in worst]
        table = self._table(worst, probabilities, samples)
        return {
            "confusion": (lambda figure: draw_confusion(counts, figure), counts),
            "reliability": (lambda figure: draw_reliability(bins, figure), reliability_table(bins)),
            "worst": (lambda figure: draw_worst(pictures, table, figure), table),
        }

    def _worst(self, probabilities: np.ndarray, samples: ImageSamples) -> list[int]:
        """The images whose own class was given the least probability."""
        own = probabilities[np.arange(len(samples)), samples.labels]
        return np.argsort(own, kind="stable")[:WORST].tolist()

    def _table(
        self, chosen: Sequence[int], probabilities: np.ndarray, samples: ImageSamples
    ) -> Predictions:
        rows = []
        for place in chosen:
            answer, label = int(probabilities[place].argmax()), int(samples.labels[place])
            said = float(probabilities[place, answer])
            own = float(probabilities[place, label])
            rows.append(
                (samples.names[place], self.classes[label], self.classes[answer], said, own)
            )
        return Predictions(("image", "true", "answered", "p(answered)", "p(true)"), rows)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def probabilities(self, samples: ImageSamples) -> Float[np.ndarray, "sample class"]:
        """Of each class, in the order of the samples."""
        found = []
        with torch.no_grad():
            for batch in samples.batches(AT_ONCE):
                scores = self.model(batch.images.to(self._device))
                found.append(scores.double().softmax(-1).cpu())
        return torch.cat(found).numpy()
