"""What fits in a limit of memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau.neighbors import INDEX_CLASSES, make_index
from ltau.neighbors._storage import needed_bytes, plan

SHAPE = (100_000, 64)


@pytest.mark.parametrize("kind", sorted(INDEX_CLASSES))
@pytest.mark.parametrize("n_features", [5, 16])
def test_an_index_takes_what_was_planned(kind, n_features):
    vectors = np.random.default_rng(0).normal(size=(5000, n_features)).astype(np.float32)
    index = make_index(kind, vectors, recall=0.5, random_state=0)
    assert 0.7 * needed_bytes(kind, vectors.shape) <= index.nbytes
    assert index.nbytes <= needed_bytes(kind, vectors.shape)


@given(st.integers(1, 10**9))
def test_what_is_planned_fits_or_is_refused(limit):
    try:
        storage = plan("auto", SHAPE, limit)
    except ValueError:
        assert limit < needed_bytes("ivf_pq", SHAPE)
    else:
        vectors = 0 if storage.in_file or "_" not in storage.kind else needed_bytes("flat", SHAPE)
        assert needed_bytes(storage.kind, SHAPE) + vectors <= limit


def test_more_memory_allows_more():
    needed = {kind: needed_bytes(kind, SHAPE) for kind in ("ivf_pq", "ivf_sq8", "flat", "auto")}
    for kind, limit in needed.items():
        assert plan("auto", SHAPE, limit).kind == kind
    assert plan("auto", SHAPE, None).kind == "auto"


def test_vectors_lie_in_a_file_only_where_they_do_not_fit():
    assert plan("ivf_pq", SHAPE, needed_bytes("ivf_pq", SHAPE)).in_file
    both = needed_bytes("ivf_pq", SHAPE) + needed_bytes("flat", SHAPE)
    assert not plan("ivf_pq", SHAPE, both).in_file
    assert not plan("ivf_pq", SHAPE, None).in_file


def test_a_file_holds_what_is_written():
    room = plan("ivf_pq", (1000, 7), needed_bytes("ivf_pq", (1000, 7))).room((1000, 7))
    room[:] = np.arange(7000).reshape(1000, 7)
    np.testing.assert_array_equal(room.ravel(), np.arange(7000))
    assert plan("flat", (1000, 7), None).room((1000, 7)) is None


@pytest.mark.parametrize("kind", ["auto", "flat", "ivf_pq"])
def test_what_does_not_fit_is_refused_with_what_would(kind):
    with pytest.raises(ValueError, match=r"memory_limit of .* 'ivf_pq'; got 1,000\.") as error:
        plan(kind, SHAPE, 1000)
    smallest = next(word for word in str(error.value).split("smallest")[0].split() if "," in word)
    assert f"{needed_bytes(kind, SHAPE):,} bytes" in str(error.value)
    assert smallest
