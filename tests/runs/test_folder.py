"""Run folders: numbers, states, seeds, removal."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from shinso.faults import RunFault, UsageFault
from shinso.runs import environment
from shinso.runs.checkpoint import (
    PREVIOUS,
    RESUME,
    has_resume,
    load_resume,
    load_weights,
    save_resume,
    save_weights,
)
from shinso.runs.environment import describe
from shinso.runs.folder import RunFolder, process_began
from shinso.runs.metrics import MetricsLog, leading_rows, whole_rows


def test_runs_are_numbered_even_when_made_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: RunFolder.create(tmp_path, "forecast", "gru"), range(8)))
    assert len({folder.path for folder in made}) == 8
    assert RunFolder.create(tmp_path, "forecast", "lstm").path.name == "0009-lstm"


def test_number_follows_the_highest_after_a_removal(tmp_path: Path) -> None:
    first = RunFolder.create(tmp_path, "tag", "rnn")
    second = RunFolder.create(tmp_path, "tag", "rnn")
    first.set_status("done")
    first.remove()
    assert not first.path.exists()
    assert second.path.exists()
    assert RunFolder.create(tmp_path, "tag", "rnn").path.name == "0003-rnn"


def test_state_of_a_dead_process_reads_interrupted(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    folder.set_status("running")
    assert folder.status()["state"] == "running"
    with pytest.raises(UsageFault, match="RUN-IN-USE"):
        folder.remove()
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    folder.write_json("status.json", {"state": "running", "pid": dead})
    assert folder.status()["state"] == "interrupted"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no start times")
def test_a_number_that_another_process_has_now_is_not_the_one_that_trained(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    folder.set_status("running")
    status = folder.status()
    assert process_began(os.getpid()) == status["pid_began"]
    for pid in (os.getpid(), os.getppid()):
        folder.write_json("status.json", {**status, "pid": pid, "pid_began": 1})
        assert folder.status()["state"] == "interrupted"
        folder.refuse_in_use()


def test_without_a_start_time_ones_own_number_is_no_other_process(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    folder.write_json("status.json", {"state": "running", "pid": os.getpid()})
    assert folder.status()["state"] == "interrupted"
    folder.write_json("status.json", {"state": "running", "pid": os.getppid()})
    assert folder.status()["state"] == "running"


@pytest.mark.parametrize("content", ["[]", "{", "{}", '{"state": 5}'])
def test_a_damaged_state_is_named_and_its_run_can_be_removed(tmp_path: Path, content: str) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    folder.write_text("status.json", content)
    with pytest.raises(RunFault, match="RUN-FILE-UNREADABLE"):
        folder.status()
    assert folder.state() == "damaged"
    folder.remove()
    assert not folder.path.exists()


def test_what_has_a_seeds_name_and_more_is_no_seed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    for name in ("seed1", "seed0.bak", "seed", "seed2 (copy)"):
        folder.write_json(f"{name}/result.json", {})
        folder.write_text(f"{name}/weights/best.safetensors", "")
    assert folder.seeds_done() == folder.seeds_with_weights() == [1]


def test_a_folder_that_is_not_to_be_written_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("a file")
    with pytest.raises(RunFault, match="--runs"):
        RunFolder.create(tmp_path / "here", "forecast", "gru")


def test_folder_without_status_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFault) as raised:
        RunFolder.open(tmp_path)
    assert raised.value.code == "RUN-NOT-FOUND"
    assert "shinso runs list" in raised.value.next_step


def test_all_runs_are_found_and_seeds_counted(tmp_path: Path) -> None:
    for task in ("forecast", "tag"):
        folder = RunFolder.create(tmp_path, task, "gru")
        folder.set_status("done")
        for seed in (0, 10, 2):
            folder.write_json(f"seed{seed}/result.json", {})
    found = list(RunFolder.all_below(tmp_path))
    assert [f.path.parent.name for f in found] == ["forecast", "tag"]
    assert found[0].seeds_done() == [0, 2, 10]
    assert found[0].seed(2).result.exists()
    smaller = RunFolder.create(found[0].path, "compress", "int8")
    smaller.set_status("running")
    again = RunFolder.create(smaller.path, "compress", "onnx")
    again.set_status("done")
    paths = [one.path for one in RunFolder.all_with_compressed(tmp_path)]
    assert paths == [found[0].path, smaller.path, again.path, found[1].path]


def test_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(4):
        log.append({"step": step, "part": "valid", "mse": step / 2})
    with log.path.open("a") as file:
        file.write('{"step": 4, "pa')
    assert [row["step"] for row in log.rows()] == [0, 1, 2, 3]
    log.cut_after(1)
    assert log.curve("mse", "valid") == ([0, 1], [0.0, 0.5])


def test_text_with_other_ends_of_line_is_one_row(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    signs = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n"]
    for step, sign in enumerate(signs):
        log.append({"step": step, "text": f"a{sign}b"})
    log.cut_after(5)
    assert [row["text"] for row in log.rows()] == [f"a{sign}b" for sign in signs[:6]]


def test_leading_rows_end_at_the_first_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\n{"n": 2\n{"n": 3}\n')
    assert [row["n"] for row in leading_rows(path)] == [1]
    assert [row["n"] for row in whole_rows(path)] == [1, 3]


def test_not_a_number_survives_the_metrics(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"step": 0, "part": "valid", "mse": float("inf")})
    assert log.curve("mse", "valid") == ([0], [float("inf")])


def test_resume_state_of_all_kinds_reads_back(tmp_path: Path) -> None:
    state = {"numbers": [1, 2.5, None, True, 2**127], "name": "系列",
             "tensor": torch.arange(5), "nested": {"a": {"b": torch.zeros(2, dtype=torch.float64)}}}  # fmt: skip
    save_resume(tmp_path, state)
    back = load_resume(tmp_path)
    assert back["numbers"] == state["numbers"]
    assert torch.equal(back["tensor"], state["tensor"])
    assert back["nested"]["a"]["b"].dtype == torch.float64


def test_killed_between_the_two_renames_the_previous_state_is_taken(tmp_path: Path) -> None:
    save_resume(tmp_path, {"step": 1})
    save_resume(tmp_path, {"step": 2})
    assert load_resume(tmp_path, previous=True) == {"step": 1}
    (tmp_path / RESUME).rename(tmp_path / PREVIOUS)
    assert has_resume(tmp_path)
    assert load_resume(tmp_path) == {"step": 2}


def test_no_checkpoint_is_a_fault(tmp_path: Path) -> None:
    assert not has_resume(tmp_path)
    with pytest.raises(RunFault, match="RUN-NO-CHECKPOINT"):
        load_resume(tmp_path)


def test_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"learner": Evil()}, tmp_path / RESUME)
    with pytest.raises(RunFault, match="RUN-CHECKPOINT-CORRUPT"):
        load_resume(tmp_path)
    assert not (tmp_path / "owned").exists()


def test_weights_read_back_with_tied_tensors(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    save_weights(tmp_path / "best.safetensors", model)
    back = load_weights(tmp_path / "best.safetensors")
    assert all(torch.equal(back[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"not weights", b"\xff" * 100])
def test_damaged_weights_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunFault) as raised:
        load_weights(path)
    assert (raised.value.code, raised.value.place) == ("RUN-WEIGHTS-UNREADABLE", str(path))


def test_environment_names_what_a_result_depends_on() -> None:
    found = describe()
    assert found["versions"]["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    assert found["processor"]


def test_commit_is_that_of_a_checkout_which_knows_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where shinso is installed in an environment below a repository of the user's own."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode().strip()

    inside = tmp_path / ".venv" / "environment.py"
    inside.parent.mkdir()
    inside.write_text("")
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(environment, "__file__", str(inside))
    assert environment.git_commit() == ""
    git("add", ".")
    assert environment.git_commit() == git("rev-parse", "HEAD")
