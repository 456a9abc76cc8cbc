"""How old the weights were from which gradients came: bounded, counted, allowed for.

A gradient computed from the weights of update v and applied as update u + 1 has the staleness
τ = u − v: so many updates came between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shinso.language import _


def may_be_applied(versions: Sequence[int], chosen: int, now: int, bound: int | None) -> bool:
    """Whether all gradients under way can still keep the bound after the chosen one is applied.

    versions: of the weights that each of them started from. Applied oldest first, the k-th of the
    others becomes update now + 1 + k, so now + 1 + k − v_k must not exceed ``bound``.
    """
    if bound is None:
        return True
    if now - versions[chosen] > bound:
        return False
    others = sorted(v for place, v in enumerate(versions) if place != chosen)
    return all(now + 1 + k - version <= bound for k, version in enumerate(others))


def at_once(workers: int, bound: int | None) -> int:
    """How many gradients may be under way: of n begun together, one is n − 1 updates late."""
    return workers if bound is None else min(workers, bound + 1)


def slowed(lr: float, staleness: int) -> float:
    """The learning rate of a stale gradient, lr / τ (Zhang, Gupta, Lian & Liu 2016, eq. 5)."""
    return lr / max(1, staleness)


def told(counts: Mapping[int, int]) -> str:
    """The distribution in a line: how many updates were how stale."""
    total = sum(counts.values()) or 1
    shares = ", ".join(f"{age}: {counts[age] / total:.1%}" for age in sorted(counts))
    mean = sum(age * count for age, count in counts.items()) / total
    return _("staleness of {total} updates: {shares}; mean {mean:.2f}").format(
        total=sum(counts.values()), shares=shares, mean=mean
    )


def as_pairs(counts: Counter[int]) -> list[list[int]]:
    """For a checkpoint or JSON, whose keys are texts."""
    return [[age, counts[age]] for age in sorted(counts)]
