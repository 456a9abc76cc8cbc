"""All claims by name, found by their files: ``claims/rnn/conv_size.py`` is ``rnn.conv-size``.

Listing names reads folders only; loading a claim imports its module, whose top imports nothing
heavy. A file whose name begins with ``_`` is shared code of its chapter, not a claim.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import get_args

from shinso.claims import chapters as course
from shinso.claims.claim import Claim, Profile
from shinso.faults import UsageFault
from shinso.language import Text, _

PACKAGE = "shinso.claims"
PROFILES: tuple[Profile, ...] = get_args(Profile)
TEXTS = ("PLACE", "SAYS", "TRUTH", "METHOD", "CONTROL", "RULE")
FUNCTIONS = {
    "measure": "(seed, control, profile)",
    "holds": "(measurements)",
    "draw": "(figure, measurements, controls)",
}
MACHINERY = {
    "claim", "catalogue", "chapters", "drawing", "intervals", "judgement", "machine", "measured",
    "schedule", "workers",
}  # fmt: skip
"""Modules of this room that no measurement depends on: a change there leaves evidence valid."""


def names(package: str = PACKAGE) -> list[str]:
    """Every claim's name, chapters and claims in the order of the course."""
    return [name for listed in chapters(package).values() for name in listed]


def chapters(package: str = PACKAGE) -> dict[str, list[str]]:
    """The claims of each chapter that has any, in the order of the course.

    Within a chapter its package may say an ORDER of files; what it does not name comes behind, by
    the alphabet.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(_folder(package).glob("*/[a-z]*.py")):
        found.setdefault(path.parent.name, []).append(path.stem)
    return {
        _spoken(chapter): [
            f"{_spoken(chapter)}.{_spoken(stem)}"
            for stem in _ordered(chapter, found[chapter], package)
        ]
        for chapter in sorted(found, key=lambda written: course.place(_spoken(written)))
    }


def _ordered(chapter: str, stems: Sequence[str], package: str) -> list[str]:
    order = getattr(importlib.import_module(f"{package}.{chapter}"), "ORDER", ())
    unknown = set(order) - set(stems)
    if unknown:
        raise ValueError(
            f"ORDER of {package}.{chapter} names {sorted(unknown)}, which are no claims"
        )
    return [*order, *(stem for stem in stems if stem not in order)]


def select(wanted: Sequence[str], package: str = PACKAGE) -> list[str]:
    """Names for what a user typed: claims, chapters (all of their claims), nothing (all).

    In the order of the course, none twice. Raises UsageFault CLAIM-UNKNOWN.
    """
    by_chapter = chapters(package)
    everything = names(package)
    chosen = set() if wanted else set(everything)
    for name in wanted:
        if name not in by_chapter and name not in everything:
            raise _unknown(name, [*everything, *by_chapter])
        chosen.update(by_chapter.get(name, [name]))
    return [name for name in everything if name in chosen]


def load(name: str, package: str = PACKAGE) -> Claim:
    """The claim ``name``; UsageFault CLAIM-UNKNOWN offers the closest name where there is none.

    A module that lacks a part is our bug, not the user's: ValueError names what is missing.
    """
    if name not in names(package):
        raise _unknown(name, names(package))
    chapter, short = name.split(".", 1)
    module = importlib.import_module(f"{package}.{_written(chapter)}.{_written(short)}")
    _check(module)
    return Claim(
        name=name,
        chapter=chapter,
        place=module.PLACE,
        says=module.SAYS,
        truth=module.TRUTH,
        method=module.METHOD,
        control=module.CONTROL,
        rule=module.RULE,
        rule_changed=getattr(module, "RULE_CHANGED", None),
        seeds=module.SEEDS,
        budget_s=module.BUDGET_S,
        measure=module.measure,
        holds=module.holds,
        draw=module.draw,
        file=f"{module.__name__.replace('.', '/')}.py",
        source_sha256=_source_sha256(name, package),
    )


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"package is {package!r}; give the name of an importable package")
    return Path(next(iter(spec.submodule_search_locations)))


def _spoken(written: str) -> str:
    return written.replace("_", "-")


def _written(spoken: str) -> str:
    return spoken.replace("-", "_")


def _unknown(name: str, known: Sequence[str]) -> UsageFault:
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1, cutoff=0.4)
    step = _("did you mean {name}?").format(name=close[0]) + " " if close else ""
    return UsageFault(
        "CLAIM-UNKNOWN",
        place=name,
        why=_("there is no claim of this name"),
        next_step=step + _("see all names: shinso claims list"),
    )


def _check(module: ModuleType) -> None:
    """All parts are there and are what they should be; ValueError lists what is not."""
    faults = []
    for part in TEXTS:
        value = getattr(module, part, "absent")
        if not isinstance(value, Text) and not (part == "TRUTH" and value is None):
            faults.append(f"{part} must be a Text" + (" or None" if part == "TRUTH" else ""))
    if not isinstance(getattr(module, "RULE_CHANGED", None), Text | None):
        faults.append("RULE_CHANGED must be a Text, or not be there")
    for part, kind in (("SEEDS", int), ("BUDGET_S", (int, float))):
        value = getattr(module, part, None)
        for profile in PROFILES:
            number = value.get(profile) if isinstance(value, Mapping) else None
            if not isinstance(number, kind) or isinstance(number, bool) or not number > 0:
                faults.append(f"{part}[{profile!r}] must be a number above zero")
    for part, signature in FUNCTIONS.items():
        value = getattr(module, part, None)
        if not inspect.isfunction(value) or not _takes(value, signature.count(",") + 1):
            faults.append(f"{part}{signature} must be a function of that many arguments")
    if faults:
        raise ValueError(f"claim module {module.__name__} is incomplete: {'; '.join(faults)}")


def _takes(function: object, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _source_sha256(name: str, package: str) -> str:
    """sha256 of the claim's file; with it, of each file of claims that it takes code from.

    A claim that imports nothing from other claims has the hash that ``sha256sum`` prints. The
    layers below (``nn``, ``train``) are not in it: the record of each seed has their version.
    """
    folder = _folder(package)
    first = f"{package}.{'.'.join(map(_written, name.split('.', 1)))}"
    sources: dict[str, bytes] = {}
    waiting = [first]
    while waiting:
        module = waiting.pop()
        path = folder.joinpath(*module.removeprefix(f"{package}.").split(".")).with_suffix(".py")
        if module in sources or not path.is_file():
            continue
        sources[module] = path.read_bytes()
        waiting.extend(_imported(ast.parse(sources[module]), module, package))
    if len(sources) == 1:
        return hashlib.sha256(sources[first]).hexdigest()
    digest = hashlib.sha256()
    for module in sorted(sources):
        digest.update(f"{module}\n{len(sources[module])}\n".encode())
        digest.update(sources[module])
    return digest.hexdigest()


def _imported(tree: ast.Module, module: str, package: str) -> list[str]:
    """Modules below ``package``, machinery aside, that ``module`` imports anywhere in its text."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            found += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    inside = [name for name in found if name.startswith(f"{package}.")]
    return [name for name in inside if name.removeprefix(f"{package}.") not in MACHINERY]
