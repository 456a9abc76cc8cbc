"""timm as an oracle, where it can be imported; a test that needs it skips aloud otherwise."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import pytest
import torch

_declared: list[Any] = []


@cache
def timm() -> ModuleType:
    """timm. It imports torchvision, whose CUDA build cannot load its operators beside a torch for
    CPUs; declaring those that it annotates is enough for timm."""
    try:
        installed = version("torchvision")
        version("timm")
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed: pip install timm torchvision")
    if torch.version.cuda is None and "+cpu" not in installed:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # what it declares lives as long as it does
    return importlib.import_module("timm")
