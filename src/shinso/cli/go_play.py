"""``shinso go play``: the board of ``shinso ui`` in a browser on this machine, against a chosen player."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from shinso.cli.go_player import add_player_flags, player_maker
from shinso.cli.parsing import Parser
from shinso.language import _


def run(arguments: Sequence[str]) -> int:
    from shinso.serve.settings import Limits, Listening
    from shinso.settings import resolve

    parser = Parser("go play", _("play on a board in a browser"))
    parser.add_argument("--port", default="8765", help=_("port to listen on; 0: any that is free"))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help=_("folder of the runs"))
    parser.add_argument(
        "--report", type=Path, default=Path("report"), help=_("folder whose ledger is used")
    )
    add_player_flags(parser)
    read = parser.read(arguments)
    listening = resolve(Listening, ("flag", {"port": read.port})).config
    make = player_maker(read)
    from shinso.extras import need

    need("fastapi")
    from shinso.serve.listening import serve
    from shinso.serve.ui import make_ui

    limits, stopping = Limits(), Event()
    app = make_ui(
        read.runs.absolute(), read.report.absolute(), limits,
        hosts=("127.0.0.1", "localhost", "::1"), make_player=make, stopping=stopping,
    )  # fmt: skip
    serve(
        app, "127.0.0.1", listening.port, timeout_s=limits.timeout_s, on_stop=stopping.set,
        on_ready=lambda url: print(f"{url}go", flush=True),
    )  # fmt: skip
    return 0
