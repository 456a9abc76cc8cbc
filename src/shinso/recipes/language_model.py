"""A language model: which token comes next.

Place in the course: day 4, from recurrent networks to the Transformer. Reads plain text; tokens are
characters, pieces of words, or words. What a user keeps continues a text (``shinso generate``) and
says how likely one is.

Measured results, with command, time and hardware: docs/results/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.next_tokens import LanguageUse
    from shinso.recipes.uses.token_data import LanguageData

TITLE = Text("Language model", "言語モデル")
PLACE = Text("Day 4: language models", "4 日目: 言語モデル")
READS = Text(
    "plain UTF-8 text, gzipped or not; a line is a sentence or a paragraph",
    "UTF-8 のプレーンテキスト (gzip 可)。1 行が 1 文または 1 段落",
)
ABOUT = Text(
    "The network reads a text and gives every token that could follow a probability. Its loss is the "
    "cross entropy of the token that did. Tokens are words, pieces of words or characters, and a "
    "perplexity a word is not one a character: bits_per_char compares them (N tokens of perplexity P "
    "on C characters: N log2 P / C). Beside it stand how often each token occurs, and interpolated "
    "Kneser–Ney n-grams, which were the best there was before neural networks.",
    "ネットワークは文章を読み、次に来るトークンの確率分布を出します。損失は、実際に来たトークンの交差"
    "エントロピーです。トークンは単語、部分語、文字のいずれかで、単語あたりと文字あたりのパープレキシティは"
    "比べられません。bits_per_char なら比べられます (C 文字を N 個のトークンとして読み、パープレキシティが "
    "P なら N log2 P / C)。表には、トークンの出現頻度と、ニューラル以前の最良の方法だった補間 Kneser–Ney "
    "n-gram が並びます。",
)
RECURRENT = "shinso.models.recurrent_language_model:RecurrentLanguageModel"
MODELS = {
    "lstm": ModelChoice(RECURRENT, {"cell": "lstm"}),
    "gru": ModelChoice(RECURRENT, {"cell": "gru"}),
    "rnn": ModelChoice(RECURRENT, {"cell": "rnn"}),
    "transformer": ModelChoice("shinso.models.transformer_language_model:TransformerLanguageModel"),
}
BRIEF = Brief(
    sample="connecticut_yankee.txt.gz",
    models=("lstm",),
    settings={
        **{"level": "character", "split": "0.96,0.02,0.02", "steps": 150, "evaluate_every": 50},
        **{"batch_size": 16, "window": 32, "layers": 1, "lr": 1e-2, "ngram": 4},
    },
)
PRESETS: dict[str, dict[str, Any]] = {
    # Penn Treebank, small (Zaremba et al. 2014), with tied embeddings.
    "ptb-small": {
        **{"level": "word", "min_count": 1, "batch_size": 20, "window": 35, "hidden": 200},
        **{"layers": 2, "dropout": 0.25, "lr": 4e-3, "schedule": "one-cycle", "steps": 13_300},
        **{"evaluate_every": 1330, "clip_norm": 1.0, "weight_decay": 1e-5, "sampled": 1200},
    },
    # The same size for 40 epochs of plain gradient descent, as pytorch/examples trained it.
    "ptb-tied": {
        **{"level": "word", "min_count": 1, "batch_size": 20, "window": 35, "hidden": 200},
        **{"layers": 2, "dropout": 0.2, "variational": False, "optimizer": "sgd", "momentum": 0.0},
        **{"lr": 20.0, "schedule": "cosine", "steps": 53_200, "evaluate_every": 1330},
        **{"clip_norm": 0.25, "weight_decay": 0.0, "sampled": 1200},
    },
    # Merity et al. 2018, 24 M parameters. Meant for an accelerator.
    "ptb-awd": {
        **{"level": "word", "min_count": 1, "batch_size": 20, "window": 70, "hidden": 1150},
        **{"layers": 3, "embed": 400, "dropout": 0.4, "dropout_token": 0.1, "dropout_weight": 0.5},
        **{"lr": 2e-3, "schedule": "cosine", "steps": 330_000, "evaluate_every": 1000},
        **{"clip_norm": 0.25, "weight_decay": 1.2e-6, "average": 0.9995, "activity": 2.0},
        **{"slowness": 1.0},
    },
    # Characters of Shakespeare on two cores.
    "shakespeare": {
        **{"level": "character", "min_count": 1, "split": "0.9,0.05,0.05", "batch_size": 32},
        **{"window": 128, "hidden": 320, "layers": 2, "embed": 64, "tied": False},
        **{"dropout": 0.25, "lr": 4e-3, "schedule": "one-cycle", "steps": 2000},
        **{"evaluate_every": 250, "weight_decay": 1e-3},
    },
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train language-model``."""

    level: Literal["word", "piece", "character"] = setting("word", "what a token is")
    pieces: int = setting(4000, "how many pieces sentencepiece learns (level piece)")
    min_count: int = setting(2, "words or characters that occur less often are unknown")
    valid: tuple[Path, ...] = setting((), "the text of the valid part, where it is split already")
    test: tuple[Path, ...] = setting((), "the text of the test part, where it is split already")
    split: str = setting("0.9,0.05,0.05", "shares of train, valid and test, in the text's order")
    window: int = setting(35, "steps through which a gradient flows back")
    ngram: int = setting(5, "order of the Kneser–Ney rival")
    activity: float = setting(0.0, "weight of the outputs' mean square in the loss (AR)")
    slowness: float = setting(0.0, "weight of the outputs' change a step in the loss (TAR)")
    sampled: int = setting(0, "tokens drawn for the softmax in training; 0 takes all")
    model: str = setting("lstm", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=20, lr=3e-3, schedule="one-cycle", evaluate_every=200
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (
            ("pieces", 10), ("min_count", 1), ("window", 2), ("ngram", 1), ("sampled", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        for name in ("activity", "slowness"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if bool(self.valid) != bool(self.test):
            raise ValueError(f"valid is {self.valid}, test is {self.test}; give both or none")

    def unread(self) -> dict[str, str]:
        other = "min_count" if self.level == "piece" else "pieces"
        return {**given_parts(self, "split"), other: f"--level {self.level}"}


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Settings of ``shinso generate`` with a language model."""

    length: int = setting(200, "tokens to make")
    temperature: float = setting(1.0, "below 1 the likely gets likelier; 0 takes the likeliest")
    top_k: int = setting(0, "only so many of the likeliest tokens; 0: all")
    top_p: float = setting(1.0, "only the likeliest tokens that share this probability")
    rival: bool = setting(False, "let the Kneser–Ney n-grams write instead of the network")
    seed: int = setting(0, "which text is made")

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length is {self.length}; give at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; give a number from 0 on")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; give 0 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; give more than 0 and at most 1")


def read(config: Config, paths: Sequence[Path]) -> LanguageData:
    """One text, or three. Raises DataFaults."""
    from shinso.recipes.uses.token_data import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(network_config, num_tokens=len(facts["codec"]["tokens"]))


def build(config: Config, data: LanguageData, model: nn.Module, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.data.token_windows import WindowSource
    from shinso.objectives.language_modelling import LanguageModelObjective
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    source = WindowSource(
        data.parts["train"], batch_size=config.training.batch_size, time=config.window, seed=seed
    )
    scoring = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        model.eval()
        return scoring.evaluate(data, "valid").metrics

    return Built(
        objective=LanguageModelObjective(
            activity=config.activity,
            slowness=config.slowness,
            drawn=config.sampled,
            counts=data.counts,
        ),
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("loss_nats"),
        overfit=lambda number: OnDevice(source.first(number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> LanguageUse:
    from shinso.recipes.uses.next_tokens import LanguageUse

    return LanguageUse(config, facts, model)
