"""The usual metrics in one table: each is what its own function gives."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ltau import ErrorDistribution, metrics


@pytest.fixture
def samples(rng):
    """Errors of 60 samples in 12 groups, and predicted distributions."""
    scale = rng.uniform(0.5, 2.0, size=60)
    edges = np.linspace(0.0, 12.0, 61)
    cdf = 1 - np.exp(-edges / scale[:, None])
    cdf[:, -1] = 1.0
    return rng.exponential(scale), ErrorDistribution(np.diff(cdf), edges), np.repeat(range(12), 5)


def test_every_row_is_the_metric_of_its_name(samples):
    errors, distribution, groups = samples
    found = metrics.report(errors, distribution, level=0.8, groups=groups)
    bars = distribution.quantile(0.8)
    expected = {
        "mean_error": errors.mean(),
        "expected_error": distribution.mean().mean(),
        "spearman": spearmanr(errors, distribution.mean()).statistic,
        "coverage": np.mean(errors <= bars),
        "error_bar": bars.mean(),
        "miscalibration_area": metrics.miscalibration_area(errors, distribution),
        "crps": distribution.crps(errors).mean(),
        "risk_coverage_area": metrics.risk_coverage_area(errors, distribution.mean()),
    }
    assert dict(found) == pytest.approx(expected)
    with_groups = metrics.crps(errors, distribution, groups=groups)
    found = metrics.report(errors, distribution, groups=groups, n_resamples=1000)["crps"]
    assert (found.low, found.high) == (with_groups.low, with_groups.high)


def test_samples_are_independent_by_default(samples):
    errors, distribution, _ = samples
    alone = metrics.report(errors, distribution, groups=np.arange(60))
    assert repr(metrics.report(errors, distribution)) == repr(alone)
    assert "60 independent samples" in repr(alone)


def test_expected_errors_may_be_given(samples):
    errors, distribution, groups = samples
    found = metrics.report(errors, distribution, expected=errors, groups=groups)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["expected_error"] == errors.mean()


def test_what_is_undefined_is_left_out(samples):
    errors, distribution, groups = samples
    found = metrics.report(errors, distribution, expected=np.ones(60), groups=groups)
    assert "spearman" not in found
    assert len(found) == 7


def test_prints_short_and_as_a_table(samples):
    errors, distribution, groups = samples
    found = metrics.report(errors, distribution, groups=groups)
    lines = repr(found).splitlines()
    assert len(lines) <= 10
    assert lines[-1] == "60 samples in 12 groups; intervals at 95 %"
    assert found._repr_html_().count("<tr>") == len(found)
    frame = found.to_frame()
    assert list(frame.columns) == ["value", "low", "high"]
    assert frame.loc["coverage", "value"] == found["coverage"]
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()


def test_swapped_arguments_and_bad_levels_are_refused(samples):
    errors, distribution, _ = samples
    with pytest.raises(TypeError, match="Expected observed errors, then a distribution"):
        metrics.report(distribution, errors)
    with pytest.raises(ValueError, match="level in"):
        metrics.report(errors, distribution, level=1.1)
    with pytest.raises(ValueError, match="one length, got errors: 60, predicted: 3"):
        metrics.report(errors, distribution, expected=[1.0, 2.0, 3.0])
