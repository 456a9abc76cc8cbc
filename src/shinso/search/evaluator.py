"""What a search asks instead of playing to the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int16, Int64

from shinso.games.game import Game
from shinso.games.symmetry import inverses, symmetries

StateIn = TypeVar("StateIn", contravariant=True)
State = TypeVar("State")


@runtime_checkable
class Evaluator(Protocol[StateIn]):
    """Chances of actions and expected results of a batch of states."""

    def evaluate(
        self, states: Sequence[StateIn]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        """(priors, each summing to 1 over all actions; values −1 … 1 for the player to move)."""
        ...


@runtime_checkable
class PlanesEvaluator(Protocol):
    """The same for Go, from the planes of ``games.go_planes_numba`` (Zero)."""

    def __call__(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]: ...


@runtime_checkable
class BoardsEvaluator(Protocol):
    """The same for Go, from the boards themselves: for networks that read other planes than Zero's."""

    def on_boards(
        self, boards: Int16[np.ndarray, "batch field"], lasts: Int64[np.ndarray, "batch 4"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        """lasts: the last four actions before each board, newest first, −1 for none or unknown."""
        ...


@final
class RandomRollouts(Generic[State]):
    """Even priors; the value is the mean of random games to the end."""

    def __init__(self, game: Game[State], rollouts: int = 1, seed: int = 0) -> None:
        self.game, self.rollouts = game, rollouts
        self._rng = np.random.default_rng(seed)

    def evaluate(
        self, states: Sequence[State]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        actions = self.game.num_actions
        values = [np.mean([self._rollout(state) for _ in range(self.rollouts)]) for state in states]
        return np.full((len(states), actions), 1 / actions), np.array(values)

    def _rollout(self, state: State) -> float:
        sign = 1.0 if self.game.player(state) == 0 else -1.0
        while (result := self.game.outcome(state)) is None:
            legal = np.flatnonzero(self.game.legal(state))
            state = self.game.play(state, int(self._rng.choice(legal)))
        return sign * result


@final
class SymmetryAverage:
    """Evaluates every position through all eight symmetries and averages what comes back."""

    def __init__(self, evaluator: PlanesEvaluator) -> None:
        self.evaluator = evaluator

    def __call__(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        batch, count, side, _side = planes.shape
        flat = planes.reshape(batch, count, side * side)
        turned = np.stack([flat[:, :, one[:-1]] for one in symmetries(side)])
        priors, values = self.evaluator(turned.reshape(8 * batch, count, side, side))
        priors = priors.reshape(8, batch, -1)
        back = [priors[k][:, inverses(side)[k]] for k in range(8)]
        return np.mean(back, axis=0), values.reshape(8, batch).mean(axis=0)


@final
class EvaluationCache:
    """Remembers what was said of planes; the oldest of ``size`` entries goes first."""

    def __init__(self, evaluator: PlanesEvaluator, size: int = 100_000) -> None:
        self.evaluator, self.size = evaluator, size
        self._known: OrderedDict[bytes, tuple[np.ndarray, float]] = OrderedDict()
        self.hits = self.misses = 0

    def clear(self) -> None:
        """Forget everything: the network has learnt something new."""
        self._known.clear()

    def __call__(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        # Planes are 0 or 1: a bit for each is a key that two positions never share.
        bits = np.packbits(planes.reshape(len(planes), -1) > 0, axis=1)
        names = [row.tobytes() for row in bits]
        fresh = list({n: i for i, n in enumerate(names) if n not in self._known}.values())
        self.hits += len(names) - len(fresh)
        self.misses += len(fresh)
        found = {n: self._known[n] for n in names if n in self._known}
        if fresh:
            priors, values = self.evaluator(planes[fresh])
            for row, i in enumerate(fresh):
                found[names[i]] = self._known[names[i]] = (priors[row], float(values[row]))
        while len(self._known) > self.size:
            self._known.popitem(last=False)
        return np.stack([found[n][0] for n in names]), np.array([found[n][1] for n in names])
