import warnings

import matplotlib as mpl
import pytest
from matplotlib import font_manager

from shinso.figures import style


@pytest.fixture
def families(monkeypatch):
    """Lets a test say which font families are looked for."""

    def look_for(*names):
        monkeypatch.setattr(style, "_CJK_FAMILIES", names)
        style.cjk_font.cache_clear()

    yield look_for
    monkeypatch.undo()
    style.cjk_font.cache_clear()


def test_without_a_japanese_font_figures_are_english(families):
    families("No Such Gothic")
    assert style.cjk_font() is None
    assert style.figure_language("ja") == "en"
    assert style.figure_language("en") == "en"


def test_a_font_without_the_glyphs_is_not_trusted(families):
    families("DejaVu Sans")
    assert style.cjk_font() is None


def test_fonts_newer_than_the_list_of_matplotlib_are_found(families, monkeypatch, tmp_path):
    """Stand-in for a Japanese font: one that matplotlib brings along, struck from its list."""
    path = font_manager.findfont("DejaVu Sans Mono")
    manager = font_manager.fontManager
    listed = [font for font in manager.ttflist if font.name != "DejaVu Sans Mono"]
    monkeypatch.setattr(manager, "ttflist", listed)
    monkeypatch.setattr(style, "_PROBE", "σ")
    families("DejaVu Sans Mono")
    unreadable = tmp_path / "bitmap.ttf"
    unreadable.write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(unreadable)])
    assert style.cjk_font() is None
    style.cjk_font.cache_clear()
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(unreadable), str(path)])
    assert style.cjk_font() == "DejaVu Sans Mono"


def test_figure_language_follows_the_language_in_use(monkeypatch, families):
    monkeypatch.setenv("SHINSO_LANG", "ja")
    monkeypatch.setattr(style, "cjk_font", lambda: "some font")
    assert style.figure_language() == "ja"
    monkeypatch.setenv("SHINSO_LANG", "en")
    assert style.figure_language() == "en"


def test_figure_language_refuses_an_unknown_one():
    with pytest.raises(ValueError, match="choose one of en, ja"):
        style.figure_language("fr")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_japanese_is_drawn_with_glyphs_wherever_it_stands(tmp_path, suffix):
    if style.cjk_font() is None:
        pytest.skip("no Japanese font on this machine")
    drawn = style.figure(4.0, 3.0)
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], label="勾配")
    axes.set_title("誤差")
    axes.set_xlabel("時刻")
    axes.text(0.5, 0.5, "消失")
    axes.annotate("爆発", (0.2, 0.2))
    axes.set_xticks([0, 1], ["始め", "終わり"])
    axes.legend()
    drawn.suptitle("系列")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where it draws a box
        style.save(drawn, tmp_path / f"a{suffix}")


def test_save_writes_whole_files_with_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        drawn = style.figure(3.0, 2.0)
        drawn.subplots().plot([1, 2, 3])
        assert style.save(drawn, tmp_path / "new" / f"{name}.png").exists()
        style.save(drawn, tmp_path / "new" / f"{name}.svg")
    files = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert files == ["a.png", "a.svg", "b.png", "b.svg"]
    assert b"Software" not in (tmp_path / "new" / "a.png").read_bytes()
    for suffix in ("png", "svg"):
        first, second = (tmp_path / "new" / f"{name}.{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_look_is_given_to_our_figures_and_to_no_other(tmp_path):
    before = dict(mpl.rcParams)
    drawn = style.figure(3.0, 2.0)
    axes = drawn.subplots()
    axes.plot([1, 2], label="x")
    legend = axes.legend()
    axes.set_title("left")
    style.save(drawn, tmp_path / "a.png")
    assert not axes.spines["top"].get_visible()
    assert not legend.get_frame_on()
    assert axes.get_title(loc="left") == "left"
    assert axes.lines[0].get_color() == style.BLUE
    assert dict(mpl.rcParams) == before


def test_palette_has_no_colour_twice():
    assert len(set(style.PALETTE)) == len(style.PALETTE)


def test_lines_beyond_the_last_colour_still_differ():
    axes = style.figure(3.0, 2.0).subplots()
    lines = [axes.plot([0, 1], [0, number])[0] for number in range(2 * len(style.PALETTE))]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines)
