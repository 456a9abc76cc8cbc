"""Text as tokens of a language model: characters, pieces of words, or words; and back.

What is counted decides the number: a perplexity a word, a piece and a character are three different
things. ``num_characters`` is the same for all three, so bits a character compare them: with N tokens
of perplexity P on C characters of text they are N log₂ P / C.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Int32

from shinso.data.subwords import pieces_refused

Level = Literal["character", "piece", "word"]
UNKNOWN, END = "<unk>", "<eos>"


@dataclass(frozen=True)
class TokenCodec:
    """tokens: by number. pieces: sentencepiece's model where level is "piece"."""

    level: Level
    tokens: tuple[str, ...]
    pieces: bytes = b""

    @classmethod
    def learn(cls, level: Level, text: str, *, min_count: int, size: int) -> TokenCodec:
        """The tokens of a train part. min_count: of words and characters; size: pieces wanted.

        Raises DataFault DATA-FEW-WORDS where sentencepiece finds too little to cut.
        """
        if level == "piece":
            model = _learn_pieces(text, size)
            return cls(level, tuple(_processor(model).id_to_piece(list(range(size)))), model)
        counts = Counter(_split(level, text))
        counts.pop(UNKNOWN, None)
        kept = [token for token, count in counts.items() if count >= min_count]
        if END in counts and END not in kept:
            kept.append(END)
        return cls(level, (UNKNOWN, *sorted(kept, key=lambda token: (-counts[token], token))))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def number(self) -> dict[str, int]:
        return {token: place for place, token in enumerate(self.tokens)}

    @cached_property
    def _pieces(self) -> Any:
        return _processor(self.pieces)

    def encode(self, text: str) -> Int32[np.ndarray, " token"]:
        """Every line of ``text`` ends with a token of its own; what is not known is UNKNOWN."""
        if self.level == "piece":
            lines = text.split("\n")
            end = self._pieces.eos_id()
            found: list[int] = []
            for line, numbers in enumerate(self._pieces.encode(lines)):
                found += numbers
                if line < len(lines) - 1:
                    found.append(end)
            return np.array(found, dtype=np.int32)
        unknown, number = self.number[UNKNOWN], self.number
        return np.array(
            [number.get(token, unknown) for token in _split(self.level, text)], dtype=np.int32
        )

    def decode(self, numbers: Sequence[int]) -> str:
        """The text that the tokens stand for, as near as the level allows."""
        return "".join(self.pieces_of_text(numbers))

    def pieces_of_text(self, numbers: Iterable[int], *, begins: bool = True) -> Iterator[str]:
        """What each token adds to the text, asked for one after the other.

        begins: whether the first stands at a line's beginning, where no blank is before it.
        """
        for place in numbers:
            token = self.tokens[place]
            if self.level == "character":
                yield token if token != UNKNOWN else "\N{REPLACEMENT CHARACTER}"
                continue
            if (self.level == "piece" and place == self._pieces.eos_id()) or token == END:
                yield "\n"
                begins = True
                continue
            if self.level == "piece":
                piece = token.replace("▁", " ")
                yield piece.removeprefix(" ") if begins else piece
            else:
                yield token if begins else " " + token
            begins = False

    @property
    def unknown(self) -> int:
        """The number of what is not known."""
        return self._pieces.unk_id() if self.level == "piece" else self.number[UNKNOWN]

    @property
    def unwritten(self) -> list[int]:
        """Numbers of tokens that stand for no text: what is not known, sentencepiece's <s>."""
        return [self.unknown, *([self._pieces.bos_id()] if self.level == "piece" else [])]

    def unknown_share(self, numbers: Int32[np.ndarray, " token"]) -> float:
        return float((numbers == self.unknown).mean()) if len(numbers) else 0.0

    def strange(self, text: str) -> list[str]:
        """Words or letters of a text that are not known. What is written as the sign of the unknown
        is none: texts prepared for a word list are full of it."""
        if self.level == "word":
            return [word for word in text.split() if word not in self.number]
        letters = text.replace("\n", "").replace(" ", "▁") if self.level == "piece" else text
        return [letter for letter in letters if letter not in self.number]

    def facts(self) -> dict[str, Any]:
        """JSON-able; ``of_facts`` is its inverse."""
        found = {"level": self.level, "tokens": list(self.tokens)}
        if self.pieces:
            found["pieces"] = base64.b64encode(self.pieces).decode()
        return found

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> TokenCodec:
        pieces = base64.b64decode(facts.get("pieces", ""))
        return cls(facts["level"], tuple(facts["tokens"]), pieces)


def _split(level: Level, text: str) -> Iterable[str]:
    if level == "character":
        return text
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [word for line in lines for word in (*line.split(), END)]


def _learn_pieces(text: str, size: int) -> bytes:
    from shinso.extras import need

    spm = need("sentencepiece")
    model = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=(line for line in text.split("\n") if line.strip()),
            model_writer=model, vocab_size=size, model_type="bpe", character_coverage=1.0,
            normalization_rule_name="identity", remove_extra_whitespaces=False,
            max_sentence_length=1 << 28, minloglevel=2, num_threads=1,
        )  # fmt: skip
    except RuntimeError as error:
        raise pieces_refused(error, size, place="--pieces") from error
    return model.getvalue()


def _processor(model: bytes) -> Any:
    from shinso.extras import need

    return need("sentencepiece").SentencePieceProcessor(model_proto=model)
