"""Contents of a report refuse what a page could not show."""

from pathlib import Path

import pytest

from shinso.intervals import Interval
from shinso.language import Text
from shinso.report.content import Picture, Table, table_of
from shinso.walk.tables import ResultTable, Row

HIT_RATE = Interval(0.5, 0.4, 0.6)


def test_picture_needs_a_file_for_each_language():
    with pytest.raises(ValueError, match="files lacks ja"):
        Picture(files={"en": Path("a.svg")}, alt=Text("a", "あ"))


def test_picture_is_svg_or_png():
    with pytest.raises(ValueError, match=r"b\.pdf; give \.svg or \.png"):
        Picture(files={"en": Path("a.svg"), "ja": Path("b.pdf")}, alt=Text("a", "あ"))


def test_table_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match=r"rows\[1\] has 1 cells and columns 2"):
        Table(caption="", columns=("a", "b"), rows=(("x", 1), ("y",)))


def test_result_table_becomes_a_table_with_intervals_and_best_cells():
    results = ResultTable(
        "test",
        ("mse", "hit_rate"),
        (
            Row("persistence", {"mse": Interval(2.0, 2.0, 2.0)}, 1, False),
            Row("gru", {"mse": Interval(1.0, 0.9, 1.1), "hit_rate": HIT_RATE}, 3, True),
        ),
        {"mse": "min", "hit_rate": "max"},
        ("looked at once",),
    )  # fmt: skip
    table = table_of(results, "caption")
    assert table.rows == (
        ("persistence", 2.0, None),
        ("gru", Interval(1.0, 0.9, 1.1), HIT_RATE),
    )
    assert table.best == {(1, 1), (1, 2)}
    assert table.columns == (Text("model", "モデル"), "mse", "hit_rate")
    assert table.notes == ("looked at once",)
