"""Faults of environments: what cannot be opened, what no agent handles, what raises errors of its own."""

from __future__ import annotations

import difflib
import json
import re
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shinso.faults import DataFault, ExtraFault, Fault, UsageFault
from shinso.language import _

SHINSO = Path(__file__).parent.parent
INSTALLED = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def space_fault(name: str, text: str, why: str, next_step: str = "") -> DataFault:
    """The fault for a space that an agent cannot handle; the spaces stand in it."""
    return DataFault(
        "ENV-SPACE",
        place=name,
        found=text,
        why=why,
        next_step=next_step
        or _("wrap the environment so that it has Discrete or one-dimensional Box spaces"),
    )


def raised(
    name: str, doing: str, error: Exception, *, where: str = "", spaces: str = ""
) -> DataFault:
    """The fault for an environment that raised an error of its own."""
    found = (f"{type(error).__name__}: {error}", line_of(error), spaces)
    return DataFault(
        "ENV-RAISED",
        place=f"{name}: {doing}" + (f", {where}" if where else ""),
        found="\n  ".join(part for part in found if part),
        why=_("the environment raised an error; it is not shinso's"),
        next_step=_("mend the environment, then go on with --resume where a run was begun"),
    )


def line_of(error: Exception) -> str:
    """``file:line, function`` of the last call in the user's own code; where there is none, in what is
    installed beside shinso; "" where there is none either."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and SHINSO not in Path(frame.filename).parents
    ]
    own = [
        frame
        for frame in frames
        if not any(folder in Path(frame.filename).parents for folder in INSTALLED)
    ]
    if not frames:
        return ""
    last = (own or frames)[-1]
    return f"{last.filename}:{last.lineno}, {last.name}"


def missing_package(name: str, error: Exception) -> ExtraFault:
    """The fault for a package that an environment needs. The next step is Gymnasium's own where its
    message has one: the extra ``rl`` does not bring what every environment needs."""
    line = " && ".join(re.findall(r"`(pip install [^`]+)`", str(error)))
    line = line or "pip install 'shinso[rl]'"
    if isinstance(error, ModuleNotFoundError) and error.name:
        line = f"pip install {error.name}"
    return ExtraFault(
        "ENV-NEEDS-PACKAGE",
        place=name,
        found=str(error),
        why=_("the environment needs a package that is not installed"),
        next_step=line,
    )


def not_made(gym: Any, name: str, settings: Mapping[str, Any], error: Exception) -> Fault:
    """The fault for an environment that was not made because of ``error``."""
    lacking = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if isinstance(error, TypeError) and lacking and lacking[1] in settings:
        return UsageFault(
            "ENV-SETTINGS",
            place=f"{name}: --environment-settings {json.dumps(dict(settings))}",
            found=str(error),
            next_step=_("give only arguments that the environment has; it has no {name}").format(
                name=lacking[1]
            ),
        )
    if isinstance(error, gym.error.DeprecatedEnv):
        newer = re.search(r"use `([^`]+)`", str(error))
        return UsageFault(
            "ENV-UNKNOWN",
            place=name,
            found=str(error),
            why=_("Gymnasium does not bring this version any more"),
            next_step=_("name {newer}").format(newer=newer[1])
            if newer
            else _("name a newer version"),
        )
    if isinstance(error, gym.error.DependencyNotInstalled | ModuleNotFoundError):
        return missing_package(name, error)
    if isinstance(error, gym.error.NamespaceNotFound):
        return ExtraFault(
            "ENV-NEEDS-PACKAGE",
            place=name,
            found=str(error),
            why=_("the environment needs a package that is not installed"),
            next_step=_("install the package that brings it, and name it as package:{name}").format(
                name=name
            ),
        )
    if isinstance(error, gym.error.UnregisteredEnv):
        known = [key for key in gym.registry if "/" not in key]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        return UsageFault(
            "ENV-UNKNOWN",
            place=name,
            found=str(error),
            next_step=_("did you mean {near}?").format(near=", ".join(near))
            if near
            else _("give a Gymnasium id, or module:Env for an environment of your own"),
        )
    return raised(name, _("making it"), error)
