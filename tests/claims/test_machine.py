"""The machine on small claims made here: what it measures, keeps, skips and ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shinso.claims import catalogue
from shinso.claims.claim import Claim, Verdict
from shinso.claims.judgement import judge
from shinso.claims.machine import Progress, run
from shinso.faults import Interrupted, RunFault
from shinso.runs.ledger import Ledger

PACKAGE = "small_claims"
MODULE = """
from shinso.claims import intervals
from shinso.claims.claim import Finding, Verdict
from shinso.language import Text

PLACE = SAYS = METHOD = CONTROL = RULE = Text("text", "文")
TRUTH = None
SEEDS = {{"quick": {seeds}, "full": 5}}
BUDGET_S = {{"quick": 1.0, "full": 2.0}}


def measure(seed, control, profile):
    {measure}


def holds(measurements):
    gain = intervals.mean([found["gain"] for found in measurements])
    verdict = Verdict.HOLDS if gain.above_zero else Verdict.REFUTED
    because = Text(f"the gain is {{gain.value:.3f}}", f"利得は {{gain.value:.3f}}")
    return Finding(
        verdict=verdict,
        because=because,
        estimates=(intervals.estimate(Text("gain", "利得"), gain, seeds=len(measurements)),),
    )


def draw(figure, measurements, controls):
    figure.subplots().plot([found["gain"] for found in measurements])
"""
MEASURES = {
    # Takes its randomness from the global generators on purpose: a careless claim.
    "careless": """
import random, numpy, torch
noise = random.random() + numpy.random.rand() + torch.rand(()).item()
return {"gain": noise - (10 if control else 0), "threads": torch.get_num_threads()}
""",
    "marking": """
import os, pathlib
pathlib.Path(os.environ["MARKS"], f"{seed}-{control}").touch()
return {"gain": 1.0}
""",
    "by_itself": "return {'gain': 5.0 + seed, 'curve': [float('nan'), 2.0]}",
    "raising": "raise ArithmeticError('the gradient is gone')",
    "endless": """
import os, pathlib, time
if "BEGUN" in os.environ:
    pathlib.Path(os.environ["BEGUN"], f"{seed}-{control}").touch()
time.sleep(600)
""",
    "dying": "import os; os._exit(7)",
}


def write_package(folder: Path) -> None:
    chapter = folder / PACKAGE / "demo"
    chapter.mkdir(parents=True)
    (folder / PACKAGE / "__init__.py").touch()
    for name, measure in MEASURES.items():
        body = textwrap.indent(measure.strip(), "    ").strip()
        seeds = {"endless": 1, "raising": 2, "dying": 2}.get(name, 3)
        (chapter / f"{name}.py").write_text(MODULE.format(measure=body, seeds=seeds))


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    write_package(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def small(*names: str) -> list[Claim]:
    return [catalogue.load(f"demo.{name}", PACKAGE) for name in names]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, package) -> tuple[Ledger, list[Progress]]:
    """One run of the claims that end by themselves, by two workers."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    events: list[Progress] = []
    claims = small("careless", "by-itself", "raising", "dying")
    run(claims, ledger, "quick", workers=2, on_progress=events.append)
    return ledger, events


def test_machine_measures_every_seed_with_and_without_the_cause(measured):
    ledger, _ = measured
    records = ledger.records("demo.careless", "quick")
    assert [(r.seed, r.control) for r in records] == [
        (seed, control) for control in (False, True) for seed in range(3)
    ]
    for record in records:
        assert record.sha256 == small("careless")[0].source_sha256
        assert record.seconds > 0
        assert record.versions["torch"][0].isdigit()


def test_workers_compute_on_one_thread(measured):
    assert {r.numbers["threads"] for r in measured[0].records("demo.careless")} == {1}


def test_numbers_do_not_depend_on_the_number_of_workers(measured, tmp_path):
    alone = Ledger(tmp_path)
    run(small("by-itself", "careless"), alone, "quick", workers=1)
    for name in ("demo.careless", "demo.by-itself"):
        one = {(r.seed, r.control): str(r.numbers) for r in alone.records(name)}
        two = {(r.seed, r.control): str(r.numbers) for r in measured[0].records(name)}
        assert one == two
    gains = {r.numbers["gain"] for r in alone.records("demo.careless") if not r.control}
    assert len(gains) == 3  # the seeds do differ


def test_progress_counts_every_measurement_and_ends_at_none_left(measured):
    _, events = measured
    finished = [e for e in events if e.kind in ("done", "failed", "skipped")]
    assert [e.done for e in finished] == list(range(1, 21))
    assert {e.total for e in events} == {20}
    assert sum(e.kind == "done" for e in events) == 12
    assert events[0].remaining_s > 0
    assert finished[-1].remaining_s == 0


def test_what_is_present_is_kept_and_not_measured_again(measured):
    ledger, _ = measured
    files = sorted(ledger.folder("demo.careless").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in files]
    events: list[Progress] = []
    run(small("careless"), ledger, "quick", workers=2, on_progress=events.append)
    assert [e.kind for e in events] == ["kept"] * 6
    assert [path.stat().st_mtime_ns for path in files] == before


def test_claim_with_a_control_that_fails_holds(measured):
    judgement = judge(small("careless")[0], measured[0], "quick")
    assert judgement.final_verdict is Verdict.HOLDS
    assert not judgement.invalid
    assert judgement.control_finding is not None
    assert judgement.control_finding.verdict is Verdict.REFUTED
    assert judgement.seconds == pytest.approx(
        sum(r.seconds for r in measured[0].records("demo.careless"))
    )


def test_claim_whose_control_holds_is_invalid(measured):
    judgement = judge(small("by-itself")[0], measured[0], "quick")
    assert judgement.finding is not None
    assert judgement.finding.verdict is Verdict.HOLDS
    assert judgement.final_verdict is Verdict.UNDECIDED
    assert judgement.invalid
    assert "the control holds too" in judgement.reason.en
    assert "対照実験" in judgement.reason.ja


def test_claim_that_raises_is_undecided_with_its_reason_and_others_go_on(measured):
    ledger, events = measured
    judgement = judge(small("raising")[0], ledger, "quick")
    assert judgement.final_verdict is Verdict.UNDECIDED
    assert "ArithmeticError: the gradient is gone" in judgement.reason.en
    assert "ArithmeticError: the gradient is gone" in judgement.reason.ja
    failures = ledger.failures("demo.raising")
    assert "Traceback" in failures[0].error
    # Two workers may have begun two seeds; the rest is skipped.
    raised = [e.kind for e in events if e.claim == "demo.raising" and e.kind != "started"]
    assert raised.count("failed") == len(failures)
    assert raised.count("failed") + raised.count("skipped") == 4
    assert raised.count("skipped") >= 2


def test_worker_that_dies_is_recorded_and_replaced(measured):
    error = measured[0].failures("demo.dying")[0].error
    assert "exit code 7" in error


def test_edited_claim_is_stale_and_measured_again(measured, tmp_path, package):
    ledger = Ledger(tmp_path)
    for record in measured[0].records("demo.by-itself"):
        ledger.save(record)
    file = package / PACKAGE / "demo" / "by_itself.py"
    source = file.read_text()
    try:
        file.write_text(source + "# edited\n")
        edited = small("by-itself")[0]
        judgement = judge(edited, ledger, "quick")
        assert judgement.stale
        assert judgement.final_verdict is Verdict.UNDECIDED
        assert "edited" in judgement.reason.en
        events: list[Progress] = []
        run([edited], ledger, "quick", workers=1, on_progress=events.append)
        assert [e.kind for e in events if e.kind in ("set aside", "done", "kept")] == [
            *["set aside"] * 6,
            *["done"] * 6,
        ]
        assert not judge(edited, ledger, "quick").stale
        assert len(list(ledger.folder("demo.by-itself").glob("stale/*/*.json"))) == 6
    finally:
        file.write_text(source)


def test_damaged_evidence_is_a_fault_for_the_judge_and_set_aside_by_the_machine(measured, tmp_path):
    ledger = Ledger(tmp_path)
    for record in measured[0].records("demo.careless"):
        ledger.save(record)
    torn = ledger.folder("demo.careless") / "quick-1.json"
    torn.write_bytes(torn.read_bytes()[:100])
    claim = small("careless")[0]
    with pytest.raises(RunFault, match="LEDGER-CORRUPT"):
        judge(claim, ledger, "quick")
    events: list[Progress] = []
    run([claim], ledger, "quick", workers=1, on_progress=events.append)
    kinds = [e.kind for e in events]
    assert kinds.count("kept") == 5
    assert kinds.count("done") == 1
    assert events[0].kind == "set aside"
    assert (
        Path(events[0].detail).read_bytes()
        == (ledger.folder("demo.careless") / "damaged" / "quick-1.json").read_bytes()
    )
    assert judge(claim, ledger, "quick").final_verdict is Verdict.HOLDS


def test_measurement_that_does_not_end_is_ended(tmp_path):
    ledger = Ledger(tmp_path)
    events: list[Progress] = []
    run(small("endless"), ledger, "quick", workers=1, on_progress=events.append, limit_s=0.5)
    assert [e.kind for e in events] == ["started", "failed", "skipped"]
    assert "it may take 0.5 s at most" in events[1].detail
    judgement = judge(small("endless")[0], ledger, "quick")
    assert judgement.final_verdict is Verdict.UNDECIDED
    assert "ended after" in judgement.reason.en


def test_stopped_machine_keeps_what_is_finished_and_goes_on_from_there(tmp_path, monkeypatch):
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("MARKS", str(marks))
    ledger = Ledger(tmp_path / "ledger")
    claims = small("marking", "endless")
    events: list[Progress] = []

    def one_is_finished() -> bool:
        """Only then, and late enough for its numbers to lie in the pipe, not yet in the ledger."""
        waited = time.monotonic() + 60
        while len(events) == 3 and not any(marks.iterdir()) and time.monotonic() < waited:
            time.sleep(0.05)
        time.sleep(0.3 if len(events) == 3 else 0.0)
        return any(marks.iterdir())

    with pytest.raises(Interrupted) as stopped:
        # Two workers begin the endless one, which has the longer share of its budget.
        run(claims, ledger, "quick", workers=3, on_progress=events.append, stop=one_is_finished)
    assert stopped.value.resume == "shinso claims run demo.marking demo.endless --quick"
    [kept] = ledger.records("demo.marking")
    assert ledger.failures("demo.endless") == []
    events.clear()
    run(claims[:1], ledger, "quick", workers=1, on_progress=events.append)
    assert (events[0].kind, events[0].seed) == ("kept", kept.seed)
    assert [e.kind for e in events].count("done") == 5
    assert len(ledger.records("demo.marking")) == 6


SCRIPT = """
import sys
from pathlib import Path
from shinso.claims import catalogue, machine
from shinso.faults import Interrupted
from shinso.runs.ledger import Ledger
import multiprocessing

def told(progress):
    pids = [child.pid for child in multiprocessing.active_children()]
    print(progress.kind, progress.claim, *pids, flush=True)

if __name__ == "__main__":
    claims = [catalogue.load("demo.endless", "small_claims")]
    try:
        machine.run(claims, Ledger(Path(sys.argv[1])), "quick", workers=2, on_progress=told)
    except Interrupted as stopped:
        print("interrupted", stopped.resume, flush=True)
        sys.exit(stopped.exit_code)
"""


def started(tmp_path: Path, package: Path) -> tuple[subprocess.Popen, list[int]]:
    """A machine in its own process group, with the pids of its two workers, who are measuring."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    begun = tmp_path / "begun"
    begun.mkdir()
    places = {"PYTHONPATH": os.pathsep.join(filter(None, [str(package), *sys.path]))}
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "ledger"],
        env=os.environ | places | {"BEGUN": str(begun)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    pids = [int(pid) for pid in process.stdout.readline().split()[2:]]
    until = time.monotonic() + 60
    while len(list(begun.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    return process, pids


def ended(pid: int) -> bool:
    """Whether a process is gone within ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_ctrl_c_ends_the_workers_and_prints_the_resume_line(tmp_path, package):
    process, pids = started(tmp_path, package)
    assert len(pids) == 2
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: parent and workers get it
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted shinso claims run demo.endless --quick" in output
    assert list((tmp_path / "ledger").rglob("*.json")) == []  # no worker failed: it was stopped
    assert all(ended(pid) for pid in pids)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_workers_end_when_the_machine_is_killed(tmp_path, package):
    process, pids = started(tmp_path, package)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert all(ended(pid) for pid in pids)
