"""``shinso serve``: runs that answer over HTTP.

GET  /                          a page to try them          GET /health   GET /ready
GET  /v1/runs                   which runs there are        GET /metrics  (Prometheus)
GET  /v1/runs/NAME              one of them, with a question that it answers
POST /v1/runs/NAME/answer       a question, typed by the run

FastAPI finds the types of a route by their names in this module, so starlette is imported at its
top; whoever imports this module asks for the extra first (``extras.need``).
"""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shinso.extras import need
from shinso.faults import UsageFault
from shinso.language import _
from shinso.serve.batching import Batcher, QueueFull, Stopped
from shinso.serve.guard import Guard, fault
from shinso.serve.numbers import Numbers
from shinso.serve.settings import Limits
from shinso.serve.tasks import Service, Unanswerable, service_of
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

    @app.exception_handler(fastapi.exceptions.RequestValidationError)
    async def wrong(_request: Any, error: Any) -> Any:
        first = error.errors()[0]
        place = ".".join(map(str, first.get("loc", ())))
        return JSONResponse(fault("QUESTION", str(first.get("msg", "")), place), 422)

    @app.exception_handler(HTTPException)
    async def refused(_request: Any, error: Any) -> Any:
        return JSONResponse(fault("REQUEST", str(error.detail)), error.status_code)

    @app.exception_handler(Exception)
    async def bug(_request: Any, error: Exception) -> Any:
        return JSONResponse(fault("BUG", type(error).__name__), 500)

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
        _add(app, service, batchers[service.name], limits)
    for url, file in (("/", "try.html"), ("/try.js", "try.js"), ("/style.css", "style.css")):
        app.add_api_route(
            url, _page(FileResponse, PAGES / file), include_in_schema=False, methods=["GET"]
        )

    def count(path: str, status: int, seconds: float) -> None:
        parts = path.split("/")
        if len(parts) == 5 and parts[3] in batchers:
            numbers.request(parts[3], status, seconds)

    return Guard(
        app,
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


async def replied(service: Service, batcher: Batcher, limits: Limits, body: bytes) -> Any:
    """The answer to the question in a body, or the refusal that it deserves."""
    from starlette.responses import JSONResponse

    started = time.perf_counter()
    try:
        question = service.question.model_validate_json(body)
    except need("pydantic").ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, ("body", *first["loc"])))
        return JSONResponse(fault("QUESTION", str(first["msg"]), place), 422)
    try:
        found = await asyncio.wait_for(batcher.ask(question), limits.timeout_s)
    except QueueFull:
        busy = fault("BUSY", "too many requests wait")
        return JSONResponse(busy, 503, headers={"retry-after": "1"})
    except Stopped:
        return JSONResponse(fault("STOPPING", "the service is being stopped"), 503)
    except TimeoutError:
        waited = f"{time.perf_counter() - started:.1f} s"
        return JSONResponse(fault("TIMEOUT", f"no answer in {waited}"), 504)
    except Unanswerable as reason:
        return JSONResponse(fault("QUESTION", str(reason)), 422)
    text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(), media_type="application/json")


def _add(app: Any, service: Service, batcher: Batcher, limits: Limits) -> None:
    refusals = {
        status: {"description": text, "model": dict[str, dict[str, str]]}
        for status, text in (
            (408, "the body came too slowly"), (413, "the body is too large"),
            (422, "the question has no answer, or is not of the run's type"),
            (503, "too many wait, or the service is being stopped"), (504, "took too long"),
        )
    }  # fmt: skip

    async def answer(request: Request) -> Response:
        return await replied(service, batcher, limits, await request.body())

    # The body is read by the run's own type, once and straight from its bytes, which takes a third
    # of the time of FastAPI's way; so that type is told to its description by hand.
    schema = service.question.model_json_schema(ref_template="#/components/schemas/{model}")
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    app.add_api_route(
        f"/v1/runs/{service.name}/answer",
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

    app.add_api_route(
        f"/v1/runs/{service.name}", one, methods=["GET"], response_model=dict[str, Any]
    )


def serve(app: Any, host: str, port: int, *, on_ready: Any = lambda url: None) -> None:
    """Listen until SIGINT or SIGTERM; then answer what was accepted and end.

    Raises UsageFault SERVE-PORT where the port cannot be had.
    """
    import socket

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
            next_step=_("choose another --port, or 0 for any that is free"),
        ) from error
    shown = f"[{host}]" if ":" in host else host
    on_ready(f"http://{shown}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        app, log_level="error", access_log=False, timeout_graceful_shutdown=30, lifespan="on"
    )
    # Uvicorn ends in order and then raises the signal again for whoever handled it before; to be
    # stopped is how a server ends well, so here nothing more happens.
    before = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM)
        if threading.current_thread() is threading.main_thread()
    }
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)
