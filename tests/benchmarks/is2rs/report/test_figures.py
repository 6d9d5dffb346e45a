"""The figures: what is drawn, and of which relaxation."""

from dataclasses import replace

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip", "matplotlib"):
    pytest.importorskip(module)

from matplotlib.figure import Figure  # noqa: E402
from matplotlib.image import imread  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402

from benchmarks.is2rs.measuring.scores import scores  # noqa: E402
from benchmarks.is2rs.report import figures  # noqa: E402

ABOUT = {"data": "made up"}


@pytest.fixture(scope="module")
def relaxed(relax):
    return relax(18)


@pytest.fixture(scope="module")
def drawn(relaxed, tmp_path_factory):
    """The files, and the figures in them by name."""
    kept = {}
    save = Figure.savefig

    def keep(self, path, **kwargs):
        kept[path.name] = self
        save(self, path, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        paths = figures.draw(relaxed, ABOUT, tmp_path_factory.mktemp("figures"))
    return paths, kept


def test_figures_are_files_with_labelled_axes(drawn):
    paths, kept = drawn
    assert [path.name for path in paths] == ["roc.png", "risk_coverage.png", "trajectory.png"]
    for path in paths:
        height, width, _ = imread(path).shape
        assert width > 700
        assert height > 400
    assert kept["roc.png"].axes[0].get_xlabel() == "Share of good relaxations suspected"
    assert kept["risk_coverage.png"].axes[0].get_ylabel() == "Share of bad ones among those kept"
    errors, *_, bar = kept["trajectory.png"].axes
    assert errors.get_ylabel() == "Mean error over atoms (eV/Å)"
    assert bar.get_xlabel() == "Expected error (eV/Å)"


def test_curves_are_those_of_the_scores(relaxed, drawn):
    figure = drawn[1]["roc.png"]
    (ax,) = figure.axes
    bad = [each.judgement.labels["L2 0.3"] for each in relaxed]
    column = [scores(each.path)["initial force"] for each in relaxed]
    area = roc_auc_score(bad, column)
    (line,) = [line for line in ax.lines if line.get_label() == f"initial force: {area:.2f}"]
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(area)
    names = [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    assert names[:3] == ["expected error", "OOD score", "distance"]
    assert len(names) == 7
    assert ax.get_title() == f"L2 0.3, made up: 18 systems, {sum(bad)} bad"


def test_errors_by_step_are_means_over_free_atoms_of_surface_and_adsorbate(relaxed, drawn):
    chosen, path = figures.most_wrong(relaxed)
    figure = drawn[1]["trajectory.png"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    watched = path.tags > 0
    np.testing.assert_allclose(
        lines["expected error"], path.expected_error[:, watched].mean(axis=1)
    )
    np.testing.assert_allclose(lines["true force error"], path.true_error[:, watched].mean(axis=1))
    assert chosen.system.sid in figure.get_suptitle()


def test_infinite_scores_are_drawn_as_the_largest(relax, tmp_path):
    relaxed = relax(12)
    path = replace(relaxed[0].path, ood_score=np.full_like(relaxed[0].path.ood_score, np.inf))
    assert len(figures.draw([replace(relaxed[0], path=path), *relaxed[1:]], ABOUT, tmp_path)) == 3


def test_without_two_classes_there_is_the_trajectory_alone(relax, tmp_path):
    assert [path.name for path in figures.draw(relax(1), ABOUT, tmp_path)] == ["trajectory.png"]


def test_the_most_wrong_of_those_that_converged_is_drawn(relax):
    relaxed = relax(12)
    errors = {
        each.system.sid: each.path.true_error[:, each.path.tags > 0].mean()
        for each in relaxed
        if each.path.converged
    }
    assert 1 < len(errors) < 12
    chosen, path = figures.most_wrong(relaxed)
    assert chosen.system.sid == max(errors, key=errors.get)
    assert path is chosen.path


def test_without_true_forces_the_path_of_the_reference_or_the_farthest_is_drawn(relax):
    relaxed = relax(8, true_forces=False)
    chosen, path = figures.most_wrong(relaxed)
    assert path is chosen.reference
    unknown = [replace(each, reference=None) for each in relaxed]
    chosen, path = figures.most_wrong(unknown)
    converged = [each for each in unknown if each.path.converged]
    assert chosen.judgement.distance == max(each.judgement.distance for each in converged)
    assert path is chosen.path
