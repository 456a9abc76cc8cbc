"""One look for every figure of shinso: size, colours, fonts, language, file.

Figures are made through matplotlib's objects, never through pyplot, so that no window system is
needed and no global state of the user's session changes. A Japanese figure needs a font with
Japanese glyphs; where none is installed the figure is drawn in English, never in boxes.

    language = style.figure_language("ja")
    figure = style.figure(7.0, 3.0)
    axes = figure.subplots()
    axes.plot(xs, ys, color=style.BLUE, label="exact")
    axes.legend()
    style.save(figure, folder / "curve.png")
"""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, final

from cycler import cycler
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from shinso import language

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
GREY = "#7A7A7A"
INK = "#222222"
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
"""Series colours in the order in which a figure takes them; grey is for what is not the point."""

_CJK_FAMILIES = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "IPAPGothic",
    "Hiragino Sans",
    "Hiragino Kaku Gothic ProN",
    "Hiragino Maru Gothic Pro",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "TakaoPGothic",
    "VL Gothic",
)
_UNDATED = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
_PROBE = "勾配と系列"  # kanji and kana that our figures use


@cache
def cjk_font() -> str | None:
    """The family name of an installed font that has Japanese glyphs, or None.

    A name alone is not trusted: the file behind it must have the glyphs. matplotlib keeps a list
    of fonts from its first use on a machine; fonts installed since then are looked for too.
    """
    family = _listed_cjk_font()
    if family is None:
        _list_new_fonts()
        family = _listed_cjk_font()
    return family


def _listed_cjk_font() -> str | None:
    listed = {font.name for font in font_manager.fontManager.ttflist}
    for family in _CJK_FAMILIES:
        if family not in listed:
            continue
        font = font_manager.get_font(font_manager.findfont(family))
        if all(font.get_char_index(ord(sign)) for sign in _PROBE):
            return family
    return None


def _list_new_fonts() -> None:
    """Tell matplotlib, for this process, of the system's fonts that its list does not have."""
    listed = {Path(font.fname) for font in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if Path(path) not in listed:
            # Bitmap and colour fonts cannot be read; they would not help either.
            with suppress(OSError, RuntimeError, ValueError):
                font_manager.fontManager.addfont(path)


def figure_language(wanted: str | None = None) -> str:
    """The language a figure is drawn in: ``wanted``, but English where Japanese would be boxes.

    None asks for the language in use.
    """
    chosen = language.current() if wanted is None else wanted
    if chosen not in language.LANGUAGES:
        raise ValueError(f"language is {chosen!r}; choose one of {', '.join(language.LANGUAGES)}")
    return "ja" if chosen == "ja" and cjk_font() is not None else "en"


def _families() -> list[str]:
    """Families in which each glyph is looked for in turn (a generic name would take the first)."""
    cjk = cjk_font()
    return ["DejaVu Sans", *([cjk] if cjk else [])]


def _settings() -> dict[Any, Any]:
    return {
        "font.family": _families(),
        "font.size": 10,
        "figure.titlesize": 12,
        "figure.constrained_layout.wspace": 0.05,
        "figure.constrained_layout.hspace": 0.05,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "axes.axisbelow": True,
        "axes.grid": True,
        # Lines beyond the last colour begin again with the first, broken.
        "axes.prop_cycle": cycler(linestyle=("-", "--", ":")) * cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#E4E4E4",
        "grid.linewidth": 0.6,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "savefig.dpi": 160,
        "svg.hashsalt": "shinso",
    }


@final
class StyledAxes(Axes):
    """Axes whose later-added parts, too, take shinso's look."""

    name = "shinso"

    def set_title(self, *args: Any, **kwargs: Any) -> Text:
        with rc_context(_settings()):
            return super().set_title(*args, **kwargs)

    def legend(self, *args: Any, **kwargs: Any) -> Legend:
        with rc_context(_settings()):
            return super().legend(*args, **kwargs)


@final
class StyledFigure(Figure):
    """A figure whose axes and files take shinso's look, and no other figure's do."""

    def add_subplot(self, *args: Any, **kwargs: Any) -> Any:
        if not {"projection", "polar", "axes_class"} & kwargs.keys():
            kwargs["axes_class"] = StyledAxes
        with rc_context(_settings()):
            return super().add_subplot(*args, **kwargs)

    def suptitle(self, t: str, **kwargs: Any) -> Text:
        with rc_context(_settings()):
            return super().suptitle(t, **kwargs)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        for text in self.findobj(Text):
            if isinstance(text, Text) and text.get_fontfamily() == ["sans-serif"]:
                text.set_fontfamily(_families())
        with rc_context(_settings()):
            super().savefig(*args, **kwargs)


def figure(width_in: float, height_in: float) -> StyledFigure:
    """An empty figure of ``width_in`` × ``height_in`` inches that lays its parts out itself."""
    with rc_context(_settings()):
        made = StyledFigure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(drawn: Figure, path: Path) -> Path:
    """Write ``drawn`` to ``path`` in the format of its suffix; a reader never sees half a file.

    The same figure gives the same bytes: neither date nor version is written into it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    drawn.savefig(partial, metadata=_UNDATED.get(path.suffix))
    partial.replace(path)
    return path
