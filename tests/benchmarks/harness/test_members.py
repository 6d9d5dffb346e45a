"""Members of an ensemble."""

import pytest

pytest.importorskip("torch")

from benchmarks.harness.members import member


def test_members_of_an_ensemble_differ_by_their_seeds():
    first, second = member(0, 3, seed=7), member(1, 3, seed=7, dropout=0.1)
    assert (first.random_state, first.dropout) == (7, 0.0)
    assert (second.random_state, second.dropout) == (1007, 0.1)
