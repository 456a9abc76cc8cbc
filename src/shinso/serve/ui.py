"""``shinso ui``: runs with live curves, the claims and their evidence, lessons, runs to try, Go.

Everything comes from this process and stays on this machine; pages hold no script of their own and
fetch nothing from outside. What changes something (asking a run, measuring a claim) needs the token
that only a page of this server knows, and a browser decides nothing that is executed: a claim is
measured by name, from the list that there is.

FastAPI finds the type of a request by its name in this module, so starlette is imported at its top;
whoever imports this module asks for the extra first (``extras.need``).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from shinso import language
from shinso.claims.claim import Profile
from shinso.extras import need
from shinso.faults import Fault, UsageFault
from shinso.language import LANGUAGES, _
from shinso.recipes.uses import go_agent
from shinso.runs.folder import state_words
from shinso.serve import views
from shinso.serve.go_board import add_board
from shinso.serve.guard import Guard
from shinso.serve.refusals import logged_bug, misread, unanswered
from shinso.serve.settings import Limits
from shinso.serve.tasks import Service, Unanswerable, service_of
from shinso.walk.run import Run

PAGES = Path(__file__).parent / "pages"
FILES = {
    "ui.js": "text/javascript", "style.css": "text/css", "file-question.js": "text/javascript",
    "go.js": "text/javascript", "go.css": "text/css",
}  # fmt: skip
LOADED = 3
"""Runs whose networks are kept in memory to be tried."""
PROFILE: Profile = "quick"


class Site:
    """What the pages have in common: where runs and evidence lie, the token, loaded runs."""

    def __init__(self, runs: Path, report: Path) -> None:
        self.runs, self.report = runs, report
        self.token = secrets.token_urlsafe(32)
        self.services: OrderedDict[str, Service] = OrderedDict()
        self.asking = asyncio.Lock()
        self.measuring: tuple[str, subprocess.Popen[bytes]] | None = None
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self.templates = Environment(
            loader=FileSystemLoader(PAGES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals["_"] = _

    def page(self, request: Any, template: str, status: int = 200, **shown: Any) -> Any:
        """A template filled in the language of the request."""
        from starlette.responses import HTMLResponse

        text = self.templates.get_template(template).render(
            language=language.current(),
            other="en" if language.current() == "ja" else "ja",
            path=request.url.path,
            token=self.token,
            **shown,
        )
        return HTMLResponse(text, status)

    def check_token(self, request: Any) -> None:
        """Raise UsageFault unless the request comes from a page of this server."""
        given = request.headers.get("x-csrf-token", "")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            raise UsageFault("TOKEN", found=_("the request does not come from this page"))

    def service(self, name: str) -> Service:
        """A run's service, loaded when it is first asked; the longest unasked is let go."""
        if name not in self.services:
            folder = views.folder_of(self.runs, *name.split("/"))
            self.services[name] = service_of(name.replace("/", "-"), Run(folder))
            while len(self.services) > LOADED:
                self.services.popitem(last=False)
        self.services.move_to_end(name)
        return self.services[name]

    def measure(self, name: str) -> None:
        """Begin to measure a claim in a process of its own, one at a time."""
        views.loaded(name)
        if self.measuring is not None and self.measuring[1].poll() is None:
            raise UsageFault(
                "BUSY", place=self.measuring[0], found=_("another claim is being measured")
            )
        words = ["-m", "shinso", "claims", "run", name, "--quick", "--workers", "1"]
        process = subprocess.Popen(
            [sys.executable, *words, "--report", str(self.report)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.measuring = name, process

    def measured(self) -> str:
        """The claim that is being measured, or ""."""
        if self.measuring is None or self.measuring[1].poll() is not None:
            return ""
        return self.measuring[0]


class Speaking:
    """Chooses the language of each answer: what the address asks for (and then remembers), what
    was remembered, what the browser prefers. Plain ASGI, so that events stream through."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        asked = request.query_params.get("lang", "")
        first = request.headers.get("accept-language", "")[:2].lower()
        wishes = (asked, request.cookies.get("lang", ""), first, "en")
        language.choose(next(wish for wish in wishes if wish in LANGUAGES))

        async def send_on(message: Any) -> None:
            if message["type"] == "http.response.start" and asked in LANGUAGES:
                cookie = f"lang={asked}; Path=/; SameSite=Strict; HttpOnly".encode()
                message = {**message, "headers": [*message["headers"], (b"set-cookie", cookie)]}
            await send(message)

        await self.app(scope, receive, send_on)


def make_ui(
    runs: Path,
    report: Path,
    limits: Limits,
    *,
    hosts: tuple[str, ...],
    make_player: Callable[[], Any] | None = None,
    stopping: Event | None = None,
) -> Any:
    """The application. hosts: names that requests may be addressed to. make_player: who plays Go;
    the one that ships with shinso by default. stopping: set when the server ends, which would
    otherwise wait for every page that follows a run."""
    fastapi = need("fastapi")
    from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

    site = Site(runs, report)
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Fault)
    async def said(request: Request, error: Fault) -> Any:
        status = 403 if error.code == "TOKEN" else 404 if "UNKNOWN" in error.code or "NOT-FOUND" in error.code else 422  # fmt: skip
        return refused(request, error, status)

    def refused(
        request: Request, error: Fault, status: int, headers: Mapping[str, str] | None = None
    ) -> Any:
        if request.method != "GET" or request.url.path.endswith(".json"):
            return JSONResponse({"fault": error.as_dict()}, status, headers)
        return site.page(request, "fault.html.j2", status, fault=error)

    @app.exception_handler(HTTPException)
    async def nowhere(request: Request, error: HTTPException) -> Any:
        found = Fault(
            "REQUEST",
            place=f"{request.method} {request.url.path}",
            found=_("there is no such page") if error.status_code == 404 else error.detail,
            next_step=_("begin at {address}").format(address=request.url_for("home")),
        )
        return refused(request, found, error.status_code, error.headers)

    @app.get("/")
    async def home() -> Any:
        return RedirectResponse("/runs", 302)

    @app.get("/files/{name}")
    async def file(name: str) -> Any:
        if name not in FILES:
            raise UsageFault("FILE-UNKNOWN", place=name)
        return FileResponse(PAGES / name, media_type=FILES[name])

    @app.get("/runs")
    async def list_runs(request: Request) -> Any:
        return site.page(
            request, "runs.html.j2", runs=views.runs(site.runs), root=str(site.runs),
            state_words=state_words(),
        )  # fmt: skip

    @app.get("/runs/{name:path}/events")
    async def events(request: Request, name: str) -> Any:
        folder = views.folder_of(site.runs, *name.split("/"))
        return fastapi.responses.StreamingResponse(
            _stream(folder, request, stopping or Event()), media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )  # fmt: skip

    @app.get("/runs/{name:path}/plots/{plot}.png")
    async def plot(name: str, plot: str) -> Any:
        folder = views.folder_of(site.runs, *name.split("/"))
        if plot not in views.run(folder)["plots"]:
            raise UsageFault("PLOT-UNKNOWN", place=plot)
        return FileResponse(folder.path / "plots" / f"{plot}.png")

    @app.get("/runs/{name:path}")
    async def one_run(request: Request, name: str) -> Any:
        folder = views.folder_of(site.runs, *name.split("/"))
        return site.page(
            request, "run.html.j2", name=name, state_words=state_words(), **views.run(folder)
        )

    @app.get("/claims")
    def list_claims(request: Request) -> Any:
        found = views.claims(site.report, PROFILE)
        return site.page(request, "claims.html.j2", chapters=found, measuring=site.measured())

    @app.get("/claims/{name}/figure.svg")
    def figure(request: Request, name: str) -> Any:
        return Response(views.claim_figure(name, site.report, PROFILE), media_type="image/svg+xml")

    @app.post("/claims/{name}/measure")
    async def measure(request: Request, name: str) -> Any:
        site.check_token(request)
        site.measure(name)
        return JSONResponse({"measuring": name}, 202)

    @app.get("/claims/{name}")
    def one_claim(request: Request, name: str) -> Any:
        shown = views.claim(name, site.report, PROFILE)
        return site.page(request, "claim.html.j2", claim=shown, measuring=site.measured())

    @app.get("/learn")
    async def learn(request: Request) -> Any:
        return site.page(request, "learn.html.j2", asked=dict(request.query_params))

    @app.get("/learn/lesson.json")
    def taught(request: Request) -> Any:
        return JSONResponse(views.lesson(dict(request.query_params)))

    @app.get("/try")
    async def try_page(request: Request) -> Any:
        done = [one for one in views.runs(site.runs) if one["state"] == "done" and one["plain"]]
        return site.page(request, "try-a-run.html.j2", runs=done)

    @app.get("/try/{name:path}/question.json")
    async def question(name: str) -> Any:
        async with site.asking:
            service = await asyncio.to_thread(site.service, name)
        return JSONResponse(
            {
                "title": str(service.run.order.recipe.TITLE),
                "example": service.example,
                "question": service.question.model_json_schema(),
            }
        )

    @app.post("/try/{name:path}")
    async def ask(request: Request, name: str) -> Any:
        site.check_token(request)
        body = await request.body()
        example = f"GET /try/{quote(name)}/question.json"
        async with site.asking:
            service = await asyncio.to_thread(site.service, name)
            try:
                asked = service.question.model_validate_json(body)
            except need("pydantic").ValidationError as error:
                return JSONResponse(misread(error, example), 422)
            (answer,) = await asyncio.to_thread(service.answer, [asked])
        if isinstance(answer, Unanswerable):
            return JSONResponse(unanswered(answer, example), 422)
        if isinstance(answer, Exception):
            return JSONResponse(logged_bug(answer, request.url.path), 500)
        return JSONResponse(answer)

    add_board(app, site, make_player or go_agent.Agent().player)
    return Guard(
        Speaking(app), max_body_bytes=limits.max_body_bytes, timeout_s=limits.timeout_s, hosts=hosts
    )


async def _stream(
    folder: Any, request: Any, stopping: Event, every_s: float = 0.5
) -> AsyncIterator[str]:
    """Server-sent events: rows of the curves as they come, and the state at the end."""
    told: dict[int, int] = {}
    while True:
        state = folder.state()
        rows = views.rows_since(folder, told)
        if rows:
            yield f"data: {json.dumps(rows)}\n\n"
        if state != "running":
            yield f"event: state\ndata: {json.dumps(state)}\n\n"
            return
        if stopping.is_set() or await request.is_disconnected():
            return
        await asyncio.sleep(every_s)
