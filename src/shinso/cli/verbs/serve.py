"""``shinso serve RUN… --port 8000``: runs that answer over HTTP, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from shinso.cli.parsing import Parser, add_settings, given_settings
from shinso.language import _
from shinso.serve.settings import Limits, Listening
from shinso.settings import resolve, schema

HELP = "let runs answer over HTTP"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("serve")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    add_settings(parser, _("listening"), schema(Listening).values())
    add_settings(parser, _("limits"), schema(Limits).values())
    read = parser.read(arguments)
    listening, limits = (
        resolve(kind, ("flag", given_settings(read, schema(kind)))).config
        for kind in (Listening, Limits)
    )
    from shinso.extras import need

    need("fastapi")
    from shinso.serve.app import make_app, services_of
    from shinso.serve.asking import address
    from shinso.serve.listening import serve

    services = services_of(read.runs)
    local = listening.host in ("127.0.0.1", "localhost", "::1")
    app = make_app(services, limits, hosts=("127.0.0.1", "localhost", "::1") if local else ())

    def ready(url: str) -> None:
        for service in services:
            print(f"{url}{quote(address(service)[1:])}", flush=True)
        print(url, flush=True)

    serve(app, listening.host, listening.port, timeout_s=limits.timeout_s, on_ready=ready)
    return 0
