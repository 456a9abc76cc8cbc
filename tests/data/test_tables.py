from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.tables import numbers_of, read_table
from tests.data.faults_of import codes_and_places, faults_of, written

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def stopped(path: Path, *columns: str, missing: str = "fail") -> None:
    table = read_table(path)
    numbers_of(table, columns or table.columns, missing=missing)  # type: ignore[arg-type]
    table.findings.stop()


@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(FINITE, min_size=width, max_size=width), min_size=1, max_size=8
        )
    ),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    header=st.booleans(),
    quoted=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    ending=st.sampled_from(["", "\n", "\n\n\n"]),
    packed=st.booleans(),
)
def test_reading_holds_for_any_table_of_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    rows,
    delimiter,
    header,
    quoted,
    line_end,
    ending,
    packed,
) -> None:
    names = [f"column {n}" for n in range(len(rows[0]))]
    lines = ([names] if header else []) + [[repr(cell) for cell in row] for row in rows]
    if quoted:
        lines = [[f'"{cell}"' for cell in line] for line in lines]
    content = (
        line_end.join(delimiter.join(line) for line in lines) + ending.replace("\n", line_end)
    ).encode()
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    table = read_table(path)
    assert list(table.columns) == (names if header else [f"c{n + 1}" for n in range(len(names))])
    found = numbers_of(table, table.columns)
    table.findings.stop()
    np.testing.assert_array_equal(found.values, np.array(rows))
    np.testing.assert_array_equal(table.lines, np.arange(len(rows)) + 1 + header)


CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n,\"'"), max_size=6
)


@given(rows=st.lists(st.tuples(CELL, FINITE, CELL), min_size=1, max_size=8))
def test_reading_holds_for_any_quoted_text(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, str]]
) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    path = tmp_path_factory.mktemp("table") / "t.csv"
    lines = ["a,b,c"] + [f"{quoted(a)},{b!r},{quoted(c)}" for a, b, c in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    table = read_table(path)
    assert table.texts("a") == [a.strip() for a, _, _ in rows]
    assert table.texts("c") == [c.strip() for _, _, c in rows]
    # An editor's line of a row: one after all line ends before it, quoted ones among them.
    begins = [2 + sum(line.count("\n") + 1 for line in lines[1 : n + 1]) for n in range(len(rows))]
    assert table.lines.tolist() == begins


def test_parquet_matches_the_same_csv() -> None:
    frame = pl.DataFrame({"day": ["a", "b"], "x": [1, 2], "y": [0.5, -3.0]})
    frame.write_parquet("t.parquet")
    frame.write_csv("t.csv")
    tables = [read_table("t.parquet"), read_table("t.csv")]
    values = [numbers_of(table, ["x", "y"]).values for table in tables]
    np.testing.assert_array_equal(values[0], values[1])
    assert tables[0].texts("day") == tables[1].texts("day") == ["a", "b"]


def test_parquet_fault_names_the_row() -> None:
    pl.DataFrame({"x": [1.0, None, float("inf")]}).write_parquet("t.parquet")
    path = Path("t.parquet").absolute()
    assert codes_and_places(lambda: stopped(path), path) == [
        ("DATA-NAN", ", row 2, column x"),
        ("DATA-NAN", ", row 3, column x"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a,b\n1,2\n3,x\n", "DATA-TEXT-CELL", ":3, column b"),
        ("a,b\n1,2\n3,\n", "DATA-NAN", ":3, column b"),
        ("a,b\n1,2\n3,NaN\n", "DATA-NAN", ":3, column b"),
        ("a,b\n1,2\n3,-inf\n", "DATA-NAN", ":3, column b"),
        ("a,b\n1,2\n3,1e999\n", "DATA-NAN", ":3, column b"),
        ('a,b\n1,"2\n3"\n4,5\n6,x\n', "DATA-TEXT-CELL", ":2, column b"),
        ("a,b\n\n\n1,2\n3,x\n", "DATA-TEXT-CELL", ":5, column b"),
        ("a\n1\n\n3\n", "DATA-NAN", ":3, column a"),
        ("a,b\n1,2\n3,4,5\n", "DATA-RAGGED", ":3"),
        ("a,b\n1,2\n3\n4,5\n", "DATA-RAGGED", ":3"),
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n9,0\n', "DATA-TEXT-CELL", ":3, column b"),
        ('a,b,c\n1,2,3\n3,"4,5\n5,6,7\n7,8,9\n', "DATA-RAGGED", ":3"),
        ("a,b,a\n1,2,3\n", "DATA-FORMAT", ":1, column a"),
        ("a,b\n", "DATA-EMPTY", ":1"),
        ("", "DATA-EMPTY", ""),
        (" \n\n", "DATA-EMPTY", ""),
    ],
)  # fmt: skip
def test_fault_names_code_line_and_column(text: str, code: str, place: str) -> None:
    path = written(text)
    found = codes_and_places(lambda: stopped(path), path)
    assert found[0] == (code, place)


def test_line_counts_every_quoted_line_end() -> None:
    path = written('name,b\n"two\nlines",2\n"and\nthree\nmore",x\nplain,y\n')
    assert codes_and_places(lambda: stopped(path, "b"), path) == [
        ("DATA-TEXT-CELL", ":4, column b"),
        ("DATA-TEXT-CELL", ":7, column b"),
    ]


def test_all_faults_come_together_in_the_order_of_lines() -> None:
    path = written("a,b\nx,1\n2\n3,\n4,y\n")
    assert codes_and_places(lambda: stopped(path), path) == [
        ("DATA-TEXT-CELL", ":2, column a"),
        ("DATA-RAGGED", ":3"),
        ("DATA-NAN", ":4, column b"),
        ("DATA-TEXT-CELL", ":5, column b"),
    ]


def test_a_column_of_text_is_one_fault() -> None:
    path = written("a,b\n1,up\n2,\n3,down\n")
    faults = faults_of(lambda: stopped(path, "a", "b", missing="drop"))
    assert [(fault.code, fault.place) for fault in faults] == [
        ("DATA-TEXT-CELL", f"{path}:2, column b")
    ]
    assert faults[0].found == "none of its 2 cells is a number; the first is 'up'"


@pytest.mark.parametrize(
    ("cells", "why", "step"),
    [
        ("12 %\n13 %", "percent", "write 12,"),
        ("12 kg\n13 kg", "'kg'", "write 12,"),
        ("12 kg\n13 lb", "number is needed", "choose a column"),
        ("4o\n5O", "number is needed", "choose a column"),
    ],
)
def test_a_column_of_one_writing_says_how_to_write_it(cells: str, why: str, step: str) -> None:
    (fault,) = faults_of(lambda: stopped(written(f"a\n{cells}\n")))
    assert why in str(fault.why)
    assert step in fault.next_step


def test_faults_of_one_kind_are_counted_beyond_a_thousand() -> None:
    path = written("a\n1\n" + "x\n" * 1500)
    faults = faults_of(lambda: stopped(path))
    assert len(faults) == 1001
    assert faults[-1].found == "500 more like these"
    path = written("a,b\n" + "1,\n" * 1500)
    assert faults_of(lambda: stopped(path))[-1].found == "500 more like these"


@pytest.mark.parametrize(
    ("cell", "why", "step"),
    [
        ('"1,234.5"', "separate thousands", "write 1234.5"),
        ('"1,234"', "thousands or decimals", "write 1234 or 1.234"),
        ('"1.234,5"', "decimal comma", "write 1234.5"),
        ("1 234.5", "groups", "write 1234.5"),
        ("12 %", "percent", "write 12,"),
        ("1.2.3%", "percent", "the number alone"),
        ('"¥1,200"', "currency", "write 1200 or 1.200"),
        ("-$12", "currency", "write -12,"),
        ("1.2k", "1,000 times", "write 1200,"),
        ("3億", "100,000,000 times", "write 300000000,"),
        ("１２", "full-width", "write 12,"),
        ("¥120", "currency", "write 120,"),
        ("1_000", "number is needed", "mend the cell"),
    ],
)
def test_text_cell_says_what_to_write(cell: str, why: str, step: str) -> None:
    path = written(f"a,b\n1,{cell}\n")
    (fault,) = faults_of(lambda: stopped(path))
    assert fault.code == "DATA-TEXT-CELL"
    assert why in fault.why
    assert step in fault.next_step
    assert cell.strip('"') in fault.found


def test_dropping_counts_the_rows_aloud() -> None:
    path = written("a,b,c\n1,2,\n3,,1\n5,6,1\n.,8,1\n")
    table = read_table(path)
    found = numbers_of(table, ["a", "b"], missing="drop")
    table.findings.stop()
    assert found.kept.tolist() == [True, False, True, False]
    assert table.findings.notes == [
        "2 of 4 rows with an empty cell are dropped, the first in line 3"
    ]
    (fault,) = faults_of(lambda: stopped(path, "b"))
    assert "--missing drop" in fault.next_step


def test_text_cells_are_not_dropped() -> None:
    path = written("a\n1\nx\n")
    assert codes_and_places(lambda: stopped(path, missing="drop"), path) == [
        ("DATA-TEXT-CELL", ":3, column a")
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("1.5,2\n3,4\n", ("c1", "c2")),
        ("2024-01-05,2\n2024-01-06,3\n", ("c1", "c2")),
        ("label,0,1\na,3,4\n", ("label", "0", "1")),
        (",x\n0,3\n", ("c1", "x")),
        ("日付,終値\n1,2\n", ("日付", "終値")),
    ],
)
def test_header_is_detected(header: str, expected: tuple[str, ...]) -> None:
    assert read_table(written(header)).columns == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_encoding_is_detected_and_named(encoding: str) -> None:
    path = written("日付,終値\n月曜,2\n".encode(encoding))
    table = read_table(path)
    assert table.columns == ("日付", "終値")
    assert table.texts("日付") == ["月曜"]
    named = [note for note in table.findings.notes if "cp932" in note or "UTF-16" in note]
    assert len(named) == (0 if encoding.startswith("utf-8") else 1)


def test_latin1_is_not_taken_for_japanese() -> None:
    path = written("ville,x\nParis,1\nMontréal,2\nGenève,3\n".encode("latin-1"))
    (fault,) = faults_of(lambda: read_table(path))
    assert (fault.code, fault.place) == ("DATA-ENCODING", f"{path}:3")
    assert "0xe9" in fault.found


def test_missing_file_offers_a_near_one() -> None:
    written("a\n1\n", "prices_2024.csv")
    (fault,) = faults_of(lambda: read_table("prices.csv"))
    assert fault.code == "DATA-NOT-FOUND"
    assert "prices_2024.csv" in fault.next_step


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04rest", "Excel"),
        (b"a,b\n1,\x002\n", "zero byte in line 2"),
        (gzip.compress(bytes(range(65, 91)) * 9, mtime=0)[:-9], "ended before"),
        (b"PAR1 and no more", "arquet"),
    ],
)
def test_files_that_are_no_table_are_named(content: bytes, found: str) -> None:
    path = written(content)
    (fault,) = faults_of(lambda: read_table(path))
    assert fault.code == "DATA-FORMAT"
    assert found in fault.found + fault.why


def test_a_header_of_another_width_stops_alone() -> None:
    path = written("a,b\n1,2,3\n4,x,6\n")
    assert codes_and_places(lambda: read_table(path), path) == [("DATA-RAGGED", ":1")]


def test_a_quote_that_never_ends_is_named_by_its_line() -> None:
    path = written('a,b\n1,2\n3,"4\n' + "5,6\n" * 40_000)
    assert codes_and_places(lambda: read_table(path), path) == [("DATA-FORMAT", ":3")]


def test_quotes_may_follow_a_blank() -> None:
    table = read_table(written('a, b\n1, "x, y"\n2, "z"\n'))
    assert table.columns == ("a", "b")
    assert table.texts("b") == ["x, y", "z"]


def test_quotes_within_a_cell_are_kept() -> None:
    table = read_table(written('a,b\nx "y" z,1\n5" pipe,2\n"say ""no""",3\n'))
    assert table.texts("a") == ['x "y" z', '5" pipe', 'say "no"']
    table = read_table(written('a,b\nx "y, z",1\n', "u.csv"))
    assert table.columns == ("a", "b")
    assert table.findings.any_fault  # a quote inside a cell quotes nothing


def test_folder_is_no_table() -> None:
    Path("folder").mkdir()
    (fault,) = faults_of(lambda: read_table("folder"))
    assert fault.code == "DATA-FORMAT"


def test_blank_lines_are_passed_over_aloud() -> None:
    table = read_table(written("a,b\n1,2\n\n \n3,4\n"))
    assert table.lines.tolist() == [2, 5]
    assert "2 blank lines passed over, the first in line 3" in table.findings.notes[0]


def test_tab_wins_over_commas_in_a_tsv() -> None:
    table = read_table(written("a,b\tc,d\n1\t2\n3\t4\n", "t.tsv"))
    assert table.columns == ("a,b", "c,d")


def test_a_line_longer_than_the_csv_module_takes_is_read_or_named() -> None:
    long = "x" * 200_000
    found = read_table(written(f"a,b\n{long},1\nz,2\n"))
    assert found.texts("a") == [long, "z"]
    for text in (f"a,b\n{long},1\nz,2,3\n", f'a,b\nz,"{long}\nz,3\n'):
        path = written(text)
        assert codes_and_places(lambda path=path: read_table(path), path) == [("DATA-FORMAT", ":2")]
