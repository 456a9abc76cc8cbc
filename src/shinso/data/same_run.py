"""A source goes on only with the data and the seed that it was stopped with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shinso.faults import RunFault
from shinso.language import _


def check_same_run(state: Mapping[str, Any], **own: int) -> None:
    """RunFault RUN-OTHER-DATA where ``state`` says otherwise than ``own``: another seed or other data
    would give batches in another order than the one that was begun."""
    for name, now in own.items():
        if state[name] != now:
            raise RunFault(
                "RUN-OTHER-DATA",
                place=name,
                found=_("{now} now, {then} when the run was stopped").format(
                    now=now, then=state[name]
                ),
                why=_("the run would go on with batches in another order"),
                next_step=_("bring back the data and settings of the run, or train anew"),
            )
