"""Pieces of words learnt from text, so that no word is unknown: sentencepiece.

Byte-pair encoding (Sennrich, Haddow & Birch 2016) or a unigram language model (Kudo 2018), on raw
text: blanks are letters like others, so Japanese needs no words and any text comes back as it was.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

from shinso.extras import need
from shinso.faults import DataFault
from shinso.language import _

Kind = Literal["bpe", "unigram"]
PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
"""Numbers of the signs that stand for no text."""
FIRST_PIECE = 4


class Subwords:
    """A trained model of pieces. It is kept as text, so a run's facts hold it."""

    def __init__(self, model: bytes) -> None:
        self.model = model

    @classmethod
    def train(cls, sentences: Iterable[str], size: int, kind: Kind = "bpe") -> Subwords:
        """size: of the vocabulary, the four signs included; fewer where the text has not so many.

        The same sentences give the same model. Nothing is normalized: a score compares letters.
        Raises ExtraFault without sentencepiece, DataFault DATA-SUBWORDS where the text has more
        letters than the vocabulary has room.
        """
        lines = list(sentences)
        for _attempt in range(2):
            try:
                return cls(_trained(lines, size, kind))
            except RuntimeError as error:
                most = re.search(r"value <= (\d+)", str(error))
                if most is None:
                    raise _too_small(size, error) from error
                size = int(most.group(1))
        raise AssertionError("sentencepiece names the largest vocabulary it can make")

    @cached_property
    def _processor(self) -> Any:
        return need("sentencepiece").SentencePieceProcessor(model_proto=self.model)

    def __len__(self) -> int:
        return self._processor.get_piece_size()

    def encode(self, sentences: Sequence[str]) -> list[list[int]]:
        """The pieces of each sentence, without signs around them."""
        return self._processor.encode(list(sentences), out_type=int)

    def decode(self, pieces: Sequence[int]) -> str:
        """The text; signs are left out, and an unknown piece reads ⁇."""
        return self._processor.decode([one for one in pieces if one not in (PAD, BEGIN, END)])

    def spelled(self, pieces: Sequence[int]) -> list[str]:
        """Each piece as it is written, a blank as ▁."""
        return [self._processor.id_to_piece(one) for one in pieces]

    def to_text(self) -> str:
        """JSON-able; ``from_text`` is its inverse."""
        return base64.b64encode(self.model).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Subwords:
        return cls(base64.b64decode(text))


def _trained(lines: Sequence[str], size: int, kind: Kind) -> bytes:
    written = io.BytesIO()
    need("sentencepiece").SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=True,
        character_coverage=0.9998,
        normalization_rule_name="identity",
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=BEGIN,
        eos_id=END,
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def _too_small(size: int, error: RuntimeError) -> DataFault:
    return DataFault(
        "DATA-SUBWORDS",
        place="--vocabulary",
        found=f"{size}: {error}",
        why=_("each letter of the text needs a place in the vocabulary"),
        next_step=_("give a larger --vocabulary"),
    )


def pieces_refused(error: RuntimeError, count: int, *, place: str) -> DataFault:
    """What sentencepiece says to a number of pieces that a text does not allow, as a fault with the
    number that it does."""
    most, least = re.search(r"value <= (\d+)", str(error)), re.search(r"\d+ vs (\d+)", str(error))
    if most is not None:
        found = _("the text has no more than {most} different pieces").format(most=most.group(1))
        step = _("give --pieces {count}, or more text").format(count=most.group(1))
    elif least is not None:
        found = _("{least} letters and signs are needed").format(least=least.group(1))
        step = _("give --pieces {count} or more").format(count=least.group(1))
    else:
        found, step = (
            str(error).strip().splitlines()[-1][-200:],
            _("give another number of --pieces"),
        )
    return DataFault(
        "DATA-FEW-WORDS",
        place=place,
        found=found,
        why=_("sentencepiece cannot learn {count} pieces from this text").format(count=count),
        next_step=step,
    )
