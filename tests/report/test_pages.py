"""The pages: whole in both languages, needing nothing from outside, safe with any text."""

import base64
import contextvars
import gettext
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shinso import language
from shinso.claims.claim import Claim, Estimate, Finding, Verdict
from shinso.claims.judgement import Judgement, judge
from shinso.intervals import Interval
from shinso.language import Text
from shinso.report import pages
from shinso.report.content import FigurePage, Picture, ReportContent, SystemEvidence, Table
from shinso.runs.ledger import Failure, Ledger, Record

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7 * 7 }} & ü"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What stands in a page: its elements, its visible texts; badly nested pages are refused."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            self.styles.append(data)
        elif data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def draw(figure, measurements, controls):
    """Leaves in the picture which language it was drawn in."""
    axes = figure.subplots()
    axes.plot([found["gain"] for found in measurements])
    figure.set_gid(f"drawn-in-{language.current()}")


def draw_nothing(figure, measurements, controls):
    raise IndexError("no such curve")


def rule(verdict: Verdict):
    """A rule with one answer for the claim and "undecided" for its control."""

    def holds(measurements):
        own = verdict if measurements[0]["gain"] > 0 else Verdict.UNDECIDED
        return Finding(
            verdict=own,
            because=Text(f"gain {measurements[0]['gain']}.", "利得による。"),
            estimates=(
                Estimate(
                    name=Text("gain", "利得"),
                    value=1.234,
                    low=1.1,
                    high=1.4,
                    seeds=2,
                ),
                Estimate(name=Text("weights", "重みの数"), value=12.0, low=12.0, high=12.0),
                Estimate(
                    name=Text("error", "誤差"),
                    value=3e-9,
                    low=3e-9,
                    high=3e-9,
                    seeds=2,
                    largest=True,
                ),
                Estimate(
                    name=Text("alone", "単独"), value=0.5, low=float("-inf"), high=float("inf")
                ),
            ),
            condition=Text("on Sundays", "日曜日に限る") if own is Verdict.CONDITIONALLY else None,
        )

    return holds


def claim(name: str, verdict: Verdict, **changes) -> Claim:
    made = Claim(
        name=name,
        chapter=name.split(".")[0],
        place=Text(f"Day 3 {HOSTILE}", f"三日目 {HOSTILE}"),
        says=Text(f"{name} is said", "このように言われる"),
        truth=None,
        method=Text("method of it", "測り方"),
        control=Text("control of it", "対照の説明"),
        rule=Text("rule of it", "規則の説明"),
        rule_changed=None,
        seeds={"quick": 2, "full": 2},
        budget_s={"quick": 1.0, "full": 1.0},
        measure=lambda seed, control, profile: {},
        holds=rule(verdict),
        draw=draw,
        file=f"listed/{name.replace('.', '/')}.py",
        source_sha256="a" * 64,
    )
    return replace(made, **changes)


def judged(folder: Path, made: Claim, *, control_gain: float = -1.0) -> Judgement:
    ledger = Ledger(folder / made.name)
    for seed in range(2):
        for control in (False, True):
            gain = control_gain if control else 1.5 + seed
            ledger.save(
                Record(
                    claim=made.name,
                    profile="quick",
                    seed=seed,
                    control=control,
                    numbers={"gain": gain, "side": [2.0, 3.0], "curve": [0.5] * 9, "kind": "語"},
                    seconds=0.25,
                    threads=1,
                    versions={"torch": "2.13.0"},
                    sha256="a" * 64,
                    time=f"2026-01-02T03:0{seed}:00+00:00",
                )
            )
    return judge(made, ledger, "quick")


def failed(folder: Path) -> Judgement:
    made = claim("gru.failed", Verdict.HOLDS)
    ledger = Ledger(folder / made.name)
    ledger.save_failure(
        Failure(
            claim=made.name, profile="quick", seed=1, control=True, error=f"Trace\n{HOSTILE}",
            seconds=1.0, versions={}, sha256="a" * 64, time="2026-01-02T03:04:05+00:00",
        )
    )  # fmt: skip
    return judge(made, ledger, "quick")


def content_in(folder: Path) -> ReportContent:
    """A report with every kind of page and every kind of verdict."""
    pixel = folder / "pixel.png"
    pixel.write_bytes(PIXEL)
    picture = Picture(
        files={"en": pixel, "ja": pixel}, alt=Text("a pixel", "一つの画素"), caption=HOSTILE
    )
    table = Table(
        caption=Text("results", "結果の表"),
        columns=(Text("model", "型"), "mse", HOSTILE),
        rows=(("gru", Interval(0.5, 0.4, 0.6), None), (HOSTILE, 1.0, 7)),
        best=frozenset({(0, 1)}),
        notes=(Text("seen once", "一度だけ"),),
    )
    return ReportContent(
        profile="quick",
        judgements=(
            judged(folder, claim("lstm.holds", Verdict.HOLDS)),
            judged(
                folder, claim("rnn.depends", Verdict.CONDITIONALLY, truth=Text(HOSTILE, "真相"))
            ),
            judged(folder, claim("rnn.fails", Verdict.REFUTED, draw=draw_nothing)),
            judged(folder, claim("rnn.by-itself", Verdict.HOLDS), control_gain=2.0),
            failed(folder),
        ),
        systems=(
            SystemEvidence(
                name="forecast",
                title=Text("Forecasting", "予測"),
                place=Text("Day 3", "三日目"),
                body=(Text(HOSTILE, "説明文"),),
                command=f"shinso train {HOSTILE}",
                headline="mse: gru 0.5",
                tables=(table,),
                pictures=(picture,),
                notes=(HOSTILE,),
            ),
        ),
        figures=(
            FigurePage(
                name="sine",
                title=Text("A sine", "正弦波"),
                place=Text("Day 3", "三日目"),
                body=(Text("explained", "図の説明"),),
                command="shinso figure sine",
                pictures=(picture,),
                tables=(table,),
            ),
        ),
        environment={"torch": "2.13.0", "machine": HOSTILE},
        seconds=231.0,
        made="2026-01-02T03:04:05+00:00",
        command=f"shinso report --quick {HOSTILE}",
    )  # fmt: skip


class Marked(gettext.NullTranslations):
    """A catalogue in which every text is there, and seen to have come from it."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    told: list[Path] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "_catalogue", lambda language: Marked())
        patch.setenv("SHINSO_LANG", "en")
        index = pages.write(folder, content_in(folder), on_page=told.append)
    assert index == folder / "index.html"
    assert sorted(told) == sorted(folder.rglob("*.html"))
    return folder


def every_page(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def test_both_languages_have_the_same_pages(report):
    english = {path.name for path in (report / "en").iterdir()}
    assert english == {path.name for path in (report / "ja").iterdir()}
    assert english == {
        "index.html", "glossary.html", "system-forecast.html", "figure-sine.html",
        "claim-lstm.holds.html", "claim-rnn.depends.html", "claim-rnn.fails.html",
        "claim-rnn.by-itself.html", "claim-gru.failed.html",
    }  # fmt: skip
    for tree, other in (("en", "ja"), ("ja", "en")):
        for path in (report / tree).iterdir():
            page = Page(path)
            assert dict(page.elements)["html"]["lang"] == tree
            twins = [a for tag, a in page.elements if tag == "a" and a.get("hreflang") == other]
            assert [a["href"] for a in twins] == [f"../{other}/{path.name}"]


def test_no_page_asks_for_anything_outside_itself(report):
    for path in every_page(report):
        page = Page(path)
        for name in ("src", "href", "action", "poster", "srcset", "data"):
            for value in page.attributes(name):
                if name == "src":
                    assert value.startswith(
                        ("data:image/png;base64,", "data:image/svg+xml;base64,")
                    )
                else:
                    assert not re.match(r"[a-z]+:|//", value), value
        for style in [*page.styles, *page.attributes("style")]:
            assert "url(" not in style
            assert "@import" not in style
        policy = page.attributes("content")
        assert any(value.startswith("default-src 'none'") for value in policy)


def test_every_link_leads_to_a_page_and_to_a_place_in_it(report):
    anchors = {path: set(Page(path).attributes("id")) for path in every_page(report)}
    for path in every_page(report):
        for link in Page(path).attributes("href"):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target in anchors, link
            if anchor:
                assert anchor in anchors[target], link


def test_only_the_first_page_runs_a_script_and_it_has_links_without_one(report):
    for path in every_page(report):
        tags = [tag for tag, _ in Page(path).elements]
        assert ("script" in tags) is (path == report / "index.html")
    first = Page(report / "index.html")
    assert {"en/index.html", "ja/index.html"} <= set(first.attributes("href"))


def test_hostile_text_stays_text(report):
    for path in [*(report / "en").iterdir(), *(report / "ja").iterdir()]:
        page = Page(path)
        assert "49" not in page.text.split()
        for _, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes)
    shown = " ".join(HOSTILE.split())
    for name in ("index", "claim-gru.failed", "claim-rnn.depends", "system-forecast"):
        assert shown in Page(report / "en" / f"{name}.html").text


def test_every_interface_text_passes_through_the_catalogue(report):
    data = """
        shinso English lstm holds rnn depends fails by itself gru failed forecast sine LSTM GRU RNN
        mse torch machine sha gain side kind curve IndexError
        no such Trace UTC quick train report claims run figure listed py
    """
    known = {*data.split(), *re.findall(r"[A-Za-z_]+", HOSTILE), "a" * 64}
    for path in sorted((report / "ja").iterdir()):
        if path.name == "glossary.html":
            continue  # it shows English terms beside the Japanese ones
        page = Page(path)
        for text in [page.text, *page.attributes("aria-label"), *page.attributes("title")]:
            rest, found = text, 1
            while found:  # marked texts stand in marked texts
                rest, found = re.subn("⟦[^⟦⟧]*⟧", "", rest)
            words = set(re.findall(r"[A-Za-z_]{2,}", rest))
            assert words <= known, (path.name, words - known)


def test_japanese_pages_show_the_japanese_texts(report):
    page = Page(report / "ja" / "claim-rnn.depends.html")
    for text in (
        "三日目",
        "このように言われる",
        "真相",
        "測り方",
        "対照の説明",
        "規則の説明",
        "日曜日に限る",
    ):
        assert text in page.text
    assert "正弦波" in Page(report / "ja" / "index.html").text


@pytest.mark.parametrize(
    ("name", "look", "word"),
    [
        ("lstm.holds", "holds", "holds"),
        ("rnn.depends", "conditionally", "holds under a condition: on Sundays"),
        ("rnn.fails", "refuted", "does not hold as stated"),
        ("rnn.by-itself", "undecided", "undecided"),
        ("gru.failed", "undecided", "undecided"),
    ],
)
def test_verdict_is_colour_and_sign_and_word(report, name, look, word):
    page = Page(report / "en" / f"claim-{name}.html")
    assert f"verdict {look}" in page.attributes("class")
    assert word in page.text
    sign = {"holds": "✓", "conditionally": "◐", "refuted": "✕", "undecided": "?"}[look]
    assert sign in page.texts
    overview = Page(report / "en" / "index.html")
    links = [
        a for tag, a in overview.elements if tag == "a" and a.get("href") == f"claim-{name}.html"
    ]
    assert any(a.get("aria-label", "").startswith(f"{name}: {word.split(':')[0]}") for a in links)
    assert f"badge {look}" in overview.attributes("class")


def test_overview_counts_verdicts_in_the_order_of_the_course(report):
    page = Page(report / "en" / "index.html")
    counts = [page.texts[i - 1] for i, text in enumerate(page.texts) if text in {
        "holds", "holds under a condition", "does not hold as stated", "undecided"
    }][:4]  # fmt: skip
    assert counts == ["1", "1", "1", "2"]
    order = [a["href"] for tag, a in page.elements if tag == "a" and "aria-label" in a]
    assert order == [
        "claim-rnn.depends.html", "claim-rnn.fails.html", "claim-rnn.by-itself.html",
        "claim-lstm.holds.html", "claim-gru.failed.html",
    ]  # fmt: skip
    assert "16 measurements, 4 s of computing" in page.text
    assert "3 min 51 s" in page.text
    assert "This is the quick profile" in page.text


def test_claim_page_has_numbers_seeds_method_and_rerun(report):
    page = Page(report / "en" / "claim-lstm.holds.html")
    for text in (
        "lstm.holds is said", "method of it", "control of it", "rule of it", "gain 1.5.",
        "The same rule says of the control: undecided. gain −1.0.", "1.23", "1.10 to 1.40",
        "exact", "unknown", "the largest of all seeds", "Rule, written before the first measurement",
        "listed/lstm/holds.py", "seed 0", "seed 1", "2.500", "2, 3", "語",
        "Curves that are in the ledger and in the figure: curve.", "torch 2.13.0",
        "2026-01-02 03:00 UTC – 2026-01-02 03:01 UTC", "a" * 64,
        "shinso claims run lstm.holds --quick",
    ):  # fmt: skip
        assert text in page.text, text


def test_rule_that_was_changed_after_measuring_says_so(tmp_path):
    made = claim(
        "lstm.late",
        Verdict.HOLDS,
        rule_changed=Text("Changed in May: a margin.", "5 月に変更した。"),
    )
    report = ReportContent(
        profile="full", judgements=(judged(tmp_path, made),), seconds=1.0,
        made="2026-01-02T03:04:05+00:00", command="shinso report",
    )  # fmt: skip
    pages.write(tmp_path / "report", report)
    text = Page(tmp_path / "report/en/claim-lstm.late.html").text
    assert "not written before the first measurement. Changed in May: a margin." in text
    assert "Rule, written before" not in text
    assert "quick profile" not in Page(tmp_path / "report/en/index.html").text


def test_invalid_failed_and_undrawn_claims_say_so(report):
    invalid = Page(report / "en" / "claim-rnn.by-itself.html")
    assert "Invalid: the control holds too" in invalid.text
    undrawn = Page(report / "en" / "claim-rnn.fails.html")
    assert "The figure could not be drawn: IndexError: no such curve" in undrawn.text
    assert undrawn.attributes("src") == []
    gone = Page(report / "en" / "claim-gru.failed.html")
    assert "Seed 1 gave nothing" in gone.text
    assert "0 of 2 seeds are measured" in gone.text


def test_figure_is_drawn_in_the_language_of_its_page(report):
    for tree in ("en", "ja"):
        [source] = Page(report / tree / "claim-lstm.holds.html").attributes("src")
        kind, _, encoded = source.partition(";base64,")
        assert kind == "data:image/svg+xml"
        drawn = base64.b64decode(encoded).decode()
        ElementTree.fromstring(drawn)
        assert f"drawn-in-{tree}" in drawn


def test_pictures_and_tables_of_systems_are_shown(report):
    page = Page(report / "en" / "system-forecast.html")
    [source] = page.attributes("src")
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == PIXEL
    assert "a pixel" in page.attributes("alt")
    assert "0.50 [0.40, 0.60]" in page.text
    assert "n best" in page.attributes("class")
    assert "seen once" in page.text


def test_stale_claims_are_announced(tmp_path):
    made = claim("rnn.edited", Verdict.HOLDS)
    judgement = judged(tmp_path, made)
    edited = judge(replace(made, source_sha256="b" * 64), Ledger(tmp_path / made.name), "quick")
    assert judgement.stale is False
    report = ReportContent(
        profile="quick", judgements=(edited,), seconds=1.0, made="2026-01-02T03:04:05+00:00",
        command="shinso report",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "_catalogue", lambda language: Marked())
        pages.write(tmp_path / "report", report)
    assert "This claim was edited" in Page(tmp_path / "report/en/claim-rnn.edited.html").text
    overview = Page(tmp_path / "report/en/index.html").text
    assert "Edited after their measurement: 1 of the claims." in overview
    assert "(stale)" in overview


def test_empty_report_is_written_and_leaves_the_language_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(language, "_catalogue", lambda language: Marked())
    empty = ReportContent(
        profile="full", judgements=(), seconds=0.0, made="2026-01-02T03:04:05+00:00",
        command="shinso report",
    )  # fmt: skip

    def write_for_an_english_user() -> str:
        language.choose("en")
        pages.write(tmp_path, empty)
        return language.current()

    assert contextvars.copy_context().run(write_for_an_english_user) == "en"
    assert "No claim has been measured." in Page(tmp_path / "en" / "index.html").text
    assert "⟦full⟧" in Page(tmp_path / "ja" / "index.html").text
