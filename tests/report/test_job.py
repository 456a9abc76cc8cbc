"""The main job, with one small recipe and one claim in place of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shinso.claims import catalogue as claims
from shinso.claims import machine
from shinso.faults import Interrupted
from shinso.recipes.recipe import Brief
from shinso.report import job
from shinso.walk import catalogue as recipes

BRIEF = Brief(
    sample="prices.csv",
    models=("linear",),
    settings={"time": "date", "target": "close", "horizon": 2, "lookback": 8, "steps": 10,
              "evaluate_every": 5},
)  # fmt: skip


class Watching:
    """Remembers what was begun and measured."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.kinds: list[str] = []

    def on_stage(self, stage: str, done: int, total: int) -> None:
        self.stages.append(stage)

    def on_claim(self, progress: machine.Progress) -> None:
        self.kinds.append(progress.kind)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "tasks", lambda: ("forecast",))
    monkeypatch.setattr(recipes.recipe("forecast"), "BRIEF", BRIEF)
    monkeypatch.setattr(claims, "names", lambda *_: ["rnn.chain-rule", "rnn.conv-size"])
    monkeypatch.setattr(job.figures, "names", list)


def evidence(folder: Path) -> dict[Path, int]:
    """Every measurement and weights file with the time of its last change."""
    files = [*folder.glob("ledger/**/*.json"), *folder.glob("runs/**/*.safetensors")]
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.usefixtures("_small")
def test_whole_job_ends_with_a_page_and_repeats_nothing(tmp_path: Path) -> None:
    todo = job.Job(folder=tmp_path / "report", profile="quick", workers=1)
    first = Watching()
    page = job.run(todo, first)
    assert page == tmp_path / "report" / "index.html"
    assert first.stages == ["train forecast linear", "claims", "pages"]
    assert "done" in first.kinds
    for language in ("en", "ja"):
        names = {path.name for path in (tmp_path / "report" / language).iterdir()}
        assert any("rnn.chain-rule" in name for name in names)
        assert any("forecast" in name for name in names)
    pages = {
        tree: (page.parent / tree / "system-forecast.html").read_text() for tree in ("en", "ja")
    }
    assert "Test part, 1 seed" in pages["en"]
    assert "no step of the training was shown to be better" in pages["en"]
    assert "longer than the usual one" in pages["en"]
    assert "longer than the usual one" not in pages["ja"]
    assert "(beside it autoregression " in (page.parent / "en/index.html").read_text()
    before = evidence(tmp_path / "report")
    again = Watching()
    job.run(todo, again)
    assert "done" not in again.kinds
    assert evidence(tmp_path / "report") == before


@pytest.mark.usefixtures("_small")
def test_edited_brief_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    todo = job.Job(folder=tmp_path / "report", profile="quick", workers=1)
    job.run(todo, Watching())
    longer = Brief(
        sample=BRIEF.sample, models=BRIEF.models, settings={**BRIEF.settings, "steps": 15}
    )
    monkeypatch.setattr(recipes.recipe("forecast"), "BRIEF", longer)
    job.run(todo, Watching())
    assert len(list((tmp_path / "report/runs/forecast").iterdir())) == 2


@pytest.mark.usefixtures("_small")
def test_stopped_job_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.run

    def stopped_at_once(*arguments: Any, **more: Any) -> None:
        real(*arguments, **{**more, "stop": lambda: True})

    monkeypatch.setattr(job.machine, "run", stopped_at_once)
    folder = tmp_path / "report"
    todo = job.Job(folder=folder, profile="quick", workers=1)
    with pytest.raises(Interrupted) as stopped:
        job.run(todo, Watching())
    assert stopped.value.resume == f"shinso report --quick --folder {folder} --workers 1"
    weights = evidence(tmp_path / "report")
    assert weights
    monkeypatch.setattr(job.machine, "run", real)
    job.run(todo, Watching())
    now = evidence(tmp_path / "report")
    assert {path: now[path] for path in weights} == weights
