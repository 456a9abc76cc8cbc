"""Self-play in several processes, on this machine or on a Ray cluster (extra ``cluster``).

The learner hands out *lanes*: the state of some games under way, the network as it is, and how many
moves to play on. Who plays keeps nothing; what comes back is the lane's new state and the games that
ended. So a process or a machine that dies costs no more than its lane's last task, which another
gets again; machines may come and go. Lanes are taken back in the order in which they were handed out:
what is learnt does not depend on who was faster, and a stopped run goes on with the tasks that were
under way, bit for bit.
"""

from __future__ import annotations

import signal
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from shinso.experience.games_in_play import Finished, GamesInPlay, Manner
from shinso.extras import need
from shinso.faults import RunFault
from shinso.language import _
from shinso.models.go_inference import FoldedEvaluator, Precision

MOST_DEATHS = 20
"""Times that a task is handed out again before something else must be wrong."""


class LaneTask(NamedTuple):
    """kind, config, side: how the network is made; weights: as they were when the task was made. state:
    of the games; None begins them. Arrays are numpy's: torch would send tensors as shared memory,
    which reaches no other machine."""

    kind: type
    config: Any
    side: int
    weights: dict[str, np.ndarray]
    precision: Precision
    manner: Manner
    seed: tuple[int, ...]
    state: dict[str, Any] | None
    plies: int
    drawn: int


Played = tuple[dict[str, Any], list[tuple[Any, ...]]]
"""The games' new state and the games that ended, as arrays."""


def play_lane(task: LaneTask) -> Played:
    """What a player does."""
    torch.set_num_threads(1)
    model: nn.Module = task.kind(task.config, side=task.side)
    model.load_state_dict(_tensors(task.weights))
    games = GamesInPlay(task.manner, FoldedEvaluator(model, task.precision), task.seed)
    if task.state is not None:
        games.load_state_dict(_tensors(task.state))
    ended = [one for _ply in range(task.plies) for one in games.play(task.drawn)]
    return _arrays(games.state_dict()), [_arrays(tuple(one)) for one in ended]


def _arrays(tree: Any) -> Any:
    """The same with numpy arrays for tensors."""
    return _mapped(tree, lambda leaf: leaf.cpu().numpy() if isinstance(leaf, Tensor) else leaf)


def _tensors(tree: Any) -> Any:
    """The same with tensors for numpy arrays."""
    return _mapped(
        tree, lambda leaf: torch.from_numpy(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf
    )


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(tree, dict):
        return {name: _mapped(one, change) for name, one in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)([_mapped(one, change) for one in tree])
    return change(tree)


@runtime_checkable
class Workers(Protocol):
    """Processes that play lanes."""

    def submit(self, task: LaneTask) -> Any: ...

    def result(self, promise: Any, task: LaneTask) -> Played:
        """Waits for a task's result, handing it out again where its player died."""
        ...


@final
class Lanes:
    """``Playing`` by several processes. lanes: as many as there are players."""

    def __init__(
        self,
        model: Any,
        manner: Manner,
        workers: Workers,
        *,
        lanes: int,
        seed: int,
        precision: Precision = "auto",
        plies: int = 4,
    ) -> None:
        self.model, self.manner, self.workers = model, manner, workers
        self.lanes, self.seed, self.plies = lanes, seed, plies
        self.precision: Precision = precision
        self._under_way: deque[tuple[LaneTask, Any]] = deque()

    def play(self, drawn: int) -> list[Finished]:
        """The games that ended in the lane whose turn it is; it is handed out again at once."""
        while len(self._under_way) < self.lanes:
            self._hand_out(self._task((self.seed, len(self._under_way)), None, drawn))
        task, promise = self._under_way.popleft()
        state, ended = self.workers.result(promise, task)
        self._hand_out(self._task(task.seed, state, drawn))
        return [Finished(*_tensors(one)) for one in ended]

    def _task(self, seed: tuple[int, ...], state: Any, drawn: int, weights: Any = None) -> LaneTask:
        model = self.model
        weights = _arrays(model.state_dict() if weights is None else weights)
        copied = {name: one.copy() for name, one in weights.items()}
        return LaneTask(
            type(model), model.config, model.side, copied, self.precision, self.manner, seed, state,
            self.plies, drawn,
        )  # fmt: skip

    def _hand_out(self, task: LaneTask) -> None:
        self._under_way.append((task, self.workers.submit(task)))

    def state_dict(self) -> dict[str, Any]:
        return {
            "tasks": [
                {
                    "weights": _tensors(task.weights),
                    "seed": list(task.seed),
                    "state": _tensors(task.state),
                    "drawn": task.drawn,
                }
                for task, _promise in self._under_way
            ]
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._under_way.clear()
        for kept in state["tasks"]:
            state_of_games = _arrays(kept["state"])
            task = self._task(
                tuple(kept["seed"]), state_of_games, kept["drawn"], weights=kept["weights"]
            )
            self._hand_out(task)


Promise = tuple[ProcessPoolExecutor, "Future[Played]"]


@final
class LocalPlayers:
    """Processes of this machine; a pool that lost one is made again."""

    def __init__(self, players: int) -> None:
        self.players, self.deaths = players, 0
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(
            self.players, mp_context=get_context("spawn"), initializer=_ignore_interrupts
        )
        weakref.finalize(self, pool.shutdown, wait=False, cancel_futures=True)
        return pool

    def submit(self, task: LaneTask) -> Promise:
        try:
            return self._pool, self._pool.submit(play_lane, task)
        except BrokenProcessPool:
            self._replace()
            return self._pool, self._pool.submit(play_lane, task)

    def result(self, promise: Promise, task: LaneTask) -> Played:
        while True:
            pool, future = promise
            try:
                return future.result()
            except (BrokenProcessPool, CancelledError):
                # One death breaks all promises of its pool, and must not cost the new one.
                if pool is self._pool:
                    self._replace()
                promise = self.submit(task)

    def _replace(self) -> None:
        self.deaths += 1
        if self.deaths > MOST_DEATHS:
            raise RunFault(
                "PLAYERS-DIE",
                place=_("{count} players").format(count=self.players),
                found=_("their processes end again and again"),
                why=_("most often the machine is short of memory"),
                next_step=_("train with fewer --players or --games"),
            )
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()


def _ignore_interrupts() -> None:
    """Ctrl-C is for the learner, which saves; its players end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@final
class RayPlayers:
    """Tasks on a Ray cluster, which uses the machines that are there and gives the tasks of those that
    leave to others. address: of a running cluster; empty starts one on this machine."""

    def __init__(self, players: int, *, address: str = "") -> None:
        self.ray = need("ray")
        if not self.ray.is_initialized():
            try:
                self.ray.init(
                    address=address or None, num_cpus=None if address else players,
                    include_dashboard=False, log_to_driver=False, logging_level="ERROR",
                )  # fmt: skip
            except (ConnectionError, RuntimeError) as error:
                raise RunFault(
                    "CLUSTER-NOT-FOUND",
                    place=address or "ray.init",
                    found=str(error).splitlines()[0][:200],
                    next_step=_("start one with `ray start --head`, or leave --players-on ray out"),
                ) from error
        remote: Callable[..., Any] = self.ray.remote(num_cpus=1, max_retries=MOST_DEATHS)
        self._play = remote(play_lane)

    def submit(self, task: LaneTask) -> Any:
        return self._play.remote(task)

    def result(self, promise: Any, task: LaneTask) -> Played:
        return self.ray.get(promise)
