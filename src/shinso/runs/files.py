"""Files that are whole or absent: written beside their place, synced, then renamed.

A process killed in mid-write leaves the old file and a ``.partial`` one, never half a file.
A disk that is full is a fault with a next step, and the old file stays.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shinso.faults import RunFault, UsageFault
from shinso.language import _

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: Path, content: str | bytes) -> None:
    """Put ``content`` at ``path``, whole or not at all; text is UTF-8.

    A link stays and what it names is written. What is no file, as a pipe or /dev/null, is written
    into and never replaced.
    Raises RunFault DISK-FULL or RUN-NOT-WRITABLE; what stood at ``path`` before is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    given, partial = path, None
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        path = Path(os.path.realpath(path))
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                partial.unlink()
        raise write_fault(given, error, len(data)) from error


def append_line(path: Path, line: str) -> None:
    """Add one line at the end of ``path``. A torn last line is the reader's to drop."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise write_fault(path, error, len(line)) from error


def write_fault(path: Path, error: OSError, num_bytes: int, *, next_step: str = "") -> RunFault:
    """The fault behind an OSError of writing ``num_bytes`` at ``path``. next_step: where there is
    room, but no leave to write."""
    if error.errno in NO_SPACE:
        return RunFault(
            "DISK-FULL",
            place=str(path),
            found=_("no room for {size:,} bytes").format(size=num_bytes),
            why=_("nothing already saved was touched"),
            next_step=_("free some space, then repeat the command or resume the run"),
        )
    return RunFault(
        "RUN-NOT-WRITABLE",
        place=str(path),
        found=str(error),
        why=_("results cannot be kept there"),
        next_step=next_step or _("choose another place, or mend its permissions"),
    )


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Strict JSON, readable: NaN and infinities become the strings "nan", "inf", "-inf"."""
    text = json.dumps(strict(content), ensure_ascii=False, indent=1, allow_nan=False)
    write_atomically(path, text + "\n")


def strict(content: Any) -> Any:
    """The same content with numbers that JSON lacks spelled as strings."""
    if isinstance(content, Mapping):
        return {str(key): strict(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [strict(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file; RunFault RUN-FILE-MISSING or RUN-FILE-UNREADABLE otherwise."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFault(
            "RUN-FILE-MISSING",
            place=str(path),
            why=_("this file belongs to every run"),
            next_step=_("check the path with `shinso runs list`"),
        ) from error
    except (OSError, ValueError) as error:
        raise unreadable(path, str(error)) from error


def unreadable(path: Path, found: str) -> RunFault:
    """The fault of a run's file that does not hold what it should."""
    return RunFault(
        "RUN-FILE-UNREADABLE",
        place=str(path),
        found=found,
        why=_("the file is damaged"),
        next_step=_("restore it from a copy, or train again"),
    )


def _sync_folder(folder: Path) -> None:
    # Without this a power cut can lose the rename itself, though not the file.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # some systems do not open folders
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def read_yaml(path: Path) -> dict[str, Any]:
    """Values by name. UsageFault CONFIG-NOT-FOUND or CONFIG-UNREADABLE with the reason."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageFault(
            "CONFIG-NOT-FOUND",
            place=str(path),
            found=str(error),
            next_step=_("check the path of --config"),
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageFault(
            "CONFIG-UNREADABLE", place=str(path), found=str(error), next_step=_("mend the YAML")
        ) from error
    if not isinstance(content, dict):
        raise UsageFault(
            "CONFIG-UNREADABLE",
            place=str(path),
            found=type(content).__name__,
            next_step=_("write `name: value` lines"),
        )
    for name in content:
        if not isinstance(name, str):  # YAML reads on, off, yes, no and numbers as what they mean
            raise UsageFault(
                "CONFIG-UNREADABLE",
                place=str(path),
                found=_("{name} in the place of a name").format(name=repr(name)),
                next_step=_("write `name: value` lines"),
            )
    return content
