"""What all displays promise."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone

from ltau import plotting
from ltau.plotting import (
    OKABE_ITO,
    ErrorCalibrationDisplay,
    ErrorDensityDisplay,
    OODScoreDisplay,
    PredictedErrorDisplay,
    PredictionIntervalDisplay,
    RiskCoverageDisplay,
)

DISPLAYS = [getattr(plotting, name) for name in plotting.__all__ if name.endswith("Display")]
OF_ERRORS = [d for d in DISPLAYS if d not in (OODScoreDisplay, PredictionIntervalDisplay)]
WITH_CURVE = [ErrorCalibrationDisplay, RiskCoverageDisplay]
WITH_UNIT = [d for d in DISPLAYS if d not in (ErrorCalibrationDisplay, OODScoreDisplay)]


@pytest.fixture
def from_predictions(distribution, errors, predicted):
    """Draw any display of the same samples; `errors` may be replaced."""

    def draw(display, errors=errors, **kwargs):
        if display is OODScoreDisplay:
            return display.from_predictions(predicted, **kwargs)
        if display is PredictionIntervalDisplay:
            interval = np.stack([predicted - 1, predicted + 1], axis=1)
            return display.from_predictions(errors, predicted, interval, **kwargs)
        if display is ErrorDensityDisplay:  # for which errors are optional
            return display.from_predictions(distribution, errors, **kwargs)
        of_errors = distribution if display is ErrorCalibrationDisplay else predicted
        return display.from_predictions(errors, of_errors, **kwargs)

    return draw


def drawn(display):
    """All data of the lines, patches and hexagons that a display drew."""
    data = [line.get_xydata() for line in display.ax_.lines]
    data += [patch.get_path().vertices for patch in display.ax_.patches]
    data += [hexagons.get_array() for hexagons in display.ax_.collections]
    return data


@pytest.mark.parametrize("display", OF_ERRORS)
def test_estimator_draws_what_its_predictions_draw(display, fitted):
    estimator, latents, errors, strata = fitted
    if display is ErrorDensityDisplay:
        predictions = estimator.predict_distribution(latents, strata), errors
    elif display is ErrorCalibrationDisplay:
        predictions = errors, estimator.predict_distribution(latents, strata)
    else:
        predictions = errors, estimator.predict(latents, strata)
    first = display.from_estimator(estimator, latents, errors, strata=strata)
    second = display.from_predictions(*predictions)
    assert len(drawn(first)) == len(drawn(second)) > 1
    for one, other in zip(drawn(first), drawn(second), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.ax_.get_ylabel() == second.ax_.get_ylabel()


@pytest.mark.parametrize("display", OF_ERRORS)
def test_predictions_are_passed_on_where_there_are_targets(display, fitted):
    estimator, latents, errors, strata = fitted
    latents = latents + 5.0  # beyond the domain, where they count
    targets = latents[:, 0]
    aware = clone(estimator).fit(latents - 5.0, errors[:, None], strata, targets=targets)
    shown = [
        display.from_estimator(aware, latents, errors, strata=strata, y_pred=y_pred)
        for y_pred in (targets, np.linspace(-9, 99, len(targets)))
    ]
    pairs = zip(*map(drawn, shown), strict=True)
    assert any(not np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("display", [*WITH_CURVE, PredictedErrorDisplay])
def test_estimator_is_named_after_its_class(display, fitted):
    estimator, latents, errors, strata = fitted
    assert display.from_estimator(estimator, latents, errors, strata=strata).name == "LTAUEstimator"
    named = display.from_estimator(estimator, latents, errors, strata=strata, name="mine")
    assert named.name == "mine"


@pytest.mark.parametrize("display", DISPLAYS)
def test_draws_in_the_axes_it_is_given(display, from_predictions, ax):
    shown = from_predictions(display, ax=ax)
    assert shown.ax_ is ax
    assert shown.figure_ is ax.figure
    assert plt.get_fignums() == [ax.figure.number]


@pytest.mark.parametrize("display", DISPLAYS)
def test_draws_in_a_new_figure_each_time(display, from_predictions):
    shown = from_predictions(display)
    again = shown.plot()
    assert again is shown
    assert len(plt.get_fignums()) == 2
    assert again.figure_.number == plt.get_fignums()[-1]


@pytest.mark.parametrize("display", DISPLAYS)
def test_renders_without_warnings(display, from_predictions, tmp_path):
    from_predictions(display).figure_.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0


@pytest.mark.parametrize("display", WITH_UNIT)
@pytest.mark.parametrize("unit", ["eV/Å", "$"])
def test_labels_hold_the_unit(display, from_predictions, unit):
    axes = from_predictions(display, unit=unit).ax_
    assert f"({unit})" in axes.get_xlabel() + axes.get_ylabel()


@pytest.mark.parametrize("display", DISPLAYS)
def test_labels_without_unit_have_no_empty_one(display, from_predictions):
    axes = from_predictions(display).ax_
    assert axes.get_xlabel()
    assert "None" not in axes.get_xlabel() + axes.get_ylabel()
    assert "(" not in axes.get_xlabel()


@pytest.mark.parametrize("display", WITH_CURVE)
def test_displays_in_one_axes_differ_in_colour(display, from_predictions):
    first = from_predictions(display, name="first")
    second = from_predictions(display, name="second", ax=first.ax_)
    assert (first.line_.get_color(), second.line_.get_color()) == OKABE_ITO[:2]


@pytest.mark.parametrize("display", WITH_CURVE)
def test_displays_in_one_axes_share_references_and_legend(display, from_predictions):
    first = from_predictions(display, name="first")
    n_lines = len(first.ax_.lines)
    from_predictions(display, name="second", ax=first.ax_)
    assert len(first.ax_.lines) == n_lines + 1
    texts = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert len(texts) == len(set(texts)) == n_lines + 1
    assert [text.split(":")[0] for text in texts if ":" in text] == ["first", "second"]


@pytest.mark.parametrize("display", WITH_CURVE)
def test_keywords_style_the_curve(display, from_predictions):
    line = from_predictions(display, color="black", linewidth=3, label="mine").line_
    assert (line.get_color(), line.get_linewidth(), line.get_label()) == ("black", 3, "mine")


@pytest.mark.parametrize("display", OF_ERRORS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda errors: np.where(np.arange(30) == 3, np.nan, errors), "NaN"),
        (lambda errors: -errors, "negative"),
        (lambda errors: errors[1:], "one length"),
    ],
)
def test_bad_errors_are_refused(display, from_predictions, errors, change, message):
    with pytest.raises(ValueError, match=message):
        from_predictions(display, errors=change(errors))
    assert not plt.get_fignums()  # and no empty figure is left behind


@pytest.mark.parametrize("display", DISPLAYS)
def test_missing_matplotlib_is_named(display, from_predictions, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install ltau\[plot\]"):
        from_predictions(display)


def test_predictions_of_other_methods_can_be_drawn(errors):
    """A display of calibration asks for a cdf, not for an ErrorDistribution."""

    class Exponential:
        def __len__(self):
            return 30

        def cdf(self, errors):
            return 1 - np.exp(-errors)

    display = ErrorCalibrationDisplay.from_predictions(errors, Exponential())
    levels = np.linspace(0, 1, 101)
    np.testing.assert_allclose(
        display.observed, [(1 - np.exp(-errors) <= level).mean() for level in levels]
    )
