"""The learning curves of a run: over which steps, and what stands for the middle of its seeds."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from shinso.runs.folder import SeedFolder
from shinso.walk.card import Curve, curve_of, draw_curves


def kept_seed(folder, seed: int, rows: list[dict]) -> SeedFolder:
    found = SeedFolder(folder / f"seed{seed}", seed)
    found.path.mkdir()
    for row in rows:
        found.metrics.append({"part": "valid", **row})
    return found


def axes_of(curves, falls=True):
    axes = Figure().subplots()
    draw_curves(axes, curves, "return", falls=falls)
    return axes


def test_middle_of_the_seeds_matches_scipy_at_the_steps_that_all_have():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 3)) * 10
    curves = {
        seed: Curve([0, 5, 10, 15][: 3 + seed % 2], [*values[seed], 99.0][: 3 + seed % 2], None)
        for seed in range(8)
    }
    axes = axes_of(curves)
    middle = axes.lines[-1]
    assert middle.get_label() == "interquartile mean"
    assert middle.get_xdata().tolist() == [0, 5, 10]
    # Of eight values the two lowest and the two highest are cut away.
    assert middle.get_ydata() == pytest.approx(np.sort(values, axis=0)[2:6].mean(axis=0))
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for step, of_step in zip((0, 5, 10), values.T, strict=True):
        expected = stats.bootstrap(
            (of_step,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), n_resamples=2000,
            method="percentile", rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        found = corners[corners[:, 0] == step, 1]
        assert [found.min(), found.max()] == pytest.approx([expected.low, expected.high])


def test_two_seeds_have_no_middle():
    axes = axes_of({seed: Curve([0, 5], [1.0, 2.0], None) for seed in range(2)})
    assert len(axes.lines) == 2
    assert not axes.collections


def test_curve_of_an_agent_runs_over_environment_steps(tmp_path):
    """Also where seeds act differently long in a training step: the middle stands at their mean."""
    curves = {
        seed: curve_of(
            kept_seed(
                tmp_path, seed,
                [
                    {"step": step, "return": float(step + seed), "environment_steps": step * 100 + seed}
                    for step in (0, 3)
                ],
            ),
            "return",
        )
        for seed in range(3)
    }  # fmt: skip
    assert curves[1] == Curve([0, 3], [1.0, 4.0], [1.0, 301.0])
    axes = axes_of(curves)
    assert axes.get_xlabel() == "environment steps"
    assert axes.lines[2].get_xdata().tolist() == [2.0, 302.0]
    assert axes.lines[-1].get_xdata().tolist() == [1.0, 301.0]
    assert axes.lines[-1].get_ydata().tolist() == [1.0, 4.0]


def test_curve_of_what_does_not_act_runs_over_training_steps(tmp_path):
    found = curve_of(kept_seed(tmp_path, 0, [{"step": 7, "loss": 0.5}]), "loss")
    assert found == Curve([7], [0.5], None)
    assert axes_of({0: found}).get_xlabel() == "training steps"


@pytest.mark.parametrize(
    ("values", "falls", "scale"),
    [
        ([4400.0, 43.0, 26.0], True, "log"),
        ([8.4, 3.8, 3.3], True, "linear"),
        ([-900.0, 1.0, 2.0], True, "linear"),
        ([], True, "linear"),
        ([0.02, 0.6, 0.9], False, "linear"),
    ],
)
def test_what_is_learnt_is_seen_beside_an_untrained_network(values, falls, scale):
    axes = axes_of({0: Curve([0, 500, 8000][: len(values)], values, None)}, falls)
    assert axes.get_yscale() == scale
