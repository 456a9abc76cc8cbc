"""Where a fine-tuned BERT begins: at a run of ``bert-pretrain``, or at published weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from shinso.data.wordpiece import WordPieces, read_vocabulary
from shinso.faults import DataFault, RunFault, UsageFault
from shinso.language import _
from shinso.models.published_bert import (
    load_published,
    lower_cased,
    published_size,
    settings_of,
)
from shinso.objectives.bert import PieceLabelObjective
from shinso.recipes.recipe import Built
from shinso.recipes.uses.label_training import build_labelled
from shinso.recipes.uses.starting_run import sized_as, starting_weights
from shinso.runs.files import read_yaml
from shinso.runs.folder import RunFolder
from shinso.training.loop import Selection

OURS = "bert-pretrain"


def pieces_of(start: Path) -> tuple[WordPieces, dict[str, Any]]:
    """The vocabulary of a start and its size as settings.

    Raises RunFault START-REFUSED for another task's run, or what reading the files raises.
    """
    if not (start / "status.json").is_file():
        if not start.is_dir():
            raise DataFault(
                "WEIGHTS-MISSING",
                place=str(start),
                found=_("no such folder"),
                next_step=_("give a run of bert-pretrain or a folder of published weights"),
            )
        size, num_pieces, _types = published_size(start)
        pieces = read_vocabulary(start / "vocab.txt", lower=True)
        pieces = WordPieces(pieces.pieces, lower_cased(start, pieces.pieces))
        if len(pieces) > num_pieces:
            raise DataFault(
                "WEIGHTS-MISMATCH",
                place=str(start / "vocab.txt"),
                found=_("{own} pieces, weights for {given}").format(
                    own=len(pieces), given=num_pieces
                ),
                why=_("the vocabulary does not belong to these weights"),
                next_step=_("give the vocab.txt that came with the weights"),
            )
        # Some weights have rows that no piece uses; they need names of their own.
        spare = [f"[spare{n}]" for n in range(num_pieces - len(pieces))]
        return WordPieces((*pieces.pieces, *spare), pieces.lower), settings_of(size)
    config = read_yaml(start / "config.yaml")
    if config.get("task") != OURS:
        raise RunFault(
            "START-REFUSED",
            place=str(start),
            found=_("a run of {task}").format(task=config.get("task")),
            why=_("only pre-trained networks can be begun with"),
            next_step="shinso train bert-pretrain TEXT",
        )
    facts = RunFolder.open(start).read_json("data.json")
    return WordPieces(tuple(facts["pieces"]), facts["lower"]), dict(config["model_settings"])


def begin_with(model: Any, start: Path) -> None:
    """Fill the network's BERT with the weights of a start."""
    if not (start / "status.json").is_file():
        load_published(model.bert, start)
        return
    weights = starting_weights(start)
    own = {
        name.removeprefix("bert."): value
        for name, value in weights.items()
        if name.startswith("bert.")
    }
    # Without the question of the next sentence, nothing looked at the whole text's vector, and its
    # layer begins anew; a tagger has no such layer.
    target = model.bert.state_dict()
    for name in target:
        if name.startswith("pool."):
            own.setdefault(name, target[name])
    own = {name: value for name, value in own.items() if name in target}
    _check_shapes(target, own, start)
    model.bert.load_state_dict(own)


def _check_shapes(
    targets: Mapping[str, Tensor], weights: Mapping[str, Tensor], start: Path
) -> None:
    for name, target in targets.items():
        if name not in weights or weights[name].shape != target.shape:
            found = tuple(weights[name].shape) if name in weights else "—"
            raise RunFault(
                "WEIGHTS-MISMATCH",
                place=f"{start}: {name}",
                found=_("the file has {found}, the network {own}").format(
                    found=found, own=tuple(target.shape)
                ),
                why=_("these weights belong to another size or vocabulary"),
                next_step=_("give the run that the data was read with"),
            )


def sized(network_config: Any, facts: Mapping[str, Any], longest: int) -> Any:
    """The network's settings with the size of the start that the data was read with; how much is
    dropped in training is no size and stays.

    UsageFault SETTING-REFUSED where another size was asked for, or texts are longer than the start's
    positions.
    """
    start = facts.get("start_size")
    found = sized_as(start, network_config, free=["dropout"])
    if found.positions < longest:
        if start:
            raise UsageFault(
                "SETTING-REFUSED",
                place="longest",
                found=_("{positions} positions for texts of {length} pieces").format(
                    positions=found.positions, length=longest
                ),
                next_step=_("give a smaller --longest"),
            )
        found = dataclasses.replace(found, positions=longest)
    return found


def build_started(config: Any, data: Any, model: nn.Module, use: Any, seed: int) -> Built:
    """The training of a BERT with labels.

    The metric that the table begins with selects, as in the paper (section 4.1). So many weights are
    soon sure of the few labels, and wrong answers cost more and more likelihood while right ones
    still increase: of 100 labels the likelihood would select the network that has learnt none.
    """
    metric = next(iter(use.better))
    return build_labelled(
        data.samples["train"],
        data,
        model,
        use,
        PieceLabelObjective(),
        batch_size=config.training.batch_size,
        seed=seed,
        selection=Selection(metric, use.better[metric]),
    )
