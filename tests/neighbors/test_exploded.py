"""Rows that hide how all others differ are named; outliers that do not are left alone."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ltau.neighbors import scale_strata

SCALINGS = ["none", "standardize", "whiten"]


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(size=(500, 4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("features", [slice(None), 2])
def test_an_exploded_row_is_named(latents, scaling, features, dtype):
    latents[17, features] = -1e30
    with pytest.raises(ValueError, match=r"row 17, whose -1e\+30 in feature \d hides"):
        scale_strata(latents.astype(dtype), None, scaling)


def test_a_row_is_named_by_its_number_among_all(latents):
    strata = np.repeat(["C", "H"], 250)
    latents[[303, 404]] = [[1e20], [3e20]]
    with pytest.raises(ValueError, match=r"rows 404, 303, whose 3e\+20"):
        scale_strata(latents, strata, "whiten")


@pytest.mark.parametrize("scaling", SCALINGS)
def test_latents_whose_squares_overflow_are_named(latents, scaling):
    latents[5, 1] = 1e160
    with pytest.raises(ValueError, match=r"below 1e\+140, got 1e\+160 in row 5"):
        scale_strata(latents, None, scaling)


@pytest.mark.parametrize("scaling", ["none", "standardize"])
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_others_than_an_outlier_keep_their_neighbours(latents, scaling, size):
    others = np.delete(latents, 17, axis=0)
    latents[17] = size
    (stratum,) = scale_strata(latents, None, scaling)
    scaled = np.delete(stratum.vectors, 17, axis=0).astype(np.float64)
    found = NearestNeighbors(n_neighbors=6).fit(scaled).kneighbors(scaled)[1]
    expected = NearestNeighbors(n_neighbors=6).fit(others).kneighbors(others)[1]
    assert (found == expected).mean() > 0.99  # but for pairs that are almost equally far


def _rare(rng):
    flags = np.zeros((5000, 3))
    flags[rng.integers(5000, size=4), 0] = 1.0
    flags[:, 1] = rng.normal(size=5000)
    return flags


BENIGN = {
    "a flag that is rarely set": _rare,
    "zero for most": lambda rng: np.where(
        rng.random((5000, 3)) < 0.9, 0, rng.normal(size=(5000, 3))
    ),
    "heavy tails": lambda rng: np.exp(2 * rng.normal(size=(5000, 3))),
    "constant but for one": lambda rng: np.r_[np.full((4999, 3), 7.0), np.full((1, 3), 1e30)],
    "rounding and one else": lambda rng: np.r_[
        1e6 * (1 + 1e-7 * rng.integers(-1, 2, size=(99, 2))), [[0.0, 0.0]]
    ],
    "unlike features": lambda rng: rng.normal(size=(5000, 3)) * [1e-12, 1.0, 1e12],
    "two rows": lambda rng: np.array([[0.0, 0.0, 0.0], [1e30, 0.0, 1.0]]),
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("name", BENIGN)
def test_what_hides_nothing_is_left_alone(name, scaling):
    latents = BENIGN[name](np.random.default_rng(0)).astype(np.float32)
    (stratum,) = scale_strata(latents, None, scaling)
    assert len(np.unique(stratum.vectors, axis=0)) == len(np.unique(latents, axis=0))
