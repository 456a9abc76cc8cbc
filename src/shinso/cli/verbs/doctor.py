"""``shinso doctor``: versions, threads, devices, optional parts, fonts, place of the data."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence

from shinso.cli.parsing import Parser
from shinso.extras import EXTRAS
from shinso.language import _, current

HELP = "versions, threads, devices, optional parts, fonts"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("doctor")
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    from shinso.data.registry import folder
    from shinso.figures import style
    from shinso.runs.environment import describe

    found = describe()
    found["extras"] = {
        f"{extra}: {name}": importlib.util.find_spec(name) is not None
        for extra, packages in EXTRAS.items()
        for name in packages
    }
    found["japanese_font"] = style.cjk_font()
    found["language"] = current()
    found["data"] = str(folder())
    if read.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, one in value.items():
                print(f"  {key}: {one}")
        else:
            print(f"{name}: {value if value not in ([], None, '') else '—'}")
    if not found["japanese_font"]:
        print(_("no Japanese font was found: figures are drawn in English"))
    return 0
