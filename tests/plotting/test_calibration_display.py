import numpy as np
import pytest

from ltau.metrics import miscalibration_area
from ltau.plotting import ErrorCalibrationDisplay


def test_curve_is_the_share_of_errors_below_each_quantile(distribution, errors):
    line = ErrorCalibrationDisplay.from_predictions(errors, distribution).line_
    levels = line.get_xdata()
    np.testing.assert_allclose(levels, np.linspace(0, 1, 101))
    below = errors[:, None] <= distribution.quantile(levels[1:-1])
    np.testing.assert_allclose(line.get_ydata()[1:-1], below.mean(axis=0))


def test_diagonal_is_drawn_dashed(distribution, errors):
    diagonal = ErrorCalibrationDisplay.from_predictions(errors, distribution).ax_.lines[0]
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
    assert (diagonal.get_label(), diagonal.get_linestyle()) == ("Perfect", "--")


@pytest.mark.parametrize(("name", "prefix"), [(None, ""), ("LTAU", "LTAU: ")])
def test_legend_holds_the_area(distribution, errors, name, prefix):
    display = ErrorCalibrationDisplay.from_predictions(errors, distribution, name=name)
    area = f"{miscalibration_area(errors, distribution):.3f}"
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "Miscalibration area"
    assert [text.get_text() for text in legend.get_texts()] == ["Perfect", prefix + area]


def test_plot_takes_another_name(distribution, errors):
    display = ErrorCalibrationDisplay.from_predictions(errors, distribution, name="old")
    assert display.plot(name="new").line_.get_label().startswith("new: ")
