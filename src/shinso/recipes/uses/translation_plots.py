"""Pictures of a translator: where it looks, and how it does on long sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from shinso.data.parallel_batches import padded
from shinso.data.parallel_text import ParallelText
from shinso.data.subwords import BEGIN, END, Subwords
from shinso.language import _
from shinso.recipes.recipe import Predictions
from shinso.recipes.uses.translation_scores import scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plot = tuple[Callable[["Figure"], None], Predictions]
GROUPS = 5  # of sentences of like length
DRAWN = 3  # sentences whose alignment is drawn
WORDS = range(6, 17)  # source subwords of a sentence that is worth drawing


def length_plot(
    pairs: ParallelText, answers: Sequence[str], subwords: Subwords, tokenize: str
) -> Plot:
    """BLEU of equally large groups of sentences, the short ones first."""
    lengths = np.array([len(one) for one in subwords.encode(pairs.source)])
    rows: list[tuple[Any, ...]] = []
    for group in np.array_split(np.argsort(lengths, kind="stable"), min(GROUPS, len(lengths))):
        group_answers = [str(answers[i]) for i in group.tolist()]
        bleu = scores(group_answers, [pairs.target[i] for i in group.tolist()], tokenize)
        rows.append(
            (int(lengths[group].min()), int(lengths[group].max()), len(group), bleu["bleu"])
        )
    table = Predictions(("shortest", "longest", "sentences", "bleu"), rows)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = [f"{row[0]}–{row[1]}" for row in rows]
        axes.plot(range(len(rows)), [row[3] for row in rows], "o-", color="#0072B2")
        axes.set_xticks(range(len(rows)), names)
        axes.set_xlabel(_("subwords of the source"))
        axes.set_ylabel("BLEU")
        axes.set_ylim(bottom=0)

    return draw, table


def alignment_plots(
    model: nn.Module,
    subwords: tuple[Subwords, Subwords],
    pairs: ParallelText,
    answers: Sequence[str],
) -> dict[str, Plot]:
    """Where the model looked while it wrote some of its answers; nothing without attention."""
    encoded = subwords[0].encode(pairs.source)
    chosen = [i for i, one in enumerate(encoded) if len(one) in WORDS and answers[i]][:DRAWN]
    capacity = getattr(model, "capacity", None)
    most = None if capacity is None else capacity - 1  # the sign of begin takes a position too
    plots = {}
    for number, place in enumerate(chosen or range(min(1, len(encoded))), 1):
        written = subwords[1].encode([answers[place]])[0][:most]
        weights = alignment(model, encoded[place], written)
        if weights is None:
            return {}
        left = [*subwords[0].spelled(encoded[place]), "</s>"]
        right = [*subwords[1].spelled(written), "</s>"]
        plots[f"alignment-{number}"] = _heat_map(weights, left, right)
    return plots


@torch.no_grad()
def alignment(model: nn.Module, source: list[int], target: list[int]) -> np.ndarray | None:
    """Weights of each source word while each word of the target, and its end, is written."""
    device = next(model.parameters()).device
    left, _lengths = padded([[*source, END]])
    right, _lengths = padded([[BEGIN, *target]])
    weights = model.alignment(left.to(device), None, right.to(device))  # pyright: ignore[reportCallIssue]
    return None if weights is None else weights[0].cpu().numpy()


def _heat_map(weights: np.ndarray, left: list[str], right: list[str]) -> Plot:
    rows = [
        (i + 1, written, j + 1, read, float(weights[i, j]))
        for i, written in enumerate(right)
        for j, read in enumerate(left)
    ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.grid(visible=False)
        axes.set_xticks(range(len(left)), left, rotation=60, ha="right")
        axes.set_yticks(range(len(right)), right)
        axes.set_xlabel(_("source"))
        axes.set_ylabel(_("translation"))
        figure.colorbar(image, ax=axes, label=_("weight"))

    return draw, Predictions(("step", "written", "place", "read", "weight"), rows)
