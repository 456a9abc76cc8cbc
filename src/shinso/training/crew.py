"""Who trains together: one process, or several that hold the same model and learn from one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, final, runtime_checkable


@runtime_checkable
class Crew(Protocol):
    """What the loop asks of those who train together. All of them ask, in the same order.

    rank: this worker's number. Only the first, 0, validates and writes.
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def first_says(self, say: Callable[[], Any]) -> Any:
        """What ``say`` gives at the first worker, at every worker; no other calls it.

        Numbers, texts, lists, dicts of texts to these, and tensors.
        """
        ...

    def largest(self, value: int) -> int:
        """The largest of all workers' values."""
        ...

    def gather(self, content: Any) -> list[Any]:
        """Every worker's content, in the order of their ranks; of the same kinds."""
        ...


@final
class Alone:
    """A crew of one."""

    rank, size = 0, 1

    def first_says(self, say: Callable[[], Any]) -> Any:
        return say()

    def largest(self, value: int) -> int:
        return value

    def gather(self, content: Any) -> list[Any]:
        return [content]
