"""``shinso serve``: runs that answer over HTTP.

GET  /                          a page to try them          GET /health   GET /ready
GET  /v1/runs                   which runs there are        GET /metrics  (Prometheus)
GET  /v1/runs/NAME              one of them, with a question that it answers
POST /v1/runs/NAME/answer       a question, typed by the run

Questions are answered in ``asking``; what listens is in ``listening``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shinso.extras import need
from shinso.faults import UsageFault
from shinso.language import _
from shinso.serve.asking import Asking, address, place
from shinso.serve.batching import Batcher
from shinso.serve.guard import Guard
from shinso.serve.numbers import Numbers
from shinso.serve.refusals import bug, fault
from shinso.serve.settings import Limits
from shinso.serve.tasks import Service, service_of
from shinso.walk.run import Run

PAGES = Path(__file__).parent / "pages"


def services_of(paths: Sequence[Path]) -> list[Service]:
    """The services of run folders, named ``TASK-FOLDER``. Raises UsageFault SERVE-SAME-NAME."""
    found: dict[str, Service] = {}
    for path in paths:
        run = Run.open(path)
        name = f"{run.order.task}-{path.resolve().name}"
        if name in found:
            raise UsageFault(
                "SERVE-SAME-NAME",
                place=str(path),
                found=name,
                why=_("each run is asked under a name of its own"),
                next_step=_("rename one of the folders, or serve it on another port"),
            )
        found[name] = service_of(name, run)
    return list(found.values())


def make_app(services: Sequence[Service], limits: Limits, *, hosts: Sequence[str] = ()) -> Any:
    """The application; an ASGI server runs it. hosts: names that requests may be addressed to."""
    fastapi = need("fastapi")
    from starlette.exceptions import HTTPException
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse

    numbers = Numbers()
    batchers = {
        service.name: Batcher(
            service.answer,
            max_batch=limits.max_batch,
            max_wait_ms=limits.max_wait_ms,
            max_queue=limits.max_queue,
            on_batch=lambda size, seconds, name=service.name: numbers.batch(name, size, seconds),
        )
        for service in services
    }

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        for batcher in batchers.values():
            batcher.start()
        yield
        # Uvicorn has stopped to listen by now; what was accepted is still answered.
        await asyncio.gather(*(batcher.stop() for batcher in batchers.values()))

    app = fastapi.FastAPI(
        title="shinso serve",
        version="1",
        docs_url=None,  # its page fetches scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
    )

    @app.exception_handler(HTTPException)
    async def refused(_request: Any, error: Any) -> Any:
        # A method that is not allowed comes with those that are (RFC 9110, section 15.5.6).
        found = fault(
            "REQUEST", str(error.detail), next_step="GET /openapi.json says what can be asked"
        )  # fmt: skip
        return JSONResponse(found, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def broken(_request: Any, error: Exception) -> Any:
        return JSONResponse(bug(error), 500)  # the server logs it, since starlette raises it again

    @app.get("/health", response_model=dict[str, str])
    async def health() -> Any:
        return {"status": "alive"}

    @app.get("/ready", response_model=dict[str, list[str]])
    async def ready() -> Any:
        return {"runs": [service.name for service in services]}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Any:
        queues = {name: len(batcher.queue) for name, batcher in batchers.items()}
        return PlainTextResponse(
            numbers.text(queues), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    @app.get("/v1/runs", response_model=list[dict[str, Any]])
    async def runs() -> Any:
        return [about(service) for service in services]

    for service in services:
        _add(app, service)
    for file in ("try.html", "try.js", "file-question.js", "style.css"):
        url = "/" if file == "try.html" else f"/{file}"
        page = _page(FileResponse, PAGES / file)
        app.add_api_route(url, page, include_in_schema=False, methods=["GET"])

    def count(path: str, status: int, seconds: float) -> None:
        parts = path.split("/")
        if len(parts) == 5 and parts[3] in batchers:
            numbers.request(parts[3], status, seconds)

    return Guard(
        Asking(app, services, batchers, timeout_s=limits.timeout_s),
        max_body_bytes=limits.max_body_bytes,
        timeout_s=limits.timeout_s,
        hosts=hosts,
        on_request=count,
    )


def _page(response: Any, path: Path) -> Any:
    async def page() -> Any:
        return response(path)

    return page


def about(service: Service) -> dict[str, Any]:
    """What a client needs to know of a run."""
    order = service.run.order
    return {
        "name": service.name,
        "task": order.task,
        "model": order.model,
        "title": str(order.recipe.TITLE),
        "example": service.example,
        "question": service.question.model_json_schema(),
    }


def _add(app: Any, service: Service) -> None:
    """The routes of a run, and what the OpenAPI page says of its questions and answers."""
    refusals = {
        status: {"description": text, "model": dict[str, dict[str, str]]}
        for status, text in (
            (408, "the body came too slowly"), (413, "the body is too large"),
            (422, "the question has no answer, or is not of the run's type"),
            (503, "too many wait, or the service is being stopped"), (504, "took too long"),
        )
    }  # fmt: skip

    async def answer() -> None:
        raise AssertionError("questions are answered by Asking, before any route is looked for")

    schema = service.question.model_json_schema(ref_template="#/components/schemas/{model}")
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    app.add_api_route(
        address(service),
        answer,
        methods=["POST"],
        response_model=service.reply,
        responses=refusals,
        openapi_extra={"requestBody": body},
        name=service.name,
        summary=f"{service.run.order.task}: {service.run.order.model}",
    )

    async def one() -> Any:
        return about(service)

    app.add_api_route(place(service), one, methods=["GET"], response_model=dict[str, Any])
