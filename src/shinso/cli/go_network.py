"""``shinso go network``: the network that ships with shinso, how it was trained and what it has shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _


def run(arguments: Sequence[str]) -> int:
    parser = Parser("go network", _("what is known of the network that ships with shinso"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.recipes.uses.go_agent import shipped, shipped_record

    if not shipped():
        raise UsageFault(
            "GO-NOTHING-SHIPS",
            place="shinso go network",
            found=_("no network ships with this shinso: a rollout search plays"),
            next_step="shinso train alphago-zero --side 9 --komi 7 --model pooled",
        )
    record = shipped_record()
    if read.json:
        print(json.dumps(record, ensure_ascii=False))
        return 0
    for line in lines_about(record):
        print(line)
    return 0


def lines_about(record: Mapping[str, Any]) -> Iterator[str]:
    """The record in words, a line each."""
    network, trained = record["network"], record["trained"]
    yield _("{name}: board {side}×{side}, komi {komi:g}, {filters} filters, {blocks} blocks").format(
        name=record["name"], side=network["side"], komi=trained["komi"],
        filters=network["filters"], blocks=network["blocks"],
    )  # fmt: skip
    yield _("{count} parameters; licence {license}; sha256 {digest}").format(
        count=trained["parameters"], license=record["license"], digest=network["sha256"]
    )
    yield _("trained from {start}:").format(start=trained["from"])
    machine = trained["environment"]
    yield "  " + ", ".join(
        str(machine[name]) for name in ("processor", "device") if name in machine
    )
    for stage in (*trained.get("before", ()), trained):
        yield f"  {stage['command']}"
        for look in stage["looks"]:
            yield "    " + "  ".join(f"{name} {value:g}" for name, value in look.items())
    for match in record["matches"]:
        share, low, high = match["share"]
        yield _("{points:g} of {games} points, {share:.0%} ({low:.0%}–{high:.0%}), against {other}").format(
            points=match["points"], games=match["games"], share=share, low=low, high=high,
            other=match["against"],
        )  # fmt: skip
