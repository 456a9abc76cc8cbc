"""What a user gets from a trained classifier of series, and its naive rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.data.labelled_batches import LabelledBatch, LabelledSamples
from shinso.data.labelled_series import LabelledRoles, LabelledSeries, read_labelled_series
from shinso.data.scaling import Standardizer
from shinso.data.stratified import duplicates_across, parse_shares, stratified_split
from shinso.models.summary_regression import SummaryRegression
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.label_scores import confusion, draw_confusion, label_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.classify_series import Config


@dataclass(frozen=True)
class ClassData:
    """Labelled series, scaled by their train part, as samples of each part."""

    series: LabelledSeries
    samples: Mapping[Part, LabelledSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.series.facts(), "notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path]) -> ClassData:
    """Read, split, scale; fit the rivals on the train part."""
    path = only_one(paths, "classify-series")
    series = read_labelled_series(path, _roles(config), missing=config.missing)
    shares = parse_shares(config.split)
    parts = stratified_split(
        series.labels, shares, config.split_seed, path=path, places=series.places
    )
    train = [series.values[i] for i in parts["train"]]
    scaler = Standardizer.fit(series.channels, train)
    samples: dict[Part, LabelledSamples] = {
        part: LabelledSamples(series, rows, scaler, series.classes) for part, rows in parts.items()
    }
    labels = samples["train"].labels
    regression = SummaryRegression.fit(
        [scaler.apply(one) for one in train], labels, len(series.classes)
    )
    shares_of_classes = np.bincount(labels, minlength=len(series.classes)) / len(labels)
    extra = {
        "class_names": list(series.classes),
        "split": f"{config.split} seed {config.split_seed}",
        "part_samples": {part: len(found) for part, found in samples.items()},
        "scaler": scaler.to_dict(),
        "class_shares": shares_of_classes.tolist(),
        "regression": regression.to_dict(),
    }
    notes = (*series.notes, *scaler.notes, *duplicates_across(series.contents(), parts))
    return ClassData(series, samples, notes, extra)


def _roles(config: Config) -> LabelledRoles:
    return LabelledRoles(
        label=config.label,
        group=config.group or None,
        time=config.time or None,
        target=config.target,
    )


class ClassUse:
    """A trained classifier of series."""

    better: Mapping[str, Literal["min", "max"]] = {
        "accuracy": "max",
        "macro_f1": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.scaler = Standardizer.from_dict(facts["scaler"])
        self.classes: list[str] = facts["class_names"]

    def read_new(self, paths: Sequence[Path]) -> ClassData:
        return self._read(paths, needs_label=True)

    def _read(self, paths: Sequence[Path], *, needs_label: bool) -> ClassData:
        series = read_labelled_series(
            only_one(paths, "classify-series"), _roles(self.config),
            needs_label=needs_label, missing=self.config.missing,
        )  # fmt: skip
        samples = LabelledSamples(series, None, self.scaler, self.classes)
        return ClassData(series, {"new": samples}, series.notes)

    def evaluate(self, data: ClassData, part: Part) -> Evaluation:
        samples = data.samples[part]
        return label_scores(self._probabilities(samples), samples.labels, self.classes)

    def baselines(self, data: ClassData, part: Part) -> dict[str, Evaluation]:
        samples = data.samples[part]
        shares = np.array(self.facts["class_shares"])
        regression = SummaryRegression.from_dict(self.facts["regression"])
        values = [
            one[:length].numpy().astype(float)
            for batch in samples.batches(256)
            for one, length in zip(batch.values, batch.lengths, strict=True)
        ]
        answers = {
            "majority": np.tile(shares, (len(samples), 1)),
            "logistic regression": regression.probabilities(values),
        }
        return {
            name: label_scores(found, samples.labels, self.classes)
            for name, found in answers.items()
        }

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each series: its place in the file, the class, each class's probability."""
        data = self._read(paths, needs_label=False)
        found = self._probabilities(data.samples["new"])
        rows = [
            (place, self.classes[int(one.argmax())], *map(float, one))
            for place, one in zip(data.series.places, found, strict=True)
        ]
        return Predictions(("series", "class", *(f"p({name})" for name in self.classes)), rows)

    def plots(
        self, data: ClassData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        samples = data.samples[part]
        answers = self._probabilities(samples).argmax(axis=1)
        table = confusion(answers, samples.labels, self.classes)
        return {"confusion": (lambda figure: draw_confusion(table, figure), table)}

    def _probabilities(self, samples: LabelledSamples) -> np.ndarray:
        device = next(self.model.parameters()).device
        found = []
        with torch.no_grad():
            for batch in samples.batches(256):
                moved: LabelledBatch = batch.to(device)
                found.append(self.model(moved.values, moved.lengths).softmax(-1).double().cpu())
        return torch.cat(found).numpy()
