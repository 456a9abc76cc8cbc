"""A service: the right answers, and a refusal for everything else, held against its OpenAPI page.

schemathesis would send what the page allows and what it forbids; here hypothesis draws both from
the same schemas.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from shinso.faults import UsageFault
from shinso.runs.folder import RunFolder
from shinso.serve.app import make_app, services_of
from shinso.serve.settings import Limits
from shinso.serve.tasks import Service, _one_file, service_of
from shinso.walk.run import Run
from tests.serve.parts import HOSTS, client_of, trained

CODES = {408, 413, 422, 503, 504}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> list[Service]:
    folder = tmp_path_factory.mktemp("runs")
    runs = [
        trained(folder, "classify-series", "gru", hidden=8),
        trained(folder, "tag", "bigru", hidden=8),
        trained(folder, "forecast", "linear"),
        trained(folder, "classify-images", "mlp", hidden=64),
    ]
    return services_of([run.folder.path for run in runs])


@pytest.fixture(scope="module")
def client(services: list[Service]) -> Iterator[TestClient]:
    limits = Limits(max_body_bytes=100_000, timeout_s=20)
    with client_of(make_app(services, limits, hosts=HOSTS)) as made:
        yield made


def url_of(service: Service) -> str:
    return f"/v1/runs/{service.name}/answer"


def test_every_run_answers_its_own_example_as_predict_does(
    services: list[Service], client: TestClient
) -> None:
    for service in services:
        response = client.post(url_of(service), json=service.example)
        assert response.status_code == 200, response.text
        service.reply.model_validate(response.json())
        (alone,) = service.answer([service.question.model_validate(service.example)])
        assert response.json() == json.loads(json.dumps(alone))


@pytest.mark.parametrize(
    ("task", "model"), [("dialogue", "seq2seq"), ("go-policy", "rollout"), ("segment", "unet")]
)
def test_what_is_asked_by_a_file_answers_its_own_example(
    task: str, model: str, tmp_path: Path
) -> None:
    service = service_of(task, trained(tmp_path, task, model))
    (answer,) = service.answer([service.question.model_validate(service.example)])
    assert not isinstance(answer, Exception), answer
    assert answer["rows"]


def test_a_file_goes_by_the_name_that_it_came_with() -> None:
    def predict(paths: Any) -> Any:
        return SimpleNamespace(columns=("line", "loss"), rows=[(f"{paths[0]}:1", 0.5)])

    question = SimpleNamespace(file_name="a.jsonl", content_base64="")
    found = _one_file(SimpleNamespace(predict=predict), question)
    assert found == {"columns": ["line", "loss"], "rows": [["a.jsonl:1", 0.5]]}


def test_a_run_that_acts_is_not_served(tmp_path: Path) -> None:
    run = Run(RunFolder(tmp_path))
    run.__dict__["order"] = SimpleNamespace(task="control")
    with pytest.raises(UsageFault, match="SERVE-REFUSED"):
        service_of("control-0001-ppo", run)


def test_a_series_is_classified_as_by_the_verb(
    services: list[Service], client: TestClient, tmp_path: Path
) -> None:
    service = services[0]
    series = [[float(place + step) for place in range(8)] for step in range(8)]
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"series": series}) + "\n")
    found = service.run.predict([path])
    row = dict(zip(found.columns, found.rows[0], strict=True))
    got = client.post(url_of(service), json={"series": series}).json()
    assert got["class"] == row["class"]
    for name, value in got["probabilities"].items():
        assert value == pytest.approx(row[f"p({name})"], abs=1e-6)


def test_a_forecast_is_that_of_the_verb(services: list[Service], client: TestClient) -> None:
    import polars

    service = services[2]
    path = service.run.order.paths[0]
    names = [*service.run.facts["targets"], *service.run.facts["past"]]
    rows = polars.read_csv(path).select(names).rows()[-service.run.order.config.lookback :]
    got = client.post(url_of(service), json={"past": [list(map(float, row)) for row in rows]})
    wanted = [row[-1] for row in service.run.predict([path]).rows]
    flat = [value for step in got.json()["forecast"] for target in step for value in target]
    assert flat == pytest.approx(wanted, rel=1e-5)


def test_many_at_once_share_passes_and_get_their_own_answers(
    services: list[Service], client: TestClient
) -> None:
    service = services[1]
    sentences = [["a"] * (1 + number % 5) + [f"word{number}"] for number in range(40)]
    with ThreadPoolExecutor(16) as pool:
        found = list(
            pool.map(lambda s: client.post(url_of(service), json={"tokens": s}), sentences)
        )
    for sentence, response in zip(sentences, found, strict=True):
        (alone,) = service.answer([service.question(tokens=sentence)])
        assert response.json()["tags"] == alone["tags"]
        assert response.json()["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
    text = client.get("/metrics").text
    name = service.name
    assert f'shinso_requests_total{{run="{name}",status="200"}}' in text
    count = next(
        float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith(f'shinso_batch_size_count{{run="{name}"')
    )
    assert 1 <= count <= 41
    assert 'le="+Inf"' in text


def test_images_come_as_files_and_damaged_ones_are_refused_alone(
    services: list[Service], client: TestClient
) -> None:
    service = services[3]
    content = io.BytesIO()
    Image.effect_noise((9, 8), 40).save(content, "PNG")
    good = base64.b64encode(content.getvalue()).decode()
    bad = base64.b64encode(content.getvalue()[:40]).decode()
    question = service.question
    answers = service.answer([question(image_base64=one) for one in (good, bad, good)])
    assert answers[0] == answers[2]
    assert isinstance(answers[1], Exception)
    assert client.post(url_of(service), json={"image_base64": good}).status_code == 200
    refused = client.post(url_of(service), json={"image_base64": bad})
    assert refused.status_code == 422
    assert refused.json()["fault"]["code"] == "QUESTION"


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def drawn(draw: Any, schema: dict[str, Any]) -> Any:
    """What a JSON schema allows."""
    kind = schema["type"]
    if kind == "object":
        return {name: drawn(draw, one) for name, one in schema["properties"].items()}
    if kind == "array":
        least, most = schema.get("minItems", 0), min(schema.get("maxItems", 9), 40)
        count = draw(st.integers(least, max(least, most)))
        return [drawn(draw, schema["items"]) for _ in range(count)]
    if kind == "number":
        return draw(st.floats(schema["minimum"], schema["maximum"]))
    if "pattern" in schema:
        return draw(st.from_regex(schema["pattern"], fullmatch=True).filter(lambda t: len(t) < 400))
    return draw(st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 20)))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data(), number=st.integers(0, 3))
def test_page_is_kept_for_any_question_that_it_allows(
    services: list[Service], client: TestClient, data: Any, number: int
) -> None:
    service = services[number]
    page = client.get("/openapi.json").json()
    operation = page["paths"][url_of(service)]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    question = data.draw(st.composite(lambda draw: drawn(draw, schema))())
    response = client.post(url_of(service), content=json.dumps(question).encode())
    assert str(response.status_code) in operation["responses"]
    # An image that is no image is of the right type and has no answer; all others have one.
    assert response.status_code == (422 if number == 3 else 200), (question, response.text)
    if response.status_code == 200:
        service.reply.model_validate(response.json())


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(junk=JUNK, number=st.integers(0, 3), inside=st.booleans())
def test_nothing_else_is_answered_for_any_json(
    services: list[Service], client: TestClient, junk: Any, number: int, inside: bool
) -> None:
    service = services[number]
    name = next(iter(service.example))
    body = {name: junk} if inside else junk
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    response = client.post(url_of(service), content=content)
    assert response.status_code in ({200, 422} if inside else {422})
    if response.status_code == 200:
        service.question.model_validate_json(content)
    else:
        refusal = response.json()["fault"]
        assert refusal["code"] == "QUESTION"
        assert refusal["found"]
        assert refusal["next_step"]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300))
def test_bytes_are_refused_whatever_they_are(
    services: list[Service], client: TestClient, content: bytes
) -> None:
    assert client.post(url_of(services[0]), content=content).status_code == 422


def test_limits_hold_and_are_said(services: list[Service], client: TestClient) -> None:
    url = url_of(services[0])
    assert client.post(url, content=b"x" * 100_001).status_code == 413
    long = client.post(url, json={"series": [[0.0] * 8] * 5000})
    assert long.status_code in (413, 422)
    assert client.get(url).status_code == 405
    missing = client.post("/v1/runs/nobody/answer", json={})
    assert missing.status_code == 404
    assert missing.json()["fault"]["code"] == "REQUEST"
    assert "/openapi.json" in missing.json()["fault"]["next_step"]
    away = client.get("/health", headers={"host": "attacker.example"})
    assert away.status_code == 421
    assert client.get("/health").json() == {"status": "alive"}
    assert len(client.get("/ready").json()["runs"]) == 4


def test_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page, script = client.get("/"), client.get("/try.js")
    assert page.status_code == script.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/style.css").headers["content-type"].startswith("text/css")


def test_two_runs_of_one_name_and_a_taken_port_are_said(services: list[Service]) -> None:
    import socket

    from shinso.serve.listening import serve

    path = services[2].run.folder.path
    with pytest.raises(UsageFault, match="SERVE-SAME-NAME"):
        services_of([path, path])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageFault, match="SERVE-PORT"):
            serve(None, "127.0.0.1", taken.getsockname()[1], timeout_s=1)
