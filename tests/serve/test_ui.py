"""The pages: both languages, nothing from outside, nothing changed without the token; and one look
with a real browser where there is one."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from starlette.testclient import TestClient

from shinso.runs.folder import RunFolder
from shinso.serve import views
from shinso.serve.settings import Limits
from shinso.serve.tasks import FILE_NAME
from shinso.serve.ui import _stream, make_ui
from shinso.walk.run import Run
from tests.serve.browser import browser, chromium
from tests.serve.parts import HOSTS, client_of, trained

PAGES = ("/runs", "/claims", "/claims/gru.parameters", "/learn", "/try", "/go")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("site") / "runs", "forecast", "linear")


@pytest.fixture(scope="module")
def client(run: Run) -> Iterator[TestClient]:
    root = run.folder.path.parents[1]
    app = make_ui(root, root.parent / "report", Limits(), hosts=HOSTS)
    with client_of(app) as made:
        yield made


def token_of(client: TestClient) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/try").text)
    assert found
    return found[1]


@pytest.mark.parametrize("page", PAGES)
def test_pages_speak_both_languages_and_fetch_nothing(client: TestClient, page: str) -> None:
    english = client.get(page, params={"lang": "en"})
    japanese = client.get(page, params={"lang": "ja"})
    assert english.status_code == japanese.status_code == 200
    assert '<html lang="ja">' in japanese.text
    assert re.search("[ぁ-んァ-ン]", japanese.text)
    assert not re.search("[ぁ-んァ-ン]", english.text)
    for text in (english.text, japanese.text):
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
        assert "<script>" not in text
        assert not re.search(r"\son[a-z]+=", text)
    assert "script-src 'self'" in english.headers["content-security-policy"]


def test_a_run_shows_its_table_and_its_curves_stream(client: TestClient, run: Run) -> None:
    name = "/".join(run.folder.path.parts[-2:])
    page = client.get(f"/runs/{name}?lang=en").text
    assert "mse_scaled" in page
    assert f"/runs/{name}/plots/training.png" in page
    assert client.get(f"/runs/{name}/plots/training.png").headers["content-type"] == "image/png"
    events = client.get(f"/runs/{name}/events").text
    rows = json.loads(events.split("data: ")[1].split("\n")[0])
    assert next(row["step"] for row in rows if row["part"] == "valid") == 0
    assert 'event: state\ndata: "done"' in events
    assert "完了" in client.get(f"/runs/{name}?lang=ja").text
    assert "<td>完了</td>" in client.get("/runs?lang=ja").text


def test_a_damaged_run_shows_its_name_and_state_and_does_not_hide_the_others(
    tmp_path: Path,
) -> None:
    statuses = {"0001-gru": '{"state": "done"}', "0002-gru": "{", "0003-gru": "[]", "0004-gru": "1"}
    for name, status in statuses.items():
        copied = tmp_path / "forecast" / name / "seed0.bak"
        copied.mkdir(parents=True)
        for file in ("result.json", "metrics.jsonl"):
            (copied / file).write_text("{}\n")
        (copied.parent / "status.json").write_text(status)
    assert [one["state"] for one in views.runs(tmp_path)] == ["done", *["damaged"] * 3]
    app = make_ui(tmp_path, tmp_path / "report", Limits(), hosts=HOSTS)
    with client_of(app) as client:
        listed = client.get("/runs?lang=en")
        assert listed.status_code == 200
        for name in statuses:
            assert f"forecast/{name}" in listed.text
            page = client.get(f"/runs/forecast/{name}?lang=en")
            assert page.status_code == 200, page.text
            assert f"forecast/{name}" in page.text
            events = client.get(f"/runs/forecast/{name}/events").text
            assert events.startswith("event: state")
            if name != "0001-gru":
                assert "damaged" in page.text
                assert "status.json" in page.text


def test_a_page_that_follows_a_run_does_not_keep_the_server_from_its_end(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "forecast", "gru")
    folder.set_status("running")
    stopping = threading.Event()

    class Staying:
        async def is_disconnected(self) -> bool:
            stopping.set()
            return False

    async def follow() -> list[str]:
        async with asyncio.timeout(60):
            return [one async for one in _stream(folder, Staying(), stopping, every_s=0.01)]

    assert asyncio.run(follow()) == []


@pytest.mark.parametrize(
    "path",
    [
        "/runs/forecast/9999-none", "/runs/..%2F..%2Fetc", "/runs/%2e%2e/%2e%2e/etc/events",
        "/claims/os.path", "/files/ui.py", "/files/..%2Fui.py", "/runs/forecast/x/plots/..%2Fa.png",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_address_of_nothing_is_a_page_and_an_answer_in_json_to_a_program(
    client: TestClient,
) -> None:
    missing = client.get("/nowhere?lang=en")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")
    assert "GET /nowhere" in missing.text
    assert "→ begin at http://testserver/" in missing.text
    wrong = client.delete("/runs")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET"
    assert wrong.json()["fault"]["next_step"]


def test_a_lesson_steps_through_numbers_that_agree(client: TestClient) -> None:
    found = client.get("/learn/lesson.json?cell=lstm&hidden=3&steps=2&lang=ja").json()
    assert found["largest_difference"] < 1e-9
    assert {step["phase"] for step in found["steps"]} == {"given", "forward", "backward", "weights"}
    assert re.search("[ぁ-ん]", found["introduction"])
    assert found["questions"][0]["reason"]
    english = client.get("/learn/lesson.json?cell=lstm&hidden=3&steps=2&lang=en").json()
    assert not re.search("[ぁ-ん]", english["introduction"])
    for wrong in ("cell=transformer", "hidden=0", "hidden=500", "steps=words", f"seed={10**23}",
                  "steps=%2B500", "hidden=%207", "inputs=0_7", "steps=%EF%BC%95%EF%BC%90%EF%BC%90"):  # fmt: skip
        refused = client.get(f"/learn/lesson.json?{wrong}")
        assert refused.status_code == 422, wrong
        assert refused.json()["fault"]["code"]


def test_a_run_is_tried_with_the_token_and_not_without(client: TestClient, run: Run) -> None:
    name = "/".join(run.folder.path.parts[-2:])
    example = client.get(f"/try/{name}/question.json").json()["example"]
    url = f"/try/{name}"
    assert client.post(url, json=example).status_code == 403
    wrong = client.post(url, json=example, headers={"x-csrf-token": "x" * 43})
    assert wrong.json()["fault"]["code"] == "TOKEN"
    token = {"x-csrf-token": token_of(client)}
    answer = client.post(url, json=example, headers=token)
    assert answer.status_code == 200
    assert len(answer.json()["forecast"]) == 5
    assert client.post(url, content=b"{", headers=token).status_code == 422
    assert client.post(url, content=b"x" * 2_000_000, headers=token).status_code == 413


def test_a_claim_is_measured_by_name_only(client: TestClient) -> None:
    assert client.post("/claims/gru.parameters/measure").status_code == 403
    token = {"x-csrf-token": token_of(client)}
    assert client.post("/claims/os.system/measure", headers=token).status_code == 404
    begun = client.post("/claims/gru.parameters/measure", headers=token)
    assert begun.json() == {"measuring": "gru.parameters"}
    assert client.post("/claims/gru.parameters/measure", headers=token).status_code == 422
    until = time.monotonic() + 120
    while "✕" not in client.get("/claims/gru.parameters?lang=en").text:
        assert time.monotonic() < until
        time.sleep(0.5)
    page = client.get("/claims/gru.parameters?lang=en").text
    assert "does not hold as stated" in page
    figure = client.get("/claims/gru.parameters/figure.svg")
    assert figure.headers["content-type"].startswith("image/svg")
    assert b"<svg" in figure.content


@pytest.mark.slow
def test_a_real_browser_draws_the_curve_and_steps_the_lesson(run: Run, tmp_path: Path) -> None:
    program = chromium()
    if program is None:
        pytest.skip("no chromium is installed")
    root = run.folder.path.parents[1]
    words = ["-m", "shinso", "ui", "--port", "0", "--runs", str(root), "--report", str(tmp_path)]
    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        home = server.stdout.readline().strip()
        assert home.startswith("http://127.0.0.1:")
        assert urlopen(home + "runs").status == 200
        name = "/".join(run.folder.path.parts[-2:])

        def seen(page: str) -> tuple[str, str]:
            flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
            done = subprocess.run(
                [program, *flags, f"--user-data-dir={tmp_path / 'browser'}",
                 "--virtual-time-budget=8000", "--dump-dom", home + page],
                capture_output=True, text=True, timeout=120, check=True,
            )  # fmt: skip
            return done.stdout, done.stderr

        curve, console = seen(f"runs/{name}?lang=en")
        assert "<polyline" in curve
        assert "CONSOLE" not in console
        lesson, console = seen("learn?cell=gru&lang=ja")
        assert re.search(r"1 / \d\d", lesson)
        assert "順伝播では" in lesson
        assert "CONSOLE" not in console
        # The run is loaded beforehand: a browser's virtual clock does not wait for that.
        assert urlopen(f"{home}try/{name}/question.json").status == 200
        tried, console = seen("try?lang=en")
        assert "Forecasting of series" in tried
        assert "CONSOLE" not in console
        check_scripts(home, name, tmp_path)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def check_scripts(home: str, name: str, folder: Path) -> None:
    """A stream that is read again doubles no row; a file of any name becomes a question."""
    with browser(folder) as page:
        page.goto(f"{home}runs/{name}")
        page.until("byId('state').textContent !== 'running' && rows.length > 0")
        once = page.value("rows.length")
        page.value("byId('state').textContent = 'running', follow()")
        page.until("byId('state').textContent !== 'running'")
        assert page.value("rows.length") == once
        page.value("rows.push(...rows.map((row) => ({ ...row, seed: 6 }))), draw()")
        drawn = "[...document.querySelectorAll('#curve polyline')].map((one) => one.outerHTML"
        looks = page.value(f'{drawn}.replace(/points="[^"]*"/, \'\'))')
        assert len(looks) == len(set(looks)) == 2
        page.goto(f"{home}try")
        page.until("byId('question').value")
        for file_name in ("a.csv", "my data.v2.tar.gz", f"{'x' * 99}.csv", "日本.1234567890", ".z"):
            made = page.value(f"plainName({json.dumps(file_name)})")
            assert re.fullmatch(FILE_NAME, made), made
        assert page.value("plainName('letters v2.tar.gz')") == "letters_v2.tar.gz"
