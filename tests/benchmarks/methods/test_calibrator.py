"""The calibration of predicted distributions, against that of LTAU and order statistics."""

import numpy as np
import pytest

from benchmarks.methods.calibrator import Calibrator
from benchmarks.methods.predictions import LEVELS
from ltau import ErrorDistribution, LTAUEstimator


def test_it_is_that_of_ltau():
    rng = np.random.default_rng(0)
    latents, held_out, new = (rng.normal(size=(n, 2)) for n in (300, 120, 50))
    estimator = LTAUEstimator(5, distance_scaling=0).fit(latents, rng.exponential(size=(300, 20)))
    errors = 1.7 * rng.exponential(size=120)
    found, bounds = Calibrator.fit(estimator.predict_distribution(held_out), errors)(
        estimator.predict_distribution(new)
    )
    estimator.calibrate(held_out, errors)
    np.testing.assert_allclose(found.mean(), estimator.predict(new), rtol=2e-3)
    np.testing.assert_allclose(bounds, estimator.predict_quantile(new, LEVELS), rtol=1e-2)


def test_bounds_are_order_statistics_of_held_out_errors():
    errors = np.random.default_rng(0).uniform(0, 1, 99)
    same_for_all = ErrorDistribution(np.ones((99, 1)), [0.0, 1.0])
    calibrator = Calibrator.fit(same_for_all, errors)
    _, bounds = calibrator(same_for_all[:3])
    ascending = np.sort(errors)
    np.testing.assert_allclose(bounds, [[ascending[49], ascending[89]]] * 3, rtol=1e-9)


def test_a_bound_may_lie_beyond_all_that_was_predicted():
    # The best scale is the same for all; a fifth of the errors are ten times those predicted.
    errors = np.tile([1.0, 1.0, 1.0, 1.0, 10.0], 20)
    narrow = ErrorDistribution(np.ones((100, 1)), [0.0, 1.0])
    distribution, bounds = Calibrator.fit(narrow, errors)(narrow)
    assert bounds[0, 1] == pytest.approx(10.0)
    assert bounds[0, 1] > distribution.quantile(1.0)[0]
