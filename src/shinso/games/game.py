"""What a search asks of a game of two players who move in turn and see everything."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool

State = TypeVar("State")


@runtime_checkable
class Game(Protocol[State]):
    """Rules as pure functions of states; players are 0 (who begins) and 1.

    num_actions: every state's actions are numbers below it, of which ``legal`` says which count.
    """

    num_actions: int

    def start(self) -> State:
        """The state before the first move."""
        ...

    def player(self, state: State) -> int:
        """Whose turn it is."""
        ...

    def legal(self, state: State) -> Bool[np.ndarray, " action"]:
        """Which actions the rules allow; the whole truth, and at least one until the end."""
        ...

    def play(self, state: State, action: int) -> State:
        """The state after a legal action; the given one stays as it is."""
        ...

    def outcome(self, state: State) -> float | None:
        """1 where player 0 has won, −1 where player 1 has, 0 for a draw, None before the end."""
        ...
