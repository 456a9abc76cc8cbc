"""The pages themselves: templates filled, one tree a language, each file whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shinso import language, numerals
from shinso.language import LANGUAGES, _
from shinso.report import glossary, pictures, views
from shinso.report.content import Picture, ReportContent
from shinso.report.views import Neighbour
from shinso.runs.files import write_atomically

TEMPLATES = Path(__file__).parent / "templates"


def write(
    folder: Path, content: ReportContent, *, on_page: Callable[[Path], None] | None = None
) -> Path:
    """Write all pages below ``folder`` and return its ``index.html``.

    ``en/`` and ``ja/`` hold the same pages under the same names; each page links to its twin.
    Figures of claims are drawn once for each language. Pages of an earlier report with other
    claims are left where they are. on_page: told of each page that is written.
    Raises RunFault DISK-FULL or RUN-NOT-WRITABLE.
    """
    tell = on_page or (lambda path: None)
    environment = _environment()
    for chosen in LANGUAGES:
        language.speaking(chosen, partial(_write_tree, environment, folder, content, chosen, tell))
    index = folder / "index.html"
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    write_atomically(index, environment.get_template("index.html.j2").render(style=style))
    tell(index)
    return index


def _write_tree(
    environment: Environment,
    folder: Path,
    content: ReportContent,
    chosen: str,
    tell: Callable[[Path], None],
) -> None:
    shared = {
        "content": content,
        "language": chosen,
        "other_language": "en" if chosen == "ja" else "ja",
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    }
    for file, template, shown in _pages(content, chosen):
        path = folder / chosen / file
        text = environment.get_template(template).render(**shared, **shown, file=file)
        write_atomically(path, text)
        tell(path)


def _pages(content: ReportContent, chosen: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, template and what it shows, page by page."""
    yield "index.html", "overview.html.j2", views.overview(content)
    judgements = views.by_chapter(content.judgements)
    turns = [Neighbour(views.claim_file(j), j.claim.name) for j in judgements]
    for place, judgement in enumerate(judgements):
        shown = views.claim(judgement) | views.neighbours(turns, place)
        yield turns[place].file, "claim.html.j2", shown
    turns = [Neighbour(f"system-{page.name}.html", str(page.title)) for page in content.systems]
    for place, system in enumerate(content.systems):
        shown = {"system": system} | views.neighbours(turns, place)
        yield turns[place].file, "system.html.j2", shown
    turns = [Neighbour(f"figure-{page.name}.html", str(page.title)) for page in content.figures]
    for place, page in enumerate(content.figures):
        shown = {"page": page} | views.neighbours(turns, place)
        yield turns[place].file, "figure.html.j2", shown
    yield "glossary.html", "glossary.html.j2", {"initials": glossary.by_initial(chosen)}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = _
    environment.filters.update(
        cell=views.cell,
        duration=numerals.duration,
        when=views.when,
        profile=views.profile_word,
        spelled=_spelled,
        as_code=_as_code,
        source=_source,
    )
    return environment


def _spelled(text: str, **parts: object) -> Markup:
    """``text`` with its ``{placeholders}`` filled; everything that is not markup is escaped."""
    return escape(text).format(**parts)


def _as_code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _source(picture: Picture) -> str:
    return pictures.of_file(picture.files[language.current()])
