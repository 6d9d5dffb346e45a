"""Which of many frames and rows are drawn."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from ltau.plotting._structures.thinning import envelope, frames_to_draw

numbers = st.lists(st.integers(1, 50), min_size=1, max_size=60)


@given(numbers, st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_frames_are_drawn_once_in_order_the_most_uncertain_among_them(sizes, most, seed):
    largest = np.random.default_rng(seed).uniform(size=len(sizes))
    drawn, n_uncertain = frames_to_draw(largest, np.array(sizes), most)
    assert (np.diff(drawn) > 0).all()
    assert largest.argmax() in drawn
    assert set(np.argsort(-largest)[:n_uncertain]) <= set(drawn)
    if sum(sizes) <= most:
        assert len(drawn) == len(sizes)


def test_unknown_frames_are_no_uncertain_ones():
    drawn, n_uncertain = frames_to_draw(np.array([np.nan, 0.1, 0.2]), np.array([4, 4, 4]), 8)
    assert (drawn.tolist(), n_uncertain) == ([0, 2], 1)


def test_frames_at_even_distances_go_from_the_first_to_the_last():
    largest = np.zeros(1000)
    largest[400:420] = 1.0
    drawn, n_uncertain = frames_to_draw(largest, np.ones(1000, int), 40)
    assert n_uncertain == 20
    assert set(range(400, 420)) <= set(drawn)
    even = np.setdiff1d(drawn, np.arange(400, 420))
    assert (even[0], even[-1], len(even)) == (0, 999, 20)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200), st.integers(1, 20))
def test_an_envelope_has_the_extremes(values, n_stretches):
    values = np.array(values)
    rows = envelope(values, n_stretches)
    assert len(rows) <= max(2 * n_stretches, 1)
    assert values[rows].max() == values.max()
    assert values[rows].min() == values.min()
