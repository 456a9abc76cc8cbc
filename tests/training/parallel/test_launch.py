"""Runs of several workers: the same run as of one, whatever happens to a worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.faults import Interrupted, RunFault, UsageFault
from shinso.runs.checkpoint import load_weights
from shinso.training.parallel import launch
from shinso.training.stopping import StopRequest
from shinso.walk import catalogue
from shinso.walk.audience import NoAudience
from shinso.walk.order import place
from shinso.walk.run import Run
from shinso.walk.training import resume, train

pytestmark = pytest.mark.slow  # each worker imports torch anew

SETTINGS = {
    "steps": 40, "evaluate_every": 10, "checkpoint_every": 5, "patience": 0, "batch_size": 16,
    "hidden": 8, "dropout": 0.3, "model": "rnn", "worker_timeout": "60s",
}  # fmt: skip


def order_of(runs: Path, **more: Any) -> Any:
    brief = catalogue.recipe("classify-series").BRIEF
    return place("classify-series", brief.data, ("test", {**SETTINGS, "runs": str(runs), **more}))


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_weights(run.folder.seed(0).best_weights)


def last_state(run: Run) -> dict[str, torch.Tensor]:
    return run.folder.seed(0).load_resume()["learner"]["model"]


def assert_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


class At(NoAudience):
    """Does something when a validation at ``step`` is told, once."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self.step, self.act, self.notes = step, act, []

    def on_notes(self, notes: Any) -> None:
        self.notes += notes

    def on_validation(self, step: int, metrics: Any, best: bool) -> None:
        if step >= self.step:
            self.step = 10**9
            self.act()


def workers_of(folder: Path) -> dict[int, int]:
    """Rank -> process id of the workers that train in a folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode().split("\0")
            if "shinso.walk.worker" not in words or str(folder) not in words:
                continue
            variables = (path / "environ").read_bytes().decode().split("\0")
        except OSError:
            continue
        rank = next(v for v in variables if v.startswith("RANK="))
        found[int(rank.removeprefix("RANK="))] = int(path.name)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty steps of two workers, undisturbed."""
    return train(order_of(tmp_path_factory.mktemp("whole"), workers=2))


def test_two_workers_equal_one_process(tmp_path: Path) -> None:
    """Dropout aside, the run is the same up to rounding: validation, best step, test."""
    plain = {"dropout": 0.0, "optimizer": "sgd", "lr": 0.05}
    one, two = (train(order_of(tmp_path / str(n), workers=n, **plain)) for n in (1, 2))
    first, second = (list(run.folder.seed(0).metrics.rows()) for run in (one, two))
    assert [row["step"] for row in first] == [row["step"] for row in second]
    for ours, theirs in zip(second, first, strict=True):
        assert ours.keys() == theirs.keys()
        assert ours.pop("part") == theirs.pop("part")
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name
    assert two.folder.status()["state"] == "done"
    assert two.table().as_dict()["rows"]
    assert (two.folder.path / "report.html").stat().st_size > 0


@pytest.mark.parametrize("rank", [0, 1])
def test_killed_worker_is_replaced_and_nothing_is_lost(
    rank: int, whole: Run, tmp_path: Path
) -> None:
    """Killed in mid-run, the first one too; the end is bit for bit that of an undisturbed run."""

    def kill() -> None:
        folder = next((tmp_path / "classify-series").iterdir())
        os.kill(workers_of(folder)[rank], signal.SIGKILL)

    audience = At(20, kill)
    run = train(order_of(tmp_path, workers=2), audience=audience)
    assert any(f"worker {rank}" in note and "SIGKILL" in note for note in audience.notes)
    assert_same(last_state(run), last_state(whole))
    assert_same(weights_of(run), weights_of(whole))
    steps = [row["step"] for row in run.folder.seed(0).metrics.rows()]
    assert steps == sorted(steps)
    assert workers_of(run.folder.path) == {}


def test_hung_worker_is_found_and_the_run_resumes(whole: Run, tmp_path: Path) -> None:
    """Stopped, not dead: the others wait worker_timeout, then the run ends with a clear message.
    Resumed, it ends bit for bit as an undisturbed one."""

    def freeze() -> None:
        folder = next((tmp_path / "classify-series").iterdir())
        os.kill(workers_of(folder)[1], signal.SIGSTOP)

    order = order_of(tmp_path, workers=2, worker_timeout="15s", restarts=0)
    with pytest.raises(RunFault) as raised:
        train(order, audience=At(20, freeze))
    assert raised.value.code == "WORKER-LOST"
    assert raised.value.found == "worker 1 hung"
    folder = next((tmp_path / "classify-series").iterdir())
    assert f"shinso train --resume {folder}" in raised.value.next_step
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"
    assert workers_of(folder) == {}
    assert_same(last_state(resume(folder)), last_state(whole))


def test_ctrl_c_saves_and_another_number_of_workers_goes_on(tmp_path: Path) -> None:
    stop = StopRequest()
    with pytest.raises(Interrupted) as stopped:
        train(order_of(tmp_path, workers=2), audience=At(10, stop.ask), stop=stop)
    folder = next((tmp_path / "classify-series").iterdir())
    assert stopped.value.resume == f"shinso train --resume {folder}"
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
    run = resume(folder, workers=3)
    assert run.result(0)["steps"] == 40
    steps = [row["step"] for row in run.folder.seed(0).metrics.rows() if row["part"] == "valid"]
    assert steps == [0, 10, 20, 30, 40]
    assert len(run.folder.seed(0).load_resume()["random"]["others"]) == 2


def test_full_disk_is_one_fault_and_keeps_what_was_saved(whole: Run, tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk without room; it is the kernel that refuses."""
    command = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
        "from shinso.cli.main import main; sys.exit(main(sys.argv[2:]))"
    )
    brief = catalogue.recipe("classify-series").BRIEF
    settings = {**SETTINGS, "hidden": 64, "workers": 2, "checkpoint_every": 20}
    model = settings.pop("hidden")
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in settings.items() if k != "dropout"]
    words = ["train", "classify-series", str(brief.data[0]), *flags, f"hidden={model}"]
    done = subprocess.run(
        [sys.executable, "-c", command, "30000", *words],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "DISK-FULL" in done.stderr
    assert "resume.fresh.pt" in done.stderr
    folder = next(Path("runs/classify-series").iterdir())
    assert workers_of(folder) == {}
    assert (folder / "seed0/weights/best.safetensors").exists()
    run = resume(folder)
    assert run.result(0)["steps"] == 40


@pytest.mark.parametrize("together", ["synchronous", "server"])
def test_script_without_a_guard_trains_once(together: str, tmp_path: Path) -> None:
    """Workers are told by name what they need; none runs the script that started them."""
    data = catalogue.recipe("classify-series").BRIEF.data[0]
    settings = {**SETTINGS, "steps": 4, "runs": str(tmp_path), "workers": 2, "together": together}
    script = tmp_path / "once.py"
    script.write_text(
        "import shinso\nprint('begun')\n"
        f"shinso.train('classify-series', {str(data)!r}, **{settings!r})\nprint('done')\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["begun", "done"]
    assert len(list((tmp_path / "classify-series").iterdir())) == 1


def test_taken_port_is_a_fault_before_any_worker_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageFault) as raised:
            train(order_of(tmp_path, workers=2, port=port))
    assert raised.value.code == "PORT-TAKEN"
    assert not list(tmp_path.iterdir())
    assert str(port) in raised.value.place


def test_fault_in_a_worker_is_the_fault_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunFault) as raised:
        train(order_of(tmp_path, workers=2, lr=1e30, clip_norm=0.0, optimizer="sgd"))
    assert raised.value.code == "TRAIN-DIVERGED"


def test_worker_that_told_its_fault_and_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.5)
    words = RunFault("LR-NAN", place="step 3", found="nan", why="no number", next_step="less")
    fault = json.dumps({"fault": {**words.as_dict(), "exit_code": words.exit_code}})
    command = [sys.executable, "-c", f"import time; print({fault!r}, flush=True); time.sleep(1e4)"]
    with pytest.raises(RunFault) as raised:
        launch.launch(
            command, launch.Crewing(workers=2), logs=tmp_path, on_event=lambda event: None,
            stop=StopRequest(), resume="",
        )  # fmt: skip
    assert raised.value.as_dict() == words.as_dict()


def test_workers_end_with_whoever_started_them(tmp_path: Path) -> None:
    brief = catalogue.recipe("classify-series").BRIEF
    words = ["train", "classify-series", str(brief.data[0]), "--workers", "2", "--steps", "100000"]
    leader = subprocess.Popen(
        [sys.executable, "-m", "shinso", *words, "--runs", str(tmp_path), "--evaluate-every", "5"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        folder = _until(lambda: list(tmp_path.glob("classify-series/*")))[0]
        _until(lambda: len(workers_of(folder)) == 2)
        leader.kill()
        leader.wait()
        _until(lambda: not workers_of(folder))
    finally:
        leader.kill()
        leader.wait()


def _until(found: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """The first true answer, asked for now and then."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.1)
    raise TimeoutError


def test_torchrun_starts_and_restarts_a_run(whole: Run, tmp_path: Path) -> None:
    """The second worker kills itself once; torchrun starts both again in the same folder."""
    order = order_of(tmp_path)
    (tmp_path / "once.py").write_text(
        "import os, signal, sys, threading, time\n"
        "from pathlib import Path\n"
        "def end():\n"
        "    while not list(Path(sys.argv[-1]).glob('*/*/seed0/resume.pt')): time.sleep(0.05)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if os.environ['RANK'] == '1' and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':\n"
        "    threading.Thread(target=end, daemon=True).start()\n"
        "from shinso.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in SETTINGS.items()
             if k not in ("hidden", "dropout", "runs")]  # fmt: skip
    words = ["train", "classify-series", str(order.paths[0]), *flags, "hidden=8", "dropout=0.3"]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         "--max-restarts=1", str(tmp_path / "once.py"), *words, "--runs", str(tmp_path / "runs")],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    folders = list((tmp_path / "runs" / "classify-series").iterdir())
    assert len(folders) == 1
    run = Run.open(folders[0])
    assert run.folder.status()["state"] == "done"
    assert_same(last_state(run), last_state(whole))
    assert done.stdout.count("logistic regression") == 1


SAVER = """
import os, signal, sys, time
saved = sys.argv[1]
def asked(*_):
    if os.environ["RANK"] == "0":
        time.sleep(float(sys.argv[2]))
        open(saved, "w").close()
    sys.exit(130)
signal.signal(signal.SIGINT, asked)
open(f"{saved}.begun{os.environ['RANK']}", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("saving_s", "timeout_s", "whole"), [(1.5, 30.0, True), (30.0, 1.0, False)]
)
def test_first_worker_may_save_longer_than_the_others_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saving_s: float, timeout_s: float, whole: bool
) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.2)
    saved, stop = tmp_path / "saved", StopRequest()
    begun = [tmp_path / f"saved.begun{rank}" for rank in range(2)]

    def ask_when_begun() -> None:
        while not all(path.exists() for path in begun):
            time.sleep(0.02)
        stop.ask()

    threading.Thread(target=ask_when_begun, daemon=True).start()
    with pytest.raises(Interrupted if whole else RunFault) as raised:
        launch.launch(
            [sys.executable, "-c", SAVER, str(saved), str(saving_s)],
            launch.Crewing(workers=2, timeout_s=timeout_s),
            logs=tmp_path / "logs", on_event=lambda event: None, stop=stop, resume="go on",
        )  # fmt: skip
    assert saved.exists() == whole
    if isinstance(raised.value, RunFault):
        assert raised.value.code == "WORKER-LOST"
        assert raised.value.why == "it was asked to stop and ended before it had saved"
