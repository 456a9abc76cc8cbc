"""µ-law classes of 16-bit samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shinso.data import mulaw

EVERY = np.arange(-32768, 32768).astype(np.int16)


def test_every_class_is_used_and_keeps_its_middle():
    classes = mulaw.encode(EVERY)
    assert set(classes.tolist()) == set(range(256))
    assert (np.diff(classes.astype(int)) >= 0).all()
    assert mulaw.encode(np.zeros(1, np.int16))[0] == 128
    np.testing.assert_array_equal(mulaw.encode(mulaw.decode(np.arange(256))), np.arange(256))


def test_levels_and_edges_agree():
    assert mulaw.levels_of_classes().sum() == 65536
    assert mulaw.levels_of_classes().min() >= 4
    edges = mulaw.edges()
    np.testing.assert_array_equal(
        np.searchsorted(edges, EVERY / 32768), mulaw.encode(EVERY).astype(int)
    )


@given(st.integers(-32768, 32767))
def test_error_holds_for_any_level_within_its_class(level):
    sample = np.array([level], dtype=np.int16)
    number = mulaw.encode(sample)
    error = abs(int(mulaw.decode(number.astype(int))[0]) - level)
    assert error <= mulaw.levels_of_classes()[number[0]]
