"""The text of a language model: read, split, its tokens learnt from the train part."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Int32

from shinso.data.findings import Findings
from shinso.data.stratified import parse_shares
from shinso.data.text import read_text, sha256_of
from shinso.data.text_parts import text_in_parts
from shinso.data.token_codec import END, UNKNOWN, TokenCodec
from shinso.language import _
from shinso.recipes.recipe import Part
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from shinso.recipes.language_model import Config

RIVAL_TOKENS = 4_000_000  # of the train part that the n-grams keep in the run's data.json


@dataclass(frozen=True)
class LanguageData:
    """parts: tokens of each part as numbers. characters: of its text, line ends included."""

    codec: TokenCodec
    parts: Mapping[str, Int32[np.ndarray, " _"]]
    characters: Mapping[str, int]
    texts: Mapping[str, str]
    sha256: str
    counts: Int[np.ndarray, " kind"]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {
            "sha256": self.sha256,
            "codec": self.codec.facts(),
            "counts": self.counts.tolist(),
            "part_tokens": {name: len(part) for name, part in self.parts.items()},
            "part_characters": dict(self.characters),
            "train_tokens": packed(self.parts["train"][:RIVAL_TOKENS]),
            "notes": list(self.notes),
            **self.extra,
        }


def packed(tokens: Int32[np.ndarray, " token"]) -> str:
    """Token numbers as text of JSON; ``unpacked`` is its inverse."""
    return base64.b64encode(zlib.compress(tokens.astype("<i4").tobytes(), 6)).decode()


def unpacked(text: str) -> Int32[np.ndarray, " token"]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<i4").astype(np.int32)


def read_parts(config: Config, paths: Sequence[Path]) -> LanguageData:
    """Read, split, learn the tokens from the train part."""
    path = only_one(paths, "language-model", _("join the files into one: cat FILE FILE > ALL"))
    findings = Findings(path)
    file = read_text(path, findings)
    sha256, notes = file.sha256, list(findings.notes)
    texts: dict[str, str] = {"train": file.text}
    if config.valid:
        for part, chosen in (("valid", config.valid), ("test", config.test)):
            own = Findings(only_one(chosen, f"--{part}"))
            found = read_text(own.path, own)
            texts[part] = found.text
            sha256 = sha256_of((sha256 + found.sha256).encode())
            notes += own.notes
    else:
        cut = text_in_parts(file.text, parse_shares(config.split))
        texts.update(zip(("train", "valid", "test"), cut, strict=True))
    codec = TokenCodec.learn(
        config.level, texts["train"], min_count=config.min_count, size=config.pieces
    )
    parts = {part: codec.encode(text) for part, text in texts.items()}
    _check(findings, codec, parts, config)
    for part in ("valid", "test"):
        notes += said_of(codec, parts[part], len(texts[part]), part)
    if len(parts["train"]) > RIVAL_TOKENS:
        note = _("the n-grams learn from the first {count:,} tokens of {all:,}")
        notes.append(note.format(count=RIVAL_TOKENS, all=len(parts["train"])))
    return LanguageData(
        codec,
        parts,
        {part: len(text) for part, text in texts.items()},
        texts,
        sha256,
        np.bincount(parts["train"], minlength=len(codec)),
        tuple(notes),
        {"split": config.split if not config.valid else "given", "file": path.name},
    )


def said_of(
    codec: TokenCodec, tokens: Int32[np.ndarray, " token"], characters: int, part: Part
) -> list[str]:
    """What makes a part's perplexity comparable, and what makes it look better than it is."""
    note = _(
        "{part}: {tokens:,} tokens on {characters:,} characters, so bits_per_char is "
        "{ratio:.4f} × log2(perplexity)"
    )
    found = [
        note.format(
            part=part, tokens=len(tokens), characters=characters, ratio=len(tokens) / characters
        )
    ]
    share = codec.unknown_share(tokens)
    if share:
        note = _("{share:.2%} of the {part} part's tokens are unknown and count as one token")
        found.append(note.format(share=share, part=part))
    return found


def _check(findings: Findings, codec: TokenCodec, parts: Mapping[str, Any], config: Config) -> None:
    different = len(set(codec.tokens) - {UNKNOWN, END, "\n", "<s>", "</s>"})
    if different < 2:
        findings.fault(
            "DATA-FEW-WORDS",
            found=_("{count} different tokens").format(count=different),
            why=_("with fewer than two there is nothing to predict"),
            next_step=_(
                "give more text, a smaller --min-count, or --level character where it has no blanks"
            ),
        )
    need = 2 * config.training.batch_size
    for part, least in (("train", need), ("valid", 2), ("test", 2)):
        if len(parts[part]) < least:
            findings.fault(
                "DATA-TOO-SHORT",
                found=_("the {part} part has {count} tokens").format(
                    part=part, count=len(parts[part])
                ),
                why=_("at least {count} are needed").format(count=least),
                next_step=_("give more text, another --split, or a smaller --batch-size"),
            )
    findings.stop()
