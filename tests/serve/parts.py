"""A trained run to be served, and a client that needs no socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from shinso.walk.run import Run
from shinso.walk.training import train
from tests.recipes.test_every_recipe import order_of_sample

HOSTS = ("127.0.0.1", "localhost", "testserver")


def trained(folder: Path, task: str, model: str, **more: Any) -> Run:
    return train(order_of_sample(task, model, folder, **{"steps": 6, **more}))


@contextmanager
def client_of(app: Any) -> Iterator[TestClient]:
    """A client; the application's start and end are run around it."""

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    with TestClient(whole, raise_server_exceptions=False) as client:
        yield client
