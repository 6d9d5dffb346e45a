"""Weights of neighbours, of numpy's arrays and torch's, against places filled one by one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltau._maths.weights import inverse_distance_weights, neighbor_places


def fill(distances, sizes, k):
    """Give whole places to the nearest, and shares of what is left to those equally near."""
    places, left = [Fraction(0)] * len(distances), Fraction(k)
    for distance in sorted(set(distances)):
        tied = [i for i, d in enumerate(distances) if d == distance]
        total = sum(sizes[i] for i in tied)
        taken = min(left, total)
        for i in tied:
            places[i] = taken * sizes[i] / total
        left -= taken
    return [float(place) for place in places]


@st.composite
def found(draw):
    n = draw(st.integers(1, 8))
    distances = sorted(
        draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0]), min_size=n, max_size=n))
    )
    sizes = draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    return distances, sizes, draw(st.integers(1, sum(sizes)))


@given(found())
def test_places_are_filled_from_the_nearest_on(case):
    distances, sizes, k = case
    # What was not found has no place.
    padded = np.array([[*distances, np.inf]]), np.array([[*sizes, 3.0]])
    places = neighbor_places(np, *padded, k)[0]
    np.testing.assert_allclose(places, [*fill(distances, sizes, k), 0.0], atol=1e-12)


@given(found(), st.randoms())
def test_the_order_of_equally_near_ones_makes_no_difference(case, random):
    distances, sizes, k = case
    order = list(range(len(sizes)))
    random.shuffle(order)
    order.sort(key=lambda i: distances[i])
    one = neighbor_places(np, np.array([distances]), np.array([sizes], float), k)[0]
    shuffled = (
        np.array([[distances[i] for i in order]]),
        np.array([[sizes[i] for i in order]], float),
    )
    other = neighbor_places(np, *shuffled, k)[0]
    np.testing.assert_allclose(other, one[order], atol=1e-12)


def test_tensors_are_weighed_alike():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    distances = np.sort(rng.integers(1, 5, size=(50, 8)).astype(float), axis=1)
    distances[::3, 6:] = np.inf
    sizes = np.isfinite(distances) * rng.integers(1, 4, size=(50, 8)).astype(float)
    places = neighbor_places(np, distances, sizes, 6)
    weights = inverse_distance_weights(np, distances, places, 1.0)
    tensors = torch.tensor(distances), torch.tensor(sizes)
    of_torch = neighbor_places(torch, *tensors, 6)
    assert of_torch.dtype == torch.float64
    np.testing.assert_allclose(of_torch, places, rtol=1e-12)
    of_torch = inverse_distance_weights(torch, tensors[0], of_torch, 1.0)
    np.testing.assert_allclose(of_torch, weights, rtol=1e-12)


def test_neighbours_in_the_same_place_have_all_the_weight():
    distances = np.array([[0.0, 1e-9, 1.0], [0.5, 1.0, 2.0]])
    places = np.array([[1.0, 2, 1], [1, 1, 1]])
    with np.errstate(divide="ignore"):
        weights = inverse_distance_weights(np, distances, places, 1e-6)
    np.testing.assert_allclose(weights[0], [1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(weights[1], np.array([4, 2, 1]) / 7)
