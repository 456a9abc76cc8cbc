"""Translation: a sentence of one language becomes one of another.

Place in the course: day 3, Seq2Seq and attention; day 4, Transformer. Reads pairs of sentences as
TSV, as two line-aligned files or as JSON lines. Words are cut into subwords learnt from the train
part, which the run keeps.

Measured results, with command, time and hardware: docs/results/translation.md.
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

    from shinso.recipes.uses.translations import TranslationData, TranslationUse

TITLE = Text("Translation", "翻訳")
PLACE = Text(
    "Day 3: Seq2Seq, attention; day 4: Transformer",
    "3 日目: Seq2Seq、注意機構。4 日目: Transformer",
)
READS = Text(
    "lines of source TAB target; two files of which line i of one translates line i of the other; "
    'JSON lines {"source": "…", "target": "…"}',
    "1 行に「原文 TAB 訳文」、行が対応する 2 つのファイル、または JSON Lines "
    '{"source": "…", "target": "…"}',
)
ABOUT = Text(
    "An encoder reads the sentence, a decoder writes its translation subword by subword: recurrent "
    "with one fixed vector between them, recurrent with attention, or a Transformer. Beam search "
    "looks for the likeliest translation. BLEU and chrF by sacrebleu. Beside it in every table stand "
    "the untranslated source (copy) and each subword by itself turned into the one it goes with most "
    "often (unigram: IBM model 1).",
    "エンコーダが文を読み、デコーダが訳文をサブワード単位で書きます。両者を固定長ベクトル 1 本でつなぐ RNN、"
    "注意機構つきの RNN、Transformer から選べます。訳文はビームサーチで探し、BLEU と chrF は sacrebleu で"
    "測ります。どの表にも、原文のまま (copy) と、サブワードを 1 つずつ最も対応しやすいものに置き換えた訳 "
    "(unigram: IBM モデル 1) が並びます。",
)
RECURRENT = "shinso.models.seq2seq:Seq2Seq"
MODELS = {
    "transformer": ModelChoice("shinso.models.transformer:Transformer"),
    "luong": ModelChoice(RECURRENT, {"attention": "luong"}),
    "bahdanau": ModelChoice(RECURRENT, {"attention": "bahdanau"}),
    "seq2seq": ModelChoice(RECURRENT, {"attention": "none"}),
}
UNSHOWN_FACTS = ("subwords", "profiles", "word_table")
SETTINGS_OF_USE = ("beams", "length_penalty")
BRIEF = Brief(
    sample="dates.en-ja.tsv",
    models=("luong", "transformer"),
    settings={
        "vocabulary": 300, "tokenize": "char", "batch_tokens": 600, "steps": 250, "lr": 5e-3,
        "warmup": 10, "average": 0.98, "schedule": "linear", "evaluate_every": 50, "beams": 2,
        "encoder_layers": 1, "decoder_layers": 1,
    },
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train translate``."""

    source: str = setting("", "name of the source column or key, where the file names them")
    target: str = setting("", "name of the target column or key, where the file names them")
    valid: tuple[Path, ...] = setting((), "file or pair of files of the valid part")
    test: tuple[Path, ...] = setting((), "file or pair of files of the test part")
    split: str = setting("0.9,0.05,0.05", "shares of train, valid and test where none are given")
    split_seed: int = setting(0, "which pairs fall into which part")
    vocabulary: int = setting(5000, "subwords of the target, or of both languages where joint")
    source_vocabulary: int = setting(0, "subwords of the source where not joint; 0: as the target")
    joint: bool = setting(True, "one subword vocabulary for both languages")
    subwords: Literal["bpe", "unigram"] = setting("bpe", "how words are cut")
    longest: int = setting(200, "train pairs with more subwords on a side are left out, aloud")
    batch_tokens: int = setting(4096, "places on both sides a step; batch_size limits it too")
    label_smoothing: float = setting(0.1, "share of the target given to all words alike")
    own_words: float = setting(
        0.0, "share of steps, at the end, that a recurrent decoder is fed its own last word"
    )
    beams: int = setting(5, "translations kept while searching; 1: greedy")
    length_penalty: float = setting(1.0, "how far longer translations are favoured")
    tokenize: Literal["13a", "none", "char", "intl", "zh"] = setting(
        "13a", "what sacrebleu counts as words; none: the text's own blanks"
    )
    model: str = setting("transformer", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training,
        steps=5000,
        batch_size=1024,
        lr=2e-3,
        betas=(0.9, 0.98),
        warmup=400,
        average=0.999,
        evaluate_every=500,
        checkpoint_every=500,
    )

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name, least in (
            ("split_seed", 0), ("vocabulary", 8), ("source_vocabulary", 0), ("longest", 1),
            ("batch_tokens", 1), ("beams", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; give 0 up to below 1")
        if not 0 <= self.own_words <= 1:
            raise ValueError(f"own_words is {self.own_words}; give a share from 0 to 1")
        if self.own_words and self.model == "transformer":
            raise ValueError("own_words feeds a recurrent decoder; choose another model or give 0")
        if self.length_penalty < 0:
            raise ValueError(f"length_penalty is {self.length_penalty}; give 0 or more")
        if bool(self.valid) != bool(self.test):
            raise ValueError("valid and test come together; give both, or neither and a split")
        if self.source_vocabulary and self.joint:
            raise ValueError("source_vocabulary is for joint=false; give vocabulary alone")
        if self.source and self.source == self.target:
            raise ValueError(f"source and target are both {self.source!r}; name two columns")

    def unread(self) -> dict[str, str]:
        found = given_parts(self, "split", "split_seed")
        if self.beams == 1:
            found["length_penalty"] = "beams=1"
        return found


def read(config: Config, paths: Sequence[Path]) -> TranslationData:
    """Pairs of sentences and their parts. Raises DataFaults."""
    from shinso.recipes.uses.translations import read_parts

    return read_parts(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    sizes = facts["vocabulary_sizes"]
    return network(
        network_config,
        num_source=sizes["source"],
        num_target=sizes["target"],
        shared=config.joint,
    )


def build(config: Config, data: TranslationData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.translation_training import build_translation

    return build_translation(config, data, model, seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> TranslationUse:
    from shinso.recipes.uses.translations import TranslationUse

    return TranslationUse(config, facts, model)
