"""How figures of claims look: claim and control differ in marker and line, not in colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIM: dict[str, Any] = {"color": "#0072B2", "marker": "o", "linestyle": "-"}
CONTROL: dict[str, Any] = {
    "color": "#D55E00",
    "marker": "s",
    "linestyle": "--",
    "markerfacecolor": "none",
}
SIDES = (
    (CLAIM, Text("with the cause", "原因あり")),
    (CONTROL, Text("control: cause removed", "原因なし (対照)")),
)


def spoken(text: Text) -> str:
    """``text`` in the language that the figure can be drawn in (English without a CJK font)."""
    from shinso.figures import style

    return text.in_(style.figure_language(None))


def legend(axes: Axes, **where: Any) -> None:
    """The legend, without a frame, where something has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"frameon": False, "fontsize": 8.5, **where})


def dots(
    axes: Axes,
    names: Sequence[Text],
    claimed: Sequence[Sequence[float]],
    controls: Sequence[Sequence[float]],
    *,
    ylabel: Text,
) -> None:
    """One column a name, one mark a seed; the control's hollow squares stand to the right.

    claimed, controls: for each name the values of all seeds.
    """
    for shift, columns, (look, label) in zip((-0.1, 0.1), (claimed, controls), SIDES, strict=True):
        for place, values in enumerate(columns):
            axes.plot(
                [place + shift] * len(values),
                list(values),
                **{**look, "linestyle": "none"},
                label=spoken(label) if place == 0 and len(values) else None,
            )
    axes.set_xticks(range(len(names)), [spoken(name) for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(spoken(ylabel))
    legend(axes)


def curves(
    axes: Axes,
    x: Sequence[float],
    claimed: Sequence[Sequence[float]],
    controls: Sequence[Sequence[float]],
    *,
    xlabel: Text,
    ylabel: Text,
) -> None:
    """One line a seed over common x: the claim's solid, the control's dashed."""
    for lines, (look, label) in zip((claimed, controls), SIDES, strict=True):
        for place, line in enumerate(lines):
            axes.plot(
                list(x)[: len(line)],
                list(line),
                **look,
                markersize=4,
                markevery=max(1, len(line) // 12),
                label=spoken(label) if place == 0 else None,
            )
    axes.set_xlabel(spoken(xlabel))
    axes.set_ylabel(spoken(ylabel))
    legend(axes)
