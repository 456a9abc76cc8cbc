"""The ledger: what is saved comes back exactly, and nothing is lost on the way."""

import errno
import json
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.faults import RunFault
from shinso.runs import files
from shinso.runs.ledger import Failure, Ledger, Record, now, plain

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
SCALARS = st.one_of(
    FLOATS,
    st.integers(),
    st.text().filter(lambda text: text not in ("nan", "inf", "-inf")),
)
CURVES = st.one_of(st.lists(FLOATS), st.lists(st.lists(FLOATS)))
NUMBERS = st.dictionaries(st.text(), st.one_of(SCALARS, CURVES))


@dataclass(frozen=True)
class Named:
    name: str
    source_sha256: str


def record(**changes) -> Record:
    return replace(
        Record(
            claim="rnn.demo",
            profile="quick",
            seed=3,
            control=False,
            numbers={"error_mse": 0.25, "curve": [1.0, math.nan]},
            seconds=1.5,
            threads=1,
            versions={"python": "3.11.7"},
            sha256="a" * 64,
            time=now(),
        ),
        **changes,
    )


def failure(**changes) -> Failure:
    return replace(
        Failure(
            claim="rnn.demo",
            profile="quick",
            seed=3,
            control=False,
            error="Traceback\nValueError: no",
            seconds=0.5,
            versions={},
            sha256="a" * 64,
            time=now(),
        ),
        **changes,
    )


def same(left: object, right: object) -> bool:
    """Equal in type and value, where NaN equals NaN and -0.0 differs from 0.0."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and repr(left) == repr(right)


@settings(max_examples=40)  # each one waits for the disk
@given(numbers=NUMBERS, seed=st.integers(0, 10**6), control=st.booleans())
def test_record_holds_for_any_numbers(numbers, seed, control):
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        saved = record(numbers=numbers, seed=seed, control=control)
        text = ledger.save(saved).read_text(encoding="utf-8")
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        [read] = ledger.records("rnn.demo")
        assert same(dict(read.numbers), numbers)
        assert replace(read, numbers={}) == replace(saved, numbers={})


def test_arrays_become_lists_of_plain_numbers():
    found = plain(
        {
            "f32": np.float32(0.5),
            "int": np.int64(3),
            "array": np.eye(2),
            "tensor": torch.tensor([1.0, 2.0]),
            "scalar": torch.tensor(0.25),
            "pair": (1, 2.5),
            "bool": np.bool_(True),
        }
    )
    assert same(
        found,
        {
            "f32": 0.5,
            "int": 3,
            "array": [[1.0, 0.0], [0.0, 1.0]],
            "tensor": [1.0, 2.0],
            "scalar": 0.25,
            "pair": [1, 2.5],
            "bool": True,
        },
    )


@pytest.mark.parametrize("value", [None, {"a": 1}, [[[1.0]]], ["text"], "nan", object()])
def test_value_that_json_could_not_give_back_is_refused_by_name(value):
    with pytest.raises(ValueError, match="loss"):
        plain({"fine": 1.0, "loss": value})


def test_profiles_and_controls_are_kept_apart(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(record(profile="full", seed=10))
    ledger.save(record(seed=1, control=True))
    ledger.save(record(seed=2))
    ledger.save(record(seed=10))
    assert [(r.profile, r.control, r.seed) for r in ledger.records("rnn.demo")] == [
        ("full", False, 10),
        ("quick", False, 2),
        ("quick", False, 10),
        ("quick", True, 1),
    ]
    assert [r.seed for r in ledger.records("rnn.demo", "full")] == [10]
    assert ledger.records("rnn.other") == []


def test_records_of_another_hash_are_stale_and_moved_aside(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(record(seed=1))
    ledger.save(record(seed=2, sha256="b" * 64))
    claim = Named("rnn.demo", "b" * 64)
    assert [r.seed for r in ledger.stale(claim)] == [1]
    [moved] = ledger.set_aside_stale(claim)
    assert moved == tmp_path / "rnn.demo" / "stale" / ("a" * 12) / "quick-1.json"
    assert json.loads(moved.read_text())["seed"] == 1
    assert [r.seed for r in ledger.records("rnn.demo")] == [2]
    assert ledger.stale(claim) == []


def test_moving_aside_never_covers_what_lies_there(tmp_path):
    ledger = Ledger(tmp_path)
    claim = Named("rnn.demo", "b" * 64)
    moved = []
    for seconds in (1.0, 2.0, 3.0):
        ledger.save(record(seconds=seconds))
        moved += ledger.set_aside_stale(claim)
    assert [json.loads(path.read_text())["seconds"] for path in moved] == [1.0, 2.0, 3.0]
    assert len(set(moved)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"seed": 3', '"seed": 4'),
        lambda text: text.replace('"seed": 3', '"seed": "3"'),
        lambda text: text.replace('"seconds"', '"minutes"'),
        lambda text: text.replace('"error_mse": 0.25', '"error_mse": null'),
        lambda text: text.replace('"error_mse": 0.25', '"error_mse": "\\ud83d'),
    ],
    ids=["torn", "empty", "no object", "another seed", "kind", "field", "number", "string"],
)
def test_damaged_record_is_a_fault_until_it_is_set_aside(tmp_path, damage):
    ledger = Ledger(tmp_path)
    path = ledger.save(record())
    ledger.save(record(seed=4))
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.raises(RunFault) as raised:
        ledger.records("rnn.demo")
    assert raised.value.code == "LEDGER-CORRUPT"
    assert raised.value.place == str(path)
    assert "shinso claims run rnn.demo" in raised.value.next_step
    [moved] = ledger.set_aside_damaged("rnn.demo")
    assert moved.read_text() == damaged
    assert [r.seed for r in ledger.records("rnn.demo")] == [4]


def test_bytes_that_are_no_text_are_a_fault(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save(record()).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunFault, match="LEDGER-CORRUPT"):
        ledger.records("rnn.demo")


def test_damaged_failure_names_the_claim_not_its_folder(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save_failure(failure()).write_text("{")
    with pytest.raises(RunFault) as raised:
        ledger.failures("rnn.demo")
    assert raised.value.next_step.endswith("shinso claims run rnn.demo")
    [moved] = ledger.set_aside_damaged("rnn.demo")
    assert moved.parent == tmp_path / "rnn.demo" / "damaged"
    assert ledger.failures("rnn.demo") == []


def test_failure_is_kept_until_the_seed_succeeds(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.save_failure(failure())
    ledger.save_failure(failure(seed=4))
    assert [f.seed for f in ledger.failures("rnn.demo")] == [3, 4]
    assert ledger.records("rnn.demo") == []
    ledger.save(record())
    assert [f.seed for f in ledger.failures("rnn.demo", "quick")] == [4]
    assert ledger.failures("rnn.demo", "full") == []


def test_write_that_is_cut_short_leaves_the_old_record(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.save(record())

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunFault, match="DISK-FULL"):
        ledger.save(record(seconds=9.0))
    monkeypatch.undo()
    [kept] = ledger.records("rnn.demo")
    assert kept.seconds == 1.5
    # What a killed process leaves behind is no record either.
    (tmp_path / "rnn.demo" / ".quick-5.json.123.partial").write_text("{")
    assert len(ledger.records("rnn.demo")) == 1
