import matplotlib.pyplot as plt
import numpy as np
import pytest

from ltau.plotting import PredictionIntervalDisplay


@pytest.fixture
def samples(rng):
    """Targets, predictions and error bars of ten samples, of which the first three miss."""
    y_true = rng.normal(size=10)
    y_pred = y_true + np.where(np.arange(10) < 3, 0.5, 0.05)
    return y_true, y_pred, np.stack([y_pred - 0.2, y_pred + 0.1], axis=1)


def test_error_bars_reach_to_their_ends(samples):
    y_true, y_pred, interval = samples
    display = PredictionIntervalDisplay.from_predictions(y_true, y_pred, interval)
    for container, rows in ((display.inside_, slice(3, None)), (display.outside_, slice(0, 3))):
        points, _, (bars,) = container
        np.testing.assert_array_equal(points.get_xydata(), np.stack([y_true, y_pred], 1)[rows])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, interval[rows])


def test_the_share_inside_is_that_of_all_samples(samples):
    display = PredictionIntervalDisplay.from_predictions(*samples, n_shown=4)
    assert display.coverage == 0.7
    assert display.ax_.get_legend().get_title().get_text() == "70.0 % inside"
    n_shown = [len(container[0].get_xdata()) for container in (display.inside_, display.outside_)]
    assert sum(n_shown) == 4
    assert np.isin(display.inside_[0].get_xdata(), samples[0]).all()


def test_an_estimator_draws_what_its_intervals_draw(fitted):
    estimator, latents, errors, strata = fitted
    y_pred = latents[:, 0]
    drawn = PredictionIntervalDisplay.from_estimator(
        estimator, latents, y_pred + errors, y_pred, level=0.8, strata=strata
    )
    interval = estimator.predict_interval(latents, y_pred, 0.8, strata)
    np.testing.assert_array_equal(drawn.interval, interval)
    assert drawn.name == "LTAUEstimator"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, p, i: (y, p, i[:, :1]), r"shape \(n_samples, 2\), got \(10, 1\)"),
        (lambda y, p, i: (y, p + 5, i), "inside of their own error bars, got 10 outside"),
        (lambda y, p, i: (y[1:], p, i), "one length"),
        (lambda y, p, i: (np.full(10, np.nan), p, i), "y_true without NaN"),
    ],
)
def test_bad_input_is_refused(samples, change, message):
    with pytest.raises(ValueError, match=message):
        PredictionIntervalDisplay.from_predictions(*change(*samples))
    with pytest.raises(ValueError, match="n_shown >= 1"):
        PredictionIntervalDisplay.from_predictions(*samples, n_shown=0)
    assert not plt.get_fignums()
