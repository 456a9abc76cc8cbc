"""Words of a language without blanks: the pieces that sentencepiece learns from a text (Kudo 2018)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from shinso.data.subwords import pieces_refused
from shinso.data.word_numbers import TextPieces
from shinso.extras import need

SENTENCES = 500_000  # lines of a long text that sentencepiece learns from


def learn_pieces(path: Path, count: int) -> bytes:
    """A model of ``count`` pieces learnt from a text; DataFault DATA-FEW-WORDS where the text has
    not so many, or more letters than that."""
    spm = need("sentencepiece")
    model = io.BytesIO()
    lines = (line for text in TextPieces(path) for line in text.split("\n") if line.strip())
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=lines, model_writer=model, vocab_size=count, minloglevel=2,
            num_threads=1, input_sentence_size=SENTENCES, shuffle_input_sentence=False,
            normalization_rule_name="nmt_nfkc", max_sentence_length=1 << 28,
        )  # fmt: skip
    except RuntimeError as error:
        raise pieces_refused(error, count, place=str(path)) from error
    return model.getvalue()


def piece_cutter(model: bytes) -> Callable[[str], str]:
    """Text -> the same text with blanks between its pieces."""
    cutter = need("sentencepiece").SentencePieceProcessor(model_proto=model)

    def cut(text: str) -> str:
        found = cutter.encode(text.split("\n"), out_type=str)
        return "\n".join(" ".join(piece.replace("▁", "") for piece in line) for line in found)

    return cut
