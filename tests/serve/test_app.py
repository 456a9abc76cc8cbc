"""A service: the right answers, and a refusal for everything else, held against its OpenAPI page.

schemathesis would send what the page allows and what it forbids; here hypothesis draws both from
the same schemas.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
import wave
import zipfile
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

from shinso.data import samples
from shinso.data.recordings import read_recordings
from shinso.faults import UsageFault
from shinso.runs.folder import RunFolder
from shinso.serve.app import make_app, services_of
from shinso.serve.asked_files import MOST_BYTES, shows_images
from shinso.serve.example_files import example_file
from shinso.serve.settings import Limits
from shinso.serve.tasks import FILE_NAME, Service, Unanswerable, _one_file, service_of
from shinso.walk.order import place as order_at
from shinso.walk.run import Run
from shinso.walk.training import train
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
        trained(folder, "classify-text", "bert", steps=20),
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


ASKED_BY_A_FILE = {
    "audio": "wavenet", "autoencode": "vae", "detect": "ssd-mobilenet-v1", "dialogue": "seq2seq",
    "go-policy": "rollout", "segment": "unet",
}  # fmt: skip
AND_SLOWLY = {
    "alphago-zero": "plain", "go-self-play": "convolutional", "go-value": "convolutional",
    "language-model": "gru", "tag-text": "bert",
}  # fmt: skip
EVERY_FILE = [
    *ASKED_BY_A_FILE, *(pytest.param(task, marks=pytest.mark.slow) for task in AND_SLOWLY),
]  # fmt: skip


@pytest.fixture(scope="module", params=EVERY_FILE)
def by_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Service:
    task = request.param
    model = {**ASKED_BY_A_FILE, **AND_SLOWLY}[task]
    return service_of(task, trained(tmp_path_factory.mktemp(task), task, model, steps=12))


def asked_with(service: Service, file_name: str, content: bytes) -> Any:
    encoded = base64.b64encode(content).decode()
    (answer,) = service.answer([service.question(file_name=file_name, content_base64=encoded)])
    return answer


def png(width: int, height: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), 90).save(content, "PNG")
    return content.getvalue()


def packed(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()


def test_what_is_asked_by_a_file_answers_its_own_example(by_file: Service) -> None:
    (answer,) = by_file.answer([by_file.question.model_validate(by_file.example)])
    assert not isinstance(answer, Exception), answer
    assert answer["rows"]


def test_no_question_tells_of_a_file_of_the_server(by_file: Service, tmp_path: Path) -> None:
    """Whether there is such a file, and what it holds, makes no difference to any answer."""
    secret = tmp_path / "secret.png"
    listed = [str(secret), *("../" * number + str(secret)[1:] for number in range(1, 9))]
    heads = ("path,label", "image,mask", "path,label,image,mask")
    questions = {
        f"list{number}.{ending}": "\n".join(
            [head, *(",".join([name] * (head.count(",") + 1)) for name in listed)]
        ).replace(",", "\t" if "t" in ending.lower()[:1] else ",")
        for number, head in enumerate(heads)
        for ending in ("csv", "tsv", "CSV", "csv.gz")
    }
    coco = {"images": [{"id": n, "file_name": name} for n, name in enumerate(listed)],
            "annotations": [], "categories": []}  # fmt: skip
    questions["coco.json"] = json.dumps(coco)
    voc = f"<annotation><filename>{secret}</filename></annotation>"
    questions["voc.xml"] = voc
    files = {name: text.encode() for name, text in questions.items()}
    files["all.zip"] = packed(**{**files, "Annotations/voc.xml": voc.encode()})
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            for ending in ("png", "wav", "sgf"):
                entry = tarfile.TarInfo(f"images/{kind.decode()}.{ending}")
                entry.type, entry.linkname = kind, str(secret)
                archive.addfile(entry)
    files["links.tar"] = linked.getvalue()
    answers = []
    for content in (png(37, 41), None):
        secret.unlink(missing_ok=True)
        if content:
            secret.write_bytes(content)
        answers.append({name: str(asked_with(by_file, name, one)) for name, one in files.items()})
    assert answers[0] == answers[1]
    if shows_images(by_file.name, by_file.run.facts):
        for name in files.keys() - {"all.zip", "links.tar"}:
            assert "FILE-REFUSED" in answers[0][name], name


def test_what_unpacks_to_more_than_a_question_may_hold_is_refused(by_file: Service) -> None:
    zeros = bytes(MOST_BYTES + 1)
    large = {"text.csv.gz": gzip.compress(zeros)}
    if shows_images(by_file.name, by_file.run.facts):
        parts = {f"{number}.png": png(1000, 1000) for number in range(3)}
        large = {
            "a.png": png(2500, 2500), "parts.zip": packed(**parts),
            "many.zip": packed(**{f"{number}.png": png(2, 2) for number in range(300)}),
            "a.zip": packed(**{"a.png": zeros}),
        }  # fmt: skip
    elif by_file.name == "audio":
        slow = io.BytesIO()
        with wave.open(slow, "wb") as file:
            file.setparams((1, 2, 1, 0, "NONE", ""))
            file.writeframes(bytes(2000))
        large = {"slow.wav": slow.getvalue(), "tones.tar.gz": gzip.compress(zeros)}
    elif by_file.name.startswith("go"):
        large = {"games.tar.gz": gzip.compress(zeros)}
    elif by_file.name == "alphago-zero":  # it reads SGF files as they are and unpacks nothing
        large = {}
    for name, content in large.items():
        assert len(content) < Limits().max_body_bytes * 3 // 4, name
        answer = asked_with(by_file, name, content)
        assert isinstance(answer, Unanswerable), (name, answer)
        assert re.search("TOO-LARGE|DATA-IMAGE.*pixels", str(answer), re.DOTALL), (name, answer)


@pytest.mark.parametrize(
    ("rule", "name"),
    [("^([^_]+)_", "rise_tone.wav"), ("folder", "rise/tone.wav"), (r"-(\w+)$", "tone-rise.wav")],
)
def test_the_example_of_recordings_has_a_label_that_the_run_knows(
    rule: str, name: str, tmp_path: Path
) -> None:
    facts = {"rate_hz": 8000, "class_names": ["rise", "fall"], "label_rule": rule}
    file_name, content = example_file("audio", facts)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == [name]
    (tmp_path / file_name).write_bytes(content)
    read = read_recordings(tmp_path / file_name, label=rule, rate_hz=8000, inside=True)
    assert read.labels == ("rise",)
    assert re.fullmatch(FILE_NAME, file_name)


def test_a_file_goes_by_the_name_that_it_came_with(tmp_path: Path) -> None:
    def predict(paths: Any) -> Any:
        return SimpleNamespace(columns=("line", "loss"), rows=[(f"{paths[0]}:1", 0.5)])

    question = SimpleNamespace(file_name="a.jsonl", content_base64="")
    run = Run(RunFolder(tmp_path))
    run.__dict__.update(order=SimpleNamespace(task="dialogue"), facts={})
    found = _one_file(run, SimpleNamespace(predict=predict), question)
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


def test_a_text_is_classified_as_by_the_verb(
    services: list[Service], client: TestClient, tmp_path: Path
) -> None:
    service = services[4]
    lines = ["a line of text", "two texts\tin one line"]
    path = tmp_path / "texts.csv"
    path.write_text("text,second\na line of text,\ntwo texts,in one line\n")
    found = service.run.predict([path])
    for line, cells in zip(lines, found.rows, strict=True):
        row = dict(zip(found.columns, cells, strict=True))
        got = client.post(url_of(service), json={"line": line}).json()
        assert got["class"] == row["class"]
        for name, value in got["probabilities"].items():
            assert value == pytest.approx(row[f"p({name})"], abs=1e-6)


def test_a_file_may_be_as_large_as_the_request(services: list[Service]) -> None:
    service = services[3]
    content = png(9, 8) + bytes(1_500_000)
    question = {"image_base64": base64.b64encode(content).decode()}
    for most, status in ((3_000_000, 200), (1_000_000, 413)):
        app = make_app([service], Limits(max_body_bytes=most), hosts=HOSTS)
        with client_of(app) as client:
            response = client.post(url_of(service), json=question)
        assert response.status_code == status, response.text


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


@pytest.mark.parametrize("quantiles", ["", "0.1,0.5,0.9"])
@pytest.mark.parametrize("group", ["", "place"])
def test_a_forecast_by_logarithms_is_that_of_the_verb(
    group: str, quantiles: str, tmp_path: Path
) -> None:
    lines = samples.path("prices.csv").read_text().splitlines()[1:]
    names = ["east", "west"] if group else ["east"]
    table = tmp_path / "prices.csv"
    rows = [
        f"{name},{date},{float(close) * (1 + place)}"
        for place, name in enumerate(names)
        for date, close in (line.split(",")[:2] for line in lines)
    ]
    table.write_text("\n".join(["place,date,close", *rows]) + "\n")
    settings = {
        "model": "linear", "time": "date", "target": "close", "lookback": 16, "horizon": 3,
        "steps": 4, "evaluate_every": 2, "log": True, "quantiles": quantiles, "group": group,
        "runs": str(tmp_path),
    }  # fmt: skip
    run = train(order_at("forecast", [table], ("test", settings)))
    service = service_of("prices", run)
    ends = [
        [float(row.split(",")[2]) for row in rows if row.startswith(name)][-16:] for name in names
    ]
    got = service.answer([service.question(past=[[value] for value in end]) for end in ends])
    wanted = [row[len(row) - max(1, quantiles.count("0")) :] for row in run.predict([table]).rows]
    flat = [list(target) for one in got for step in one["forecast"] for target in step]
    assert flat == [pytest.approx(row, rel=1e-6) for row in wanted]
    example = service.example["past"][0][0]
    assert min(map(min, ends)) / 4 < example < 4 * max(map(max, ends))
    (answer,) = service.answer([service.question(**service.example)])
    assert answer["forecast"][0][0][0] == pytest.approx(example, rel=0.5)
    with client_of(make_app([service], Limits(), hosts=HOSTS)) as client:
        refused = client.post(url_of(service), json={"past": [[0.0]] * 16})
        assert refused.status_code == 422
        assert refused.json()["fault"]["code"] == "QUESTION"
        assert "greater than 0" in refused.json()["fault"]["found"]
        far = client.post(url_of(service), json={"past": [[5e-324], [1e30]] * 8})
        assert far.status_code in (200, 422)


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
    large = base64.b64encode(png(5000, 4000)).decode()
    answers = service.answer([question(image_base64=one) for one in (good, bad, good, large)])
    assert answers[0] == answers[2]
    assert isinstance(answers[1], Exception)
    assert "pixels" in str(answers[3])
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
    assert len(client.get("/ready").json()["runs"]) == len(services)


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
