from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data import registry
from shinso.data.series import SeriesRoles, known_roles, read_series, series_of
from shinso.data.tables import table_of_frame
from tests.data.faults_of import codes_and_places, faults_of, written

DAILY = SeriesRoles(time="date", target=("close",))


def days(*cells: str) -> Path:
    return written("date,close\n" + "".join(f"{cell},{n}\n" for n, cell in enumerate(cells, 1)))


def test_roles_choose_columns_in_order() -> None:
    path = written("date,a,b,c\n2024-01-01,1,2,3\n2024-01-02,4,5,6\n")
    found = read_series(path, SeriesRoles(time="date", target=("c",), past=("a",)))
    assert (found.channels, found.targets) == (("c", "a"), ("c",))
    (series,) = found.series
    np.testing.assert_array_equal(series.values, [[3, 1], [6, 4]])
    assert series.labels == ("2024-01-01", "2024-01-02")
    assert series.lines.tolist() == [2, 3]


def test_without_targets_all_numeric_columns_are_taken() -> None:
    path = written("date,a,name,b,p\n2024-01-01,1,x,2,9\n2024-01-02,4,y,5,8\n")
    found = read_series(path, SeriesRoles(time="date", past=("p",)))
    assert found.targets == ("a", "b")
    assert found.channels == ("a", "b", "p")
    assert "columns left out because they hold no numbers: name" in found.notes


def test_a_mistyped_cell_does_not_make_a_column_text() -> None:
    path = written("a,b\n1,2\n3,4\n5,4o\n")
    assert codes_and_places(lambda: read_series(path, SeriesRoles()), path) == [
        ("DATA-TEXT-CELL", ":4, column b")
    ]


def test_without_a_numeric_column_nothing_is_forecast() -> None:
    path = written("date,name\n2024-01-01,x\n2024-01-02,y\n")
    (fault,) = faults_of(lambda: read_series(path, SeriesRoles(time="date")))
    assert (fault.code, fault.place) == ("DATA-TEXT-CELL", f"{path}:2")
    assert "--target" in fault.next_step


def test_thousands_separators_are_named_with_and_without_a_target() -> None:
    path = written('date,close,n\n2024-01-01,"1,234.5",1\n2024-01-02,"2,345.6",2\n')
    (fault,) = faults_of(lambda: read_series(path, SeriesRoles(time="date", target=("close",))))
    assert "separate thousands" in str(fault.why)
    (note,) = read_series(path, SeriesRoles(time="date")).notes
    assert "close" in note
    assert "1,234.5" in note
    assert str(fault.why) in note
    assert "1234.5" in note
    with_gap = written('n,close\n1,\n2,"1,234.5"\n3,"2,345.6"\n')
    assert any("1,234.5" in note for note in read_series(with_gap, SeriesRoles()).notes)
    alone = written('date,close\n2024-01-01,"1,234.5"\n2024-01-02,"2,345.6"\n')
    (same,) = faults_of(lambda: read_series(alone, SeriesRoles(time="date")))
    assert (same.code, same.why) == (fault.code, fault.why)


def test_percentages_that_are_left_out_say_why() -> None:
    path = written("n,share\n1,12%\n2,13%\n3,9.5%\n")
    notes = read_series(path, SeriesRoles()).notes
    assert any("share" in note and "write 12," in note for note in notes)


def test_a_frame_in_memory_is_a_table_too() -> None:
    times = pl.Series("t", ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 05:00"])
    frame = pl.DataFrame({"t": times.str.to_datetime(), "x": [1, 2, 3], "ok": [True, False, True]})
    found = series_of(table_of_frame(frame, Path("frame"), ""), SeriesRoles(time="t"))
    assert found.targets == ("x",)
    assert "usual one of 1 h" in found.notes[1]
    faults = faults_of(lambda: table_of_frame(frame.head(0), Path("frame"), ""))
    assert faults[0].code == "DATA-EMPTY"
    roles = SeriesRoles(target=("t",))
    faults = faults_of(lambda: series_of(table_of_frame(frame, Path("frame"), ""), roles))
    assert [fault.code for fault in faults] == ["DATA-TEXT-CELL"]


def test_missing_columns_are_all_named_with_the_closest() -> None:
    path = written("date,Close,volume\n2024-01-01,1,2\n")
    faults = faults_of(
        lambda: read_series(path, SeriesRoles(time="day", target=("close", "volum")))
    )
    assert [fault.code for fault in faults] == ["DATA-MISSING-COLUMN"] * 3
    assert [fault.next_step for fault in faults[1:]] == [
        "did you mean Close?",
        "did you mean volume?",
    ]
    assert faults[0].place == f"{path}:1, column day"


def test_a_column_with_two_roles_is_refused() -> None:
    with pytest.raises(ValueError, match="close has two roles"):
        SeriesRoles(target=("close",), past=("close",))


def test_time_order_names_each_line() -> None:
    path = days("2024-01-01", "2024-01-03", "2024-01-02", "2024-01-04", "2024-01-04")
    assert codes_and_places(lambda: read_series(path, DAILY), path) == [
        ("DATA-TIME-ORDER", ":4, column date"),
        ("DATA-DUPLICATE-TIME", ":6, column date"),
    ]


def test_newest_first_is_one_fault_whose_command_mends_it() -> None:
    path = days("2024-01-03", "2024-01-02", "2024-01-01")
    (fault,) = faults_of(lambda: read_series(path, DAILY))
    assert fault.code == "DATA-TIME-ORDER"
    _mend(fault.next_step)
    np.testing.assert_array_equal(read_series("sorted.csv", DAILY).values[0][:, 0], [3, 2, 1])


def test_sort_command_mends_the_order() -> None:
    path = days("2024-01-01", "2024-01-03", "2024-01-02", "2024-01-04")
    (fault,) = faults_of(lambda: read_series(path, DAILY))
    _mend(fault.next_step)
    np.testing.assert_array_equal(read_series("sorted.csv", DAILY).values[0][:, 0], [1, 3, 2, 4])


def test_no_command_is_offered_where_text_does_not_sort_as_time() -> None:
    path = days("1/9/2024", "1/10/2024", "1/8/2024", "1/11/2024")
    (fault,) = faults_of(lambda: read_series(path, DAILY))
    assert fault.next_step == "sort the rows by date, the oldest first"


def _mend(step: str) -> None:
    code = step.split('python -c "', 1)[1].removesuffix('"')
    exec(code, {})  # noqa: S102  the command that the fault offers to the user


@pytest.mark.parametrize(
    "cells",
    [
        ("2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"),
        ("2024/1/5", "2024/1/8", "2024/1/9", "2024/1/10"),
        ("05.01.2024", "08.01.2024", "09.01.2024", "10.01.2024"),
        ("5/1/2024", "8/1/2024", "9/1/2024", "10/1/2024"),
        ("1/5/2024", "1/8/2024", "1/9/2024", "1/10/2024"),
        ("20240105", "20240108", "20240109", "20240110"),
        ("2024年1月5日", "2024年1月8日", "2024年1月9日", "2024年1月10日"),
        ("2024-01-05 09:00", "2024-01-08 09:00", "2024-01-09 09:00", "2024-01-10 09:00"),
        ("2024-01-05T09:00:00Z", "2024-01-08T09:00:00Z", "2024-01-09T09:00:00Z",
         "2024-01-10T09:00:00Z"),
        ("2024-01-05 09:00:00+09:00", "2024-01-08 09:00:00+09:00", "2024-01-09 09:00:00+09:00",
         "2024-01-10 09:00:00+09:00"),
        ("05-Jan-2024", "08-Jan-2024", "09-Jan-2024", "10-Jan-2024"),
    ],
)  # fmt: skip
def test_a_weekend_is_counted_in_every_date_format(cells: tuple[str, ...]) -> None:
    found = read_series(days(*cells), DAILY)
    *rest, note = found.notes
    assert [text for text in rest if "changed round" not in text] == []
    assert "1 of 3 steps are longer than the usual one of 1 d; 2 such steps are missing" in note
    assert f"follows {cells[0]}" in note
    assert note.endswith("1 of the gaps are weekends")
    assert found.series[0].num_rows == 4


def test_days_and_months_that_could_be_changed_round_are_said() -> None:
    found = read_series(days("5/1/2024", "8/1/2024", "9/1/2024"), DAILY)
    assert "'9/1/2024' is read as 2024-01-09" in found.notes[0]
    found = read_series(days("1/12/2024", "1/13/2024", "1/14/2024"), DAILY)
    assert found.notes == ()


def test_months_and_years_have_no_gaps() -> None:
    months = [f"{year}-{month:02}" for year in (2023, 2024) for month in range(1, 13)]
    assert read_series(days(*months), DAILY).notes == ()
    assert read_series(days(*[f"{year}-01-01" for year in range(1999, 2010)]), DAILY).notes == ()


def test_labels_that_are_no_dates_are_kept_and_said() -> None:
    found = read_series(days("2024Q1", "2024Q2", "2024Q3"), DAILY)
    assert found.series[0].labels == ("2024Q1", "2024Q2", "2024Q3")
    assert "the order is not checked" in found.notes[0]


def test_a_cell_that_is_no_date_among_dates_is_a_fault() -> None:
    path = days("2024-01-01", "2024-01-02", "tomorrow", "2024-01-04", "")
    assert codes_and_places(lambda: read_series(path, DAILY), path) == [
        ("DATA-TEXT-CELL", ":4, column date"),
        ("DATA-NAN", ":6, column date"),
    ]


def test_parquet_dates_are_checked_too() -> None:
    frame = pl.DataFrame({"date": ["2024-01-02", "2024-01-01", "2024-01-03"], "close": [1, 2, 3]})
    frame.with_columns(pl.col("date").str.to_date()).write_parquet("p.parquet")
    path = Path("p.parquet").absolute()
    (fault,) = faults_of(lambda: read_series(path, DAILY))
    assert (fault.code, fault.place) == ("DATA-TIME-ORDER", f"{path}, row 2, column date")
    _mend(fault.next_step)
    assert read_series("sorted.parquet", DAILY).series[0].labels[0].startswith("2024-01-01")


def test_constant_columns_are_noted() -> None:
    found = read_series(written("a,b\n1,5\n2,5\n4,5\n"), SeriesRoles())
    assert found.notes == ("DATA-CONSTANT: column b is 5 in every row",)


def test_a_column_that_counts_rows_is_pointed_out() -> None:
    found = read_series(written("id,b\n0,5\n1,4\n2,7\n"), SeriesRoles())
    assert "column id only counts the rows" in found.notes[0]


def test_dropping_all_rows_is_a_fault() -> None:
    path = written("a,b\n1,\n2,\n")
    (fault,) = faults_of(lambda: read_series(path, SeriesRoles(target=("a", "b")), "drop"))
    assert fault.code == "DATA-EMPTY"


def test_groups_keep_their_own_order() -> None:
    path = written("who,t,x\nb,1,10\na,1,20\nb,2,11\na,3,21\na,2,22\n")
    roles = SeriesRoles(time="t", group="who")
    assert codes_and_places(lambda: read_series(path, roles), path) == [
        ("DATA-TIME-ORDER", ":6, column t")
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 9)), min_size=1, max_size=30))
def test_grouping_holds_for_any_interleaving(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("long") / "long.csv"
    path.write_text("who,x\n" + "".join(f"{who},{x}\n" for who, x in rows))
    found = read_series(path, SeriesRoles(group="who", target=("x",)))
    assert [one.name for one in found.series] == list(dict.fromkeys(who for who, _ in rows))
    for one in found.series:
        assert one.values[:, 0].tolist() == [x for who, x in rows if who == one.name]
        assert one.lines.tolist() == [n + 2 for n, (who, _) in enumerate(rows) if who == one.name]


def test_facts_bring_back_the_roles() -> None:
    path = written("date,a,b\n2024-01-01,1,2\n2024-01-02,4,5\n")
    roles = SeriesRoles(time="date", past=("b",))
    facts = json.loads(json.dumps(read_series(path, roles).facts()))
    again = read_series(path, known_roles(facts))
    assert again.channels == ("a", "b")
    assert again.facts() == facts


def test_notes_on_many_series_do_not_bury_the_rest() -> None:
    rows = "".join(f"s{n},{x}\n" for n in range(30) for x in (7, 7, 7))
    found = read_series(written("who,x\n" + rows), SeriesRoles(group="who"))
    assert len(found.notes) == 11
    assert found.notes[-1] == "20 more such notes on the other series"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "time", "shape"),
    [
        ("exchange_rate/exchange_rate.txt.gz", None, (7588, 8)),
        ("ett/ETTh1.csv.gz", "date", (17420, 7)),
        ("ett/ETTm1.csv.gz", "date", (69680, 7)),
    ],
)
def test_real_series_are_read_whole(name: str, time: str | None, shape: tuple[int, int]) -> None:
    path = registry.find(name)
    if path is None:
        pytest.skip(f"{name} is not there; set SHINSO_DATA to the folder that holds it")
    found = read_series(path, SeriesRoles(time=time))
    assert found.series[0].values.shape == shape
    assert not [note for note in found.notes if "gaps" in note]


def test_logarithms_are_of_every_value_and_refuse_what_has_none() -> None:
    found = read_series(days("2024-01-01", "2024-01-02"), DAILY)
    np.testing.assert_array_equal(found.logarithms().values[0][:, 0], np.log([1.0, 2.0]))
    path = written("date,close\n2024-01-01,1\n2024-01-02,0\n2024-01-03,-3\n")
    found = codes_and_places(lambda: read_series(path, DAILY).logarithms(), path)
    assert found == [
        ("DATA-NOT-POSITIVE", ":3, column close"),
        ("DATA-NOT-POSITIVE", ":4, column close"),
    ]
