"""``shinso generate RUN [PROMPT] [-o FILE] [--flags]``: text, sound, pictures from a trained run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from shinso.cli.parsing import Parser, add_settings, given_settings
from shinso.cli.standard_input import lines_of_input
from shinso.faults import UsageFault
from shinso.language import _

HELP = "make something new with a run: text, sound, pictures"


def run(arguments: Sequence[str]) -> int:
    # The run decides which flags there are, so it is looked for before the flags are read.
    if not arguments or arguments[0].startswith("-"):
        parser = Parser("generate", _("the flags depend on the run: shinso generate RUN --help"))
        _add_own(parser)
        parser.read(arguments)
    from shinso.recipes.recipe import Generates
    from shinso.runs.files import write_atomically
    from shinso.settings import resolve, schema
    from shinso.walk.run import Run

    trained = Run.open(arguments[0])
    settings_class = getattr(trained.order.recipe, "Generation", None)
    if settings_class is None:
        raise UsageFault(
            "GENERATE-REFUSED",
            place=arguments[0],
            found=_("{task} makes nothing new").format(task=trained.order.task),
            next_step=f"shinso predict {arguments[0]} DATA",
        )
    parser = Parser("generate")
    _add_own(parser)
    known = schema(settings_class)
    add_settings(parser, _("generating"), known.values())
    parser.add_argument("--which-seed", type=int, help=_("which seed generates; the first without"))
    read = parser.read(arguments)
    settings = resolve(settings_class, ("flag", given_settings(read, known))).config
    use = trained.use(read.which_seed)
    assert isinstance(use, Generates)
    typed = read.prompt == "-" and sys.stdin.isatty()
    before, written = _state(read.output), []
    try:
        for prompt in _prompts(read.prompt, typed):
            try:
                for piece in use.generate(settings, prompt, read.output):
                    written.append(piece)
                    print(piece, end="", flush=True)
            except UsageFault as fault:
                if not typed:
                    raise
                print(fault.text(), file=sys.stderr)  # a slip of the hand ends no talk
                continue
            written.append("\n")
            print()
    finally:
        # Text is written here, everything else by the run, which changes the file's state.
        if read.output and written and _state(read.output) == before:
            write_atomically(read.output, "".join(written))
    return 0


def _state(path: Path | None) -> tuple[int, int, int] | None:
    """What changes when a file is written anew; None where there is none."""
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _add_own(parser: Parser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "prompt", nargs="?", default="", metavar="PROMPT",
        help=_("how it begins; - takes each line of standard input in turn"),
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help=_("a file for what is made"))


def _prompts(given: str, typed: bool) -> Iterator[str]:
    """The prompt, or each line of standard input; one who types is shown when it is their turn."""
    if given != "-":
        yield given
        return
    lines = lines_of_input()
    while True:
        if typed:
            print("> ", end="", file=sys.stderr, flush=True)
        line = next(lines, None)
        if line is None:
            break
        if line.strip() or not typed:
            yield line
    if typed:
        print(file=sys.stderr)
