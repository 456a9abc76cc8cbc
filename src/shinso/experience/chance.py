"""The state of a numpy generator as plain values, for resume states."""

from __future__ import annotations

from typing import Any

import numpy as np


def state_of(rng: np.random.Generator) -> dict[str, str]:
    """PCG64's state; its 128-bit numbers as texts."""
    state: Any = rng.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": str(state["has_uint32"]),
        "uinteger": str(state["uinteger"]),
    }


def bring_back(rng: np.random.Generator, state: dict[str, str]) -> None:
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(state["state"]), "inc": int(state["inc"])},
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }
