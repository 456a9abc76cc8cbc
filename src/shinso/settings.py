"""One schema for flags, Python arguments, YAML files and forms: a frozen dataclass.

A setting is a dataclass field, its help text in the field's metadata; a field that is itself
a dataclass contributes its own fields, so names are unique over the whole config. Values are
merged in the order default < preset < file < flags, and where each came from is remembered.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from shinso.faults import UsageFault
from shinso.language import _

ConfigT = TypeVar("ConfigT")


def setting(default: Any, help_text: str, *, unit: str = "") -> Any:
    """A dataclass field with its help text, and the unit of its value where it has one."""
    return dataclasses.field(default=default, metadata={"help": help_text, "unit": unit})


def nested(config_class: type, **defaults: Any) -> Any:
    """A field that holds a nested config; ``defaults`` replace that class's own defaults."""
    return dataclasses.field(
        default_factory=lambda: config_class(**defaults), metadata={"defaults": defaults}
    )


@dataclass(frozen=True)
class Setting:
    """One leaf of a schema. path: names from the root config down to the field."""

    path: tuple[str, ...]
    kind: Any
    default: Any
    help: str
    unit: str

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values a Literal allows; empty for other kinds."""
        return typing.get_args(self.kind) if typing.get_origin(self.kind) is Literal else ()

    @property
    def kind_name(self) -> str:
        """How the kind reads in a help text."""
        if self.choices:
            return "|".join(str(choice) for choice in self.choices)
        inner = _without_none(self.kind)
        if typing.get_origin(inner) is tuple:
            return f"{typing.get_args(inner)[0].__name__},…"
        return getattr(inner, "__name__", str(inner))


def schema(config_class: type) -> dict[str, Setting]:
    """All settings of a config class by name, nested ones included."""
    found: dict[str, Setting] = {}
    for leaf in _leaves(config_class, (), {}):
        if leaf.name in found:
            raise ValueError(f"{config_class.__name__} has two settings named {leaf.name!r}")
        found[leaf.name] = leaf
    return found


def _leaves(
    config_class: type, above: tuple[str, ...], replaced: Mapping[str, Any]
) -> Iterator[Setting]:
    kinds = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        kind = kinds[field.name]
        path = (*above, field.name)
        if dataclasses.is_dataclass(kind):
            yield from _leaves(typing.cast(type, kind), path, field.metadata.get("defaults", {}))
            continue
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        default = replaced.get(field.name, default)
        yield Setting(
            path, kind, default, field.metadata.get("help", ""), field.metadata.get("unit", "")
        )


@dataclass(frozen=True)
class Resolved:
    """A config with, for each setting, where its value came from."""

    config: Any
    origins: Mapping[str, str]


def resolve(config_class: type[ConfigT], *layers: tuple[str, Mapping[str, Any]]) -> Resolved:
    """Build the config from ``layers`` of (origin, {name: value}), later ones winning.

    Values may be text (from flags) or already typed (from Python or YAML).
    Raises UsageFault SETTING-UNKNOWN, SETTING-INVALID, or SETTING-REFUSED when the config's
    own check refuses the combination.
    """
    known = schema(config_class)
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            if name not in known:
                raise unknown_setting(name, known, place=origin)
            values[name] = convert(known[name], value, origin)
            origins[name] = origin
    try:
        config = _construct(config_class, known, values)
    except ValueError as error:
        given = {name: origin for name, origin in origins.items() if origin != "default"}
        named = {n: o for n, o in given.items() if re.search(rf"\b{n}\b", str(error))}
        raise UsageFault(
            "SETTING-REFUSED",
            place=", ".join(f"{name} ({origin})" for name, origin in (named or given).items()),
            found=str(error),
            next_step=_("change the setting named above"),
        ) from error
    return Resolved(config, origins)


def _construct(
    config_class: type[ConfigT], known: Mapping[str, Setting], values: Mapping[str, Any]
) -> ConfigT:
    kinds = typing.get_type_hints(config_class)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, config_class)):
        kind = kinds[field.name]
        if dataclasses.is_dataclass(kind):
            inside = {name: leaf for name, leaf in known.items() if field.name in leaf.path[:-1]}
            defaults = dict(field.metadata.get("defaults", {}))
            own = schema(typing.cast(type, kind))
            given = {**defaults, **{n: values[n] for n in inside if n in values}}
            arguments[field.name] = _construct(typing.cast(type, kind), own, given)
        elif field.name in values:
            arguments[field.name] = values[field.name]
    return config_class(**arguments)


def unknown_setting(
    name: str, known: Mapping[str, Any] | Sequence[str], *, place: str
) -> UsageFault:
    """The fault for a setting that does not exist, with the closest ones that do."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    if near:
        step = _("did you mean {near}?").format(near=", ".join(near))
    else:
        step = _("settings are: {all}").format(all=", ".join(known))
    return UsageFault(
        "SETTING-UNKNOWN",
        place=place,
        found=_("no setting is named {name}").format(name=name),
        next_step=step,
    )


def convert(leaf: Setting, value: Any, origin: str) -> Any:
    """``value`` as the kind that ``leaf`` has; UsageFault SETTING-INVALID if it cannot be."""
    try:
        return _convert(leaf.kind, value)
    except (ValueError, TypeError) as error:
        raise UsageFault(
            "SETTING-INVALID",
            place=f"{leaf.name} ({origin})",
            found=repr(value),
            why=str(error),
            next_step=_("give {kind}").format(kind=leaf.kind_name),
        ) from error


def _convert(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is Literal:
        for choice in typing.get_args(kind):
            if value == choice or str(value) == str(choice):
                return choice
        raise ValueError(
            _("not one of {choices}").format(choices=", ".join(map(str, typing.get_args(kind))))
        )
    if origin in (Union, types.UnionType):
        if value is None or value in ("", "none", "None"):
            return None
        return _convert(_without_none(kind), value)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(
            _convert(inner, part.strip() if isinstance(part, str) else part)
            for part in parts
            if part != ""
        )
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "yes", "on", "1"):
            return True
        if str(value).lower() in ("false", "no", "off", "0"):
            return False
        raise ValueError(_("not true or false"))
    if kind is int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError(_("not a whole number"))
        return int(value)
    if kind is float:
        number = float(value)
        if math.isnan(number):  # it passes every check that asks whether a value is too small
            raise ValueError(_("not a number"))
        return number
    if kind is str:
        return str(value)
    if kind is Path:
        # A run is resumed from anywhere, so its files are known by their whole paths.
        return Path(value).expanduser().absolute()
    return value


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (Union, types.UnionType):
        return next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def as_flat(config: Any) -> dict[str, Any]:
    """Every setting's value by name, nested ones included; tuples as lists, paths as texts."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            flat.update(as_flat(value))
        else:
            flat[field.name] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def parse_duration(text: str, name: str = "duration") -> float:
    """Seconds of "90", "90s", "10m", "1.5h" or "2h30m". ValueError, which calls it ``name``, for
    anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd]?)+", text.strip()):
        raise ValueError(f"{name} is {text!r}; write 90s, 10m or 2h30m")
    return sum(float(n) * units[u] for n, _f, u in re.findall(r"(\d+(\.\d+)?)([smhd]?)", text))
