"""``shinso go gtp|play|match|review|network``: Go by GTP or in a browser, matches, a look at a game."""

from __future__ import annotations

from collections.abc import Sequence

from shinso.faults import UsageFault
from shinso.language import _

HELP = "play Go: GTP, a board in a browser, matches of programs, review of a game"


def parts() -> dict[str, str]:
    """What comes after ``shinso go``, with a line about each."""
    return {
        "gtp": _("play by the Go Text Protocol, for any Go client"),
        "play": _("play on a board in a browser"),
        "match": _("let two GTP programs play a match"),
        "review": _("win rate and worst moves of an SGF file"),
        "network": _("what is known of the network that ships with shinso"),
    }


def run(arguments: Sequence[str]) -> int:
    import importlib

    from shinso.cli.parsing import take_name

    name, rest = take_name("go", arguments, parts())
    if name not in parts():
        import difflib

        near = difflib.get_close_matches(name, list(parts()), n=1, cutoff=0.4)
        raise UsageFault(
            "USAGE",
            place=f"shinso go {name}",
            found=_("no such part"),
            why=_("names are: {all}").format(all=", ".join(parts())),
            next_step=_("did you mean {near}?").format(near=near[0])
            if near
            else "shinso go --help",
        )
    return importlib.import_module(f"shinso.cli.go_{name}").run(rest)
