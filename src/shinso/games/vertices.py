"""Names of points: ``D4`` as players and GTP write them, actions as the engine counts them."""

from __future__ import annotations

from shinso.faults import UsageFault
from shinso.language import _

LETTERS = "ABCDEFGHJKLMNOPQRST"  # no I, by old custom
LARGEST = len(LETTERS)


def vertex(action: int, side: int) -> str:
    """The name of an action: ``D4``, or ``pass``."""
    if action == side * side:
        return "pass"
    row, column = divmod(action, side)
    return f"{LETTERS[column]}{side - row}"


def action(name: str, side: int) -> int:
    """The action of a name; UsageFault GO-VERTEX for what is no point of this board."""
    text = name.strip().upper()
    if text == "PASS":
        return side * side
    column = LETTERS.find(text[:1]) if text else -1
    number = text[1:]
    if 0 <= column < side and number.isascii() and number.isdigit() and 1 <= int(number) <= side:
        return (side - int(number)) * side + column
    raise UsageFault(
        "GO-VERTEX",
        place=name,
        found=_("no point of a board of {side}×{side}").format(side=side),
        next_step=_("write a letter and a number, such as {name}").format(name=vertex(0, side)),
    )


def handicap_points(stones: int, side: int) -> list[int]:
    """The customary places of 2 to 9 handicap stones (GTP 2, 4.1.1), as actions.

    ValueError where the board is too small, or of even side for more than four stones.
    """
    if not 2 <= stones <= (9 if side % 2 and side > 7 else 4) or side < 7:
        raise ValueError(f"stones is {stones} on a board of {side}; there are no such places")
    near = 3 if side > 11 else 2
    far, middle = side - 1 - near, side // 2
    corners = [(far, near), (near, far), (near, near), (far, far)]  # row, column from the top
    sides = [(middle, near), (middle, far), (far, middle), (near, middle)]
    order = {
        2: corners[:2], 3: corners[:3], 4: corners,
        5: [*corners, (middle, middle)], 6: [*corners, *sides[:2]],
        7: [*corners, *sides[:2], (middle, middle)], 8: [*corners, *sides],
        9: [*corners, *sides, (middle, middle)],
    }  # fmt: skip
    return [row * side + column for row, column in order[stones]]
