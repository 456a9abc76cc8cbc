import csv
import inspect
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from shinso import figures
from shinso.faults import UsageFault
from shinso.figures import binary_addition, course, predict_sin, style

PNG = b"\x89PNG\r\n\x1a\n"


def read_columns(path):
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    return dict(zip(head, np.array(rows, dtype=float).T, strict=True))


def test_predict_sin_writes_its_figure_and_the_curves_behind_it(tmp_path):
    made = predict_sin.make(tmp_path / "new", gradient="both", seed=1, language="ja")
    assert made.png == tmp_path / "new" / "predict-sin.png"
    assert made.png.read_bytes().startswith(PNG)
    assert sorted(path.name for path in made.png.parent.iterdir()) == [
        "predict-sin.csv",
        "predict-sin.png",
    ]
    columns = read_columns(made.csv)
    assert list(columns) == ["step", "sine", "published", "exact", "linear_ar"]
    for gradient in ("published", "exact"):
        result = predict_sin.train(predict_sin.Config(seed=1, gradient=gradient))
        np.testing.assert_array_equal(columns[gradient], result.network.closed_loop)
        np.testing.assert_array_equal(columns["sine"], result.sine)
        np.testing.assert_array_equal(columns["step"], result.steps)
        np.testing.assert_array_equal(columns["linear_ar"], result.linear_ar.closed_loop)
        rmse = np.sqrt(np.mean((columns[gradient] - columns["sine"]) ** 2))
        assert made.numbers[f"{gradient}_closed_loop_rmse"] == pytest.approx(rmse, rel=1e-12)
        assert made.numbers[f"{gradient}_one_step_rmse"] == result.network.one_step_rmse
    assert made.numbers["persistence_closed_loop_rmse"] == result.persistence.closed_loop_rmse


def test_binary_addition_writes_its_figure_and_the_curves_behind_it(tmp_path, monkeypatch):
    short = partial(binary_addition.Config, pairs=150, record_every=50)
    monkeypatch.setattr(binary_addition, "Config", short)
    made = binary_addition.make(tmp_path, gradient="both", seed=2, language="en")
    assert made.png == tmp_path / "binary-addition.png"
    assert made.png.read_bytes().startswith(PNG)
    columns = read_columns(made.csv)
    assert len(columns) == 5
    np.testing.assert_array_equal(columns["pair"], [0, 50, 100])
    for gradient in ("published", "exact"):
        result = binary_addition.train(short(seed=2, gradient=gradient))
        np.testing.assert_array_equal(columns[f"{gradient}_loss"], result.losses)
        np.testing.assert_array_equal(columns[f"{gradient}_mean_loss"], result.mean_losses)
        assert made.numbers[f"{gradient}_bit_accuracy"] == result.bit_accuracy
        assert made.numbers[f"{gradient}_sum_accuracy"] == result.sum_accuracy
        assert made.numbers[f"{gradient}_last_mean_loss"] == result.mean_losses[-1]
    assert made.numbers["no_carry_sum_accuracy"] == pytest.approx(0.75**7, rel=1e-12)


def test_binary_addition_draws_both_gradients_with_their_curves():
    results = [
        binary_addition.train(binary_addition.Config(pairs=40, record_every=10, gradient=gradient))
        for gradient in course.gradients_of("both")
    ]
    drawn = style.figure(8.0, 5.0)
    binary_addition.draw(results, drawn, "en")
    means, *panels = drawn.axes
    for panel, result, mean in zip(panels, results, means.lines, strict=True):
        points, line = panel.lines
        np.testing.assert_array_equal(points.get_xdata(), [0, 10, 20, 30])
        np.testing.assert_array_equal(points.get_ydata(), result.losses)
        np.testing.assert_array_equal(line.get_xdata(), [5, 15, 25, 35])
        np.testing.assert_array_equal(line.get_ydata(), result.mean_losses)
        np.testing.assert_array_equal(mean.get_ydata(), result.mean_losses)


def test_gradients_of_a_choice_put_the_published_one_first():
    assert course.gradients_of("both") == ("published", "exact")
    assert course.gradients_of("exact") == ("exact",)


def test_gradients_of_an_unknown_choice_are_refused():
    with pytest.raises(ValueError, match="choose published, exact or both"):
        inspect.unwrap(course.gradients_of)("none")  # past the tests' check of types


def test_write_csv_reads_back_as_the_same_floats(tmp_path):
    values = np.array([0.1, 1e-300, -np.pi, 3.0])
    path = course.write_csv(tmp_path / "deep" / "a.csv", {"step": np.arange(4), "x": values})
    np.testing.assert_array_equal(read_columns(path)["x"], values)
    assert path.read_text(encoding="utf-8").splitlines()[1] == "0,0.1"


def test_names_are_the_modules_that_set_one_and_each_is_whole():
    assert figures.names() == ["binary-addition", "predict-sin"]
    for name in figures.names():
        module = figures.load(name)
        assert name == module.NAME
        for text in (module.TITLE, module.EXPLANATION):
            assert text.en
            assert text.ja
            assert text.en != text.ja


def test_unknown_figure_names_the_known_ones():
    with pytest.raises(UsageFault, match="binary-addition, predict-sin"):
        figures.load("nothing")


def test_listing_imports_neither_numpy_nor_torch_nor_matplotlib():
    code = (
        "import sys; from shinso import figures; figures.names(); "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'torch', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
