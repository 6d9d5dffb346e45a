import numpy as np
import pytest

from ltau import ErrorDistribution
from ltau.metrics import coverage, coverage_by_group

errors = np.array([0.0, 1.0, 2.0, 3.0])


def test_bounds_are_inside():
    assert coverage(errors, upper=[0.0, 0.9, 2.0, 3.1]) == 0.75
    assert coverage(errors, upper=[0.0, 9.0, 2.0, 9.0], lower=[0.0, 1.1, 2.0, 2.9]) == 0.75


def test_bounds_may_be_infinite():
    assert coverage(errors, upper=np.full(4, np.inf), lower=np.full(4, -np.inf)) == 1.0


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_of_true_quantiles_is_their_level(level, rng):
    distribution = ErrorDistribution(rng.dirichlet(np.ones(5), size=4000), np.linspace(0, 2, 6))
    draws = distribution.sample(1, random_state=1)[:, 0]
    assert coverage(draws, upper=distribution.quantile(level)) == pytest.approx(level, abs=0.03)
    lower, upper = distribution.interval(level).T
    assert coverage(draws, upper=upper, lower=lower) == pytest.approx(level, abs=0.03)


def test_by_group_is_the_coverage_of_each_group(rng):
    draws, upper, lower = rng.random(50), rng.uniform(0.5, 1, 50), rng.uniform(0, 0.5, 50)
    groups = rng.choice(["O", "C", "H"], size=50)
    result = coverage_by_group(draws, groups, upper=upper, lower=lower)
    assert list(result) == ["C", "H", "O"]
    for group, share in result.items():
        of = groups == group
        assert share == pytest.approx(coverage(draws[of], upper=upper[of], lower=lower[of]))


def test_by_group_has_plain_labels():
    result = coverage_by_group(errors, np.array([8, 1, 8, 1]), upper=errors)
    assert result == {1: 1.0, 8: 1.0}
    assert {type(label) for label in result} == {int}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"upper": [1.0, np.nan, 1.0, 1.0]}, "upper without NaN values, got 1 in 4"),
        ({"upper": [1.0]}, "one length, got errors: 4, upper: 1"),
        ({"upper": errors, "lower": [0.0]}, "one length, got errors: 4, lower: 1"),
        ({"upper": errors, "lower": [0, 2, 3, 3]}, "lower <= upper, got 2 lower > upper"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        coverage(errors, **arguments)


def test_by_group_refuses_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="one length, got errors: 4, groups: 3"):
        coverage_by_group(errors, ["H", "O", "O"], upper=errors)
