"""BERT's pre-training: from raw text alone, by guessing hidden pieces of words.

Place in the course: day 4, BERT. Reads plain text. What a user keeps is a network that
``classify-text`` and ``tag-text`` start from, and that fills in [MASK].

Measured results, with command, time and hardware: docs/results/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.hidden_data import HiddenData
    from shinso.recipes.uses.hidden_pieces import HiddenUse

TITLE = Text("BERT, pre-training from raw text", "BERT の事前学習 (生のテキストから)")
PLACE = Text("Day 4: BERT", "4 日目: BERT")
READS = Text(
    "plain UTF-8 text, gzipped or not; a line is a paragraph or a sentence",
    "UTF-8 のプレーンテキスト (gzip 可)。1 行が 1 段落または 1 文",
)
ABOUT = Text(
    "WordPiece cuts the text into pieces of words; some are hidden, and a Transformer that reads both "
    "ways guesses them from what stands around. No label is needed. With --next-sentence it also "
    "guesses whether one half of a stretch follows the other. Beside it stands guessing the commonest "
    "piece. Fine-tune with: shinso train classify-text DATA --start RUN",
    "WordPiece でテキストを部分語に分け、一部を隠し、両方向を読む Transformer が前後から当てます。ラベルは"
    "要りません。--next-sentence を付けると、後半が前半に続くかどうかも当てます。表には、最も多い部分語を"
    "答える方法が並びます。ファインチューニング: shinso train classify-text DATA --start RUN",
)
MODELS = {"bert": ModelChoice("shinso.models.bert:BertPretraining")}
BRIEF = Brief(
    sample="connecticut_yankee.txt.gz",
    models=("bert",),
    settings={
        **{"vocabulary": 800, "length": 32, "steps": 60, "evaluate_every": 20, "batch_size": 16},
        **{"width": 48, "layers": 1, "heads": 2, "inner": 96, "positions": 32, "lr": 3e-3},
        **{"split": "0.96,0.02,0.02", "next_sentence": True},
    },
)
PRESETS: dict[str, dict[str, Any]] = {
    # BERT "mini" on the 2 million words of WikiText-2, in short texts: about eight times each.
    "wikitext2": {
        **{"vocabulary": 8000, "length": 64, "batch_size": 32, "lr": 1e-3, "warmup": 400},
        **{"steps": 10_000, "evaluate_every": 500, "width": 256, "layers": 4, "heads": 4},
        **{"inner": 1024, "positions": 64, "dropout": 0.0},
    },
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train bert-pretrain``."""

    vocabulary: int = setting(8000, "pieces of the vocabulary that is learnt from the text")
    vocabulary_file: Path | None = setting(None, "a vocab.txt to use instead")
    lower: bool = setting(True, "whether capitals count as small letters, and accents do not count")
    length: int = setting(128, "pieces of a training text, signs included")
    hidden_share: float = setting(0.15, "share of the words that are hidden")
    whole_words: bool = setting(True, "hide all pieces of a word or none")
    next_sentence: bool = setting(False, "also guess whether the second half follows the first")
    split: str = setting("0.98,0.01,0.01", "shares of train, valid and test, in the text's order")
    model: str = setting("bert", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=16, lr=5e-4, schedule="linear", warmup=10,
        betas=(0.9, 0.98), weight_decay=0.01, evaluate_every=200,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        if self.vocabulary < 50:
            raise ValueError(f"vocabulary is {self.vocabulary}; give at least 50")
        if self.length < 8:
            raise ValueError(f"length is {self.length}; give at least 8")
        if not 0 < self.hidden_share < 1:
            raise ValueError(f"hidden_share is {self.hidden_share}; give a share between 0 and 1")

    def unread(self) -> dict[str, str]:
        return {} if self.vocabulary_file is None else {"vocabulary": "--vocabulary-file"}


def read(config: Config, paths: Sequence[Path]) -> HiddenData:
    """One text. Raises DataFaults."""
    from shinso.recipes.uses.hidden_data import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.faults import UsageFault
    from shinso.language import _

    if network_config.positions < config.length:
        raise UsageFault(
            "SETTING-REFUSED",
            place="positions",
            found=_("{positions} positions for texts of {length} pieces").format(
                positions=network_config.positions, length=config.length
            ),
            next_step=_("give positions={length}, or a smaller --length").format(
                length=config.length
            ),
        )
    return network(
        network_config, num_pieces=len(facts["pieces"]), next_sentence=config.next_sentence
    )


def build(config: Config, data: HiddenData, model: nn.Module, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.data.piece_batches import HidingSource
    from shinso.objectives.bert import HiddenPiecesObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    source = HidingSource(
        data.parts["train"], config.training.batch_size, seed,
        share=config.hidden_share, whole_words=config.whole_words,
    )  # fmt: skip
    guessing = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        model.eval()
        return guessing.evaluate(data, "valid").metrics

    return Built(
        objective=HiddenPiecesObjective(),
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("hidden_nats"),
        overfit=lambda number: OnDevice(source.first(number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> HiddenUse:
    from shinso.recipes.uses.hidden_pieces import HiddenUse

    return HiddenUse(config, facts, model)
