"""``shinso play RUN [ENVIRONMENT] [-o EPISODE.gif]``: watch a trained agent act."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _

HELP = "watch a trained agent act"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("play")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "environment", nargs="?", default="", metavar="ENVIRONMENT",
        help=_("another environment with the same spaces; the run's own without"),
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help=_("a GIF of the episode"))
    parser.add_argument("--window", action="store_true", help=_("show the episode in a window"))
    parser.add_argument("--seed", type=int, help=_("which seed of the run acts; the first without"))
    parser.add_argument(
        "--episode",
        type=int,
        default=0,
        metavar="N",
        help=_("number of the episode; 0 is the first"),
    )
    parser.add_argument("--fps", type=int, default=30, help=_("pictures of the GIF a second"))
    read = parser.read(arguments)
    from shinso.recipes.recipe import Plays
    from shinso.runs.files import write_atomically
    from shinso.walk.run import Run

    trained = Run.open(read.run)
    use = trained.use(read.seed)
    if not isinstance(use, Plays):
        raise UsageFault(
            "PLAY-REFUSED",
            place=str(read.run),
            found=_("{task} does not act in an environment").format(task=trained.order.task),
            next_step=f"shinso predict {read.run} DATA",
        )
    if read.fps < 1 or read.episode < 0:
        raise UsageFault(
            "USAGE", place="shinso play", found=f"--fps {read.fps} --episode {read.episode}",
            next_step=_("give --fps of at least 1 and --episode of at least 0"),
        )  # fmt: skip
    paths = [Path(read.environment)] if read.environment else trained.order.paths
    if read.output:
        content = use.animation(paths, read.episode, read.fps)
        write_atomically(read.output, content)
        print(_("{bytes} bytes in {file}").format(bytes=len(content), file=read.output))
        return 0
    for line in use.play(paths, read.episode, window=read.window):
        print(line, flush=True)
    return 0
