"""Make the bundled text anew: ``python -m shinso.data.samples.regenerate_words BOOK``.

BOOK is a UTF-8 text of Mark Twain's A Connecticut Yankee in King Arthur's Court with one paragraph a
line. Its blank lines are left out; nothing else is changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shinso.data.samples.regenerate import write


def book(text: str) -> str:
    """The paragraphs, one a line."""
    lines = (line.strip() for line in text.split("\n"))
    return "".join(line + "\n" for line in lines if line)


if __name__ == "__main__":
    content = book(Path(sys.argv[1]).read_text("utf-8"))
    write(Path(__file__).parent / "connecticut_yankee.txt.gz", content)
