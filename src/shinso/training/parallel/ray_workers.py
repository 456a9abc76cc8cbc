"""Workers of a parameter server as Ray's actors, on this machine or on a cluster (extra ``cluster``).

Weights of one version travel once and are read by all from Ray's object store. An actor that dies
is made again and gets its task again.
"""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from typing import Any, final

import torch

from shinso.extras import need
from shinso.faults import RunFault
from shinso.language import _
from shinso.training.gradient import GradientLearner, OwnGradients
from shinso.training.parallel.asynchronous import (
    LOOK_S,
    Answer,
    Patience,
    Task,
    answered,
    never,
    tell_nobody,
)
from shinso.training.stopping import StepStopped


class GradientActor:
    """Lives on a worker: the model, and the gradient of a batch at given weights."""

    def __init__(self, model: Any, objective: Any, training: Any, seed: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.compute = OwnGradients(model, objective, training)

    def gradient(self, number: int, weights: dict[str, Any], batch: Any) -> Answer:
        # Ray's store is read-only, and load_state_dict copies out of it.
        state = {name: torch.as_tensor(one.copy()) for name, one in weights.items()}
        return answered(self.compute, number, state, batch)

    def process_id(self) -> int:
        import os

        return os.getpid()


PROBE_S = 5.0


def check_cluster(address: str) -> None:
    """RunFault CLUSTER-NOT-FOUND where nobody listens at ``address`` (host:port, ray://host:port).

    Ray itself would try for minutes. Other addresses, such as "auto", are Ray's to understand.
    """
    host, _colon, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_S).close()
    except (OSError, OverflowError) as error:
        raise not_found(address, str(error)) from error


def not_found(address: str, found: str) -> RunFault:
    """The fault for a cluster that does not answer."""
    return RunFault(
        "CLUSTER-NOT-FOUND",
        place=address or "ray.init",
        found=found.splitlines()[0][:200],
        why=_("the parameter server's workers live on a Ray cluster"),
        next_step=_("start one with `ray start --head`, or leave --cluster out"),
    )


@final
class RayWorkers:
    """``training.parallel.asynchronous.Workers`` on Ray.

    address: of a running cluster; empty starts one on this machine, which ends with ``close``.
    timeout_s: an actor that takes longer for a task is hung and is replaced.
    """

    def __init__(
        self, learner: GradientLearner[Any], size: int, seed: int, *,
        address: str = "", timeout_s: float = float("inf"),
    ) -> None:  # fmt: skip
        self.ray = need("ray")
        self.learner, self.size, self.seed = learner, size, seed
        self.patience = Patience(size, timeout_s)
        self._mine = not self.ray.is_initialized()
        if self._mine:
            self._connect(address)
        self._kind = self.ray.remote(num_cpus=0 if not address else 1)(GradientActor)
        self.actors = [self._new_actor(rank) for rank in range(size)]
        self._sent: dict[Any, tuple[int, Task, Any]] = {}
        self._version = -1
        self._weights: Any = None

    def _connect(self, address: str) -> None:
        check_cluster(address)
        try:
            self.ray.init(
                address=address or None,
                num_cpus=None if address else self.size,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (ConnectionError, RuntimeError) as error:
            raise not_found(address, str(error)) from error

    def _new_actor(self, rank: int) -> Any:
        model = copy.deepcopy(self.learner.model).cpu()
        seed = self.seed + 1_000_003 * (rank + 1)
        return self._kind.remote(model, self.learner.objective, self.learner.training, seed)

    def send(self, task: Task, step: int) -> None:
        busy = {rank for rank, _task, _weights in self._sent.values()}
        rank = next(rank for rank in range(self.size) if rank not in busy)
        if task.version != self._version:
            state = self.learner.model.state_dict()
            self._weights = self.ray.put({k: v.detach().cpu().numpy() for k, v in state.items()})
            self._version = task.version
        self._begin(rank, task, self._weights)

    def _begin(self, rank: int, task: Task, weights: Any) -> None:
        future = self.actors[rank].gradient.remote(task.number, weights, task.batch)
        self._sent[future] = (rank, task, weights)
        self.patience.begins(rank)

    def receive(
        self, tell: Callable[[str], None] = tell_nobody, stopped: Callable[[], bool] = never
    ) -> Answer:
        while True:
            self.patience.speak(tell)
            ready, waiting = self.ray.wait(list(self._sent), num_returns=1, timeout=LOOK_S)
            if not ready:
                if stopped():
                    raise StepStopped
                hung = self.patience.hung()
                for future in [one for one in waiting if self._sent[one][0] in hung]:
                    self._replace(future, hung=True)
                continue
            try:
                answer = self.ray.get(ready[0])
            except self.ray.exceptions.RayActorError:
                self._replace(ready[0])
                continue
            rank, _task, _weights = self._sent.pop(ready[0])
            self.patience.answers(rank)
            return answer

    def _replace(self, future: Any, *, hung: bool = False) -> None:
        """An actor has died or hangs: another takes its place and its task."""
        rank, task, weights = self._sent.pop(future)
        self.patience.replaced(rank, hung=hung)
        self.ray.kill(self.actors[rank])
        self.actors[rank] = self._new_actor(rank)
        self._begin(rank, task, weights)

    def close(self) -> None:
        for actor in self.actors:
            self.ray.kill(actor)
        if self._mine:
            self.ray.shutdown()
