"""Classification of whole series: one label for each, whatever its length.

Place in the course: day 3, recurrent and bidirectional networks. Reads JSON lines, long CSV or wide
CSV. The split keeps every class in every part; the scaler is fitted on the train part only.

Measured results, with command, time and hardware: docs/results/labels.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.series_classes import ClassData, ClassUse

TITLE = Text("Classification of series", "系列の分類")
PLACE = Text("Day 3: recurrent and bidirectional networks", "3 日目: RNN、双方向 RNN")
READS = Text(
    'JSON lines {"series": [...], "label": "..."}; CSV with a row for each series (wide), '
    "or with a row for each time and a column that names the series (long, --group)",
    'JSON Lines {"series": [...], "label": "..."}。1 行が 1 系列の CSV (横持ち)、'
    "または 1 行が 1 時点で系列名の列をもつ CSV (縦持ち、--group)",
)
ABOUT = Text(
    "A recurrent network reads a series step by step, bidirectional ones from both ends; what it "
    "remembers is pooled and gives one score for each class. The majority class and a logistic "
    "regression stand beside it in every table.",
    "再帰型ネットワークが系列を 1 ステップずつ (双方向では両端から) 読み、記憶した内容を集約して"
    "クラスごとのスコアを出します。どの表にも、最多クラスとロジスティック回帰が並びます。",
)
NETWORK = "shinso.models.sequence_classifier:SequenceClassifier"
MODELS = {
    "gru": ModelChoice(NETWORK, {"cell": "gru", "bidirectional": False}),
    "lstm": ModelChoice(NETWORK, {"cell": "lstm", "bidirectional": False}),
    "rnn": ModelChoice(NETWORK, {"cell": "rnn", "bidirectional": False}),
    "bigru": ModelChoice(NETWORK, {"cell": "gru", "bidirectional": True}),
    "bilstm": ModelChoice(NETWORK, {"cell": "lstm", "bidirectional": True}),
    "birnn": ModelChoice(NETWORK, {"cell": "rnn", "bidirectional": True}),
    "wavenet": ModelChoice("shinso.models.wavenet_classifier:WaveNetClassifier"),
}
BRIEF = Brief(
    sample="digits.jsonl.gz",
    models=("rnn", "lstm", "gru", "bigru"),
    settings={"steps": 250, "evaluate_every": 50},
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train classify-series``."""

    label: str = setting("label", "column or key of the class")
    group: str = setting("", "column that names the series a row belongs to (long CSV)")
    time: str = setting("", "column of the time (long CSV)")
    target: tuple[str, ...] = setting((), "columns to read (long CSV); all numeric ones without")
    missing: Literal["fail", "drop"] = setting("fail", "rows with empty cells: fail, or drop aloud")
    split: str = setting("0.7,0.15,0.15", "shares of train, valid and test")
    split_seed: int = setting(0, "which samples fall into which part")
    model: str = setting("gru", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=600, batch_size=64, lr=3e-3, patience=6, evaluate_every=50
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        if self.split_seed < 0:
            raise ValueError(f"split_seed is {self.split_seed}; give 0 or more")


def read(config: Config, paths: Sequence[Path]) -> ClassData:
    """One file of labelled series. Raises DataFaults."""
    from shinso.recipes.uses.series_classes import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    sizes: dict[str, int] = {
        "num_channels": len(facts["channels"]), "num_classes": len(facts["class_names"]),
    }  # fmt: skip
    if config.model == "wavenet":
        sizes["longest"] = facts["lengths"][1]
    return network(network_config, **sizes)


def build(config: Config, data: ClassData, model: nn.Module, seed: int) -> Built:
    from shinso.objectives.classification import ClassificationObjective
    from shinso.recipes.uses.label_training import build_labelled

    return build_labelled(
        data.samples["train"],
        data,
        model,
        use(config, data.facts(), model),
        ClassificationObjective(),
        batch_size=config.training.batch_size,
        seed=seed,
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ClassUse:
    from shinso.recipes.uses.series_classes import ClassUse

    return ClassUse(config, facts, model)
