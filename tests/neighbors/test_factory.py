"""What `make_index` takes and refuses, and that the same call makes the same index."""

import numpy as np
import pytest

from ltau.neighbors import INDEX_CLASSES, make_index

KINDS = sorted(INDEX_CLASSES)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(30, 6))
    return (centres[rng.integers(30, size=2500)] + rng.normal(size=(2500, 6))).astype(np.float32)


def same(one, other):
    one, other = one.to_arrays(), other.to_arrays()
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_two_calls_make_the_same_index(vectors, kind):
    one, other = make_index(kind, vectors), make_index(kind, vectors)
    assert same(one, other)
    for found, again in zip(one.search(vectors, 10), other.search(vectors, 10), strict=True):
        np.testing.assert_array_equal(found, again)


def test_without_a_seed_each_call_draws_anew(vectors):
    assert same(make_index("ivf", vectors), make_index("ivf", vectors, random_state=0))
    one, other = (make_index("ivf", vectors, random_state=None) for _ in range(2))
    assert not same(one, other)


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_numpy_are_integers(vectors, kind, integer):
    index = make_index(kind, vectors, n_neighbors=integer(10), random_state=integer(3))
    assert same(index, make_index(kind, vectors, n_neighbors=10, random_state=3))
    for n_queries in (5, 100):
        found = index.search(vectors[:n_queries], integer(200))
        for one, other in zip(found, index.search(vectors[:n_queries], 200), strict=True):
            np.testing.assert_array_equal(one, other)
    rows = np.arange(5)
    found, _ = index.search_others(rows, integer(255))
    np.testing.assert_array_equal(found, index.search_others(rows, 255)[0])


WRONG = {
    "a list": ({"vectors": [[0.0]]}, "Expected an array of vectors, got list"),
    "float64": ({"vectors": np.eye(3)}, r"float32, got shape \(3, 3\).* in float64"),
    "one dimension": ({"vectors": np.ones(3, np.float32)}, r"got shape \(3,\)"),
    "no vectors": ({"vectors": np.ones((0, 3), np.float32)}, r"got shape \(0, 3\)"),
    "no features": ({"vectors": np.ones((3, 0), np.float32)}, r"got shape \(3, 0\)"),
    "columns first": ({"vectors": np.eye(3, dtype=np.float32)[:, ::2]}, "C-contiguous"),
    "NaN": ({"vectors": np.full((3, 3), np.nan, np.float32)}, "got NaN or infinity"),
    "no neighbours": ({"n_neighbors": 0}, "n_neighbors to be an integer from 1, got 0"),
    "a share of a neighbour": ({"n_neighbors": 2.5}, "from 1, got 2.5"),
    "a word": ({"n_neighbors": "many"}, "from 1, got 'many'"),
    "no recall": ({"recall": 0.0}, "recall above 0 and up to 1, got 0.0"),
    "more than all": ({"recall": 1.5}, "up to 1, got 1.5"),
    "recall of NaN": ({"recall": np.nan}, "up to 1, got nan"),
    "a negative seed": ({"random_state": -1}, "random_state to be an integer from 0, got -1"),
    "a generator": ({"random_state": np.random.default_rng(0)}, "random_state to be an integer"),
    "an unknown kind": ({"kind": "annoy"}, "got 'annoy'"),
    "no kind": ({"kind": None}, "got None"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("kind", ["flat", "ivf", "auto"])
def test_nonsense_is_refused(name, kind):
    changes, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make_index(**{"kind": kind, "vectors": np.eye(3, dtype=np.float32)} | changes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [0, -1, 2501])
def test_as_many_neighbours_as_there_are_not_are_refused(vectors, kind, k):
    index = make_index(kind, vectors)
    with pytest.raises(ValueError, match=rf"from 1 to 2500 neighbours, as many .* got {k}\."):
        index.search(vectors[:5], k)


@pytest.mark.parametrize("queries", [np.ones((5, 7), np.float32), np.ones((5, 6)), np.ones(6)])
def test_queries_that_do_not_fit_are_refused(vectors, queries):
    with pytest.raises(ValueError, match=r"queries of shape \(n_queries, 6\) in float32, got"):
        make_index("flat", vectors).search(queries, 3)


def test_a_number_of_neighbours_that_is_none_is_refused(vectors):
    with pytest.raises(TypeError):
        make_index("flat", vectors).search(vectors, 2.5)
