"""Look before you train: one batch, overfitting a few samples, the learning-rate range test."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from shinso.cli.terminal import Terminal, print_columns
from shinso.faults import GateFault, UsageFault
from shinso.language import _
from shinso.runs.folder import SeedFolder
from shinso.training.find_lr import find_lr
from shinso.training.gradient import GradientLearner
from shinso.training.loop import Selection, run_loop
from shinso.walk.order import Order, with_workers
from shinso.walk.preparing import Prepared, prepare

OVERFIT_SHARE = 0.05
"""Overfitting is shown when the loss fell below this share of what it was."""


def probe(order: Order, read: argparse.Namespace) -> int:
    """Run the probe that was asked for; no run folder is made."""
    order = with_workers(order, 1)  # a look needs no others
    data = order.recipe.read(order.config, order.paths)
    with closing(prepare(order, data, data.facts(), order.seeds[0])) as ready:
        if read.one_batch:
            return _one_batch(ready, as_json=read.json)
        if read.find_lr:
            return _find_lr(order, ready, as_json=read.json)
        return _overfit(order, ready, read.overfit)


def _one_batch(ready: Prepared, *, as_json: bool) -> int:
    batch = ready.built.source.next_batch()
    scalars = {name: float(value) for name, value in ready.learner.step(batch).items()}
    shapes = dict(_shapes(batch))
    if as_json:
        print(json.dumps({"batch": shapes, "scalars": scalars}))
        return 0
    print_columns([(_("batch"), _("shape")), *shapes.items()])
    print_columns([(_("step"), _("value")), *[(n, f"{v:.6g}") for n, v in scalars.items()]])
    return 0


def _shapes(batch: Any) -> list[tuple[str, str]]:
    if dataclasses.is_dataclass(batch):
        parts = [(f.name, getattr(batch, f.name)) for f in dataclasses.fields(batch)]
    elif hasattr(batch, "_asdict"):
        parts = list(batch._asdict().items())
    elif isinstance(batch, Mapping):
        parts = list(batch.items())
    else:
        parts = [(str(i), part) for i, part in enumerate(batch)]
    return [
        (str(name), f"{tuple(part.shape)} {str(part.dtype).removeprefix('torch.')}")
        for name, part in parts
        if isinstance(part, torch.Tensor)
    ]


def _find_lr(order: Order, ready: Prepared, *, as_json: bool) -> int:
    if not isinstance(ready.learner, GradientLearner):
        raise UsageFault(
            "PROBE-REFUSED",
            place="--find-lr",
            found=_("this system does not learn by gradient steps"),
            next_step=_("train it without --find-lr"),
        )
    found = find_lr(
        ready.learner.model, ready.built.objective, ready.built.source, order.config.training
    )
    if as_json:
        print(json.dumps(dataclasses.asdict(found)))
        return 0
    every = max(1, len(found.lrs) // 20)
    rows = [
        (f"{lr:.2e}", f"{loss:.4g}", f"{change:+.2g}")
        for lr, loss, change in zip(found.lrs, found.losses, found.changes, strict=True)
    ]
    head = ("lr", _("smoothed loss"), _("against no learning"))
    print_columns([head, *rows[::every]])
    if found.suggestion is None:
        print(
            _(
                "the loss never clearly fell, so no rate is recommended; check the data with "
                "--one-batch, or train at the default and look beside the baselines"
            )
        )
    else:
        print(_("the loss falls fastest at --lr {lr:.1e}").format(lr=found.suggestion))
    return 0


def _overfit(order: Order, ready: Prepared, num_samples: int) -> int:
    if num_samples < 1 or ready.built.overfit is None:
        raise UsageFault(
            "PROBE-REFUSED",
            place=f"--overfit {num_samples}",
            found=_("this task cannot be limited to that many samples"),
            next_step=_("give a number of samples, at least 1"),
        )
    training = order.config.training
    source = ready.built.overfit(num_samples)
    losses: list[float] = []

    class Watching(Terminal):
        def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
            losses.append(scalars["loss"])
            super().on_step(step, steps, scalars)

        def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
            pass

    with tempfile.TemporaryDirectory() as folder:
        run_loop(
            ready.learner,
            source,
            dataclasses.replace(training, patience=0),
            SeedFolder(Path(folder), order.seeds[0]),
            validate=lambda: {"step": 0.0},
            selection=Selection("step"),
            keep_best=lambda: None,
            progress=Watching(),
        )
    first, last = losses[0], min(losses)
    print(_("loss {first:.4g} → {last:.4g}").format(first=first, last=last))
    if last > OVERFIT_SHARE * first:
        raise GateFault(
            "OVERFIT-FAILED",
            place=f"--overfit {num_samples}",
            found=_("the loss fell to {share:.0%} of its start").format(share=last / first),
            why=_("a network that cannot learn {n} samples by heart will not learn more").format(
                n=num_samples
            ),
            next_step=_("try more --steps, another --lr (--find-lr), or check the labels"),
        )
    return 0
