"""What a server answers where it cannot answer: the parts of a ``Fault``, as JSON."""

from __future__ import annotations

import logging
from typing import Any

from shinso.faults import Fault


def fault(code: str, found: str, place: str = "", *, next_step: str) -> dict[str, Any]:
    """What every refusal looks like."""
    return {"fault": Fault(code, place=place, found=found, next_step=next_step).as_dict()}


def misread(error: Any, example: str, *place: str) -> dict[str, Any]:
    """Of a question of the wrong type: pydantic's first reason. example: where one stands that is
    answered; place: what the question was part of."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, (*place, *first["loc"])))
    return fault("QUESTION", str(first["msg"]), where, next_step=shown_by(example))


def unanswered(reason: Exception, example: str) -> dict[str, Any]:
    """Of a question of the right type that has no answer."""
    return fault("QUESTION", str(reason), next_step=shown_by(example))


def shown_by(example: str) -> str:
    return f"see {example} for a question that is answered"


def bug(error: Exception) -> dict[str, Any]:
    """Of a fault that is ours to mend; the service lives on."""
    return fault("BUG", type(error).__name__, next_step="report it with what the server printed")


def logged_bug(error: Exception, asked: str) -> dict[str, Any]:
    """The same where nobody else would log what it was."""
    logging.getLogger(__name__).error("%s", asked, exc_info=error)
    return bug(error)
