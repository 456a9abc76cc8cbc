"""Pairs of sentences from every format, and every way in which they can be wrong."""

from __future__ import annotations

import gzip
import json

import pytest

from shinso.data.parallel_text import read_pairs, read_sentences
from shinso.data.sides import check_sides, profile
from shinso.faults import UsageFault
from tests.data.faults_of import codes_and_places, faults_of, written

PAIRS = [("A dog runs.", "Ein Hund rennt."), ("Two cats sleep.", "Zwei Katzen schlafen.")]


def tsv(pairs=PAIRS) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def both(read):
    return list(zip(read.source, read.target, strict=True))


def test_every_format_gives_the_same_pairs():
    lines = [json.dumps({"source": s, "target": t}) for s, t in PAIRS]
    files = [
        [written(tsv(), "pairs.tsv")],
        [written("\n".join(lines), "pairs.jsonl")],
        [written("source\ttarget\n" + tsv(), "named.tsv")],
        [written("A dog runs.\nTwo cats sleep.\n", "a.en"), written(
            gzip.compress("Ein Hund rennt.\r\nZwei Katzen schlafen.".encode("utf-8-sig")), "a.de.gz"
        )],
    ]  # fmt: skip
    for paths in files:
        found = read_pairs(paths)
        assert both(found) == PAIRS
        assert not found.notes
        assert len(found.sha256) == 64


def test_named_columns_and_keys_are_found_in_any_order():
    path = written("id\tde\ten\n1\tEin Hund.\tA dog.\n", "named.tsv")
    assert both(read_pairs([path], ("en", "de"))) == [("A dog.", "Ein Hund.")]
    path = written('{"de": "Ein Hund.", "en": "A dog."}', "named.jsonl")
    assert both(read_pairs([path], ("en", "de"))) == [("A dog.", "Ein Hund.")]
    (fault,) = faults_of(lambda: read_pairs([written("a\tb\nx\ty\n")], ("a", "c")))
    assert fault.code == "DATA-MISSING-COLUMN"


def test_blank_on_both_sides_is_passed_over_aloud_and_on_one_is_a_fault():
    path = written("A dog.\tEin Hund.\n\n\t\nA cat.\tEine Katze.\n", "pairs.tsv")
    found = read_pairs([path])
    assert found.lines == (1, 4)
    assert found.notes == ("2 lines blank on both sides were passed over, the first in line 2",)
    path = written("A dog.\tEin Hund.\nA cat.\t \n\tEin Haus.\n", "pairs.tsv")
    assert codes_and_places(lambda: read_pairs([path]), path) == [
        ("DATA-HALF-PAIR", ":2"),
        ("DATA-HALF-PAIR", ":3"),
    ]
    assert "target side is empty" in faults_of(lambda: read_pairs([path]))[0].text()
    assert "source side is empty" in faults_of(lambda: read_pairs([path]))[1].text()


def test_unequal_line_counts_name_both_files():
    one, two = written("a\nb\nc\n", "x.en"), written("a\nb\n", "x.de")
    (fault,) = faults_of(lambda: read_pairs([one, two]))
    assert fault.code == "DATA-UNEQUAL-LINES"
    assert "3 lines here, 2 in" in fault.text()
    assert "x.de" in fault.text()


def test_invalid_utf8_names_the_line_of_each_file():
    one = written(b"a dog\nna\xefve caf\xe9 \xff\xff\n", "x.en")
    two = written(b"ein Hund\n\xfc\xfcber\xff\n", "x.de")
    faults = faults_of(lambda: read_pairs([one, two]))
    assert [fault.code for fault in faults] == ["DATA-ENCODING"] * 2
    assert faults[0].place.endswith("x.en:2")
    assert faults[1].place.endswith("x.de:2")


def test_lines_of_other_than_two_columns_are_faults():
    path = written("A dog.\tEin Hund.\nA cat. Eine Katze.\n", "pairs.tsv")
    assert codes_and_places(lambda: read_pairs([path]), path) == [("DATA-FORMAT", ":2")]
    path = written("a\tb\tc\n", "pairs.tsv")
    (fault,) = faults_of(lambda: read_pairs([path]))
    assert "--source and --target" in fault.text()
    path = written('{"source": "a", "target": 3}\n{"source": "a"}\nno json\n', "pairs.jsonl")
    assert [code for code, _place in codes_and_places(lambda: read_pairs([path]), path)] == [
        "DATA-FORMAT",
        "DATA-MISSING-COLUMN",
        "DATA-FORMAT",
    ]


def test_number_of_files_is_said():
    path = written(tsv())
    with pytest.raises(UsageFault, match="DATA-FILES"):
        read_pairs([path, path, path])
    (fault,) = faults_of(lambda: read_pairs([written("\t\n\t\n")]))
    assert fault.code == "DATA-EMPTY"


def sentences(content: str, name: str = "data.csv", names=("", "")) -> list[str]:
    return list(read_sentences(written(content, name), names).source)


def test_sentences_are_those_of_the_source_side():
    assert sentences("A dog.\n\nA cat.\n") == ["A dog.", "", "A cat."]
    assert sentences(tsv(), "pairs.tsv") == [s for s, _t in PAIRS]
    assert sentences("A dog.\nA\tcat.\n") == ["A dog.", "A\tcat."]
    assert sentences("\nA dog.\tEin Hund.\n") == ["", "A dog."]
    short = written("id\tde\ten\n1\tEin Hund.\tA dog.\n2\tEin\n")
    assert codes_and_places(lambda: read_sentences(short, ("en", "de")), short) == [
        ("DATA-FORMAT", ":3")
    ]
    assert sentences("de\ten\nEin Hund.\tA dog.\n", names=("en", "de")) == ["A dog."]
    assert sentences('{"source": "A dog."}', "x.jsonl") == ["A dog."]


def test_sentences_keep_their_lines_and_the_translations_beside_them():
    named = read_sentences(written("source\ttarget\nA dog.\tEin Hund.\n\nA cat.\t\n"))
    assert (named.source, named.lines) == (("A dog.", "", "A cat."), (2, 3, 4))
    assert named.pairs is not None
    assert both(named.pairs) == [("A dog.", "Ein Hund.")]
    assert named.pairs.lines == (2,)
    lines = [json.dumps({"source": s, "target": t}) for s, t in PAIRS]
    beside = read_sentences(written("\n".join(lines), "pairs.jsonl")).pairs
    assert beside is not None
    assert both(beside) == PAIRS
    assert read_sentences(written("A dog.\n")).pairs is None


def test_one_broken_line_does_not_turn_utf8_into_cp932():
    text = "犬が走る。\n猫が眠る。\nplain\n".encode()
    broken = "鳥が飛ぶ。".encode()[:-1]  # as a cut at so many bytes leaves it
    path = written(text + broken + b"\n", "ja.txt")
    (fault,) = faults_of(lambda: read_sentences(path))
    assert (fault.code, fault.place) == ("DATA-ENCODING", f"{path}:4")
    assert "this one is broken" in fault.why
    whole = read_sentences(written("犬が走る。\nplain\n猫が眠る。\n".encode("cp932"), "sjis.txt"))
    assert whole.source == ("犬が走る。", "plain", "猫が眠る。")
    assert len(whole.notes) == 1


GERMAN = ["Der Hund rennt über die grüne Wiese.", "Zwei Frauen sitzen auf einer Bank.",
          "Ein Junge spielt mit einem roten Ball.", "Die Katze schläft unter dem Tisch."]  # fmt: skip
ENGLISH = ["The dog runs over the green meadow.", "Two women are sitting on a bench.",
           "A boy is playing with a red ball.", "The cat sleeps under the table."]  # fmt: skip


def test_swapped_columns_do_not_pass_in_silence():
    source, target = profile(ENGLISH), profile(GERMAN)
    right = read_pairs([written(tsv(zip(ENGLISH, GERMAN, strict=True)), "right.tsv")])
    assert check_sides(right, source, target) == []
    wrong = read_pairs([written(tsv(zip(GERMAN, ENGLISH, strict=True)), "wrong.tsv")])
    (fault,) = faults_of(lambda: check_sides(wrong, source, target))
    assert fault.code == "DATA-SWAPPED"
    assert "4 of 4 pairs" in fault.text()
    rows = [*zip(ENGLISH, GERMAN, strict=True), (GERMAN[0], ENGLISH[0])]
    some = read_pairs([written(tsv(rows), "some.tsv")])
    (note,) = check_sides(some, source, target)
    assert "1 pairs look as if source and target were swapped: line 5" in note


def test_one_language_on_both_sides_is_no_swap():
    same = profile(ENGLISH)
    pairs = read_pairs([written(tsv(zip(ENGLISH, reversed(ENGLISH), strict=True)))])
    assert check_sides(pairs, same, same) == []
