"""What a reader's faults look like from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shinso.faults import DataFault, ManyDataFaults


def faults_of(read: Callable[[], Any]) -> list[DataFault]:
    """All faults that ``read`` raises together."""
    with pytest.raises(DataFault) as raised:
        read()
    fault = raised.value
    return fault.faults if isinstance(fault, ManyDataFaults) else [fault]


def codes_and_places(read: Callable[[], Any], path: Path) -> list[tuple[str, str]]:
    """Code and place of each fault, the file's own name left out."""
    return [(one.code, one.place.removeprefix(str(path))) for one in faults_of(read)]


def written(content: str | bytes, name: str = "data.csv") -> Path:
    """A file in the test's own folder."""
    path = Path(name).absolute()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
