"""Before any test imports shinso: shapes and types in annotations are checked at every call."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shape_checks  # noqa: F401  the hook below looks it up by name

SOURCE = Path(__file__).parent.parent / "src" / "shinso"


def _checked_modules() -> list[str]:
    # Numba compiles the body it is given: a wrapped function is none that it could compile.
    # A package's name would stand for everything below it, so only its modules are named.
    found = pkgutil.walk_packages([str(SOURCE)], "shinso.")
    return [m.name for m in found if not m.ispkg and not m.name.endswith("_numba")]


install_import_hook(_checked_modules(), "tests.shape_checks.checked")

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
