"""Which recipes there are, and what they can train. Reads them without importing torch."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

import shinso.recipes
from shinso.faults import UsageFault
from shinso.language import _
from shinso.recipes.recipe import ModelChoice
from shinso.settings import unknown_setting

PARTS = (
    *("TITLE", "PLACE", "READS", "ABOUT", "MODELS", "BRIEF", "Config"),
    *("read", "make_model", "build", "use"),
)
NOT_RECIPES = {"recipe"}


@cache
def tasks() -> tuple[str, ...]:
    """The names of all tasks, in alphabetical order."""
    found = pkgutil.iter_modules(shinso.recipes.__path__)
    return tuple(
        sorted(m.name.replace("_", "-") for m in found if m.name not in NOT_RECIPES and not m.ispkg)
    )


def recipe(task: str) -> ModuleType:
    """The recipe of a task; UsageFault TASK-UNKNOWN names the closest ones."""
    if task not in tasks():
        near = difflib.get_close_matches(task, tasks(), n=1, cutoff=0.4)
        raise UsageFault(
            "TASK-UNKNOWN",
            place=task,
            found=_("no task has this name"),
            next_step=_("did you mean {near}?").format(near=near[0])
            if near
            else _("see shinso list"),
        )
    module = importlib.import_module(f"shinso.recipes.{task.replace('-', '_')}")
    for part in PARTS:
        if not hasattr(module, part):
            raise TypeError(f"recipe {task} lacks {part}; see shinso.recipes")
    return module


def needs_data(module: ModuleType) -> bool:
    """Whether the recipe reads something; one that learns by self-play does not."""
    return getattr(module, "NEEDS_DATA", True)


def presets(module: ModuleType) -> dict[str, dict[str, Any]]:
    """Named settings of a recipe; most have none."""
    return getattr(module, "PRESETS", {})


def titles() -> dict[str, str]:
    """Task -> its title in the language in use."""
    return {task: str(recipe(task).TITLE) for task in tasks()}


def choice(module: ModuleType, name: str) -> ModelChoice:
    """The network that a recipe offers by that name; UsageFault SETTING-UNKNOWN otherwise."""
    models: dict[str, ModelChoice] = module.MODELS
    if name not in models:
        raise unknown_setting(name, models, place="--model")
    return models[name]


def network_class(chosen: ModelChoice) -> type:
    """The class behind a choice. Imports torch."""
    module, name = chosen.target.split(":")
    return getattr(importlib.import_module(module), name)
