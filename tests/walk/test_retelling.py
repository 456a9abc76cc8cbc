"""A student that learns its teacher's own sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.data import samples
from shinso.faults import Interrupted, UsageFault
from shinso.recipes.uses.translations import TranslationUse
from shinso.runs.checkpoint import load_weights
from shinso.training.stopping import StopRequest
from shinso.walk import retelling
from shinso.walk.audience import NoAudience
from shinso.walk.compressing import compress_run, resume_compression
from shinso.walk.compression import Compression
from shinso.walk.order import place
from shinso.walk.run import Run
from shinso.walk.training import train
from tests.recipes.test_every_recipe import order_of_sample

TAUGHT = Compression(do="distill=luong:8", sequence_level=True)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    lines = samples.path("dates.en-ja.tsv").read_text(encoding="utf-8").splitlines()[:160]
    (folder / "dates.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings: dict[str, Any] = {
        **order_of_sample("translate", "luong", folder).recipe.BRIEF.settings,
        "model": "luong", "steps": 6, "warmup": 0, "evaluate_every": 3, "batch_size": 8, "beams": 1,
        "runs": str(folder), "longest": 28,
    }  # fmt: skip
    return train(place("translate", (folder / "dates.tsv",), ("test", settings)))


class After(NoAudience):
    """Asks to stop once so many sentences are translated."""

    def __init__(self, stop: StopRequest, step: int) -> None:
        self.stop, self.step = stop, step

    def on_step(self, step: int, steps: int, scalars: Any) -> None:
        if step >= self.step:
            self.stop.ask()


def test_a_student_learns_what_its_teacher_writes(teacher: Run) -> None:
    use = teacher.use()
    assert isinstance(use, TranslationUse)
    data = teacher.order.recipe.read(teacher.order.config, teacher.order.paths)
    sources = use.sources(data)
    assert 0 < len(sources) < len(data.parts["train"])  # over-long ones are not learnt from
    answers = ["" if place == 1 else f"answer {place}" for place in range(len(sources))]
    told = use.retold(data, answers)
    assert told.parts["train"].source == (sources[0], *sources[2:])
    assert told.parts["train"].target == (answers[0], *answers[2:])
    assert told.parts["valid"] is data.parts["valid"]
    run = compress_run(teacher, TAUGHT).run
    kept = (run.folder.path / "seed0" / "retold.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in kept] == use.translate(sources)
    assert "loss_teacher" not in run.folder.seed(0).metrics.path.read_text()


def test_a_stopped_teacher_goes_on_where_it_was(
    teacher: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retelling, "AT_ONCE", 30)
    whole = compress_run(teacher, TAUGHT).run
    stop = StopRequest()
    with pytest.raises(Interrupted) as stopped:
        compress_run(teacher, TAUGHT, audience=After(stop, 60), stop=stop)
    folder = Path(stopped.value.resume.split()[-1])
    path = folder / "seed0" / "retold.jsonl"
    assert len(path.read_text(encoding="utf-8").splitlines()) == 60
    with path.open("a", encoding="utf-8") as file:
        file.write('{"answer": "torn')  # as a kill leaves it
    asked: list[int] = []
    real = TranslationUse.translate

    def counting(self: TranslationUse, sentences: Any, places: Any = ()) -> list[str]:
        asked.append(len(sentences))
        return real(self, sentences, places)

    monkeypatch.setattr(TranslationUse, "translate", counting)
    done = resume_compression(folder).run
    rest = len((whole.folder.path / "seed0" / "retold.jsonl").read_text().splitlines()) - 60
    assert sum(asked[: -(-rest // 30)]) == rest
    assert path.read_text() == (whole.folder.path / "seed0" / "retold.jsonl").read_text()
    ours, theirs = (load_weights(one.folder.seed(0).best_weights) for one in (done, whole))
    assert all(torch.equal(one, theirs[name]) for name, one in ours.items())


def test_what_writes_no_sentences_is_refused(tmp_path: Path) -> None:
    run = train(order_of_sample("classify-series", "gru", tmp_path))
    with pytest.raises(UsageFault, match="COMPRESS-REFUSED"):
        compress_run(run, Compression(do="distill=gru:4", sequence_level=True))
    assert not list((run.folder.path / "compress").glob("*"))


def test_answers_end_at_a_damaged_one_and_keep_their_places(tmp_path: Path) -> None:
    class Echo:
        def sources(self, data: Any) -> list[str]:
            return data

        def translate(self, sentences: Any) -> list[str]:
            return ["a\u2028again" if one == "a" else one for one in sentences]

        def retold(self, data: Any, answers: Any) -> Any:
            return dict(zip(data, answers, strict=True))

    path = tmp_path / "retold.jsonl"
    first = retelling.retold(Echo(), ["a", "b", "c"], path, None, None, "")
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([lines[0], lines[1][:9], lines[2]]), encoding="utf-8")
    assert retelling.retold(Echo(), ["a", "b", "c"], path, None, None, "") == first
    assert first == {"a": "a\u2028again", "b": "b", "c": "c"}
