"""Flags of verbs that use a run: settings that a run may be used with otherwise than it was trained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shinso.cli.parsing import Parser, add_settings, given_settings
from shinso.language import _

if TYPE_CHECKING:
    from shinso.walk.run import Run


def read_for_run(parser: Parser, arguments: Sequence[str]) -> tuple[argparse.Namespace, Run]:
    """The flags, and the run named among the arguments (``run``), to be used as the flags say.

    The run decides which flags there are, so it is looked for before the flags are read.
    """
    known = {}
    found = next((word for word in arguments if _is_run(word)), None)
    if found is not None:
        from shinso.walk.run import Run

        known = Run.open(found).settings_of_use
        if known:
            add_settings(
                parser, _("using the run; as it was trained where not given"), known.values()
            )
    read = parser.read(arguments)
    from shinso.walk.run import Run

    given = given_settings(read, known)
    trained = Run.open(read.run)
    return read, trained.with_settings(**given) if given else trained


def _is_run(word: str) -> bool:
    try:
        return (Path(word) / "config.yaml").is_file()
    except OSError:  # a text that is too long for a file's name
        return False
