"""Other libraries to be measured beside."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import torch

_declared: list[Any] = []


@cache
def peer(name: str) -> ModuleType:
    """The library, imported.

    timm and transformers import torchvision, whose registry wheel cannot load its operators beside a
    torch for CPUs; declaring those that it annotates is enough for both.
    """
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pass
    except RuntimeError:
        if not _declared:
            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float threshold) -> Tensor")
            _declared.append(library)  # what it declares lives as long as it does
    return importlib.import_module(name)
