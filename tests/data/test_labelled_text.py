"""Texts with labels: the forms they come in, and what is wrong with a line."""

from __future__ import annotations

import csv

import pytest

from shinso.data.labelled_text import read_labelled_texts
from shinso.faults import DataFault

SAMPLES = [("a fine film", "1"), ("dull , and long", "0")]


@pytest.mark.parametrize(
    "content",
    [
        "a fine film\t1\ndull , and long\t0\n",
        "text\tlabel\na fine film\t1\ndull , and long\t0\n",
        'label,text\n1,a fine film\n0,"dull , and long"\n',
        '{"text": "a fine film", "label": 1}\n{"text": "dull , and long", "label": "0"}\n',
    ],
)
def test_every_form_reads_alike(tmp_path, content):
    path = tmp_path / "texts"
    path.write_text(content, encoding="utf-8")
    found = read_labelled_texts(path)
    assert list(zip(found.first, found.labels, strict=True)) == SAMPLES
    assert set(found.second) == {""}


def test_pairs_have_a_second_text(tmp_path):
    path = tmp_path / "texts"
    path.write_text("one\ttwo\tyes\nthree\tfour\tno\n", encoding="utf-8")
    assert read_labelled_texts(path).second == ("two", "four")
    path.write_text('{"text": "one", "second": null, "label": "yes"}\n', encoding="utf-8")
    assert read_labelled_texts(path).second == ("",)


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_a_text_of_a_million_letters_is_read_whole(tmp_path, ending):
    long = "word " * 200_000
    before = csv.field_size_limit()
    line = {
        "tsv": f"{long}\t1\n",
        "csv": f'text,label\n"{long}",1\n',
        "jsonl": f'{{"text": "{long}", "label": 1}}\n',
    }
    path = tmp_path / f"texts.{ending}"
    path.write_text(line[ending], encoding="utf-8")
    assert len(read_labelled_texts(path).first[0].split()) == 200_000
    assert csv.field_size_limit() == before  # other tables find a quote that never ends by it


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ("good\t1\nbad\n", "DATA-RAGGED", ":2"),
        ("good\t1\n \t0\n", "DATA-NAN", ":2, column text"),
        ("good\t1\nbad\t\n", "DATA-NAN", ":2, column label"),
        ("no label here\n", "DATA-MISSING-COLUMN", ":1"),
        ("text,class\ngood,1\n", "DATA-MISSING-COLUMN", ":1, column label"),
        ('{"text": "a", "label": 1}\n{"text": "b", "label": null}\n', "DATA-NAN", ":2, column label"),
        ('{"text": null, "label": 1}\n', "DATA-NAN", ":1, column text"),
        ('{"text": ["a", "b"], "label": 1}\n', "DATA-FORMAT", ":1, column text"),
        ('{"text": "a", "label": {"x": 1}}\n', "DATA-FORMAT", ":1, column label"),
        ('{"text": "a"}\n', "DATA-MISSING-COLUMN", ":1, column label"),
    ],
)  # fmt: skip
def test_faults_name_their_place(tmp_path, content, code, place):
    path = tmp_path / "texts"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataFault) as raised:
        read_labelled_texts(path)
    first = raised.value.text().split("\n")[0]
    assert first.startswith(code)
    assert first.endswith(place)


@pytest.mark.parametrize("strange", [b"\xff\xfe", b"\x80", b"\xa0 and \xa0"])
def test_bytes_of_no_encoding_are_a_fault_and_not_japanese(tmp_path, strange):
    path = tmp_path / "texts"
    path.write_bytes(b"good\t1\n" + strange + b" bad\t0\n")
    with pytest.raises(DataFault) as raised:
        read_labelled_texts(path)
    assert raised.value.code == "DATA-ENCODING"
    assert raised.value.place.endswith(":2")
