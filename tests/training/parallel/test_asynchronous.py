"""Workers that do not wait: bounded staleness, deaths, resuming, the same answers as alone."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.faults import Fault, Interrupted, RunFault, UsageFault
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.asynchronous import AsynchronousLearner, Drawn
from shinso.training.parallel.local_workers import HogwildWorkers, LocalWorkers
from shinso.training.parallel.staleness import at_once, may_be_applied, slowed, told
from shinso.training.plan import Training
from shinso.training.stopping import StopRequest

from . import cases

TRAINING = Training(lr=0.02, steps=30, optimizer="sgd", momentum=0.0)


def server(
    kind: Any, size: int, bound: int | None = None, training: Training = TRAINING,
    model: Any = cases.Convolutional, **more: Any,
) -> AsynchronousLearner:  # fmt: skip
    torch.manual_seed(5)
    learner = GradientLearner(model(), cases.CrossEntropy(), training)
    source = Drawn(cases.Batches((8, 7, 3), torch.float32))
    return AsynchronousLearner(learner, source, kind(learner, size, 0, **more), bound=bound)


def weights_after(learner: Any, steps: int) -> dict[str, torch.Tensor]:
    for _ in range(steps):
        learner.step(None)
    return {name: one.clone() for name, one in learner.learner.model.state_dict().items()}


@given(
    versions=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    now=st.integers(6, 9),
    bound=st.integers(0, 12),
)
def test_bound_holds_for_any_order_that_is_allowed(
    versions: list[int], now: int, bound: int
) -> None:
    """Applied oldest first after an allowed choice, no gradient exceeds the bound."""
    for chosen in range(len(versions)):
        if not may_be_applied(versions, chosen, now, bound):
            continue
        others = sorted(v for place, v in enumerate(versions) if place != chosen)
        order = [versions[chosen], *others]
        assert all(now + late - version <= bound for late, version in enumerate(order))


def test_small_rules() -> None:
    assert at_once(8, None) == 8
    assert at_once(8, 2) == 3
    assert (slowed(0.6, 0), slowed(0.6, 1), slowed(0.6, 3)) == (0.6, 0.6, pytest.approx(0.2))
    assert told({0: 1, 2: 3}) == "staleness of 4 updates: 0: 25.0%, 2: 75.0%; mean 1.50"


@pytest.mark.parametrize("network", [cases.Convolutional, cases.Normalized])
def test_one_worker_takes_the_steps_of_a_process_alone(network: Any) -> None:
    """Statistics of batch normalization included: they are what is validated and kept."""
    torch.manual_seed(5)
    model = network()
    learner = GradientLearner(model, cases.CrossEntropy(), TRAINING)
    source = cases.Batches((8, 7, 3), torch.float32)
    for _ in range(6):
        learner.step(source.next_batch())
    for kind in (LocalWorkers, HogwildWorkers):
        one = server(kind, 1, model=network)
        try:
            found = weights_after(one, 6)
        finally:
            one.close()
        assert one.counts == {0: 6}
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("bound", [0, 1])
def test_server_keeps_the_bound_and_survives_deaths(bound: int) -> None:
    learner = server(LocalWorkers, 3, bound)
    notes: list[str] = []
    learner.tell = notes.append
    try:
        for step in range(24):
            if step in (8, 16):
                learner.workers.processes[0].kill()  # pyright: ignore[reportAttributeAccessIssue]
            scalars = learner.step(None)
            assert float(scalars["staleness"]) <= bound
        assert sum(learner.counts.values()) == 24
        assert max(learner.counts) <= bound
        assert learner.workers.patience.deaths >= 1  # pyright: ignore[reportAttributeAccessIssue]
        assert "worker 0 died; another one does its task" in notes
    finally:
        learner.close()


def test_hung_worker_is_replaced_and_told() -> None:
    """Stopped, not dead: after the timeout another does its task."""
    learner = server(LocalWorkers, 2, 1, timeout_s=0.5)
    notes: list[str] = []
    learner.tell = notes.append
    try:
        weights_after(learner, 6)  # by then both have answered
        os.kill(learner.workers.processes[0].pid, signal.SIGSTOP)  # pyright: ignore[reportAttributeAccessIssue]
        weights_after(learner, 6)
    finally:
        learner.close()
    assert "worker 0 hung; another one does its task" in notes
    assert sum(learner.counts.values()) == 12


def test_stop_does_not_wait_for_a_hung_worker(tmp_path: Any) -> None:
    """The first Ctrl-C saves and ends the run, long before the worker counts as hung."""
    from shinso.walk.training import resume, train

    from .test_launch import At, order_of

    stop = StopRequest()

    def freeze() -> None:
        for one in multiprocessing.active_children():
            os.kill(one.pid or 0, signal.SIGSTOP)
        threading.Timer(0.5, stop.ask).start()

    order = order_of(tmp_path, workers=2, together="server", staleness=1)
    with pytest.raises(Interrupted):
        train(order, audience=At(10, freeze), stop=stop)
    run = resume(next((tmp_path / "classify-series").iterdir()))
    assert run.result(0)["steps"] == 40


def test_statistics_are_those_of_the_newest_weights() -> None:
    """An answer from older weights does not bring back the statistics of then."""
    learner = server(LocalWorkers, 3, model=cases.Normalized)
    counts = []
    try:
        for _ in range(12):
            learner.step(None)
            counts.append(int(learner.learner.model.layers[1].num_batches_tracked))  # pyright: ignore
    finally:
        learner.close()
    assert counts == sorted(counts)
    assert counts[-1] >= 4


def test_answers_in_order_are_late_by_the_other_workers() -> None:
    """Then the same run comes out every time."""
    found = []
    for _ in range(2):
        learner = server(LocalWorkers, 3, in_order=True)
        try:
            found.append(weights_after(learner, 8))
        finally:
            learner.close()
        assert learner.counts == {0: 1, 1: 1, 2: 6}
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_batches_under_way_are_not_lost_to_a_stop() -> None:
    learner = server(LocalWorkers, 3)
    try:
        weights_after(learner, 4)
        state = {"learner": learner.state_dict(), "source": learner.source.state_dict()}
        undone = [one["place"] for one in state["learner"]["undone"]]
        drawn = state["source"]["place"]
    finally:
        learner.close()
    assert len(undone) == 2
    assert drawn == 4 + len(undone)
    again = server(LocalWorkers, 3)
    try:
        again.load_state_dict(state["learner"])
        again.source.load_state_dict(state["source"])
        batches = [again.source.draw() for _ in range(3)]
        assert [before["place"] for _batch, before in batches] == [*undone, drawn]
        expected = cases.Batches((8, 7, 3), torch.float32)
        expected.place = undone[0]
        assert torch.equal(batches[0][0].x, expected.next_batch().x)
        assert sum(again.counts.values()) == 4
    finally:
        again.close()


def test_hogwild_workers_change_shared_weights() -> None:
    learner = server(HogwildWorkers, 2, training=Training(lr=0.01, steps=30))
    try:
        before = {n: t.clone() for n, t in learner.learner.model.state_dict().items()}
        after = weights_after(learner, 20)
    finally:
        learner.close()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert all(one.isfinite().all() for one in after.values())
    assert sum(learner.counts.values()) == 20
    steps = [float(state["step"]) for state in learner.learner.optimizer.state.values()]
    assert all(15 <= step <= 24 for step in steps)  # lock-free: a few counts may be lost


def test_moments_that_are_loaded_are_those_of_the_hogwild_workers() -> None:
    """A worker that began with moments of its own would take other steps than were saved."""
    training = Training(lr=0.01, steps=30)
    torch.manual_seed(5)
    alone = GradientLearner(cases.Convolutional(), cases.CrossEntropy(), training)
    source = cases.Batches((8, 7, 3), torch.float32)
    for _ in range(5):
        alone.step(source.next_batch())
    learner = server(HogwildWorkers, 1, training=training)
    try:
        before = [
            {name: one.data_ptr() for name, one in state.items()}
            for state in learner.learner.optimizer.state.values()
        ]
        learner.learner.load_state_dict(alone.state_dict())
        for state, saved, places in zip(
            learner.learner.optimizer.state.values(), alone.optimizer.state.values(), before,
            strict=True,
        ):  # fmt: skip
            assert {name: one.data_ptr() for name, one in state.items()} == places
            assert all(torch.equal(state[name], saved[name]) for name in saved)
        weights_after(learner, 4)
        counts = [float(one["step"]) for one in learner.learner.optimizer.state.values()]
        assert counts == [9.0] * len(counts)
    finally:
        learner.close()


class Idle:
    """Workers that are never asked."""

    size = 1

    def send(self, task: Any, step: int) -> None:
        raise AssertionError

    def receive(self, tell: Any, stopped: Any) -> Any:
        raise AssertionError

    def close(self) -> None:
        pass


def test_bound_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="bound is -1"):
        server(lambda *_settings: Idle(), 1, -1)


@pytest.mark.parametrize("together", ["server", "hogwild"])
def test_run_is_trained_and_tells_its_staleness(together: str, tmp_path: Any) -> None:
    from shinso.walk.audience import NoAudience
    from shinso.walk.training import train

    from .test_launch import order_of

    class Hears(NoAudience):
        said: list[str]

        def on_notes(self, notes: Any) -> None:
            self.said = [*getattr(self, "said", []), *notes]

    audience = Hears()
    run = train(order_of(tmp_path, workers=2, together=together), audience=audience)
    assert run.result(0)["steps"] == 40
    assert any(note.startswith("staleness of 40 updates") for note in audience.said)
    rows = [row for row in run.folder.seed(0).metrics.rows() if row["part"] == "train"]
    assert all("staleness" in row for row in rows)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"together": "hogwild", "staleness": 1}, "HOGWILD-UNBOUNDED"),
        ({"together": "hogwild", "average": 0.9}, "HOGWILD-UNBOUNDED"),
        ({"together": "ray"}, "EXTRA-MISSING"),
        ({}, "NORM-NOT-SHARED"),
    ],
)
def test_workers_that_cannot_train_leave_no_folder(
    settings: dict[str, Any], fault: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shinso.recipes import classify_series
    from shinso.walk.training import train

    from .test_launch import order_of

    monkeypatch.setitem(sys.modules, "ray", None)
    normalized = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    monkeypatch.setattr(classify_series, "make_model", lambda *_settings: normalized)
    with pytest.raises(Fault, match=fault):
        train(order_of(tmp_path, workers=2, **settings))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"together": "hogwild"}, "together (test)"),
        ({"workers": 2, "staleness": 1}, "staleness (test)"),
        ({"workers": 2, "together": "server", "cluster": "127.0.0.1:1"}, "cluster (test)"),
        ({"workers": 2, "port": 99999}, "port (test)"),
    ],
)
def test_settings_that_would_be_left_unheard_are_refused(
    settings: dict[str, Any], place: str, tmp_path: Any
) -> None:
    """The fault names the setting that was refused, among all that were given."""
    from .test_launch import order_of

    with pytest.raises(UsageFault, match="SETTING-REFUSED") as raised:
        order_of(tmp_path, **settings)
    assert place in raised.value.place
    assert "evaluate_every" not in raised.value.place


@pytest.mark.slow
def test_ray_actors_keep_the_bound_die_hang_and_return(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install 'shinso[cluster]'")
    # An actor is a process of its own, to which this module's model and objective are sent by name.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[3]), *sys.path]))

    from shinso.training.parallel.ray_workers import RayWorkers

    learner = server(RayWorkers, 2, 1)
    try:
        weights_after(learner, 4)
        ray = learner.workers.ray  # pyright: ignore[reportAttributeAccessIssue]
        victim = learner.workers.actors[0]  # pyright: ignore[reportAttributeAccessIssue]
        os.kill(ray.get(victim.process_id.remote()), signal.SIGKILL)
        weights_after(learner, 8)
        assert learner.workers.patience.deaths == 1  # pyright: ignore[reportAttributeAccessIssue]
        notes: list[str] = []
        learner.tell = notes.append
        learner.workers.patience.timeout_s = 1.0  # pyright: ignore[reportAttributeAccessIssue]
        victim = learner.workers.actors[1]  # pyright: ignore[reportAttributeAccessIssue]
        os.kill(ray.get(victim.process_id.remote()), signal.SIGSTOP)
        weights_after(learner, 8)
        assert "worker 1 hung; another one does its task" in notes
        assert sum(learner.counts.values()) == 20
        assert max(learner.counts) <= 1
    finally:
        learner.close()


def test_missing_ray_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from shinso.faults import ExtraFault
    from shinso.training.parallel.ray_workers import RayWorkers

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraFault, match=r"shinso\[cluster\]"):
        server(RayWorkers, 2)


def test_cluster_that_is_not_there_is_a_fault_at_once() -> None:
    from shinso.training.parallel.ray_workers import check_cluster

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*other.getsockname())
        for form in (address, f"ray://{address}", "127.0.0.1:99999"):
            with pytest.raises(RunFault, match="CLUSTER-NOT-FOUND"):
                check_cluster(form)
        other.listen()
        check_cluster(address)
    check_cluster("auto")
