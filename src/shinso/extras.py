"""Optional packages: which extra brings them, and the message where one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from shinso.faults import ExtraFault
from shinso.language import _

EXTRAS = {
    "audio": ("soundfile",),
    "cluster": ("ray",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "rl": ("gymnasium",),
    "serve": ("fastapi", "httptools", "pydantic", "uvicorn", "uvloop"),
    "text": ("sentencepiece", "sacrebleu"),
}
"""Extra -> the packages that shinso, or one of them, imports from it."""


def need(package: str) -> Any:
    """The package, imported; ExtraFault EXTRA-MISSING with the line that installs it.

    Raises ValueError for a package that is in no extra.
    """
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    if extra is None:
        raise ValueError(f"package is {package!r}; name it in EXTRAS")
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ExtraFault(
            "EXTRA-MISSING",
            place=package,
            found=str(error),
            why=_("this part of shinso needs it"),
            next_step=f"pip install 'shinso[{extra}]'",
        ) from error
