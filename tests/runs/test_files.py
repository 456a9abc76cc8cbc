"""Files are whole or absent, whatever happens to the process or the disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.faults import RunFault
from shinso.runs.files import append_line, read_json, strict, write_atomically, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(content=st.dictionaries(st.text(), JSON, max_size=4))
def test_json_reads_back_holds_for_any_content(content: dict, tmp_path_factory: object) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"  # pyright: ignore[reportAttributeAccessIssue]
    write_json(path, content)
    assert read_json(path) == strict(content)
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


@pytest.fixture
def _small_disk() -> object:
    """No file of this process may pass 64 KiB: what a full disk does, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("_small_disk")
def test_full_disk_is_a_fault_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    write_atomically(path, b"old")
    with pytest.raises(RunFault) as raised:
        write_atomically(path, b"x" * 100_000)
    assert raised.value.code == "DISK-FULL"
    assert raised.value.place == str(path)
    assert "100,000" in raised.value.found
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["weights.bin"]


@pytest.mark.usefixtures("_small_disk")
def test_full_disk_while_appending_is_a_fault(tmp_path: Path) -> None:
    append_line(tmp_path / "metrics.jsonl", "x" * 65_000)
    with pytest.raises(RunFault, match="DISK-FULL"):
        append_line(tmp_path / "metrics.jsonl", "x" * 2_000)


def test_folder_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("a file")
    with pytest.raises(RunFault) as raised:
        write_atomically(tmp_path / "here" / "config.yaml", "x")
    assert raised.value.code == "RUN-NOT-WRITABLE"
    assert "another place" in raised.value.next_step


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    real, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    link.symlink_to(real)
    for text in ("first", "second"):
        write_atomically(link, text)
        assert link.is_symlink()
        assert real.read_text() == text
    assert [p.name for p in real.parent.iterdir()] == ["real.csv"]


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, "rows")
    assert os.read(reader, 10) == b"rows"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    write_atomically(null, "rows")
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_name_too_long_for_a_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RunFault, match="RUN-NOT-WRITABLE"):
        write_atomically(tmp_path / ("x" * 300), "rows")


def test_damaged_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text('{"state": "runn')
    with pytest.raises(RunFault) as raised:
        read_json(path)
    assert (raised.value.code, raised.value.place) == ("RUN-FILE-UNREADABLE", str(path))
    with pytest.raises(RunFault, match="RUN-FILE-MISSING"):
        read_json(tmp_path / "none.json")


WRITER = """
import sys, time
from pathlib import Path
from shinso.runs.files import write_json
path = Path(sys.argv[1])
number = 0
while True:
    number += 1
    write_json(path, {"number": number, "filling": "x" * 200_000})
    if number == 3:
        print("ready", flush=True)
"""


def test_kill_in_mid_write_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    for pause in (0.0, 0.003, 0.011):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=os.environ
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
        process.wait()
        content = json.loads(path.read_text())
        assert content["number"] >= 3
        assert len(content["filling"]) == 200_000
