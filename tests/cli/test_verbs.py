"""The command line as a user meets it: in a process of its own, with its exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shinso.claims import machine
from shinso.cli.main import load, main, verbs
from shinso.data import samples

PRICES = str(samples.path("prices.csv"))
BRIEF = ["--time", "date", "--target", "close", "--horizon", "3", "--lookback", "16"]
STEPS = ["--steps", "20", "--evaluate-every", "10", "--batch-size", "8"]


def shinso(*words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shinso", *words], capture_output=True, text=True, cwd=cwd,
        env={**os.environ, "SHINSO_LANG": "en", "OMP_NUM_THREADS": "1", **more}, timeout=240,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run, made once."""
    folder = tmp_path_factory.mktemp("trained")
    done = shinso("train", "forecast", PRICES, *BRIEF, *STEPS, "--seeds", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "forecast" / "0001-gru"


@pytest.mark.parametrize("words", [["--help"], ["list"], ["--version"], ["claims", "list"],
                                   ["train", "forecast", "--help"], ["runs", "list"]])  # fmt: skip
def test_answers_without_importing_torch(words: list[str]) -> None:
    """The reason why they answer at once; the time itself is measured in benchmarks."""
    code = (
        "import sys; from shinso.cli.main import main\n"
        f"try: main({words!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'polars', 'matplotlib', 'scipy', 'numba'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_verb_has_help() -> None:
    for verb in verbs():
        assert load(verb).HELP
        done = shinso(verb, "--help")
        assert done.returncode == 0, (verb, done.stderr)
        assert done.stdout, verb


def test_presets_are_shown_where_a_task_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "bert-pretrain"]) == 0
    assert "--preset wikitext2\n      vocabulary=8000 length=64" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "bert-pretrain", "--help"])
    assert "wikitext2" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "forecast", "--help"])
    assert "named settings of the task: —" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["trian"], 2, "train"),
        (["train", "forcast", "x.csv"], 2, "forecast"),
        (["train", "forecast", "x.csv", "--horizn", "3"], 2, "--horizon"),
        (["train", "forecast", "x.csv", "--horizon", "three"], 2, "SETTING-INVALID"),
        (["train", "forecast", "x.csv", "--horizon", "0"], 2, "horizon is 0"),
        (["train", "forecast", "x.csv", "--model", "gruu"], 2, "gru"),
        (["train", "forecast", "x.csv", "hiden=3"], 2, "hidden"),
        (["train", "forecast", "x.csv", "cell=lstm"], 2, "SETTING-FIXED"),
        (["train", "forecast"], 2, "shinso train forecast DATA"),
        (["train"], 2, "shinso train --help"),
        (["train", "--resume", "nowhere"], 3, "RUN-NOT-FOUND"),
        (["train", "forecast", "missing.csv"], 3, "DATA-NOT-FOUND"),
        (["train", "forecast", PRICES, "--target", "clse"], 3, "close"),
        (["evaluate", "nowhere"], 3, "RUN-NOT-FOUND"),
        (["claims", "show", "rnn.reccurence"], 2, "rnn.recurrence"),
        (["learn", "bqtt"], 2, "bptt"),
        (["--lang", "fr", "list"], 2, "en | ja"),
        (["train", "forecast", PRICES, "--config", "no.yaml"], 2, "CONFIG-NOT-FOUND"),
        (["train", "forecast", PRICES, "--preset", "no"], 2, "PRESET-UNKNOWN"),
        (["train", "forecast", PRICES, "--device", "cuda"], 2, "DEVICE-MISSING"),
    ],
)  # fmt: skip
def test_wrong_words_name_the_fix(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    assert main(words) == code
    assert says in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("row", "code", "place"),
    [("2020-01-09,text", "DATA-TEXT-CELL", ":7"), ("2020-01-09,", "DATA-NAN", ":7"),
     ("2020-01-09,nan", "DATA-NAN", ":7"), ("2020-01-09,1,2", "DATA-RAGGED", ":7"),
     ("2020-01-01,1", "DATA-TIME-ORDER", ":7"), ("2020-01-06,1", "DATA-DUPLICATE-TIME", ":7")],
)  # fmt: skip
def test_bad_data_is_placed_and_nothing_is_left_behind(
    row: str, code: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["date,close", *(f"2020-01-0{day},{day}" for day in range(2, 7)), row]
    lines += [f"2020-02-{day:02d},{day}" for day in range(1, 29)]
    Path("p.csv").write_text("\n".join(lines) + "\n")
    assert main(["check", "forecast", "p.csv", "--time", "date"]) == 3
    error = capsys.readouterr().err
    assert code in error
    assert place in error
    assert "→" in error
    assert main(["train", "forecast", "p.csv", "--time", "date"]) == 3
    assert not Path("runs").exists()


def test_fault_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "forecast", "missing.csv", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["fault"]["code"] == "DATA-NOT-FOUND"


def test_json_of_check_has_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2020-01-{day:02d},{'x' if day < 4 else day}" for day in range(1, 29)]
    Path("cells.csv").write_text("\n".join(["date,close", *rows]) + "\n")
    words = ["check", "forecast", "cells.csv", "--time", "date", "--target", "close", "--json"]
    assert main(words) == 3
    found = json.loads(capsys.readouterr().out)["fault"]
    assert len(found["all"]) == 3
    assert found["place"] == found["all"][0]["place"]


def test_faults_are_shown_where_their_file_cannot_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("many.csv").write_text("date,close\n" + "2020-01-01,x\n" * 30)
    Path("many.csv.faults.txt").mkdir()
    assert main(["check", "forecast", "many.csv", "--time", "date", "--target", "close"]) == 3
    error = capsys.readouterr().err
    assert "many.csv.faults.txt cannot be written" in error
    assert error.count("DATA-") >= 30


@pytest.mark.parametrize(
    "words",
    [["--split", "0.5,0.5"], ["--split", "a,b,c"], ["--target", "date"], ["--past", "close"]],
)
def test_wrong_roles_and_splits_are_settings(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--time", "date", *([] if "--target" in words else ["--target", "close"]), *words]
    assert main(["check", "forecast", PRICES, *given]) == 2
    assert "SETTING-REFUSED" in capsys.readouterr().err


def test_answers_do_not_replace_their_questions(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.csv"
    own.write_bytes(Path(PRICES).read_bytes())
    (tmp_path / "link.csv").symlink_to(own)
    for output in (own, tmp_path / "link.csv"):
        assert main(["predict", str(trained), str(own), "-o", str(output)]) == 2
        assert "OUTPUT-IS-DATA" in capsys.readouterr().err
    assert own.read_bytes() == Path(PRICES).read_bytes()


def test_file_that_the_machine_refuses_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_words: object) -> int:
        raise PermissionError(13, "Permission denied", "mine.csv")

    monkeypatch.setattr("shinso.cli.verbs.check.run", refused)
    assert main(["check", "forecast", "mine.csv"]) == 3
    error = capsys.readouterr().err
    assert "FILE-UNREADABLE: mine.csv" in error
    assert "bug" not in error


def test_forecasts_of_other_scales_are_not_compared(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = [*BRIEF, *STEPS, "--log", "--runs", str(tmp_path)]
    assert main(["train", "forecast", PRICES, *logs]) == 0
    capsys.readouterr()
    assert main(["compare", str(trained), str(tmp_path / "forecast" / "0001-gru")]) == 0
    said = capsys.readouterr().out
    assert "logarithms of close, horizon 3" in said
    assert "persistence" not in said
    assert " *" not in said.split("note:")[0].splitlines()[2]


def test_train_evaluate_predict_compare(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(trained)
    assert main(["evaluate", run, PRICES, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    names = [row["name"] for row in table["rows"]]
    assert names == ["persistence", "drift", "autoregression", "gru"]
    assert main(["predict", run, PRICES, "-o", "out.csv"]) == 0
    header, first, *rest = Path("out.csv").read_text().splitlines()
    assert header == "origin,step,target,forecast"
    assert first.startswith(f"{Path(PRICES).read_text().splitlines()[-1].split(',')[0]},1,close,")
    assert len(rest) == 2
    capsys.readouterr()
    assert main(["evaluate", run, PRICES, "--part", "valid"]) == 2
    assert "SETTING-REFUSED: --part" in capsys.readouterr().err
    assert main(["compare", run, run]) == 0
    assert "0001-gru" in capsys.readouterr().out
    assert main(["runs", "show", run]) == 0
    assert "persistence" in capsys.readouterr().out


def test_gates_exit_with_four(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(trained)
    assert main(["evaluate", run, "--part", "valid", "--require", "mse_scaled<1000"]) == 0
    assert main(["evaluate", run, "--part", "valid", "--require", "mse_scaled<0.0000001"]) == 4
    assert "GATE-FAILED" in capsys.readouterr().err
    assert main(["evaluate", run, "--part", "valid", "--require", "beats=persistence"]) in (0, 4)
    assert main(["evaluate", run, "--part", "valid", "--require", "better"]) == 2


def test_looks_at_the_test_part_are_counted(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", str(trained), "--part", "valid"])
    assert "looked at" not in capsys.readouterr().out
    main(["evaluate", str(trained)])
    first = capsys.readouterr().out
    main(["evaluate", str(trained)])
    assert "looked at 3 times" in first  # one for each of two seeds, and this one
    assert "looked at 4 times" in capsys.readouterr().out


def test_a_gate_that_cannot_be_met_costs_no_look(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = trained / "evaluation" / "looks.jsonl"
    before = looks.read_text()
    for gate in ("bats=persistence", "mse_scaled<abc", "mze<1", "beats=nobody"):
        assert main(["evaluate", str(trained), "--require", gate]) == 2
        assert "GATE-UNKNOWN" in capsys.readouterr().err
    assert looks.read_text() == before


def test_evaluations_are_numbered_after_the_highest(trained: Path, tmp_path: Path) -> None:
    import shutil

    run = shutil.copytree(trained, tmp_path / "numbered")
    shutil.rmtree(run / "evaluation")
    for _ in range(2):
        assert main(["evaluate", str(run), PRICES]) == 0
    (run / "evaluation" / "0001-new.json").unlink()
    assert main(["evaluate", str(run), PRICES]) == 0
    kept = sorted(one.name for one in (run / "evaluation").iterdir())
    assert kept == ["0002-new.json", "0003-new.json"]


def test_run_needs_nothing_outside_its_folder(trained: Path, tmp_path: Path) -> None:
    import shutil

    moved = shutil.copytree(trained, tmp_path / "moved")
    config = moved / "config.yaml"
    config.write_text(config.read_text().replace(PRICES, "/gone/prices.csv"))
    assert main(["predict", str(moved), PRICES, "-o", "out.csv"]) == 0
    assert main(["evaluate", str(moved), PRICES]) == 0


def test_changed_data_refuses_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    data = Path(shutil.copy(PRICES, tmp_path / "p.csv"))
    main(["train", "forecast", str(data), *BRIEF, *STEPS])
    data.write_text(
        data.read_text()
        + "2099-01-01,1,1,1,1,1\n".replace(
            ",1,1,1,1,1", ",1" * (len(data.read_text().splitlines()[0].split(",")) - 1)
        )
    )
    run = "runs/forecast/0001-gru"
    looks = Path(run, "evaluation", "looks.jsonl")
    before = looks.read_text()
    for words in (["train", "--resume", run], ["evaluate", run], ["compress", run, "--do", "int8"]):
        assert main(words) == 3
        assert "DATA-CHANGED" in capsys.readouterr().err
    assert looks.read_text() == before
    assert main(["evaluate", run, str(data)]) == 0  # it is new data that was named


@pytest.mark.parametrize("text", ["model_settings: 5", "on: 5", "1: 2", "model_settings: {1: 2}"])
def test_a_config_of_no_names_is_told(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(text + "\n")
    assert main(["train", "forecast", PRICES, "--config", str(tmp_path / "c.yaml")]) == 2
    assert "CONFIG-UNREADABLE" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "predict", "generate"])
def test_a_text_too_long_for_a_name_is_no_run(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "x" * 300, "data"]) == 3
    assert "RUN-NOT-FOUND" in capsys.readouterr().err


def test_a_damaged_run_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, status in (("0001-a", "[]"), ("0002-b", "{"), ("0003-c", '{"state": "done"}')):
        (tmp_path / "tag" / name / "seed0").mkdir(parents=True)
        (tmp_path / "tag" / name / "seed0" / "result.json").write_text("{}")
        (tmp_path / "tag" / name / "seed0.bak").mkdir()
        (tmp_path / "tag" / name / "seed0.bak" / "result.json").write_text("{}")
        (tmp_path / "tag" / name / "status.json").write_text(status)
    assert main(["runs", "list", "--runs", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in found] == ["damaged", "damaged", "done"]
    assert [one["seeds_done"] for one in found] == [1, 1, 1]
    assert main(["runs", "show", str(tmp_path / "tag" / "0001-a")]) == 3
    assert "RUN-FILE-UNREADABLE" in capsys.readouterr().err


def test_ctrl_c_saves_and_resume_goes_on(tmp_path: Path) -> None:
    """A real process, a real signal."""
    words = ["train", "forecast", PRICES, *BRIEF, "--steps", "100000", "--patience", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shinso", *words], cwd=tmp_path, text=True,
        stderr=subprocess.PIPE, env={**os.environ, "SHINSO_LANG": "en", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    metrics = tmp_path / "runs/forecast/0001-gru/seed0/metrics.jsonl"
    for _ in range(600):
        if metrics.exists() and '"step": 100' in metrics.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "shinso train --resume runs/forecast/0001-gru" in error
    folder = metrics.parent.parent
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
    assert (folder / "seed0/resume.pt").exists()


@pytest.mark.parametrize("probe", [["--one-batch"], ["--find-lr"], ["--overfit", "4"]])
def test_probes_leave_no_run(probe: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "forecast", PRICES, *BRIEF, "--steps", "300", "--lr", "0.01", *probe]
    assert main([*words, "--clip-norm", "0"]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out
    assert not Path("runs").exists()


def test_japanese_reaches_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(["--lang", "ja", "train", "forecast", "missing.csv"]) == 3
        assert any("ぁ" <= sign <= "ん" for sign in capsys.readouterr().err)
    finally:
        from shinso import language

        language.choose(None)


def test_our_bug_exits_with_one_and_keeps_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("one of ours")

    monkeypatch.setattr(load("list"), "run", broken)
    assert main(["list"]) == 1
    error = capsys.readouterr().err
    log = Path(error.split("traceback: ")[1].strip())
    assert "one of ours" in log.read_text()
    log.unlink()


def test_help_and_errors_speak_japanese(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--lang", "ja", "evaluate", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("使い方: shinso evaluate [-h]")
    assert "引数:" in said
    assert "show this help" not in said
    for words, says in (
        (["runs"], "do, RUN を指定してください"),
        (["runs", "lst"], "から選んでください"),
        (["train", "forecast", "x.csv", "--horizon"], "--horizon には値が必要です"),
        (["train", "forecast", "x.csv", "--one-batch", "--find-lr"], "同時に使えません"),
        (["train", "forecast", "x.csv", "--overfit", "three"], "int ではありません"),
        (["claims", "list", "--quick=1"], "値をとりません"),
    ):
        assert main(["--lang", "ja", *words]) == 2
        assert says in capsys.readouterr().err


def test_check_ends_with_the_command_that_trains(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "forecast", PRICES, "--time", "date", "--target", "close"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"shinso train forecast {PRICES} --time date --target close")


def test_stopped_claims_say_the_whole_command_that_goes_on(tmp_path, monkeypatch, capsys):
    real = machine.run
    monkeypatch.setattr(
        machine, "run", lambda *what, **how: real(*what, **{**how, "stop": lambda: True})
    )
    words = ["claims", "run", "gru.parameters", "--report", str(tmp_path / "a report")]
    assert main([*words, "--workers", "1"]) == 130
    again = capsys.readouterr().err.splitlines()[-1]
    assert shlex.split(again) == ["shinso", *words, "--workers", "1"]
