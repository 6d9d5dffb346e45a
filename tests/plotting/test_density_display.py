import numpy as np
import pytest
from matplotlib.colors import to_hex

from ltau import ErrorDistribution
from ltau.plotting import OKABE_ITO, ErrorDensityDisplay


@pytest.fixture
def few(distribution):
    return distribution[:3]


def steps_of(patch):
    values, edges, _ = patch.get_data()
    return values, edges


def test_linear_densities_are_those_of_the_distribution(few):
    display = ErrorDensityDisplay.from_predictions(few, xscale="linear")
    for row, patch in enumerate(display.patches_):
        values, edges = steps_of(patch)
        centers = (edges[:-1] + edges[1:]) / 2
        np.testing.assert_allclose(values, few[row].pdf(centers)[0])


def test_log_densities_are_probabilities_per_decade(few):
    display = ErrorDensityDisplay.from_predictions(few)
    assert display.ax_.get_xscale() == "log"
    for row, patch in enumerate(display.patches_):
        values, edges = steps_of(patch)
        np.testing.assert_allclose(values * np.diff(np.log10(edges)), few.probabilities[row])
        np.testing.assert_allclose(edges[1:], few.scale[row] * few.edges[1:])


def test_first_bin_is_as_wide_as_the_next_on_a_log_axis(few):
    _, edges = steps_of(ErrorDensityDisplay.from_predictions(few).patches_[0])
    assert edges[1] / edges[0] == pytest.approx(edges[2] / edges[1])


def test_first_bin_above_zero_keeps_its_edge():
    distribution = ErrorDistribution([[0.3, 0.7]], edges=[1.0, 2.0, 10.0])
    _, edges = steps_of(ErrorDensityDisplay.from_predictions(distribution).patches_[0])
    np.testing.assert_allclose(edges, [1, 2, 10])


@pytest.mark.parametrize("unit_size", [1.0, 1e-12])
def test_axis_follows_the_bins_unless_told(unit_size):
    even = ErrorDistribution([[0.2, 0.3, 0.5]], unit_size * np.arange(4))
    growing = ErrorDistribution([[0.2, 0.3, 0.5]], unit_size * np.array([0.0, 1, 10, 100]))
    assert ErrorDensityDisplay.from_predictions(even).ax_.get_xscale() == "linear"
    assert ErrorDensityDisplay.from_predictions(growing).ax_.get_xscale() == "log"
    assert ErrorDensityDisplay.from_predictions(even, xscale="log").ax_.get_xscale() == "log"


def test_empty_bins_at_the_ends_are_left_out():
    distribution = ErrorDistribution([[0, 0.5, 0, 0.5, 0]], edges=[0, 1, 2, 3, 4, 5])
    values, edges = steps_of(ErrorDensityDisplay.from_predictions(distribution).patches_[0])
    np.testing.assert_array_equal(edges, [1, 2, 3, 4])
    np.testing.assert_array_equal(values, [0.5, 0, 0.5])


def test_observed_errors_are_marked_in_the_colour_of_their_density(few):
    errors = [0.1, 0.7, 2.0]
    display = ErrorDensityDisplay.from_predictions(few, errors)
    for error, line, patch in zip(errors, display.lines_, display.patches_, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), error)
        assert line.get_color() == patch.get_edgecolor()
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["Sample 0", "Sample 1", "Sample 2", "Observed"]


def test_nothing_is_marked_without_errors(few):
    display = ErrorDensityDisplay.from_predictions(few)
    assert display.lines_ == []
    assert len(display.ax_.lines) == 0


def test_samples_and_displays_differ_in_colour(few):
    first = ErrorDensityDisplay.from_predictions(few)
    second = ErrorDensityDisplay.from_predictions(few.scaled(2.0), ax=first.ax_)
    colors = [to_hex(patch.get_edgecolor()) for patch in first.patches_ + second.patches_]
    assert tuple(colors) == OKABE_ITO


def test_displays_in_one_axes_explain_the_marks_once(few):
    first = ErrorDensityDisplay.from_predictions(few, [0.1, 0.7, 2.0])
    ErrorDensityDisplay.from_predictions(few.scaled(2.0), [0.1, 0.7, 2.0], ax=first.ax_)
    texts = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert texts.count("Observed") == 1


def test_names_label_the_samples(few):
    display = ErrorDensityDisplay.from_predictions(few, name=["H", "C", "O"])
    assert [patch.get_label() for patch in display.patches_] == ["H", "C", "O"]
    alone = ErrorDensityDisplay.from_predictions(few[0], name="oxygen")
    assert alone.patches_[0].get_label() == "oxygen"


def test_names_must_be_as_many_as_samples(few):
    with pytest.raises(ValueError, match="distribution: 3, name: 2"):
        ErrorDensityDisplay.from_predictions(few, name=["H", "C"])


@pytest.mark.parametrize(
    ("xscale", "unit", "label"),
    [
        ("log", "eV", "Density (per decade)"),
        ("log", None, "Density (per decade)"),
        ("linear", "eV", "Density (per eV)"),
        ("linear", None, "Density"),
    ],
)
def test_density_has_the_unit_of_its_axis(few, xscale, unit, label):
    axes = ErrorDensityDisplay.from_predictions(few, xscale=xscale, unit=unit).ax_
    assert axes.get_ylabel() == label


def test_keywords_style_every_density(few):
    display = ErrorDensityDisplay.from_predictions(few, linewidth=3)
    assert [patch.get_linewidth() for patch in display.patches_] == [3, 3, 3]
