"""``shinso ui``: runs, claims, lessons and runs to try, in a browser on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from shinso.cli.parsing import Parser
from shinso.language import _

HELP = "runs, claims and lessons in a browser"


def run(arguments: Sequence[str]) -> int:
    from shinso.serve.settings import Limits, Listening
    from shinso.settings import resolve

    parser = Parser("ui")
    parser.add_argument("--port", default="8765", help=_("port to listen on; 0: any that is free"))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help=_("folder of the runs"))
    parser.add_argument(
        "--report", type=Path, default=Path("report"), help=_("folder whose ledger is used")
    )
    read = parser.read(arguments)
    listening = resolve(Listening, ("flag", {"port": read.port})).config
    from shinso.extras import need

    need("fastapi")
    from shinso.serve.listening import serve
    from shinso.serve.ui import make_ui

    limits, stopping = Limits(), Event()
    app = make_ui(
        read.runs.absolute(), read.report.absolute(), limits,
        hosts=("127.0.0.1", "localhost", "::1"), stopping=stopping,
    )  # fmt: skip
    # Never on another address: whoever reaches this page may start measurements.
    serve(
        app, "127.0.0.1", listening.port, timeout_s=limits.timeout_s, on_stop=stopping.set,
        on_ready=lambda url: print(url, flush=True),
    )  # fmt: skip
    return 0
