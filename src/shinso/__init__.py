"""shinso: every system of a deep-learning course, on your data; every claim of it, measured.

    run = shinso.train("forecast", "prices.csv", target="close", horizon=5, model="gru")
    print(run.table().markdown())
    layer = shinso.nn.LSTM(8, 16, peephole=True)

Names are imported at first use, so that ``import shinso`` costs nothing before torch is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shinso import nn as nn
    from shinso.walk.api import open_run as open_run
    from shinso.walk.api import resume as resume
    from shinso.walk.api import train as train

_FUNCTIONS = ("open_run", "resume", "train")
_ROOMS = ("data", "models", "nn", "objectives")

__all__ = ["nn", "open_run", "resume", "train"]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("shinso.walk.api"), name)
    if name in _ROOMS:
        return importlib.import_module(f"shinso.{name}")
    raise AttributeError(f"module 'shinso' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_FUNCTIONS, *_ROOMS, *globals()])
