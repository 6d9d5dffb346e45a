from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau.metrics import risk_coverage_area, risk_coverage_curve

pairs = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), min_size=1, max_size=20)


def test_curve_is_the_mean_error_of_the_samples_kept(rng):
    errors, predicted = rng.random((2, 30))
    coverage, risk = risk_coverage_curve(errors, predicted)
    np.testing.assert_allclose(coverage, np.arange(1, 31) / 30)
    for n_kept in range(1, 31):
        largest = np.sort(predicted)[n_kept - 1]
        assert risk[n_kept - 1] == pytest.approx(errors[predicted <= largest].mean())


def test_ties_are_averaged_over_their_orders():
    errors = np.array([0.1, 0.9, 0.4, 0.3, 0.7])
    predicted = np.array([2.0, 1.0, 2.0, 2.0, 1.0])
    risks = [
        np.cumsum(errors[list(order)]) / np.arange(1, 6)
        for order in permutations(range(5))
        if (np.diff(predicted[list(order)]) >= 0).all()
    ]
    assert len(risks) == 12  # 3! orders of one tie, 2! of the other
    _, risk = risk_coverage_curve(errors, predicted)
    np.testing.assert_allclose(risk, np.mean(risks, axis=0))


@given(pairs)
@settings(deadline=None)
def test_area_invariants(rows):
    errors, predicted = np.array(rows, dtype=float).T
    area = risk_coverage_area(errors, predicted)
    assert risk_coverage_area(errors[::-1], predicted[::-1]) == pytest.approx(area)
    assert risk_coverage_area(errors, np.exp(predicted)) == pytest.approx(area)
    assert risk_coverage_area(errors, errors) <= area + 1e-9
    assert area <= risk_coverage_area(errors, -errors) + 1e-9


def test_area_by_hand():
    assert risk_coverage_area([3.0, 1.0], [0.2, 0.1]) == 1.5  # risks 1 and 2
    assert risk_coverage_area([3.0, 1.0], [0.1, 0.2]) == 2.5  # risks 3 and 2


def test_area_of_a_constant_score_is_the_mean_error():
    assert risk_coverage_area([1.0, 2.0, 6.0], np.zeros(3)) == pytest.approx(3.0)
