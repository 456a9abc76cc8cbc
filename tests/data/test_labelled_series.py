from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.labelled_batches import NO_LABEL, LabelledSamples
from shinso.data.labelled_series import LabelledRoles, LabelledSeries, read_labelled_series
from shinso.data.scaling import Standardizer
from shinso.data.shuffled import ShuffledSource
from shinso.data.stratified import (
    duplicates_across,
    parse_shares,
    random_split,
    stratified_split,
)
from tests.data.faults_of import codes_and_places, faults_of, written

THIRDS = parse_shares("1/3,1/3,1/3")
LONG = LabelledRoles(label="kind", group="who", time="t")
NUMBER = st.floats(-1e6, 1e6)


def as_lists(series: LabelledSeries) -> list[list[list[float]]]:
    return [one.tolist() for one in series.values]


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(
            st.tuples(
                st.lists(st.lists(NUMBER, min_size=width, max_size=width), min_size=1, max_size=5),
                st.sampled_from(["up", "down", "10", "9"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
)
def test_forms_hold_for_any_series(
    tmp_path_factory: pytest.TempPathFactory, samples: list[tuple[list[list[float]], str]]
) -> None:
    folder = tmp_path_factory.mktemp("labelled")
    wanted = [series for series, _ in samples]
    labels = tuple(label for _, label in samples)
    lines = [json.dumps({"label": label, "series": series}) for series, label in samples]
    (folder / "s.jsonl").write_text("\n".join(lines))
    found = read_labelled_series(folder / "s.jsonl")
    assert as_lists(found) == wanted
    assert found.labels == labels

    width = len(wanted[0][0])
    names = [f"x{n}" for n in range(width)]
    rows = [
        ",".join([f"w{n}", label, str(t), *map(repr, step)])
        for n, (series, label) in enumerate(samples) for t, step in enumerate(series)
    ]  # fmt: skip
    (folder / "long.csv").write_text("\n".join([",".join(["who", "kind", "t", *names]), *rows]))
    found = read_labelled_series(folder / "long.csv", LONG)
    assert as_lists(found) == wanted
    assert found.labels == labels
    assert found.channels == tuple(names)

    if width == 1:
        longest = max(map(len, wanted))
        wide = [
            ",".join([label, *(repr(step[0]) for step in series)] + [""] * (longest - len(series)))
            for series, label in samples
        ]
        header = ",".join(["label", *(f"t{n}" for n in range(longest))])
        (folder / "wide.csv").write_text("\n".join([header, *wide]))
        found = read_labelled_series(folder / "wide.csv")
        assert as_lists(found) == wanted
        assert found.labels == labels


def test_plain_lists_are_one_channel() -> None:
    found = read_labelled_series(written('{"series": [1, 2.5], "label": 3}\n', "s.jsonl"))
    assert as_lists(found) == [[[1.0], [2.5]]]
    assert found.labels == ("3",)


def test_json_is_known_by_its_first_sign() -> None:
    found = read_labelled_series(written('\n{"series": [1], "label": "a"}\n', "s.txt"))
    assert found.places[0].endswith("s.txt:2")


def test_json_faults_name_their_lines() -> None:
    path = written(
        '{"series": [1, 2], "label": "a"}\n'
        '{"series": [1, 2], "lable": "a"}\n'
        "not json\n"
        "\n"
        "[1, 2]\n"
        '{"series": [], "label": "a"}\n'
        '{"series": [[1, 2], [3]], "label": "a"}\n'
        '{"series": [[1, 2], [3, 4]], "label": "a"}\n'
        '{"series": [1, "x"], "label": "a"}\n'
        '{"series": [1, NaN], "label": "a"}\n'
        '{"series": [1, null], "label": "a"}\n'
        '{"series": [1, true], "label": "a"}\n'
        '{"series": [1, 2], "label": ""}\n'
        '{"series": [1, 2], "label": null}\n',
        "s.jsonl",
    )
    assert codes_and_places(lambda: read_labelled_series(path), path) == [
        ("DATA-MISSING-COLUMN", ":2, column label"),
        ("DATA-FORMAT", ":3"),
        ("DATA-FORMAT", ":5"),
        ("DATA-EMPTY", ":6, column series"),
        ("DATA-RAGGED", ":7, column series"),
        ("DATA-RAGGED", ":8, column series"),
        ("DATA-TEXT-CELL", ":9, column series[1]"),
        ("DATA-NAN", ":10, column series[1]"),
        ("DATA-NAN", ":11, column series[1]"),
        ("DATA-TEXT-CELL", ":12, column series[1]"),
        ("DATA-NAN", ":13, column label"),
        ("DATA-NAN", ":14, column label"),
    ]
    fault = faults_of(lambda: read_labelled_series(path))[0]
    assert fault.next_step == "did you mean lable?"


def test_wide_faults_name_their_cells() -> None:
    path = written("label,a,b,c\nu,1,2,3\nu,1,,3\nd,1,x,\nd,,,\n,1,2,3\nu,1,2,inf\n")
    assert codes_and_places(lambda: read_labelled_series(path), path) == [
        ("DATA-NAN", ":3, column b"),
        ("DATA-TEXT-CELL", ":4, column b"),
        ("DATA-EMPTY", ":5"),
        ("DATA-NAN", ":6, column label"),
        ("DATA-NAN", ":7, column c"),
    ]
    assert "--missing" not in faults_of(lambda: read_labelled_series(path))[0].next_step


def test_wide_without_the_label_column() -> None:
    path = written("Label,a\nu,1\n")
    (fault,) = faults_of(lambda: read_labelled_series(path))
    assert (fault.code, fault.next_step) == ("DATA-MISSING-COLUMN", "did you mean Label?")
    path = written("label\nu\n")
    assert codes_and_places(lambda: read_labelled_series(path), path) == [("DATA-EMPTY", ":1")]


def test_long_faults_name_their_lines() -> None:
    path = written("who,kind,t,x\na,up,1,1\na,up,1,2\nb,up,1,3\nb,down,2,4\nc,,1,5\nc,,2,y\n")
    assert codes_and_places(lambda: read_labelled_series(path, LONG), path) == [
        ("DATA-DUPLICATE-TIME", ":3, column t"),
        ("DATA-LABEL-CHANGES", ":5, column kind"),
        ("DATA-NAN", ":6, column kind"),
        ("DATA-TEXT-CELL", ":7, column x"),
    ]


def test_long_rows_are_dropped_when_asked() -> None:
    path = written("who,kind,t,x\na,up,1,1\na,up,2,\nb,down,1,3\n")
    found = read_labelled_series(path, LONG, missing="drop")
    assert as_lists(found) == [[[1.0]], [[3.0]]]
    assert found.notes[0].startswith("1 of 3 rows with an empty cell are dropped")


def test_new_series_need_no_label() -> None:
    for name, text, roles in (
        ("s.jsonl", '{"series": [1, 2]}\n', LabelledRoles()),
        ("w.csv", "a,b\n1,2\n", LabelledRoles()),
        ("l.csv", "who,t,x\na,1,1\na,2,2\n", LONG),
    ):
        found = read_labelled_series(written(text, name), roles, needs_label=False)
        assert as_lists(found) == [[[1.0], [2.0]]]
        assert found.labels == ("",)


def test_classes_are_sorted_by_size_where_they_are_numbers() -> None:
    lines = [json.dumps({"series": [1], "label": label}) for label in ("10", "b", "9", "a", "9")]
    found = read_labelled_series(written("\n".join(lines), "s.jsonl"))
    assert found.classes == ("9", "10", "a", "b")
    assert json.loads(json.dumps(found.facts()))["classes"] == {"10": 1, "9": 2, "a": 1, "b": 1}


@given(
    st.lists(st.integers(3, 30), min_size=1, max_size=5),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 99),
)
def test_split_holds_for_any_class_sizes(
    sizes: list[int], weights: tuple[int, int, int], seed: int
) -> None:
    labels = [f"c{n}" for n, size in enumerate(sizes) for _ in range(size)]
    shares = tuple(Fraction(weight, sum(weights)) for weight in weights)
    parts = stratified_split(labels, shares, seed, path=Path("x"))  # type: ignore[arg-type]
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(labels)))
    for n, size in enumerate(sizes):
        counts = [sum(labels[i] == f"c{n}" for i in part) for part in parts.values()]
        assert min(counts) >= 1
        assert all(abs(c - size * s) <= 1.5 for c, s in zip(counts, shares, strict=True) if c > 1)
    again = stratified_split(labels, shares, seed, path=Path("x"))  # type: ignore[arg-type]
    assert all((parts[part] == again[part]).all() for part in parts)


def test_split_changes_with_the_seed() -> None:
    parts = [stratified_split(["a"] * 30, THIRDS, seed, path=Path("x"))["test"] for seed in (0, 1)]
    assert parts[0].tolist() != parts[1].tolist()


def test_rare_classes_are_named_with_their_places() -> None:
    labels = ["a"] * 3 + ["b"] * 2 + ["c"]
    places = [f"x:{n}" for n in range(6)]
    faults = faults_of(lambda: stratified_split(labels, THIRDS, 0, path=Path("x"), places=places))
    assert [fault.code for fault in faults] == ["DATA-RARE-CLASS"] * 2
    assert faults[0].found == "class 'b' has 2 samples (x:3, x:4)"


def test_random_split_needs_three_samples() -> None:
    assert faults_of(lambda: random_split(2, THIRDS, 0, path=Path("x")))[0].code == "DATA-TOO-SHORT"
    assert [len(part) for part in random_split(9, THIRDS, 0, path=Path("x")).values()] == [3, 3, 3]


@pytest.mark.parametrize("text", ["0.5,0.5", "a,b,c", "0.5,0.5,0", "0.5,0.2,0.2", "1,1,1"])
def test_shares_refuse_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match="three shares"):
        parse_shares(text)


def test_duplicates_across_parts_are_counted() -> None:
    series = read_labelled_series(written("label,a,b\nx,1,2\nx,1,2\ny,2,1\n"))
    assert [one == series.contents()[0] for one in series.contents()] == [True, True, False]
    parts = {"train": np.array([0, 1]), "valid": np.array([2]), "test": np.array([3, 4])}
    (note,) = duplicates_across([b"a", b"b", b"c", b"a", b"b"], parts)  # type: ignore[arg-type]
    assert note.startswith("2 of 2 samples of the test part")


def small() -> LabelledSeries:
    lines = [
        {"series": [[1, 2], [3, 4]], "label": "up"},
        {"series": [[5, 6]], "label": "down"},
        {"series": [[7, 8], [9, 10], [11, 12]], "label": "up"},
    ]
    return read_labelled_series(written("\n".join(map(json.dumps, lines)), "s.jsonl"))


def test_batches_pad_behind_the_end() -> None:
    series = small()
    scaler = Standardizer.fit(series.channels, series.values[:1])
    samples = LabelledSamples(series, None, scaler, series.classes)
    batches = list(samples.batches(2))
    assert [len(batch.values) for batch in batches] == [2, 1]
    values, lengths, labels = batches[0]
    assert values.shape == (2, 2, 2)
    assert values[1, 1].tolist() == [0, 0]
    # The scaler knows the first series only: mean (2, 3), deviation 1.
    assert values[0].tolist() == [[-1, -1], [1, 1]]
    assert values[1, 0].tolist() == [3, 3]
    assert lengths.tolist() == [2, 1]
    assert labels.tolist() == [1, 0]
    assert values.dtype == torch.float32


def test_a_part_has_only_its_own_series() -> None:
    series = small()
    scaler = Standardizer.fit(series.channels, series.values)
    samples = LabelledSamples(series, [2, 1], scaler, series.classes)
    assert samples.lengths.tolist() == [3, 1]
    batch = ShuffledSource(samples, 2, 0, lengths=samples.lengths).next_batch()
    assert sorted(batch.lengths.tolist()) == [1, 3]


def test_unknown_labels_are_named() -> None:
    series = small()
    scaler = Standardizer.fit(series.channels, series.values)
    (fault,) = faults_of(lambda: LabelledSamples(series, None, scaler, ["up"]))
    assert fault.code == "DATA-UNKNOWN-LABEL"
    assert "s.jsonl:2" in fault.found
    with pytest.raises(ValueError, match="fitted on"):
        LabelledSamples(series, None, Standardizer.fit(("x",), [np.eye(1)]), series.classes)


def test_series_without_a_label_have_none_in_the_batch() -> None:
    path = written('{"series": [1, 2]}\n', "new.jsonl")
    series = read_labelled_series(path, needs_label=False)
    samples = LabelledSamples(series, None, Standardizer.fit(("c1",), series.values), ["up"])
    assert samples.take([0]).labels.tolist() == [NO_LABEL]


def test_json_beyond_all_bounds_names_its_line() -> None:
    digits = "1" + "0" * 400
    path = written(
        f'{{"series": [1, {digits}], "label": "a"}}\n'
        f'{{"series": {"[" * 100_000}, "label": "a"}}\n'
        f'{{"series": [-1e400], "label": "a"}}\n',
        "s.jsonl",
    )
    assert codes_and_places(lambda: read_labelled_series(path), path) == [
        ("DATA-NAN", ":1, column series[1]"),
        ("DATA-FORMAT", ":2"),
        ("DATA-NAN", ":3, column series[0]"),
    ]
