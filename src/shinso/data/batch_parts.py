"""Any batch in parts: for several workers, or for one that learns a batch piece by piece.

A batch is a tensor, or a NamedTuple, tuple, dict or dataclass of tensors and lists whose first
axis are the samples. Numbers, texts, None and tensors without axes belong to every part. A batch
whose samples have several rows each divides itself: it is ``Parted``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from shinso.contracts import Carrying
from shinso.faults import UsageFault
from shinso.language import _


@runtime_checkable
class Parted(Protocol):
    """A batch that knows its samples and can give some of them."""

    @property
    def num_samples(self) -> int: ...

    def part(self, index: int, of: int, /) -> Any:
        """Samples index, index + of, …"""
        ...


def num_samples(batch: Any) -> int:
    """Samples in the batch. UsageFault BATCH-INDIVISIBLE where its parts do not agree on it."""
    if isinstance(batch, Parted):
        return batch.num_samples
    sizes = {len(leaf) for leaf in _leaves(batch)}
    if len(sizes) != 1:
        raise UsageFault(
            "BATCH-INDIVISIBLE",
            place=type(batch).__name__,
            found=_("first axes of {sizes}").format(sizes=sorted(sizes)),
            why=_("the first axis must be the samples, so that a batch can be shared"),
            next_step="--workers 1 --accumulate 1",
        )
    return sizes.pop()


def part_of(batch: Any, index: int, of: int) -> Any:
    """Samples index, index + of, index + 2 of, …: parts then differ by one sample at most, and
    batches that are sorted by length are shared evenly."""
    if isinstance(batch, Parted):
        return batch.part(index, of)
    num_samples(batch)
    return _taken(batch, index, of)


def share_of(batch: Any, index: int, of: int) -> Any:
    """``part_of``, but the whole batch where it has fewer samples than there are parts.

    All workers then learn the same samples, whose mean gradient is the same.
    """
    return batch if num_samples(batch) < of else part_of(batch, index, of)


def parts_of(batch: Any, of: int) -> list[Any]:
    """The batch in ``of`` parts, or in as many as it has samples."""
    if of == 1:
        return [batch]
    of = min(of, num_samples(batch))
    return [part_of(batch, index, of) for index in range(of)]


def interleaved(parts: Sequence[Tensor], axis: int) -> Tensor:
    """The parts' samples, which lie on ``axis``, by turns; the last parts may be one shorter."""
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    whole = parts[0].new_empty(shape)
    for index, part in enumerate(parts):
        whole.movedim(axis, 0)[index :: len(parts)] = part.movedim(axis, 0)
    return whole


def state_of_part(objective: Any, state: dict[str, Any], index: int, of: int) -> dict[str, Any]:
    """An objective's state for ``part_of(batch, index, of)``; the whole where it carries nothing of
    single samples."""
    return objective.state_of_part(state, index, of) if isinstance(objective, Carrying) else state


def joined_state(objective: Any, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The opposite: an objective's state from those of all parts."""
    return objective.joined_state(states) if isinstance(objective, Carrying) else states[0]


def _inside(batch: Any) -> list[Any] | None:
    """What a container holds; None for a leaf."""
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return [getattr(batch, field.name) for field in dataclasses.fields(batch)]
    if isinstance(batch, Mapping):
        return list(batch.values())
    return list(batch) if isinstance(batch, tuple) else None


def _leaves(batch: Any) -> Iterator[Any]:
    inside = _inside(batch)
    if inside is not None:
        for one in inside:
            yield from _leaves(one)
    elif _has_samples(batch):
        yield batch


def _has_samples(leaf: Any) -> bool:
    return isinstance(leaf, list) or (isinstance(leaf, Tensor | np.ndarray) and leaf.ndim > 0)


def _taken(batch: Any, index: int, of: int) -> Any:
    inside = _inside(batch)
    if inside is None:
        if not _has_samples(batch):
            return batch
        part = batch[index::of]
        return _dense(part, batch) if isinstance(part, Tensor) else part
    parts = [_taken(one, index, of) for one in inside]
    if hasattr(batch, "_fields"):
        return type(batch)(*parts)
    if isinstance(batch, tuple):
        return tuple(parts)
    if isinstance(batch, Mapping):
        return dict(zip(batch, parts, strict=True))
    names = [field.name for field in dataclasses.fields(batch)]
    return dataclasses.replace(batch, **dict(zip(names, parts, strict=True)))


def _dense(part: Tensor, whole: Tensor) -> Tensor:
    """The samples side by side again, in the order in which the whole batch lies in memory."""
    last = torch.channels_last
    if whole.ndim == 4 and not whole.is_contiguous() and whole.is_contiguous(memory_format=last):
        return part.contiguous(memory_format=last)
    return part.contiguous()
