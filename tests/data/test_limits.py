"""What one file may take of the memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from PIL import Image

from shinso.data.findings import Findings
from shinso.data.image_decoding import read_header
from shinso.data.labelled_images import read_images
from shinso.data.limits import check_memory, limited, limits, memory_bytes
from shinso.data.text import read_text, unpacked
from shinso.faults import DataFault
from tests.data.faults_of import faults_of, written


def test_limits_are_only_lowered_and_come_back() -> None:
    usual = limits()
    assert usual.most_bytes == memory_bytes() // 2
    with limited(most_bytes=10, most_pixels=20):
        with limited(most_bytes=1000):
            assert (limits().most_bytes, limits().most_pixels) == (10, 20)
        with limited(most_pixels=5):
            assert limits().most_pixels == 5
    assert limits() == usual


def test_a_gzip_file_unpacks_to_no_more_than_is_allowed() -> None:
    packed = gzip.compress(b"a" * 600) + gzip.compress(b"b" * 600) + bytes(20)
    assert unpacked(packed, Path("x")) == b"a" * 600 + b"b" * 600
    path = written(packed, "a.txt.gz")
    with limited(most_bytes=1200):
        assert len(read_text(path, Findings(path)).text) == 1200
    with limited(most_bytes=1199):
        (fault,) = faults_of(lambda: read_text(path, Findings(path)))
    assert (fault.code, fault.place) == ("DATA-TOO-LARGE", str(path))
    for damaged in (packed[:-25], packed + b"x"):
        with pytest.raises(DataFault, match="DATA-FORMAT"):
            unpacked(damaged, path)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("1", (4000, 3000)).save(tmp_path / name / "a.png")
    assert len(read_images([tmp_path], px=8)) == 2
    content = (tmp_path / "cat" / "a.png").read_bytes()
    with limited(most_pixels=11_999_999):
        found = faults_of(lambda: read_images([tmp_path], px=8))  # decoded in other threads
        (alone,) = faults_of(lambda: read_header(content, "here"))
    assert [one.code for one in found] == ["DATA-IMAGE"] * 2
    assert (alone.place, alone.found) == ("here", "3000 × 4000 pixels")


def test_images_that_would_fill_the_memory_are_refused() -> None:
    check_memory(1000, Path("x"), found="", next_step="")
    with pytest.raises(DataFault, match="DATA-TOO-LARGE"):
        check_memory(memory_bytes(), Path("x"), found="much", next_step="less")
