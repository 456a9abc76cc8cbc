"""Make the bundled texts anew: ``python -m shinso.data.samples.regenerate_words BOOK``.

BOOK is a UTF-8 text of Mark Twain's A Connecticut Yankee in King Arthur's Court with one paragraph a
line. Its blank lines are left out; nothing else is changed. From it comes a table of paragraphs that
are spoken or told, known by the quotation marks, which are then taken out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shinso.data.samples.regenerate import write


def book(text: str) -> str:
    """The paragraphs, one a line."""
    lines = (line.strip() for line in text.split("\n"))
    return "".join(line + "\n" for line in lines if line)


def spoken(text: str) -> str:
    """A paragraph (its first 300 letters) and whether it begins with speech, a line."""
    rows = ["text\tlabel"]
    for line in text.splitlines()[3:]:
        words = line.replace('"', " ").replace("--", " ").split()
        if len(words) > 3:
            cut = " ".join(words)[:300].rsplit(" ", 1)[0]
            rows.append(f"{cut}\t{'spoken' if line.startswith(chr(34)) else 'told'}")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    content = book(Path(sys.argv[1]).read_text("utf-8"))
    folder = Path(__file__).parent
    write(folder / "connecticut_yankee.txt.gz", content)
    write(folder / "spoken.tsv.gz", spoken(content))
