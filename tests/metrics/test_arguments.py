"""What all metrics have in common: the arguments they refuse, and their intervals."""

import numpy as np
import pandas as pd
import pytest

from ltau import metrics

OF_ERRORS_AND_PREDICTED = [
    metrics.spearman,
    metrics.risk_coverage_area,
    metrics.risk_coverage_curve,
    metrics.expected_normalized_calibration_error,
]
OF_DISTRIBUTION = [metrics.crps, metrics.log_score, metrics.miscalibration_area, metrics.pit]

BAD_ERRORS = [
    ([0.1, np.nan, np.inf], "errors without NaN or infinite values, got 2 in 3"),
    ([0.1, -0.2, 0.3], "errors to be non-negative magnitudes, got 1 negative values in 3"),
    ([[0.1, 0.2, 0.3]], r"errors to be 1-D, got shape \(1, 3\)"),
    ([], "at least one value in errors, got none"),
]


@pytest.mark.parametrize("metric", OF_ERRORS_AND_PREDICTED)
@pytest.mark.parametrize(("errors", "message"), BAD_ERRORS)
def test_bad_errors(metric, errors, message):
    with pytest.raises(ValueError, match=message):
        metric(errors, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("metric", OF_DISTRIBUTION)
@pytest.mark.parametrize(("errors", "message"), BAD_ERRORS)
def test_bad_errors_of_a_distribution(metric, errors, message, exponential):
    with pytest.raises(ValueError, match=message):
        metric(errors, exponential([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("metric", OF_ERRORS_AND_PREDICTED)
@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([1.0, np.nan, 2.0], r"predicted without NaN .*values, got 1 in 3"),
        ([1.0, 2.0], "one length, got errors: 3, predicted: 2"),
    ],
)
def test_bad_predictions(metric, predicted, message):
    with pytest.raises(ValueError, match=message):
        metric([0.1, 0.2, 0.3], predicted)


@pytest.mark.parametrize("metric", OF_DISTRIBUTION)
def test_distribution_of_another_length(metric, exponential):
    with pytest.raises(ValueError, match="one length, got distribution: 2, errors: 3"):
        metric([0.1, 0.2, 0.3], exponential([1.0, 2.0]))


@pytest.mark.parametrize("metric", OF_DISTRIBUTION)
def test_swapped_arguments_are_told(metric, exponential):
    with pytest.raises(
        TypeError, match=r"observed errors, then a distribution .* Exponential, then"
    ):
        metric(exponential([1.0, 2.0]), [0.1, 0.2])


def test_bounds_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        metrics.coverage([0.1, 0.2], [0.2, 0.3])


def test_distribution_that_mixes_samples(exponential):
    distribution = exponential([1.0, 2.0])
    distribution.cdf = lambda errors: np.full((2, 2), 0.5)  # as a broadcast by mistake would
    with pytest.raises(ValueError, match=r"shape \(2, 1\) from the distribution, got \(2, 2\)"):
        metrics.pit([0.1, 0.2], distribution)


@pytest.fixture
def calls(exponential, rng):
    """One call of each metric that takes groups, on 40 samples."""
    errors, predicted = rng.exponential(size=40), rng.uniform(0.5, 1.5, size=40)
    positive, distribution = errors > np.median(errors), exponential(predicted)
    return {
        "auprc": (positive, predicted),
        "auroc": (positive, predicted),
        "base_rate": (positive,),
        "coverage": (errors, predicted),
        "crps": (errors, distribution),
        "expected_normalized_calibration_error": (errors, predicted),
        "log_score": (errors, distribution),
        "miscalibration_area": (errors, distribution),
        "pinball_loss": (errors, predicted, 0.5),
        "risk_coverage_area": (errors, predicted),
        "sharpness": (distribution,),
        "spearman": (errors, predicted),
    }


def metric_of(name):
    """A metric of the arguments by their places, though bounds are given by name."""
    metric = getattr(metrics, name)
    if name != "coverage":
        return metric
    return lambda errors, upper, **groups: metric(errors, upper=upper, **groups)


def test_floats_become_estimates_with_groups(calls):
    groups = np.repeat(np.arange(8), 5)
    for name, arguments in calls.items():
        metric = metric_of(name)
        plain, estimate = metric(*arguments), metric(*arguments, groups=groups)
        assert type(plain) is float, name
        assert type(estimate) is metrics.Estimate, name
        assert estimate == plain, name
        assert estimate.low < estimate.high, name


def test_groups_of_another_length(calls):
    for name, arguments in calls.items():
        with pytest.raises(ValueError, match="each of 40 samples, got 39"):
            metric_of(name)(*arguments, groups=np.arange(39))


CONTAINERS = {
    "list": list,
    "column by another order": lambda values: pd.Series(values, index=np.arange(40)[::-1]),
    "nullable column": lambda values: pd.Series(values).convert_dtypes(),
    "objects": lambda values: values.astype(object),
    "masked array that hides nothing": np.ma.array,
}


def in_container(arguments, holder):
    return [
        holder(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments
    ]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_arguments_are_matched_by_their_place(calls, kind):
    for name, arguments in calls.items():
        metric = metric_of(name)
        assert metric(*in_container(arguments, CONTAINERS[kind])) == metric(*arguments), name


def test_masked_arguments_are_refused(calls):
    def masked(values):
        return np.ma.masked_array(values, np.arange(40) == 3)

    for name, arguments in calls.items():
        if name == "sharpness":
            continue  # of a distribution alone
        with pytest.raises(ValueError, match=r"without NaN .*values, got 1 in 40"):
            metric_of(name)(*in_container(arguments, masked))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda values: values.astype(str), "that are real numbers, got <U"),
        (lambda values: values.astype(str).astype(object), "that are real numbers, .* got str"),
        (lambda values: values + 0j, "that are real numbers, got complex128"),
        (lambda values: pd.DataFrame(values), r"to be 1-D, got shape \(40, 1\)"),
        (lambda values: values[:0], "at least one value in .*, got none"),
    ],
)
def test_arguments_that_are_no_vectors_of_numbers(calls, wrong, message):
    for name, arguments in calls.items():
        if name == "sharpness":
            continue
        with pytest.raises(ValueError, match=message):
            metric_of(name)(*in_container(arguments, wrong))
