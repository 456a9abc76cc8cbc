"""``shinso VERB …``: finds the verb, turns faults into messages and exit codes.

0 done · 1 our bug · 2 usage or config · 3 data · 4 a gate failed · 5 an extra is missing ·
130 after Ctrl-C. Imports nothing heavy: ``shinso --help`` answers at once.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

from shinso import language
from shinso.faults import Fault, Interrupted, RunFault, UsageFault
from shinso.language import _


def verbs() -> dict[str, str]:
    """Verb -> name of its module, in alphabetical order."""
    import shinso.cli.verbs

    found = [module.name for module in pkgutil.iter_modules(shinso.cli.verbs.__path__)]
    return {name.rstrip("_").replace("_", "-"): name for name in sorted(found)}


def load(verb: str) -> ModuleType:
    """The module of a verb; UsageFault VERB-UNKNOWN names the closest."""
    known = verbs()
    if verb not in known:
        near = difflib.get_close_matches(verb, known, n=1, cutoff=0.4)
        raise UsageFault(
            "VERB-UNKNOWN",
            place=f"shinso {verb}",
            found=_("no verb has this name"),
            next_step=_("did you mean {near}?").format(near=near[0]) if near else "shinso --help",
        )
    return importlib.import_module(f"shinso.cli.verbs.{known[verb]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (``sys.argv`` by default) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except Fault as fault:
        _say_fault(fault, as_json="--json" in words)
        return fault.exit_code
    except Interrupted as stopped:
        print(_("stopped; everything is saved. Go on with:"), file=sys.stderr)
        print(f"  {stopped.resume}", file=sys.stderr)
        return stopped.exit_code
    except KeyboardInterrupt:
        print(_("stopped"), file=sys.stderr)
        return Interrupted.exit_code
    except BrokenPipeError:
        # The reader (head, less) went away: no fault. Python would complain while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last stop: everything else is our bug
        if isinstance(error, OSError) and error.filename is not None:
            fault = _of_file(error)
            _say_fault(fault, as_json="--json" in words)
            return fault.exit_code
        _say_bug(error, words)
        return 1


def _dispatch(words: list[str]) -> int:
    words = _take_language(words)
    if words and words[0] == "--version":
        from importlib.metadata import version

        print(f"shinso {version('shinso')}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    return load(words[0]).run(words[1:])


def _take_language(words: list[str]) -> list[str]:
    """Take ``--lang X`` out of the words, wherever it stands, and choose that language."""
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--lang" or word.startswith("--lang="):
            chosen = word.partition("=")[2] or next(waiting, "")
            if chosen not in language.LANGUAGES:
                raise UsageFault(
                    "USAGE", place="--lang", found=repr(chosen), next_step="--lang en | ja"
                )
            language.choose(chosen)
        else:
            rest.append(word)
    return rest


def _overview() -> str:
    lines = [
        _("shinso trains every system of a deep-learning course on your data"),
        _("and measures every claim of it."),
        "",
        "shinso VERB [TASK] [DATA] [--flags] [key=value …]",
        "",
    ]
    lines += [f"  {verb:<10} {_(load(verb).HELP)}" for verb in verbs()]
    lines += [
        "",
        "  --lang en|ja   --version   VERB --help",
        "",
        _("First steps:"),
        "  shinso list",
        "  shinso check forecast prices.csv --time date --target close",
        "  shinso train forecast prices.csv --time date --target close --horizon 5 --model gru",
        "  shinso report --quick",
    ]
    return "\n".join(lines)


def _of_file(error: OSError) -> RunFault:
    """What the machine refused of a file that no reader or writer had a better word for."""
    return RunFault(
        "FILE-UNREADABLE",
        place=str(error.filename),
        found=error.strerror or type(error).__name__,
        why=_("the file cannot be opened"),
        next_step=_("mend its permissions, or give another file"),
    )


def _say_fault(fault: Fault, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"fault": fault.as_dict()}, ensure_ascii=False))
    print(fault.text(), file=sys.stderr)


def _say_bug(error: Exception, words: list[str]) -> None:
    import tempfile
    import time
    import traceback
    from pathlib import Path

    log = Path(tempfile.gettempdir()) / f"shinso-bug-{time.strftime('%Y%m%d-%H%M%S')}.log"
    text = f"shinso {' '.join(words)}\n\n{''.join(traceback.format_exception(error))}"
    try:
        log.write_text(text, encoding="utf-8")
        where = str(log)
    except OSError:
        where = text
    print(_("This is a bug in shinso, not in what you did."), file=sys.stderr)
    print(f"  {type(error).__name__}: {error}", file=sys.stderr)
    print("  " + _("traceback: {where}").format(where=where), file=sys.stderr)
