"""What ``ltau fit``, ``predict``, ``calibrate`` and ``score`` run."""

from __future__ import annotations

import csv
from argparse import Namespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau._commands.arrays.reading import read_errors, read_labels, read_numbers, read_vector
from ltau._files.whole import write_text_whole
from ltau.estimator import LTAUEstimator
from ltau.metrics import MetricReport, bootstrap_estimate, report

__all__ = ["COMMANDS"]


def _fit(options: Namespace) -> None:
    """Fit an estimator, and save it."""
    estimator = LTAUEstimator(
        n_neighbors=options.n_neighbors, burn_in=options.burn_in, scaling=options.scaling
    )
    estimator.fit(
        read_numbers(options.latents),
        read_errors(options.errors),
        _labels(options.strata),
        groups=_labels(options.groups),
        targets=_vector(options.targets),
    )
    estimator.save(options.output)
    print(f"{options.output}: errors of {estimator.n_samples_fit_:,} samples; not calibrated")


def _predict(options: Namespace) -> None:
    """Write a line for each sample: expected error, error bar, ood_score, and intervals."""
    if options.output.suffix.lower() != ".csv":
        raise ValueError(f"Expected a name that ends in .csv, got {options.output}.")
    estimator, latents, asked = _asked(options)
    y_pred = asked["y_pred"]
    if estimator.fitted_.targets is None:
        asked["y_pred"] = None  # then it says nothing of the errors
    summary = estimator.predict_summary(latents, options.level, **asked)
    columns = summary._asdict()
    if y_pred is not None and y_pred.ndim == 1:  # of several outputs there are no intervals
        if len(y_pred) != len(latents):
            raise ValueError(f"Expected {len(latents)} predictions, got {len(y_pred)}.")
        half = summary.error_bar
        columns = {"y_pred": y_pred, "low": y_pred - half, "high": y_pred + half, **columns}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)

    def write(file: Any) -> None:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows([f"{value:.9g}" for value in row] for row in rows)

    write_text_whole(options.output, write)
    expected = f"mean expected error {summary.expected_error.mean():.4g}"
    print(f"{options.output}: {len(latents):,} samples, {expected}")


def _calibrate(options: Namespace) -> None:
    """Calibrate an estimator, and save it under another name."""
    estimator, latents, asked = _asked(options)
    errors = read_vector(options.errors)
    estimator.calibrate(latents, errors, **asked)
    estimator.save(options.output)
    print(f"{options.output}: calibrated on {len(errors):,} samples")


def _score(options: Namespace) -> None:
    """Print how good predicted errors are."""
    estimator, latents, asked = _asked(options)
    errors, groups = read_vector(options.errors), _labels(options.groups)
    if errors.ndim != 1:
        raise ValueError(f"Expected one error for each sample, got shape {errors.shape}.")
    bar = estimator.predict_quantile(latents, options.level, **asked)
    scores = report(errors, estimator.predict_distribution(latents, **asked), groups=groups)
    inside = bootstrap_estimate(
        np.mean, errors <= bar, groups=np.arange(len(errors)) if groups is None else groups
    )
    kept = {name: value for name, value in scores.items() if name not in ("coverage", "error_bar")}
    print(
        MetricReport(
            {f"within {options.level:.0%} error bar": inside, **kept},
            n_samples=scores.n_samples,
            n_groups=scores.n_groups,
        )
    )


def _asked(options: Namespace) -> tuple[LTAUEstimator, NDArray[Any], dict[str, Any]]:
    """Read an estimator, latents, and what more belongs to a prediction."""
    asked = {"strata": _labels(options.strata), "y_pred": _vector(options.y_pred)}
    return LTAUEstimator.load(options.model), read_numbers(options.latents), asked


def _labels(file: str | None) -> NDArray[Any] | None:
    return None if file is None else read_labels(file)


def _vector(file: str | None) -> NDArray[Any] | None:
    return None if file is None else read_vector(file)


COMMANDS = {"fit": _fit, "predict": _predict, "calibrate": _calibrate, "score": _score}
