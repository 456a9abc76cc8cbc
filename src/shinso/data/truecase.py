"""Tagging samples from any prose: the case of each word, which its context decides.

The text is its own teacher: words are lower-cased, and the tag says how each was written
(truecasing; Lita et al. 2003, tRuEcasIng). "will" is a name or a verb, and the first word of a
sentence is Title whatever it is, so the label hangs on the words before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A word with inner apostrophes, points or hyphens (o'clock, U.S., to-day) or one other sign.
TOKEN = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*|[^\w\s]|_")
ENDS = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-ZÀ-Þ])")
# After these a point ends no sentence.
TITLES = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Esq|Vol|Capt|Col|Gen|Lieut|Prof|Rev|Hon|[A-Z])\.$")


def sentences(prose: str) -> Iterator[str]:
    """The sentences of a text whose paragraphs are lines. A rough cut: at a full stop, question
    or exclamation mark before a capital, but not after a title or an initial."""
    for paragraph in prose.split("\n"):
        begin = 0
        for end in ENDS.finditer(paragraph):
            if TITLES.search(paragraph[begin : end.start()]):
                continue
            # Closing quotes belong to the sentence before.
            yield paragraph[begin : end.end()].strip()
            begin = end.end()
        if paragraph[begin:].strip():
            yield paragraph[begin:].strip()


def tokens_of(sentence: str) -> list[str]:
    """Words and single signs, in order and as written."""
    return TOKEN.findall(sentence)


def tag_of(token: str) -> str:
    """How a token is written.

    UPPER: at least two letters, all of them capital. Title: the first letter is capital (so "I"
    and "McDonald" are Title). lower: all others, signs and numbers among them.
    """
    letters = [letter for letter in token if letter.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return "UPPER"
    return "Title" if letters and letters[0].isupper() else "lower"


def tagged_sentences(
    prose: str, *, shortest: int = 3, longest: int = 60
) -> Iterator[tuple[list[str], list[str]]]:
    """Lower-cased tokens and their tags, for sentences of ``shortest`` to ``longest`` tokens that
    hold a word; headings and lists, mostly shorter or longer, stay out."""
    for sentence in sentences(prose):
        tokens = tokens_of(sentence)
        if shortest <= len(tokens) <= longest and any(token[0].isalpha() for token in tokens):
            yield [token.lower() for token in tokens], [tag_of(token) for token in tokens]
