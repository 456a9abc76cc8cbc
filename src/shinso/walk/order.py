"""An order: which task, data, network and settings a run has, and where each value came from.

Written into the run as ``config.yaml``, readable again as ``--config`` of another run.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from shinso.faults import UsageFault
from shinso.language import _
from shinso.runs.files import read_yaml
from shinso.runs.folder import RunFolder
from shinso.settings import Resolved, as_flat, resolve, schema, unknown_setting
from shinso.walk import catalogue
from shinso.walk.settings_of_runs import RunSettings

Layer = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Order:
    """A task with everything resolved; building it imports the network's class, so torch."""

    task: str
    paths: tuple[Path, ...]
    recipe: ModuleType
    run: Resolved
    recipe_settings: Resolved
    network: type
    network_settings: Resolved

    @property
    def config(self) -> Any:
        """The recipe's config."""
        return self.recipe_settings.config

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def seeds(self) -> range:
        first = self.run.config.first_seed
        return range(first, first + self.run.config.seeds)


def place(task: str, paths: Sequence[str | Path], *layers: Layer) -> Order:
    """Resolve an order from layers of (origin, {name: value}), later ones winning.

    A name may be a setting of the run, of the recipe or of the network. Raises UsageFault.
    """
    module = catalogue.recipe(task)
    split = [(origin, *_split(module, values)) for origin, values in layers]
    run = resolve(RunSettings, *[(origin, of_run) for origin, of_run, *_rest in split])
    recipe_settings = resolve(
        module.Config, *[(origin, of_recipe) for origin, _run, of_recipe, _network in split]
    )
    name = recipe_settings.config.model
    chosen = catalogue.choice(module, name)
    network = catalogue.network_class(chosen)
    known = schema(network.Config)  # pyright: ignore[reportAttributeAccessIssue]
    for origin, _run, _recipe, of_network in split:
        for key in of_network:
            if key in chosen.fixed:
                raise UsageFault(
                    "SETTING-FIXED",
                    place=f"{key} ({origin})",
                    found=_("the model {name} decides this").format(name=name),
                    next_step=_("choose another --model instead"),
                )
            if key not in known:
                every = [*known, *schema(module.Config), *schema(RunSettings)]
                raise unknown_setting(key, every, place=origin)
    network_settings = resolve(
        network.Config,  # pyright: ignore[reportAttributeAccessIssue]
        (f"model {name}", chosen.fixed),
        *[(origin, of_network) for origin, _run, _recipe, of_network in split],
    )
    refuse_unread(recipe_settings)
    refuse_unread(network_settings)
    return Order(
        task,
        tuple(path_of(p) for p in paths),
        module,
        run,
        recipe_settings,
        network,
        network_settings,
    )


def path_of(given: object) -> Path:
    """Where data lies. UsageFault DATA-NOT-A-PATH for data in memory, such as a data frame."""
    if isinstance(given, (str, os.PathLike)):
        return Path(given)
    raise UsageFault(
        "DATA-NOT-A-PATH",
        place="train",
        found=type(given).__name__,
        why=_("a run reads its data again, from files, when it is resumed or evaluated"),
        next_step=_(
            "give paths, one argument each; write a data frame first, as with "
            'frame.to_csv("data.csv", index=False)'
        ),
    )


@runtime_checkable
class ReadInPart(Protocol):
    """A config of which some settings mean nothing beside others."""

    def unread(self) -> Mapping[str, str]:
        """Settings that nothing reads as the others are, and which of those it is, as it would be
        typed."""
        ...


def refuse_unread(resolved: Resolved) -> None:
    """A setting that was asked for and does nothing is refused and not passed over: UsageFault
    SETTING-REFUSED. Its default may be given, and runs that exist, presets and models may hold
    what they like."""
    root = resolved.config
    inner = [getattr(root, field.name) for field in dataclasses.fields(root)]
    known, values = schema(type(root)), as_flat(root)
    for config in (root, *inner):
        for name, cause in config.unread().items() if isinstance(config, ReadInPart) else ():
            origin = resolved.origins[name]
            own = origin in ("default", "run") or origin.startswith(("preset ", "model "))
            if not own and values[name] != _plain_default(known[name].default):
                raise UsageFault(
                    "SETTING-REFUSED",
                    place=f"{name} ({origin})",
                    found=_("nothing reads {name} with {cause}").format(name=name, cause=cause),
                    next_step=_("leave one of the two out"),
                )


def _plain_default(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


ALONE = {
    "tensor": 1, "pipeline": 1, "micro_batches": 0, "shard": False, "together": "synchronous",
    "staleness": -1, "cluster": "",
}  # fmt: skip
"""What is left of working together where there is one."""


def with_workers(order: Order, workers: int | None = None, **more: Any) -> Order:
    """The same order for another number of workers, who may divide the model in another way: tensor,
    pipeline, micro_batches, shard. One worker has all of it, where nothing else is said.

    UsageFault SETTING-REFUSED where they cannot be so many.
    """
    changes = {name: value for name, value in more.items() if value is not None}
    if workers is not None:
        changes["workers"] = workers
    if workers == 1:
        changes = {**ALONE, **changes}
    elif changes.get("pipeline") == 1:
        changes = {"micro_batches": 0, **changes}
    try:
        config = dataclasses.replace(order.run.config, **changes)
    except ValueError as error:
        raise UsageFault(
            "SETTING-REFUSED",
            place=" ".join(
                f"--{name.replace('_', '-')} {value}" for name, value in changes.items()
            ),
            found=str(error),
            next_step=_("change the setting named above"),
        ) from error
    return dataclasses.replace(order, run=Resolved(config, order.run.origins))


def order_of(folder: RunFolder) -> Order:
    """The order that a run folder was made from."""
    path = folder.path / "config.yaml"
    content = read_yaml(path)
    _origin, values = file_layer(path)
    return place(content["task"], content["data"] or [], ("run", values))


def _split(
    module: ModuleType, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    of_run, of_recipe = schema(RunSettings), schema(module.Config)
    parts: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    for name, value in values.items():
        parts[0 if name in of_run else 1 if name in of_recipe else 2][name] = value
    return parts


def preset_layer(module: ModuleType, name: str) -> Layer:
    """The settings of a recipe's preset; UsageFault PRESET-UNKNOWN names those there are."""
    presets = catalogue.presets(module)
    if name not in presets:
        raise UsageFault(
            "PRESET-UNKNOWN",
            place=name,
            found=_("no preset has this name"),
            next_step=_("presets are: {all}").format(all=", ".join(presets) or "—"),
        )
    return f"preset {name}", presets[name]


def file_layer(path: Path) -> Layer:
    """The settings of a YAML file, ``config.yaml`` of a run included."""
    content = read_yaml(path)
    flat = {k: v for k, v in content.items() if k not in ("task", "data", "model_settings")}
    own = content.get("model_settings") or {}
    if not isinstance(own, dict) or not all(isinstance(name, str) for name in own):
        raise UsageFault(
            "CONFIG-UNREADABLE",
            place=f"{path}: model_settings",
            found=repr(own),
            next_step=_("write `name: value` lines"),
        )
    flat.update(own)
    return f"file {path.name}", flat


def as_yaml(order: Order) -> str:
    """The order as YAML: each value with a comment that says where it came from."""
    fixed = catalogue.choice(order.recipe, order.model).fixed
    lines = [f"task: {order.task}", "data:"]
    lines += [f"- {_scalar(str(_lasting(path)))}" for path in order.paths] or ["  []"]
    for resolved in (order.run, order.recipe_settings):
        lines += _yaml_lines(resolved, "")
    lines.append("model_settings:")
    own = _yaml_lines(order.network_settings, "  ", leave_out=fixed)
    return "\n".join([*lines, *(own or ["  {}"])]) + "\n"


def _lasting(path: Path) -> Path:
    """A file by its whole path, so that it is found from anywhere; a name (an environment's) as
    it was typed."""
    return path.resolve() if path.exists() else path


def _yaml_lines(
    resolved: Resolved, indent: str, *, leave_out: Mapping[str, Any] | None = None
) -> list[str]:
    return [
        f"{indent}{name}: {_scalar(value)}  # {resolved.origins[name]}"
        for name, value in as_flat(resolved.config).items()
        if name not in (leave_out or {})
    ]


def _scalar(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.strip().removesuffix("...").strip()
