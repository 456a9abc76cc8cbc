"""Archives that are whole, damaged, cut off, or made to fill the memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shinso.data.archives import hidden, read_archive
from shinso.data.labelled_boxes import read_boxes
from shinso.data.labelled_images import read_images
from shinso.data.limits import limited
from shinso.data.masked_images import Wanted, read_masked
from shinso.data.recordings import read_recordings
from shinso.faults import DataFault
from tests.data.faults_of import faults_of

FILES = {f"d/{number:02}.png": bytes([number]) * 700 for number in range(10)}
PACKED = 512 + 1024  # a head and its content, filled up
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes, "tar.gz": gzip.compress, "tar.xz": lzma.compress, "tar.bz2": bz2.compress,
}  # fmt: skip


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes, str], Path]:
    def put(content: bytes, ending: str = "tar") -> Path:
        path = tmp_path / f"a.{ending}"
        path.write_bytes(content)
        return path

    return put


@pytest.mark.parametrize("ending", [*PACKERS, "zip"])
def test_files_are_read_in_the_order_of_their_names(write, ending: str) -> None:
    turned = dict(reversed(FILES.items()))
    content = zip_of(turned) if ending == "zip" else PACKERS[ending](tar_of(turned))
    found = read_archive(write(content, ending)).files
    assert list(found.items()) == list(FILES.items())
    some = read_archive(write(content, ending), lambda name: name.endswith("3.png")).files
    assert list(some) == ["d/03.png"]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_tar_cut_off_between_two_files_is_refused(write, ending: str) -> None:
    whole = tar_of(FILES)
    for kept in (6 * PACKED, 10 * PACKED, 10 * PACKED + 512):
        path = write(PACKERS[ending](whole[:kept]), ending)
        (fault,) = faults_of(lambda path=path: read_archive(path))
        assert (fault.code, fault.place) == ("DATA-FORMAT", str(path))
        last = min(kept // PACKED, 10) - 1
        assert f"the last whole file is d/{last:02}.png" in fault.found
    assert (
        len(read_archive(write(PACKERS[ending](whole[: 10 * PACKED + 1024]), ending)).files) == 10
    )


@pytest.mark.parametrize("ending", PACKERS)
def test_a_damaged_head_within_a_tar_is_refused(write, ending: str) -> None:
    for changed in (b"\xff", bytes(512), bytes(1024)):
        content = bytearray(tar_of(FILES))
        content[3 * PACKED : 3 * PACKED + len(changed)] = changed
        path = write(PACKERS[ending](bytes(content)), ending)
        (fault,) = faults_of(lambda path=path: read_archive(path))
        assert fault.code == "DATA-FORMAT"
        assert "d/02.png" in fault.found


def test_a_wrong_checksum_behind_the_last_file_is_found(write) -> None:
    for ending, place in (("tar.gz", -6), ("tar.xz", -20), ("tar.bz2", -3), ("zip", 40)):
        packed = zip_of(FILES) if ending == "zip" else PACKERS[ending](tar_of(FILES))
        content = bytearray(packed)
        content[place] ^= 0x55
        for damaged in (bytes(content), packed[:-2]):
            path = write(damaged, ending)
            assert [one.code for one in faults_of(lambda path=path: read_archive(path))] == [
                "DATA-FORMAT"
            ]


def test_every_reader_refuses_a_cut_tar(write) -> None:
    path = write(tar_of(FILES)[: 6 * PACKED])
    for read in (
        lambda: read_images([path]),
        lambda: read_masked(path, Wanted()),
        lambda: read_boxes([path]),
        lambda: read_recordings(path),
    ):
        assert [(one.code, one.place) for one in faults_of(read)] == [("DATA-FORMAT", str(path))]


def test_a_locked_zip_and_a_link_to_nothing_are_refused(write) -> None:
    content = bytearray(zip_of({"a.png": b"x" * 50}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in faults_of(lambda: read_archive(write(bytes(content), "zip")))[0].found
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "elsewhere.png"
        archive.addfile(link)
    assert "elsewhere.png" in faults_of(lambda: read_archive(write(buffer.getvalue())))[0].found


def test_what_unpacks_to_more_than_is_allowed_is_refused(write) -> None:
    zeros = {"a.png": bytes(3_000_000)}
    for content, ending in (
        (zip_of(zeros), "zip"),
        (gzip.compress(tar_of(zeros)), "tar.gz"),
        (lzma.compress(tar_of({**FILES}) + bytes(3_000_000)), "tar.xz"),
        (tar_of(zeros), "tar"),
    ):
        path = write(content, ending)
        assert read_archive(path).files
        with limited(most_bytes=1_000_000):
            assert [one.code for one in faults_of(lambda path=path: read_archive(path))] == [
                "DATA-TOO-LARGE"
            ]


def test_what_file_managers_leave_behind_is_left_out(write) -> None:
    left = ["__MACOSX/", "__MACOSX/d/._00.png", "d/.DS_Store", "d/Thumbs.db", "d/desktop.ini",
            "d/.ipynb_checkpoints/00.png"]  # fmt: skip
    found = read_archive(write(zip_of({**FILES, "d/e/": b"", **dict.fromkeys(left, b"x")}), "zip"))
    assert list(found.files) == list(FILES)
    assert found.folders == ("d/e",)
    assert not hidden("../a.b/c.png")


def test_a_tar_of_the_folder_it_is_made_in_has_names_without_a_point(tmp_path: Path) -> None:
    (tmp_path / "in" / "d").mkdir(parents=True)
    (tmp_path / "in" / "d" / "x.png").write_bytes(b"x")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.add(tmp_path / "in", ".")
    found = read_archive(tmp_path / "a.tgz")
    assert (list(found.files), found.folders) == (["d/x.png"], ("d",))


def test_an_archive_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="DATA-NOT-FOUND"):
        read_recordings(tmp_path / "a.tar")
