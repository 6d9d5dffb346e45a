import numpy as np
import pytest
from scipy import stats

from ltau.metrics import UndefinedMetricError
from ltau.plotting import PredictedErrorDisplay


def test_line_is_the_mean_error_in_bins_of_equal_count(errors, predicted):
    line = PredictedErrorDisplay.from_predictions(errors, predicted, n_bins=5).line_
    bins = np.argsort(predicted).reshape(5, 6)
    np.testing.assert_allclose(line.get_xdata(), predicted[bins].mean(axis=1))
    np.testing.assert_allclose(line.get_ydata(), errors[bins].mean(axis=1))


def test_means_do_not_depend_on_the_order_of_tied_samples(rng):
    errors, predicted = np.arange(1.0, 13), np.repeat([1.0, 2.0, 3.0], 4)
    order = rng.permutation(12)
    sorted_, shuffled = (
        PredictedErrorDisplay.from_predictions(errors[rows], predicted[rows], n_bins=6)
        for rows in (np.arange(12), order)
    )
    np.testing.assert_allclose(sorted_.bin_errors, [2.5, 2.5, 6.5, 6.5, 10.5, 10.5])
    np.testing.assert_allclose(shuffled.bin_errors, sorted_.bin_errors)


def test_hexagons_hold_every_sample(rng):
    errors, predicted = rng.exponential(size=(2, 5000))
    errors[:100] = 0.0
    predicted[50:80] = 0.0
    display = PredictedErrorDisplay.from_predictions(errors, predicted)
    assert display.hexbin_.get_array().sum() == 5000


def test_zeros_are_drawn_low_but_counted_as_zero():
    errors, predicted = np.array([0.0, 0.0, 1.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    display = PredictedErrorDisplay.from_predictions(errors, predicted, n_bins=2)
    np.testing.assert_array_equal(display.bin_errors, [0.0, 2.0])
    np.testing.assert_array_equal(display.errors, errors)


def test_axes_are_logarithmic_with_the_diagonal(errors, predicted):
    axes = PredictedErrorDisplay.from_predictions(errors, predicted).ax_
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    diagonal = axes.lines[0]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert diagonal.get_xdata()[-1] == predicted.max()


@pytest.mark.parametrize(("name", "prefix"), [(None, ""), ("LTAU", "LTAU: ")])
def test_legend_holds_the_rank_correlation(errors, predicted, name, prefix):
    display = PredictedErrorDisplay.from_predictions(errors, predicted, name=name)
    correlation = stats.spearmanr(errors, predicted).statistic
    title = display.ax_.get_legend().get_title().get_text()
    assert title == f"{prefix}Spearman {correlation:.2f}"


def test_both_axes_have_the_unit(errors, predicted):
    axes = PredictedErrorDisplay.from_predictions(errors, predicted, unit="eV/Å").ax_
    assert axes.get_xlabel() == "Predicted error (eV/Å)"
    assert axes.get_ylabel() == "Observed error (eV/Å)"


def test_keywords_style_the_hexagons(errors, predicted):
    default = PredictedErrorDisplay.from_predictions(errors, predicted)
    coarse = PredictedErrorDisplay.from_predictions(errors, predicted, gridsize=2, cmap="Greens")
    assert len(coarse.hexbin_.get_array()) < len(default.hexbin_.get_array())
    assert coarse.hexbin_.get_cmap().name == "Greens"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.03, 0.3, ["0.05", "0.1", "0.2"]),
        (0.06, 0.09, ["0.06", "0.07", "0.08", "0.09"]),
        (0.009, 11, ["0.01", "0.1", "1", "10"]),
    ],
)
def test_log_axes_have_plain_labels_that_fit(errors, predicted, low, high, labels):
    axes = PredictedErrorDisplay.from_predictions(errors, predicted).ax_
    axes.set_xlim(low, high)
    axes.figure.canvas.draw()
    ticks = [*axes.xaxis.get_major_ticks(), *axes.xaxis.get_minor_ticks()]
    shown = [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    assert sorted(text.get_text() for text in shown if text.get_text()) == labels


@pytest.mark.parametrize("n_bins", [0, 31])
def test_bins_must_not_be_empty(errors, predicted, n_bins):
    with pytest.raises(ValueError, match="n_bins from 1 to 30"):
        PredictedErrorDisplay.from_predictions(errors, predicted, n_bins=n_bins)


def test_negative_prediction_is_refused(errors, predicted):
    with pytest.raises(ValueError, match="predicted to be non-negative"):
        PredictedErrorDisplay.from_predictions(errors, -predicted)


def test_constant_prediction_has_no_rank_correlation(errors):
    with pytest.raises(UndefinedMetricError, match="differ"):
        PredictedErrorDisplay.from_predictions(errors, np.ones(30))
