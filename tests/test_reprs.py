"""Objects print short, in a console and in a notebook."""

import pickle

import numpy as np
import pandas as pd
import pytest

import ltau
from ltau import ErrorBins, ErrorHistogram, ErrorLog, ErrorSummary, LTAUEstimator, metrics

MOST_LINES = 10


@pytest.fixture(scope="module")
def estimator():
    """An estimator that was calibrated in three groups."""
    rng = np.random.default_rng(0)
    latents, errors = rng.normal(size=(900, 3)), rng.exponential(size=(900, 20))
    fitted = LTAUEstimator().fit(latents[:500], errors[:500])
    return fitted.calibrate(latents[500:], errors[500:, -1], groups=np.arange(400) % 3)


@pytest.fixture(scope="module")
def summary(estimator):
    latents = np.random.default_rng(1).normal(size=(300, 3))
    return estimator.predict_summary(latents, groups=np.zeros(300, int))


def test_what_core_objects_print(estimator, summary, tmp_path):
    latents = np.zeros((300, 3))
    distribution = estimator.predict_distribution(latents)
    bins = ErrorBins(np.linspace(0, 1, 201))
    with ErrorLog(tmp_path / "log", 500) as log:
        printed = {
            "Calibration": estimator.calibration_,
            "ErrorBins": bins,
            "ErrorDistribution": distribution,
            "ErrorHistogram": ErrorHistogram(bins, 500),
            "ErrorLog": log,
            "ErrorSummary": summary,
            "LTAUEstimator": estimator,
            "MetricReport": metrics.report(np.ones(300), distribution, n_resamples=10),
        }
        classes = {name for name in ltau.__all__ if name[:1].isupper()}
        assert printed.keys() >= classes - {"LTAUFileError"}
        for name, value in printed.items():
            assert len(repr(value).splitlines()) <= MOST_LINES, name
            assert max(map(len, repr(value).splitlines())) < 200, name


def test_a_calibration_says_by_what(estimator):
    assert repr(estimator.calibration_).endswith("conformal by 400 samples in 3 groups)")
    assert '<td class="fitted-att-type">Calibration</td>' in estimator._repr_html_()


def test_what_torch_objects_print():
    torch = pytest.importorskip("torch")
    from ltau.adapters.torch import (
        ErrorRecorder,
        IndexedDataset,
        TorchErrorSummary,
        TorchEstimator,
        UncertainModule,
    )

    recorder = ErrorRecorder(3)
    recorder.record(torch.tensor([0]), torch.tensor([1.0]))
    recorder.end_epoch()
    assert repr(recorder) == "ErrorRecorder(n_samples=3, n_epochs=1)"
    summary = TorchErrorSummary(*torch.ones(3, 500))
    assert repr(summary) == "TorchErrorSummary(n_samples=500, device='cpu')"
    assert repr(IndexedDataset(range(900))) == "IndexedDataset(n_samples=900)"
    fitted = LTAUEstimator().fit(np.eye(30), np.ones((30, 2)))
    assert repr(TorchEstimator(fitted)) == "TorchEstimator(device='cpu')"
    module = UncertainModule(torch.nn.Sequential(torch.nn.Identity()).eval(), "0", fitted)
    assert repr(module) == "UncertainModule(Sequential, layer='0', level=0.9)"
    assert repr(module(torch.eye(30))) == "Uncertain(n_samples=30, device='cpu')"


def test_what_is_compared_prints_short():
    from ltau.comparison import GaussianPrediction, QuantilePrediction, Rows

    X, y = np.ones((500, 2)), np.ones(500)
    assert repr(Rows(X, y)) == "Rows(n_samples=500, n_features=2)"
    assert repr(Rows(X, y, y)) == "Rows(n_samples=500, n_features=2, n_groups=1)"
    assert repr(GaussianPrediction(y, y)) == "GaussianPrediction(n_samples=500)"
    prediction = QuantilePrediction(np.ones((500, 3)), np.array([0.1, 0.5, 0.9]))
    assert repr(prediction) == "QuantilePrediction(n_samples=500, n_levels=3)"


def test_displays_and_structures_print_short(estimator):
    pytest.importorskip("matplotlib")
    ase = pytest.importorskip("ase")
    from ltau.plotting import ErrorDensityDisplay
    from ltau.structures import StructureSamples

    distribution = estimator.predict_distribution(np.zeros((2, 3)))
    display = ErrorDensityDisplay(distribution=distribution)
    assert repr(display) == "<ErrorDensityDisplay>"
    samples = StructureSamples(200 * [ase.Atoms("OH2")], np.ones((600, 4)), np.ones((600, 9)))
    assert repr(samples) == "StructureSamples(n_structures=200, n_atoms=600, n_features=4)"


def test_a_summary_shows_the_first_samples(summary):
    lines = repr(summary).splitlines()
    assert lines[0] == "ErrorSummary of 300 samples"
    assert lines[2].split() == [f"{column[0]:.3g}" for column in summary]
    assert lines[-1] == "..."
    assert "<td>" in summary._repr_html_()
    assert summary._repr_html_().endswith("<p>the first 6 of 300 samples</p>")


def test_a_summary_keeps_the_index_of_a_frame(summary):
    index = pd.Index([f"molecule {number}" for number in range(300)], name="molecule")
    frame = summary.to_frame(index)
    pd.testing.assert_index_equal(frame.index, index)
    assert tuple(frame.columns) == ErrorSummary._fields
    np.testing.assert_array_equal(frame["error_bar"], summary.error_bar)
    with pytest.raises(ValueError, match="300"):
        summary.to_frame(index[:5])


def test_a_summary_of_a_frame_has_its_index_by_itself(estimator):
    rng = np.random.default_rng(2)
    index = pd.date_range("2026-01-01", periods=20, name="day")
    frame = pd.DataFrame(rng.normal(size=(20, 3)), index=index)
    summary = estimator.predict_summary(frame, groups=np.zeros(20, int))
    pd.testing.assert_index_equal(summary.to_frame().index, index)
    again = pickle.loads(pickle.dumps(summary))
    pd.testing.assert_index_equal(again.to_frame().index, index)
    expected_error, _, ood_score = summary  # still three columns
    assert expected_error.shape == ood_score.shape == (20,)
    of_lists = estimator.predict_summary(frame.to_numpy().tolist(), groups=np.zeros(20, int))
    assert of_lists.to_frame().index.equals(pd.RangeIndex(20))


def test_a_summary_of_a_frame_shows_its_labels(estimator):
    labels = ["<b>", "a name that is longer than there is room for"]
    frame = pd.DataFrame(np.zeros((2, 3)), index=labels)
    summary = estimator.predict_summary(frame, groups=np.zeros(2, int))
    lines = repr(summary).splitlines()
    assert lines[2].split()[0] == "<b>"
    assert lines[3].startswith("   a name that is…")
    assert "<td>&lt;b&gt;</td>" in summary._repr_html_()
