"""What is asked of a run, as types: one request and one answer for each task.

A request's shape follows from the run: its channels, its look-back, its classes. Tasks that are not
named here take a line of text where they answer line by line, and a small file otherwise.
"""

# The uses of runs are known by their recipes only, so their attributes are not typed here.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from shinso.extras import need
from shinso.faults import Fault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Streams
from shinso.serve.asked_files import checked
from shinso.serve.example_files import example_file
from shinso.walk.run import Run

LONGEST = 4096
"""Steps of a series, words of a sentence, signs of a line that a request may hold."""
MOST_PIXELS = 16_000_000
"""Of an image that is brought to a smaller size before the network sees it."""
FILE_NAME = r"^[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9]{1,8}){0,2}$"


@dataclass(frozen=True)
class Service:
    """A run ready to be asked. question, reply: pydantic models; answer: of many at once;
    example: a question that it answers, as JSON."""

    name: str
    run: Run
    question: type[Any]
    reply: type[Any]
    answer: Callable[[Sequence[Any]], Sequence[Any]]
    example: dict[str, Any]


def service_of(name: str, run: Run) -> Service:
    """The service of a run, its network loaded. Raises RunFault RUN-NOT-TRAINED, and UsageFault
    SERVE-REFUSED for a run that is asked with an environment, which no request may name."""
    if run.order.task == "control":
        raise UsageFault(
            "SERVE-REFUSED",
            place=str(run.folder.path),
            found=run.order.task,
            why=_("it acts in an environment of this machine; no request may choose one"),
            next_step=f"shinso play {run.folder.path} -o episode.gif",
        )
    use = run.use()
    makers = {
        "forecast": _forecast,
        "classify-series": _series,
        "tag": _tokens,
        "classify-images": _image,
        "classify-text": _text,
    }
    make = makers.get(run.order.task)
    if make is None:
        make = _line if isinstance(use, Streams) else _file
    question, reply, answer, example = make(run, use)
    return Service(name, run, question, reply, answer, example)


def _model(name: str, **fields: Any) -> type[Any]:
    """A pydantic model that refuses what it does not know, NaN and infinities among it."""
    pydantic = need("pydantic")
    config = pydantic.ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )
    return pydantic.create_model(name, __config__=config, **fields)


def _rows(least: int, most: int, width: int, **bounds: float) -> Any:
    """Rows of ``width`` numbers, ``least`` to ``most`` of them. bounds: of each number."""
    field = need("pydantic").Field
    number = Annotated[float, field(**{"ge": -1e30, "le": 1e30, **bounds})]
    row = Annotated[list[number], field(min_length=width, max_length=width)]
    return Annotated[list[row], field(min_length=least, max_length=most)]


def _forecast(run: Run, use: Any) -> Any:
    names = [*run.facts["targets"], *run.facts["past"]]
    config = use.config
    bounds = {"gt": 0.0} if config.log else {}
    question = _model(
        "ForecastQuestion",
        past=(_rows(config.lookback, config.lookback, len(names), **bounds), ...),
    )
    reply = _model("ForecastAnswer", forecast=(list[list[list[float]]], ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        # Numbers far from all that was learnt can lead beyond those that there are.
        with np.errstate(over="ignore", invalid="ignore"):
            found = use.forecast_rows(np.array([one.past for one in questions], dtype=np.float64))
        return [
            {"forecast": one.tolist()}
            if np.isfinite(one).all()
            else Unanswerable(_("the forecast is too large for a number"))
            for one in found
        ]

    return question, reply, answer, {"past": [use.mean_row()] * config.lookback}


def _series(run: Run, use: Any) -> Any:
    channels = run.facts["channels"]
    question = _model("SeriesQuestion", series=(_rows(1, LONGEST, len(channels)), ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        parts = [
            torch.as_tensor(use.scaler.apply(np.array(one.series)), dtype=torch.float32)
            for one in questions
        ]
        lengths = torch.tensor([len(one) for one in parts])
        padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        with torch.no_grad():
            return _classes(use.model(padded, lengths).double().softmax(-1), use.classes)

    means = [float(one) for one in use.scaler.mean]
    return question, _class_reply(), answer, {"series": [means] * 4}


def _class_reply() -> type[Any]:
    fields: dict[str, Any] = {"class": (str, ...), "probabilities": (dict[str, float], ...)}
    return _model("ClassAnswer", **fields)


def _classes(shares: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    best = shares.argmax(-1).tolist()
    return [
        {"class": classes[first], "probabilities": dict(zip(classes, one, strict=True))}
        for first, one in zip(best, shares.tolist(), strict=True)
    ]


def _tokens(_run: Run, use: Any) -> Any:
    field = need("pydantic").Field
    word = Annotated[str, field(min_length=1, max_length=200)]
    words = Annotated[list[word], field(min_length=1, max_length=LONGEST)]
    question = _model("TagQuestion", tokens=(words, ...))
    reply = _model("TagAnswer", tags=(list[str], ...), probabilities=(list[float], ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        numbers = [torch.tensor(use.vocabulary.encode(one.tokens)) for one in questions]
        lengths = torch.tensor([len(one) for one in numbers])
        padded = torch.nn.utils.rnn.pad_sequence(numbers, batch_first=True)
        with torch.no_grad():
            best, tags = use.model(padded, lengths).softmax(-1).max(-1)
        return [
            {
                "tags": [use.classes[tag] for tag in tags[row, :length].tolist()],
                "probabilities": best[row, :length].tolist(),
            }
            for row, length in enumerate(lengths.tolist())
        ]

    return question, reply, answer, {"tokens": ["a", "word"]}


def _image(run: Run, use: Any) -> Any:
    from shinso.data.image_decoding import decode
    from shinso.data.limits import limited

    question = _model("ImageQuestion", image_base64=(_base64(), ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        pixels: list[Any] = []
        for one in questions:
            try:
                content = base64.b64decode(one.image_base64, validate=True)
                with limited(most_pixels=MOST_PIXELS):
                    pixels.append(decode(content, "image_base64", use.target))
            except (Fault, binascii.Error, ValueError, OSError) as error:
                pixels.append(Unanswerable(str(error)))
        real = [one for one in pixels if not isinstance(one, Unanswerable)]
        if not real:
            return pixels
        with torch.no_grad():
            scores = use.model(use.scale.apply(torch.from_numpy(np.stack(real))))
        answers = iter(_classes(scores.double().softmax(-1), use.classes))
        return [one if isinstance(one, Unanswerable) else next(answers) for one in pixels]

    return question, _class_reply(), answer, {"image_base64": _grey_png(use.target)}


def _grey_png(target: Any) -> str:
    import io

    from PIL import Image

    content = io.BytesIO()
    Image.new("L", (target.width, target.height), 128).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def _base64() -> Any:
    """Groups of four signs, the last of them perhaps filled up; not none. Their only bound is that
    of the request, ``Limits.max_body_bytes``: a second one could not be raised with it."""
    field = need("pydantic").Field
    sign = "[A-Za-z0-9+/]"
    pattern = f"^(?:{sign}{{4}})*(?:{sign}{{4}}|{sign}{{3}}=|{sign}{{2}}==)$"
    return Annotated[str, field(pattern=pattern)]


class Unanswerable(Exception):
    """A question of the right type that has no answer; says why."""


def _text(_run: Run, use: Any) -> Any:
    def answer(questions: Sequence[Any]) -> list[Any]:
        chances = use.chances([one.line for one in questions])
        return _classes(torch.from_numpy(chances), use.classes)

    return _line_question(), _class_reply(), answer, {"line": "a line of text"}


def _line_question() -> type[Any]:
    field = need("pydantic").Field
    # One line in, one line out: a line break within would shift all answers.
    line = Annotated[
        str,
        field(min_length=1, max_length=LONGEST, pattern=r"^[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+$"),
    ]
    return _model("LineQuestion", line=(line, ...))


def _line(_run: Run, use: Any) -> Any:
    reply = _model("LineAnswer", answer=(str, ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        return [_one_line(use, one.line) for one in questions]

    return _line_question(), reply, answer, {"line": "a line of text"}


def _one_line(use: Any, line: str) -> Any:
    try:
        return {"answer": next(iter(use.stream([line])))}
    except (Fault, StopIteration) as error:
        return Unanswerable(str(error) or _("there is no answer"))
    except Exception as error:  # a bug that one line meets must not cost the others their answer
        return error


def _file(run: Run, use: Any) -> Any:
    field = need("pydantic").Field
    name = Annotated[str, field(pattern=FILE_NAME)]
    question = _model("FileQuestion", file_name=(name, ...), content_base64=(_base64(), ...))
    reply = _model("TableAnswer", columns=(list[str], ...), rows=(list[list[Any]], ...))

    def answer(questions: Sequence[Any]) -> list[Any]:
        return [_one_file(run, use, one) for one in questions]

    file_name, content = example_file(run.order.task, run.facts)
    example = {"file_name": file_name, "content_base64": base64.b64encode(content).decode()}
    return question, reply, answer, example


def _one_file(run: Run, use: Any, question: Any) -> Any:
    folder = ""
    try:
        content = base64.b64decode(question.content_base64, validate=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / question.file_name
            path.write_bytes(content)
            with checked(path, run.order.task, run.facts):
                found = use.predict([path])
    except (Fault, binascii.Error) as error:
        return Unanswerable(str(error).replace(folder, ""))
    except Exception as error:  # a bug that one file meets must not cost the others their answer
        return error
    rows = [[_plain(one, folder) for one in row] for row in found.rows]
    return {"columns": list(found.columns), "rows": rows}


def _plain(cell: Any, folder: str) -> Any:
    """A cell as JSON has it; a file goes by the name that it came with."""
    if isinstance(cell, str):
        return cell.replace(f"{folder}/", "")
    return cell.item() if hasattr(cell, "item") else cell
