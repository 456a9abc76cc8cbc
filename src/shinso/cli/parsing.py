"""Reading a command line: flags made from a schema, faults with the closest name."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from shinso.faults import UsageFault
from shinso.language import _
from shinso.settings import Setting


class Parser(argparse.ArgumentParser):
    """argparse whose errors are faults, which takes no abbreviated flags and speaks the language
    in use."""

    def __init__(self, verb: str, description: str = "", **more: Any) -> None:
        super().__init__(
            prog=f"shinso {verb}".strip(),
            description=description,
            allow_abbrev=False,
            formatter_class=_Formatter,
            add_help=False,
            **more,
        )
        self._positionals.title = _("arguments")
        self._optionals.title = _("options")
        self.add_argument("-h", "--help", action="help", help=_("show this help"))

    def error(self, message: str) -> NoReturn:
        raise UsageFault(
            "USAGE", place=self.prog, found=_spoken(message), next_step=f"{self.prog} --help"
        )

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse, flags and positionals in any order; UsageFault FLAG-UNKNOWN for a flag that
        is not there, with the closest ones."""
        given = list(arguments)
        known = [flag for action in self._actions for flag in action.option_strings]
        for word in given:
            if word == "--":
                break
            flag = word.split("=", 1)[0]
            if flag.startswith("--") and flag not in known:
                near = difflib.get_close_matches(flag, known, n=2, cutoff=0.5)
                step = (
                    _("did you mean {near}?").format(near=", ".join(near))
                    if near
                    else f"{self.prog} --help"
                )
                raise UsageFault(
                    "FLAG-UNKNOWN",
                    place=self.prog,
                    found=_("no flag is named {name}").format(name=flag),
                    next_step=step,
                )
        # argparse would keep its usage by cutting off seven letters, "usage: " in English.
        self.usage = self.format_usage().removeprefix(_("usage: ")).rstrip()
        return self.parse_intermixed_args(given)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, prefix or _("usage: "))


def _spoken(message: str) -> str:
    """What argparse says, in the language in use; its own English where it is none of these."""
    known = (
        (r"the following arguments are required: (.*)", _("{0} must be given")),
        (r"unrecognized arguments: (.*)", _("nothing is known of {0}")),
        (r"argument (.*): expected one argument", _("{0} needs a value")),
        (r"argument (.*): expected at least one argument", _("{0} needs a value")),
        (r"argument (.*): invalid choice: (.*) \(choose from (.*)\)", _("{0} is {1}; choose {2}")),
        (r"argument (.*): invalid (.*) value: (.*)", _("{0} is {2}, which is no {1}")),
        (r"argument (.*): not allowed with argument (.*)", _("{0} does not go with {1}")),
        (r"argument (.*): ignored explicit argument (.*)", _("{0} takes no value")),
    )
    for pattern, template in known:
        if found := re.fullmatch(pattern, message):
            return template.format(*found.groups())
    return message


def add_settings(parser: Parser, title: str, settings: Iterable[Setting]) -> None:
    """A flag for each setting; what is not given is absent from the result, so that it can be
    told from a given default."""
    group = parser.add_argument_group(title)
    for leaf in settings:
        default = leaf.default
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        note = f" [{shown}]" if shown not in ("", None) else ""
        text = (_(leaf.help) + note).replace("%", "%%")
        if leaf.kind is bool:
            group.add_argument(
                leaf.flag,
                dest=leaf.name,
                default=argparse.SUPPRESS,
                help=text,
                action=argparse.BooleanOptionalAction,
            )
        else:
            group.add_argument(
                leaf.flag,
                dest=leaf.name,
                default=argparse.SUPPRESS,
                metavar=_metavar(leaf),
                help=f"{leaf.kind_name}: {text}" if _metavar(leaf) == "X" else text,
            )


def _metavar(leaf: Setting) -> str:
    """What stands for the value: its kind, or the choices as they are typed; X where that is
    too long for the column."""
    if len(leaf.kind_name) >= 12:
        return "X"
    return leaf.kind_name if leaf.choices else leaf.kind_name.upper()


def given_settings(read: argparse.Namespace, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The settings that were given as flags."""
    return {name: value for name, value in vars(read).items() if name in settings}


def split_assignments(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Words of the form ``key=value`` apart from the others (paths may hold "=" after a "/")."""
    plain: list[str] = []
    assigned: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if sign and key.isidentifier():
            assigned[key] = value
        else:
            plain.append(word)
    return plain, assigned


def take_name(
    verb: str, arguments: Sequence[str], names: Mapping[str, str]
) -> tuple[str, list[str]]:
    """The name (task, lesson) that a verb begins with, and the words after it.

    names: with a line about each. Without a name, ``--help`` lists them and exits with 0, and
    anything else is a UsageFault USAGE.
    """
    rest = list(arguments)
    name = next((word for word in rest if not word.startswith("-")), None)
    if name is not None:
        rest.remove(name)
        return name, rest
    usage = f"shinso {verb} NAME …"
    if "--help" in rest or "-h" in rest:
        lines = [usage, "", *(f"  {known:<16} {about}" for known, about in names.items())]
        print("\n".join([*lines, "", f"shinso {verb} NAME --help"]))
        raise SystemExit(0)
    raise UsageFault(
        "USAGE",
        place=f"shinso {verb}",
        found=_("no name is given"),
        why=_("names are: {all}").format(all=", ".join(names)),
        next_step=f"shinso {verb} --help",
    )
