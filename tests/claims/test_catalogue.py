"""The catalogue finds claims by their files, and says what a file lacks."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import shinso
from shinso.claims import catalogue, chapters
from shinso.claims.claim import Claim
from shinso.faults import UsageFault
from shinso.language import Text

PACKAGE = "listed_claims"
COMPLETE = """
from shinso.language import Text

PLACE = SAYS = METHOD = CONTROL = RULE = Text("text", "文")
TRUTH = None
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 10.0, "full": 120}


def measure(seed, _control, profile="quick"):
    return {"x": 1.0}


def holds(measurements):
    raise NotImplementedError


def draw(figure, measurements, controls):
    pass
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """Three chapters, of which the course knows two."""
    folder = tmp_path / PACKAGE
    for name in ("gru/quality", "rnn/conv_size", "rnn/bptt", "zz_own/first_one", "rnn/_shared"):
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMPLETE)
    (folder / "__init__.py").touch()
    (folder / "machinery.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def edit(package: Path, old: str, new: str) -> None:
    path = package / "rnn" / "bptt.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_names_follow_the_course_then_the_alphabet(package):
    assert catalogue.chapters(PACKAGE) == {
        "rnn": ["rnn.bptt", "rnn.conv-size"],
        "gru": ["gru.quality"],
        "zz-own": ["zz-own.first-one"],
    }
    assert catalogue.names(PACKAGE) == [
        "rnn.bptt", "rnn.conv-size", "gru.quality", "zz-own.first-one",
    ]  # fmt: skip


def test_chapter_may_order_its_claims(package):
    (package / "rnn" / "__init__.py").write_text('ORDER = ("conv_size",)\n')
    assert catalogue.chapters(PACKAGE)["rnn"] == ["rnn.conv-size", "rnn.bptt"]


def test_order_of_claims_that_there_are_not_is_refused(package):
    (package / "rnn" / "__init__.py").write_text('ORDER = ("conv_sizes", "bptt")\n')
    with pytest.raises(ValueError, match=r"conv_sizes"):
        catalogue.names(PACKAGE)


def test_select_takes_claims_chapters_or_nothing(package):
    assert catalogue.select([], PACKAGE) == catalogue.names(PACKAGE)
    assert catalogue.select(["gru", "rnn.conv-size"], PACKAGE) == ["rnn.conv-size", "gru.quality"]
    assert catalogue.select(["rnn.bptt", "rnn"], PACKAGE) == ["rnn.bptt", "rnn.conv-size"]


def test_load_reads_all_parts(package):
    claim = catalogue.load("rnn.conv-size", PACKAGE)
    assert isinstance(claim, Claim)
    assert (claim.name, claim.chapter) == ("rnn.conv-size", "rnn")
    assert claim.says == Text("text", "文")
    assert claim.truth is None
    assert claim.rule_changed is None
    assert claim.file == "listed_claims/rnn/conv_size.py"
    assert claim.seeds["full"] == 10
    assert claim.measure(0, False, "quick") == {"x": 1.0}
    source = (package / "rnn" / "conv_size.py").read_bytes()
    assert claim.source_sha256 == hashlib.sha256(source).hexdigest()
    assert catalogue.load("zz-own.first-one", PACKAGE).chapter == "zz-own"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("rnn.conv_size", "rnn.conv-size"), ("rnn.bttp", "rnn.bptt"), ("gru.qualty", "gru.quality")],
)
def test_typo_offers_the_closest_name(package, typed, offered):
    for ask in (catalogue.load, lambda name, package: catalogue.select([name], package)):
        with pytest.raises(UsageFault) as raised:
            ask(typed, PACKAGE)
        assert raised.value.code == "CLAIM-UNKNOWN"
        assert raised.value.place == typed
        assert f"did you mean {offered}?" in raised.value.next_step


def test_name_like_no_other_is_sent_to_the_list(package):
    with pytest.raises(UsageFault) as raised:
        catalogue.load("x", PACKAGE)
    assert raised.value.next_step == "see all names: shinso claims list"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("TRUTH = None", "", ["TRUTH"]),
        ("PLACE = SAYS =", "PLACE =", ["SAYS"]),
        ('RULE = Text("text", "文")', 'RULE = "text"', ["PLACE", "SAYS", "METHOD", "RULE"]),
        ("TRUTH = None", 'TRUTH = None\nRULE_CHANGED = "once"', ["RULE_CHANGED"]),
        ('"quick": 3', '"quick": 0', ["SEEDS['quick']"]),
        ('"quick": 3', '"quick": 3.5', ["SEEDS['quick']"]),
        ('"full": 120', '"fast": 120', ["BUDGET_S['full']"]),
        ("def holds(measurements)", "def holds(measurements, extra)", ["holds(measurements)"]),
        ("def measure(seed, _control", "def measured(seed, _control", ["measure(seed, control"]),
        ("def draw(figure, ", "def draw(", ["draw(figure, measurements, controls)"]),
    ],
)
def test_incomplete_module_is_told_what_it_lacks(package, old, new, named):
    edit(package, old, new)
    with pytest.raises(ValueError, match=r"listed_claims\.rnn\.bptt is incomplete") as raised:
        catalogue.load("rnn.bptt", PACKAGE)
    for part in named:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    "line",
    [
        "from listed_claims.rnn._shared import x",
        "from listed_claims.rnn import _shared",
        "import listed_claims.rnn._shared",
        "from . import _shared",
        "from ._shared import measure",
        "from ..gru.quality import measure; from listed_claims.rnn import _shared",
    ],
)
def test_hash_follows_the_code_that_a_claim_takes_from_others(package, line):
    edit(package, 'return {"x": 1.0}', f'{line}\n    return {{"x": 1.0}}')
    before = catalogue.load("rnn.bptt", PACKAGE).source_sha256
    untouched = catalogue.load("rnn.conv-size", PACKAGE).source_sha256
    (package / "rnn" / "_shared.py").write_text(COMPLETE + "# edited\n")
    assert catalogue.load("rnn.bptt", PACKAGE).source_sha256 != before
    assert catalogue.load("rnn.conv-size", PACKAGE).source_sha256 == untouched


def test_package_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="'no_such_package'"):
        catalogue.names("no_such_package")


def test_chapters_have_titles_in_both_languages():
    for chapter in catalogue.chapters():
        assert chapter in chapters.CHAPTERS
    assert chapters.title("own-chapter") == Text("own-chapter", "own-chapter")


@pytest.mark.parametrize("name", catalogue.names())
def test_every_claim_is_complete_in_both_languages(name):
    claim = catalogue.load(name)
    texts = [claim.place, claim.says, claim.method, claim.control, claim.rule]
    for text in [*texts, *filter(None, [claim.truth, claim.rule_changed])]:
        assert text.en.strip()
        assert text.ja.strip()
        assert text.en.isascii() or text.en != text.ja
        assert any(ord(sign) > 0x3000 for sign in text.ja)
    assert claim.seeds["full"] >= claim.seeds["quick"]


def test_listing_and_loading_all_claims_imports_nothing_heavy():
    code = (
        "import sys; from shinso.claims import catalogue; "
        "claims = [catalogue.load(name) for name in catalogue.names()]; "
        "heavy = {'torch', 'numpy', 'matplotlib', 'scipy', 'polars', 'pandas', 'statsmodels'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    source = str(Path(shinso.__path__[0]).parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": source, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
