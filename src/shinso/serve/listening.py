"""The server that listens: uvicorn, with an end to requests that never get to their point.

Uvicorn bounds neither how long a client may take over a request's head nor, with httptools, how
long that head may be; a client that connects and says nothing would be waited for without end.
"""

from __future__ import annotations

import errno
import importlib.util
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from shinso.extras import need
from shinso.faults import UsageFault
from shinso.language import _

MOST_HEAD_BYTES = 65_536


def serve(
    app: Any,
    host: str,
    port: int,
    *,
    timeout_s: float,
    on_ready: Callable[[str], None] = lambda url: None,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Listen until SIGINT or SIGTERM; then answer what was accepted and end.

    timeout_s: how long a client may take over the head of a request. on_stop: told when the end has
    begun, so that answers without an end of their own can be ended. Raises UsageFault SERVE-PORT
    where the port cannot be had.
    """
    uvicorn = need("uvicorn")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on a client may connect; it waits until the server takes it.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageFault(
            "SERVE-PORT",
            place=f"--host {host} --port {port}",
            found=str(error),
            why=_("nothing can listen there"),
            next_step=_("choose another --port, or 0 for any that is free")
            if error.errno in (errno.EADDRINUSE, errno.EACCES)
            else _("give a --host of this machine: 127.0.0.1, or 0.0.0.0 for all its networks"),
        ) from error
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        app,
        http=bounded(timeout_s),
        ws="none",
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=30,
        lifespan="on",
    )

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            on_stop()
            await super().shutdown(sockets)

    server = Server(config)

    def end(*_: Any) -> None:
        server.should_exit = True

    # Uvicorn handles these signals once it runs and raises them again after it has ended in order,
    # for whoever handled them before: to be stopped is how a server ends well. One that comes
    # sooner must not be lost either, so they are handled before anyone is told of the server.
    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM)
        if threading.current_thread() is threading.main_thread()
    }
    try:
        on_ready(f"http://{shown}:{listener.getsockname()[1]}/")
        server.run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def bounded(timeout_s: float) -> type[Any]:
    """Uvicorn's own protocol, with a bound on the size and the time of a request's head.

    It is that of httptools, which takes a third of the time of h11's, where it is installed."""
    if importlib.util.find_spec("httptools"):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

    class Bounded(Protocol):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        """head_since: when a head began that has not ended; None while there is none."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.head_bytes = 0
            self.head_since: float | None = self.loop.time()
            self.look = self.loop.call_later(timeout_s, self._look)

        def connection_lost(self, exc: Exception | None) -> None:
            self.look.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            in_body = before is not None and before.more_body
            super().data_received(data)
            if in_body or self.cycle is not before:
                self.head_bytes, self.head_since = 0, None
                return
            if self.head_since is None:
                self.head_since = self.loop.time()
            self.head_bytes += len(data)
            if self.head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

        def _look(self) -> None:
            now = self.loop.time()
            if self.head_since is not None and now - self.head_since >= 0.99 * timeout_s:
                self.send_400_response("The head of the request came too slowly.")
            else:
                self.look = self.loop.call_later(timeout_s, self._look)

    return Bounded
