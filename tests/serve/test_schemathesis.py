"""schemathesis sends what the OpenAPI page allows and what it forbids; it finds nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uvicorn

from shinso.serve.app import make_app, services_of
from shinso.serve.listening import bounded
from shinso.serve.settings import Limits
from tests.serve.parts import trained

PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install it")
    run = trained(tmp_path, "forecast", "linear")
    app = make_app(services_of([run.folder.path]), Limits(), hosts=("127.0.0.1",))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=bounded(30), ws="none", lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        page = f"http://127.0.0.1:{listener.getsockname()[1]}/openapi.json"
        flags = ["--max-examples", "15", "--seed", "1", "--no-color"]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "run", page, *flags],
            capture_output=True, text=True, timeout=240, cwd=tmp_path, check=False,
        )  # fmt: skip
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
    assert done.returncode == 0, done.stdout + done.stderr
