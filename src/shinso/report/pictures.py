"""Pictures inside a page: a claim's figure drawn, a file read, both as data that needs no file."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from shinso.claims.judgement import Judgement

KINDS = {".svg": "image/svg+xml", ".png": "image/png"}
WIDTH_IN, HEIGHT_IN = 7.2, 3.7


def of_claim(judgement: Judgement) -> str:
    """The claim's figure in the language in use, as a data URI.

    An SVG whose letters are outlines: it looks the same on every machine and prints sharply.
    Whatever ``draw`` raises is raised on.
    """
    from shinso.figures import style

    figure = style.figure(WIDTH_IN, HEIGHT_IN)
    judgement.claim.draw(
        figure,
        [record.numbers for record in judgement.measurements],
        [record.numbers for record in judgement.controls],
    )
    drawn = BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return _data_uri(drawn.getvalue(), ".svg")


def of_file(path: Path) -> str:
    """An SVG or PNG file as a data URI."""
    return _data_uri(path.read_bytes(), path.suffix)


def _data_uri(content: bytes, suffix: str) -> str:
    return f"data:{KINDS[suffix]};base64,{base64.b64encode(content).decode('ascii')}"
