"""Make the bundled samples anew: ``python -m shinso.data.samples.regenerate BOOK``.

BOOK is a UTF-8 text of Mark Twain's A Connecticut Yankee in King Arthur's Court with one
paragraph a line. Without it only prices and digits are made.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import numpy as np

from shinso.data.tagged_tokens import as_conll
from shinso.data.truecase import tagged_sentences

SEED = 20240101
NUM_SENTENCES = 3000
FIRST_DAY, LAST_DAY = date(2014, 1, 6), date(2023, 12, 29)


def trading_days() -> list[date]:
    """Weekdays but for New Year (1-3 January), 29 April to 5 May, and 31 December.

    These holidays are made up after Japan's, so that some gaps are longer than a weekend.
    """
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    closed = {(1, 1), (1, 2), (1, 3), (4, 29), (4, 30), (12, 31), *((5, n) for n in range(1, 6))}
    return [day for day in days if day.weekday() < 5 and (day.month, day.day) not in closed]


def prices(seed: int = SEED) -> str:
    """A geometric random walk: log returns normal with mean 0.0002 and deviation 0.012 a day,
    from 1,000. Log volume follows an AR(1) of coefficient 0.7 around 14 with deviation 0.25.

    The next return cannot be forecast from anything in the file, which is what an honest
    baseline has to show.
    """
    days = trading_days()
    rng = np.random.default_rng(seed)
    closes = 1000.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.012, len(days))))
    shocks = rng.normal(0.0, 0.25, len(days))
    log_volume = np.zeros(len(days))
    for day in range(len(days)):
        log_volume[day] = 0.7 * log_volume[day - 1] * (day > 0) + shocks[day]
    volumes = np.exp(14.0 + log_volume).round(-2)
    rows = zip(days, closes, volumes, strict=True)
    return "date,close,volume\n" + "".join(f"{d},{c:.2f},{v:.0f}\n" for d, c, v in rows)


def digits() -> str:
    """Each image as 8 steps of 8 grey values from 0 to 16, the top row first."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rows = zip(images.astype(int).reshape(-1, 8, 8).tolist(), labels.tolist(), strict=True)
    lines = [{"series": image, "label": str(label)} for image, label in rows]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def digit_images() -> bytes:
    """The same digits as grey PNG files in a tar archive, a folder a class."""
    from PIL import Image
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            grey = (image.reshape(8, 8) * 255 / 16).round().astype(np.uint8)
            png = io.BytesIO()
            # Not compressed here: xz does that better over all of them.
            Image.fromarray(grey).save(png, "PNG", compress_level=0)
            member = tarfile.TarInfo(f"{label}/{place:04d}.png")  # dated 1970, owned by no one
            member.size = png.tell()
            png.seek(0)
            archive.addfile(member, png)
    return buffer.getvalue()


def digits_idx() -> bytes:
    """The same images as an IDX file of bytes, as MNIST is kept: grey values from 0 to 255."""
    from sklearn.datasets import load_digits

    images, _labels = load_digits(return_X_y=True)
    pixels = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    head = b"\0\0\x08\x03" + np.array(pixels.shape, dtype=">u4").tobytes()
    return gzip.compress(head + pixels.tobytes(), 9, mtime=0)


def truecase(book: str, num_sentences: int = NUM_SENTENCES) -> str:
    """The first sentences of a book as CoNLL."""
    return as_conll(islice(tagged_sentences(book), num_sentences))


def write(path: Path, text: str) -> None:
    """Write a text, gzipped where the name says so; the same text gives the same bytes."""
    content = text.encode()
    path.write_bytes(gzip.compress(content, 9, mtime=0) if path.suffix == ".gz" else content)


def main(arguments: list[str]) -> None:
    folder = Path(__file__).parent
    write(folder / "prices.csv", prices())
    write(folder / "digits.jsonl.gz", digits())
    (folder / "digits.tar.xz").write_bytes(digit_images())
    (folder / "digits.idx.gz").write_bytes(digits_idx())
    if arguments:
        write(folder / "truecase.conll.gz", truecase(Path(arguments[0]).read_text("utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
