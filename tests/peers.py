"""Other libraries as oracles, where they can be imported; a test that needs one skips aloud."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch

_declared: list[Any] = []


@cache
def _declare_torchvision() -> None:
    """timm and transformers import torchvision, whose registry wheel cannot load its operators beside
    a torch for CPUs; declaring those that it annotates is enough for both."""
    try:
        import torchvision  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        pass
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # what it declares lives as long as it does


def peer(name: str) -> ModuleType:
    """The library; the test skips where it is not installed."""
    _declare_torchvision()
    return pytest.importorskip(name)
