import numpy as np
import pytest

from ltau.metrics import UndefinedMetricError
from ltau.metrics import expected_normalized_calibration_error as ence


@pytest.mark.parametrize("n_bins", [1, 3, 10])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_of_errors_that_are_a_multiple_of_the_predicted(n_bins, factor, rng):
    predicted = rng.uniform(0.1, 1.0, size=25)
    value = ence(factor * predicted, predicted, n_bins=n_bins)
    assert value == pytest.approx(abs(factor - 1))


def test_by_hand():
    predicted = [5.0, 1.0, 1.0, 5.0]
    errors = [4.0, 0.0, np.sqrt(8.0), 4.0]  # root mean squares 2 and 4
    assert ence(errors, predicted, n_bins=2) == pytest.approx((1 / 1 + 1 / 5) / 2)


def test_of_samples_that_follow_their_prediction(rng):
    predicted = rng.uniform(0.1, 1.0, size=20_000)
    errors = np.abs(rng.normal(scale=predicted))
    assert ence(errors, predicted) < 0.03


def test_mistakes_do_not_cancel_between_bins():
    # Right on the whole (rms 5 against 5), wrong in each bin.
    errors, predicted = [5.0, 5.0], [1.0, 7.0]
    assert ence(errors, predicted, n_bins=1) == pytest.approx(0.0)
    assert ence(errors, predicted, n_bins=2) == pytest.approx((4 / 1 + 2 / 7) / 2)


def test_ties_across_bins_do_not_depend_on_the_order(rng):
    errors, predicted = rng.random(20), np.repeat([1.0, 2.0], 10)
    order = rng.permutation(20)
    expected = ence(errors, predicted, n_bins=3)
    assert ence(errors[order], predicted[order], n_bins=3) == pytest.approx(expected)


def test_constant_prediction_has_the_same_error_in_every_bin(rng):
    errors = rng.random(20)
    expected = abs(1 - np.sqrt(np.mean(errors**2)))
    assert ence(errors, np.ones(20), n_bins=4) == pytest.approx(expected)


def test_undefined():
    with pytest.raises(UndefinedMetricError, match="at least 10 samples for 10 bins, got 2"):
        ence([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(UndefinedMetricError, match="a bin where all are 0"):
        ence([1.0, 2.0], [0.0, 2.0], n_bins=2)
    assert ence([1.0, 1.0], [0.0, 2.0], n_bins=1) == pytest.approx(1 - 1 / np.sqrt(2))


def test_refuses():
    with pytest.raises(ValueError, match="n_bins >= 1, got 0"):
        ence([1.0], [1.0], n_bins=0)
    with pytest.raises(ValueError, match="predicted to be non-negative magnitudes, got 1"):
        ence([1.0, 1.0], [1.0, -1.0], n_bins=1)
