"""Neighbours within strata against a search of each stratum alone."""

from mmap import mmap

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ltau.neighbors import LatentIndex, scale_strata


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)


@pytest.fixture
def strata():
    return np.random.default_rng(1).choice(["C", "H", "O"], size=400)


def fit(latents, strata=None, **changes):
    options = {
        "kind": "flat",
        "n_neighbors": 5,
        "recall": 0.99,
        "random_state": 0,
    } | changes
    scaling = options.pop("scaling", "none")
    limits = {"kind": options["kind"], "memory_limit": options.get("memory_limit")}
    scaled = scale_strata(latents, strata, scaling, **limits)
    return LatentIndex.build(scaled, **options)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"])
def test_neighbours_stay_within_a_stratum(latents, strata, kind):
    index = fit(latents, strata, kind=kind, recall=1.0)
    queries, classes = latents[::7] + 0.1, strata[::7]
    distances, indices = index.search(queries, 5, classes)[:2]
    for label in "CHO":
        rows = np.flatnonzero(strata == label)
        oracle = NearestNeighbors(n_neighbors=5).fit(latents[rows])
        expected_distances, expected = oracle.kneighbors(queries[classes == label])
        np.testing.assert_array_equal(indices[classes == label], rows[expected])
        np.testing.assert_allclose(distances[classes == label], expected_distances, rtol=1e-5)
    assert index.kinds == (kind,) * 3


def test_each_stratum_has_a_scaling_of_its_own(latents, strata):
    latents[strata == "H"] *= 100
    index = fit(latents, strata, scaling="standardize")
    distances, _ = index.search(latents, 5, strata)[:2]
    nearest = {label: np.median(distances[strata == label, 1]) for label in "CH"}
    assert nearest["H"] == pytest.approx(nearest["C"], rel=0.3)


@pytest.mark.parametrize("labels", [[1, 6, 8], ["H", "C", "O"], [False, True]])
def test_labels_may_be_integers_strings_or_bools(latents, labels):
    strata = np.resize(np.array(labels), 400)
    _, indices = fit(latents, strata).search(latents[:10], 5, strata[:10])[:2]
    np.testing.assert_array_equal(strata[indices], np.repeat(strata[:10, None], 5, axis=1))


@pytest.mark.parametrize("asked", [None, np.array([0, 1, 2, 50, 399])])
def test_own_neighbors_leave_the_sample_itself_out(latents, strata, monkeypatch, asked):
    monkeypatch.setattr("ltau.neighbors._own._BATCH_VALUES", 100)  # several batches
    index, seen = fit(latents, strata), []
    oracles = {
        label: NearestNeighbors(n_neighbors=5).fit(latents[strata == label]) for label in "CHO"
    }
    for rows, distances, indices in index.own_neighbors(5, asked):
        (label,) = set(strata[rows])
        members = np.flatnonzero(strata == label)
        local = np.searchsorted(members, rows)
        expected, nearest = (part[local] for part in oracles[label].kneighbors())
        np.testing.assert_allclose(distances, expected, rtol=1e-5)
        np.testing.assert_array_equal(indices, members[nearest])
        seen.extend(rows)
    np.testing.assert_array_equal(np.sort(seen), np.arange(400) if asked is None else asked)


def test_a_stratum_unknown_at_fit_is_named(latents, strata):
    with pytest.raises(ValueError, match=r"Stratum Fe was not seen at fit, which saw C, H, O"):
        fit(latents, strata).search(latents[:2], 5, np.array(["C", "Fe"]))


def test_a_stratum_that_is_too_small_is_named(latents, strata):
    strata[:] = "C"
    strata[:3] = "H"
    with pytest.raises(ValueError, match=r"5 training samples in stratum H, got n_samples = 3"):
        fit(latents, strata)
    strata[:5] = "H"
    index = fit(latents, strata)
    with pytest.raises(ValueError, match=r"6 training samples or prototypes in stratum H"):
        index.search(latents[:1], 6, strata[:1])


def test_a_small_stratum_has_fewer_own_neighbors_and_a_single_sample_none(latents, strata):
    strata[:] = "C"
    strata[:3] = "H"
    index = fit(latents, strata, n_neighbors=1)
    shapes = {strata[rows[0]]: found.shape[1] for rows, _, found in index.own_neighbors(5)}
    assert shapes == {"C": 5, "H": 2}
    strata[1:3] = "C"
    index = fit(latents, strata, n_neighbors=1)
    with pytest.raises(ValueError, match=r"1 other training samples in stratum H"):
        next(index.own_neighbors(5))


def test_strata_are_needed_where_fit_had_them_and_only_there(latents, strata):
    with pytest.raises(ValueError, match="fitted with strata"):
        fit(latents, strata).search(latents, 5)
    with pytest.raises(ValueError, match="fitted without strata"):
        fit(latents).search(latents, 5, strata)
    with pytest.raises(ValueError, match=r"shape \(400,\), got \(399,\)"):
        fit(latents, strata).search(latents, 5, strata[1:])


def test_a_report_names_its_stratum(latents):
    latents = np.tile(latents, (6, 1)) + np.arange(2400, dtype=np.float32)[:, None]
    strata = np.repeat([1, 8], [2100, 300])
    index = fit(latents, strata, kind="auto")
    assert {record["stratum"] for record in index.report} == {1}  # the other is flat unmeasured
    assert all(type(record["stratum"]) is int for record in index.report)


@pytest.mark.parametrize("strata", [None, np.repeat(["C", "O"], 2000)])
def test_a_memory_limit_moves_the_vectors_to_a_file(strata):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(4000, 64)).astype(np.float32) * 0.9 ** np.arange(64)
    limit = 4000 * 140
    index = fit(latents.astype(np.float32), strata, kind="auto", memory_limit=limit)
    assert set(index.kinds) == {"ivf_sq8"}
    assert sum(stratum.index.nbytes for stratum in index.strata) <= limit
    assert all(is_mapped(stratum.index.vectors) for stratum in index.strata)
    assert index.recall >= 0.99


def is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap)


def test_lengths_are_in_the_unit_of_the_latents(latents, strata):
    sizes = np.select([strata == "C", strata == "H"], [1e-30, 1.0], 1e25)
    sized = latents * sizes[:, None].astype(np.float32)
    index = fit(sized, strata)
    distances, rows = index.search(sized, 5, strata)[:2]
    lengths = index.lengths(distances, rows)
    exact = sized.astype(np.float64)
    expected = np.linalg.norm(exact[rows] - exact[:, None], axis=2)
    np.testing.assert_allclose(lengths[:, 1:], expected[:, 1:], rtol=1e-5)
    again = LatentIndex.from_arrays(index.to_arrays())
    np.testing.assert_array_equal(again.lengths(*again.search(sized, 5, strata)[:2]), lengths)


def test_lengths_of_ordinary_latents_are_their_distances(latents):
    index = fit(latents)
    distances, rows = index.search(latents, 5)[:2]
    assert index.lengths(distances, rows) is distances


def test_float64_queries_are_rounded_after_they_are_centred(latents):
    shifted = latents.astype(np.float64) + 1e9
    index = fit(shifted, scaling="whiten")
    found, expected = index.search(shifted, 5), fit(latents, scaling="whiten").search(latents, 5)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
    assert (found[1] == expected[1]).mean() > 0.999


def test_as_many_strata_as_latents(latents, strata):
    with pytest.raises(ValueError, match=r"strata of shape \(400,\), got \(399,\)"):
        fit(latents, strata[1:])


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.int16])
def test_integers_of_numpy_are_integers(latents, strata, integer):
    index = fit(latents, strata, n_neighbors=integer(100), memory_limit=np.int32(2**31 - 1))
    expected = index.search(latents, 100, strata)
    for one, other in zip(index.search(latents, integer(100), strata), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    own = [list(index.own_neighbors(k)) for k in (integer(100), 100)]
    for one, other in zip(*own, strict=True):
        np.testing.assert_array_equal(one[1], other[1])
