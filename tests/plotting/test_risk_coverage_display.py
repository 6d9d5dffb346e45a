import numpy as np
import pytest

from ltau.metrics import risk_coverage_area
from ltau.plotting import RiskCoverageDisplay


def kept_means(errors, order):
    return [errors[order[:n]].mean() for n in range(1, len(errors) + 1)]


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines}


def test_curve_is_the_mean_error_of_the_samples_kept(errors, predicted):
    line = RiskCoverageDisplay.from_predictions(errors, predicted).line_
    np.testing.assert_allclose(line.get_xdata(), np.arange(1, 31) / 30)
    np.testing.assert_allclose(line.get_ydata(), kept_means(errors, np.argsort(predicted)))


def test_oracle_keeps_the_least_errors(errors, predicted):
    oracle = lines_of(RiskCoverageDisplay.from_predictions(errors, predicted).ax_)["Oracle"]
    np.testing.assert_allclose(oracle.get_ydata(), kept_means(errors, np.argsort(errors)))


def test_random_line_is_the_mean_error(errors, predicted):
    chance = lines_of(RiskCoverageDisplay.from_predictions(errors, predicted).ax_)["Random"]
    np.testing.assert_allclose(chance.get_xdata(), [1 / 30, 1])
    np.testing.assert_allclose(chance.get_ydata(), errors.mean())


@pytest.mark.parametrize(("name", "prefix"), [(None, ""), ("LTAU", "LTAU: ")])
def test_legend_holds_the_area_and_its_unit(errors, predicted, name, prefix):
    display = RiskCoverageDisplay.from_predictions(errors, predicted, name=name, unit="eV")
    assert display.line_.get_label() == f"{prefix}{risk_coverage_area(errors, predicted):.3g}"
    assert display.ax_.get_legend().get_title().get_text() == "Area under curve (eV)"


def test_other_samples_have_references_of_their_own(errors, predicted):
    first = RiskCoverageDisplay.from_predictions(errors, predicted, name="first")
    RiskCoverageDisplay.from_predictions(2 * errors, predicted, name="second", ax=first.ax_)
    assert len(first.ax_.lines) == 6
    texts = [text.get_text().split(":")[0] for text in first.ax_.get_legend().get_texts()]
    assert sorted(texts) == ["Oracle", "Random", "first", "second"]


def test_references_of_the_same_samples_are_drawn_once_whatever_the_rounding(rng):
    errors, *scores = rng.exponential(size=(4, 3000))
    displays = [RiskCoverageDisplay.from_predictions(errors, scores[0])]
    for score in scores[1:]:
        displays.append(RiskCoverageDisplay.from_predictions(errors, score, ax=displays[0].ax_))
    assert len({display.risk[-1] for display in displays}) > 1  # sums in different orders
    assert len(displays[0].ax_.lines) == 2 + 3


def test_a_prediction_as_good_as_the_oracle_is_drawn(errors):
    display = RiskCoverageDisplay.from_predictions(errors, errors)
    np.testing.assert_allclose(
        display.line_.get_ydata(), lines_of(display.ax_)["Oracle"].get_ydata()
    )
    assert len(display.ax_.lines) == 3


def test_nan_score_is_refused(errors):
    with pytest.raises(ValueError, match="NaN"):
        RiskCoverageDisplay.from_predictions(errors, np.full(30, np.nan))
