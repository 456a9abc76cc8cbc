"""Whether a file that came with a question may be read, and how much of the memory it may take.

Whoever may ask need not be trusted with this machine: a list of images could name any of its files,
and a short file can unpack to more than the memory holds.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from shinso.data.archives import ARCHIVES, is_archive, read_archive
from shinso.data.idx_files import cifar_label_bytes, is_idx, read_idx
from shinso.data.image_decoding import ENDINGS, opened
from shinso.data.limits import limited
from shinso.data.tables import PARQUET
from shinso.extras import need
from shinso.faults import DataFault
from shinso.language import _

MOST_BYTES = 8_000_000
"""To which a file may unpack."""
MOST_PIXELS = 2_100_000
"""Of all images together: a network that answers for every pixel takes seconds for so many."""
MOST_IMAGES = 256
MOST_SAMPLES = 1_000_000
"""Of all recordings together, at the rate that the run hears."""
LISTS = (".csv", ".tsv")


def shows_images(task: str, facts: Mapping[str, Any]) -> bool:
    """Whether a run is asked with images. facts: what it found in its data."""
    return task in ("detect", "segment") or facts.get("form") == "images"


@contextmanager
def checked(path: Path, task: str, facts: Mapping[str, Any]) -> Iterator[None]:
    """Within, the file can be read without harm.

    Raises DataFault FILE-REFUSED for what may name other files than itself, FILE-TOO-LARGE and
    DATA-TOO-LARGE for what would unpack to more than a question may hold, DATA-IMAGE for an image
    with too many pixels."""
    with limited(most_bytes=MOST_BYTES, most_pixels=MOST_PIXELS):
        if shows_images(task, facts):
            _check_images(path, task)
        elif task == "audio":
            _check_sounds(path, int(facts["rate_hz"]))
        else:
            _check_table(path)
        yield


def _check_images(path: Path, task: str) -> None:
    suffix = path.suffix.lower()
    if task == "autoencode" and suffix not in LISTS and not is_archive(path):
        if is_idx(path):
            numbers, _raw = read_idx(path)
            _bound(len(numbers), MOST_IMAGES, path, _("{count:,} images"))
            return
        if cifar_label_bytes(path):
            return
    if suffix not in ENDINGS and not is_archive(path):
        raise DataFault(
            "FILE-REFUSED",
            place=path.name,
            found=_("neither an image nor an archive"),
            why=_("a file that names others could be answered with files of this machine"),
            next_step=_("ask with an image ({images}) or an archive of images ({archives})").format(
                images=", ".join(sorted(ENDINGS)), archives=", ".join(ARCHIVES)
            ),
        )
    contents = _members(path)
    images = [name for name in contents if PurePosixPath(name).suffix.lower() in ENDINGS]
    _bound(len(images), MOST_IMAGES, path, _("{count:,} images"))
    pixels = 0
    for name in images:
        with opened(contents[name], str(path / name)) as image:
            pixels += image.height * image.width
        _bound(pixels, MOST_PIXELS, path, _("{count:,} pixels"))


def _members(path: Path) -> Mapping[str, bytes]:
    return read_archive(path).files if is_archive(path) else {path.name: path.read_bytes()}


def _check_sounds(path: Path, rate_hz: int) -> None:
    soundfile = need("soundfile")
    samples = 0
    for content in _members(path).values():
        try:
            head = soundfile.info(io.BytesIO(content))
        except (soundfile.LibsndfileError, RuntimeError, TypeError):
            continue  # what is no sound costs nothing; its reader says so
        slower = -(-rate_hz // max(head.samplerate, 1))
        samples += head.frames * max(head.channels, slower)
        _bound(samples, MOST_SAMPLES, path, _("{count:,} samples"))


def _check_table(path: Path) -> None:
    """A Parquet table tells how many cells it has; any other file is as long as it is."""
    with path.open("rb") as file:
        if file.read(len(PARQUET)) != PARQUET:
            return
    try:
        table = pl.scan_parquet(path, glob=False)
        cells = table.select(pl.len()).collect().item() * len(table.collect_schema())
    except (pl.exceptions.PolarsError, OSError):
        return  # its reader says what is wrong
    _bound(cells, MOST_BYTES // 8, path, _("{count:,} cells"))


def _bound(count: int, most: int, path: Path, found: str) -> None:
    if count > most:
        raise DataFault(
            "FILE-TOO-LARGE",
            place=path.name,
            found=found.format(count=count),
            why=_("a question may hold {most:,}").format(most=most),
            next_step=_("ask with smaller parts, or use the command `shinso predict`"),
        )
