"""Sentences with a tag for every token, for ``tag``: two-column TSV (CoNLL) or JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from shinso.data.findings import Findings, shown
from shinso.data.json_lines import looks_like_json, read_objects
from shinso.data.labelled_series import ordered_classes
from shinso.data.text import FileText, read_text
from shinso.language import _


@dataclass(frozen=True)
class TaggedSentences:
    """Tokens and tags of equal number, in the file's order.

    tags: empty for each sentence where a file without tags was read. lines: where each begins.
    """

    path: Path
    tokens: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags in the order of the alphabet, numbers in the order of their size."""
        return ordered_classes(list(chain.from_iterable(self.tags)))

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was, for the run's ``data.json``."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "samples": len(self),
            "tokens": sum(map(len, self.tokens)),
            "classes": dict(sorted(Counter(chain.from_iterable(self.tags)).items())),
        }


def read_tagged(path: Path | str, *, needs_tags: bool = True) -> TaggedSentences:
    """Read sentences; JSON lines are known by the file's name or its first sign.

    TSV: ``token TAB tag`` a line, blank lines between sentences. JSON lines:
    ``{"tokens": […], "tags": […]}``. needs_tags: False for new sentences: the tag column or key
    may then be missing, and what stands there is not read.

    Raises ManyDataFaults with all that is wrong (DATA-RAGGED for a line without exactly two
    columns and for unequal lengths, DATA-EMPTY for a sentence without tokens, DATA-NAN for an
    empty token or tag, DATA-FORMAT, DATA-MISSING-COLUMN), or what ``read_text`` raises.
    """
    path = Path(path)
    findings = Findings(path)
    is_json = looks_like_json(path)
    file = read_text(path, findings)
    read = _read_json if is_json else _read_tsv
    found = read(file, findings, needs_tags)
    findings.stop()
    return TaggedSentences(
        path,
        tuple(tuple(tokens) for _line, tokens, _tags in found),
        tuple(tuple(tags) if needs_tags else () for _line, _tokens, tags in found),
        tuple(line for line, _tokens, _tags in found),
        file.sha256,
        tuple(findings.notes),
    )


Found = list[tuple[int, list[str], list[str]]]


def _read_tsv(file: FileText, findings: Findings, needs_tags: bool) -> Found:
    found: Found = []
    inside = False
    for line, text in enumerate(file.text.split("\n"), 1):
        if not text.strip():
            inside = False
            continue
        token, tag = _token_and_tag(text, line, findings, needs_tags)
        if not inside:
            found.append((line, [], []))
            inside = True
        found[-1][1].append(token)
        found[-1][2].append(tag)
    return found


def _token_and_tag(text: str, line: int, findings: Findings, needs_tags: bool) -> tuple[str, str]:
    fields = [field.strip() for field in text.split("\t")]
    if len(fields) != 2 and (needs_tags or len(fields) > 2):
        step = _("keep two columns, for example: cut -f1,2 {path}").format(path=findings.path)
        if len(fields) == 1:
            step = _("put one tab character between the token and its tag")
        findings.fault(
            "DATA-RAGGED",
            line=line,
            found=_("{count} columns: {text}").format(count=len(fields), text=shown(text)),
            why=_("a line is a token, a tab and its tag; a blank line ends the sentence"),
            next_step=step,
        )
        return "", ""
    token, tag = fields[0], fields[1] if len(fields) == 2 else ""
    for name, field, needed in (("token", token, True), ("tag", tag, needs_tags)):
        if needed and not field:
            _empty(findings, line, name, text)
    return token, tag


def _read_json(file: FileText, findings: Findings, needs_tags: bool) -> Found:
    found: Found = []
    required = ("tokens", "tags") if needs_tags else ("tokens",)
    for line, content in read_objects(file, findings, required):
        lists = [content[key] for key in required]
        wrong = [key for key in required if not _is_words(content[key])]
        for key in wrong:
            findings.fault(
                "DATA-FORMAT",
                line=line,
                column=key,
                found=shown(repr(content[key])),
                why=_("a list of words is needed"),
                next_step=_("write it like {example}").format(
                    example='{"tokens": ["I", "see"], "tags": ["PRON", "VERB"]}'
                ),
            )
        if wrong:
            continue
        if not lists[0]:
            findings.fault(
                "DATA-EMPTY",
                line=line,
                column="tokens",
                found="[]",
                why=_("a sentence has at least one token"),
                next_step=_("take the line out"),
            )
        elif needs_tags and len(lists[0]) != len(lists[1]):
            findings.fault(
                "DATA-RAGGED",
                line=line,
                found=_("{tokens} tokens and {tags} tags").format(
                    tokens=len(lists[0]), tags=len(lists[1])
                ),
                why=_("every token needs exactly one tag"),
                next_step=_("mend the line so that both lists are equally long"),
            )
        for key, words in zip(required, lists, strict=True):
            for word in words:
                if not word.strip():
                    _empty(findings, line, key, repr(words))
        found.append((line, lists[0], lists[1] if needs_tags else []))
    return found


def _is_words(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(word, str) for word in content)


def _empty(findings: Findings, line: int, column: str, text: str) -> None:
    findings.fault(
        "DATA-NAN",
        line=line,
        column=column,
        found=shown(text),
        why=_("a token or tag is empty"),
        next_step=_("write it, or take the token out together with its tag"),
    )


def as_conll(sentences: Iterable[tuple[Iterable[str], Iterable[str]]]) -> str:
    """Sentences of (tokens, tags) as two-column TSV, a blank line after each."""
    blocks = []
    for tokens, tags in sentences:
        pairs = zip(tokens, tags, strict=True)
        blocks.append("".join(f"{token}\t{tag}\n" for token, tag in pairs))
    return "".join(block + "\n" for block in blocks)
