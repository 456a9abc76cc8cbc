"""Before any test imports shinso: shapes and types in annotations are checked at every call."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

import pytest
from beartype.claw import beartype_packages
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.shape_checks import CONF  # the second hook below looks that module up by name

SOURCE = Path(__file__).parent.parent / "src" / "shinso"


FOR_JAXTYPING = ("jaxtyping", "TYPE_CHECKING", "NamedTuple", "custom_op(", "async def __call__")
"""Shapes; names that are unknown while a program runs or in the class that Python makes of a named
tuple, which jaxtyping passes over; functions that are torch's own before beartype would see them;
applications, which a server calls with nothing to see whether that is an error at once."""


def _modules() -> tuple[list[str], list[str]]:
    """Modules that jaxtyping must check, and those that beartype alone can."""
    # A package's name would stand for everything below it, so only its modules are named.
    shaped, plain = [], []
    for module in pkgutil.walk_packages([str(SOURCE)], "shinso."):
        # Numba compiles the body it is given: a wrapped function is none that it could compile.
        if not module.ispkg and not module.name.endswith("_numba"):
            path = SOURCE.parent.joinpath(*module.name.split(".")).with_suffix(".py")
            source = path.read_text(encoding="utf-8")
            (shaped if any(word in source for word in FOR_JAXTYPING) else plain).append(module.name)
    return shaped, plain


SHAPED, PLAIN = _modules()
beartype_packages(PLAIN, conf=CONF)
install_import_hook(SHAPED, "tests.shape_checks.checked")  # ten times as long a call

# The first call of a type-checked function compiles its checks and takes long once.
settings.register_profile("shinso", deadline=None)
settings.load_profile("shinso")


@pytest.fixture(autouse=True)
def _english_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Messages in English whatever the machine's locale; files where the test can lose them."""
    from shinso import language

    language.choose(None)  # a command line that an earlier test ran may have chosen one
    monkeypatch.setenv("SHINSO_LANG", "en")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Bit-equal sums need one order of additions; two workers need one core each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)
