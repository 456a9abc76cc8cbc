"""Progress of claims and of the main job on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from shinso.claims import machine
from shinso.cli.terminal import duration
from shinso.language import _


class ClaimProgress:
    """One line for each finished measurement; on a terminal the line moves."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._began = time.monotonic()
        self._kept = 0

    def __enter__(self) -> ClaimProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._moving:
            sys.stderr.write("\r\x1b[2K")

    def on_stage(self, stage: str, done: int, total: int) -> None:
        """A part of the main job begins."""
        spent = duration(time.monotonic() - self._began)
        if stage == "claims":
            line = _("{spent}: measuring claims, {total} measurements").format(
                spent=spent, total=total
            )
        elif stage == "pages":
            line = _("{spent}: writing the pages").format(spent=spent)
        else:
            line = f"{spent}: {stage} ({done + 1}/{total})"
        print(line, file=sys.stderr, flush=True)

    def on_claim(self, progress: machine.Progress) -> None:
        """A measurement began, ended or was found."""
        if progress.kind == "started":
            return
        if progress.kind == "kept":
            self._kept += 1
            if progress.done < progress.total:
                return
        what = f"{progress.claim} seed {progress.seed}" + (" control" if progress.control else "")
        kinds = {
            "done": "",
            "kept": _("{count} measured before").format(count=self._kept),
            "failed": _("failed"),
            "skipped": _("skipped"),
            "set aside": _("old evidence set aside"),
        }
        left = _("about {left} left").format(left=duration(progress.remaining_s))
        line = f"  {progress.done}/{progress.total}  {what}  {progress.seconds:.1f} s"
        line += f"  {kinds[progress.kind]}  {left}"
        if self._moving and progress.kind == "done":
            sys.stderr.write("\r\x1b[2K" + line)
            sys.stderr.flush()
        else:
            print(line, file=sys.stderr, flush=True)
