"""Lines that a program or a person writes to us while we answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from shinso.faults import DataFault
from shinso.language import _


def lines_of_input() -> Iterator[str]:
    """Each line of standard input as it comes, without its end.

    Read as bytes: which error a text stream makes of bytes that are no text depends on the locale.
    Raises DataFault DATA-ENCODING at the first line that is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataFault(
                "DATA-ENCODING",
                place=_("standard input, line {line}").format(line=number),
                found=_("byte 0x{byte:02x} in {around}").format(
                    byte=error.object[error.start],
                    around=repr(line[:40].decode("utf-8", errors="replace")),
                ),
                why=_("lines are read as UTF-8"),
                next_step=_("convert what is piped in, for example: iconv -f cp932 -t utf-8"),
            ) from error
        yield text.rstrip("\r\n")
