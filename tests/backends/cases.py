"""Situations in which backends could part ways: training samples, queries and settings."""

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """Training samples, queries, and how they are fitted."""

    latents: np.ndarray
    errors: np.ndarray
    queries: np.ndarray
    strata: np.ndarray | None = None  # of the training samples
    asked: np.ndarray | None = None  # of the queries
    settings: dict[str, Any] = {}  # noqa: RUF012
    held_out: float | None = None  # by how much held-out errors are larger than those of training
    exponent: float | None = None  # of the calibration
    levels: tuple[float, ...] = (0.0, 0.25, 0.5, 0.9, 1.0)
    targets: np.ndarray | None = None  # of the training samples
    y_pred: np.ndarray | None = None  # of the queries


def _rng():
    return np.random.default_rng(0)


def _errors(rng, latents, n_epochs=12):
    return (rng.exponential(size=(len(latents), n_epochs)) * np.exp(latents[:, :1] / 3)).astype(
        np.float32
    )


def benign(**settings):
    rng = _rng()
    latents = rng.normal(size=(240, 3)).astype(np.float32)
    queries = np.concatenate([rng.normal(size=(12, 3)), rng.normal(size=(3, 3)) + 20])
    return Case(latents, _errors(rng, latents), queries.astype(np.float32), settings=settings)


def ties_in_errors(**changes):
    """Half of all errors are small and half large: the distribution is flat at one half."""
    case = benign()
    errors = np.where(np.arange(12) % 2, 0.01, 1.0) * np.ones((240, 1))
    return case._replace(errors=errors.astype(np.float32), **changes)


def equal_latents(**settings):
    """Places of 40 samples each, sorted by error."""
    rng = _rng()
    places = rng.normal(size=(12, 3)).astype(np.float32)
    latents = np.repeat(places, 20, axis=0)
    errors = np.sort(_errors(rng, latents), axis=0)
    queries = np.concatenate([places, places[:3] + 0.3, places[:2] + 9]).astype(np.float32)
    return Case(latents, errors, queries, settings=settings)


def some_equal_latents(**settings):
    """A few samples that are there twice or thrice among others; one query at each."""
    case = benign()
    latents = case.latents.copy()
    latents[200:220] = latents[:20]
    latents[220:230] = latents[:10]
    return case._replace(latents=latents, queries=latents[:15].copy(), settings=settings)


def nearly_equal_latents():
    """As equal ones, but in the last digits."""
    case = equal_latents()
    noise = 1e-7 * _rng().normal(size=case.latents.shape)
    queries = case.queries + 1e-7 * _rng().normal(size=case.queries.shape)
    return case._replace(
        latents=(case.latents + noise).astype(np.float32), queries=queries.astype(np.float32)
    )


def equally_near(**settings):
    """A lattice: every query has many different samples at the same distance."""
    rng = _rng()
    axes = np.arange(4, dtype=np.float32)
    latents = np.stack(np.meshgrid(axes, axes, axes), axis=-1).reshape(-1, 3)
    latents = rng.permutation(latents)
    queries = np.concatenate([latents[:6], latents[:6] + 0.5]).astype(np.float32)
    return Case(latents, _errors(rng, latents), queries, settings=settings)


def two_places():
    """Fewer places than neighbours."""
    rng = _rng()
    latents = np.repeat([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], 30, axis=0).astype(np.float32)
    queries = np.array([[0.0, 0, 0], [4, 0, 0], [1, 0, 0], [40, 0, 0]], np.float32)
    return Case(latents, _errors(rng, latents), queries)


def strata(**settings):
    """Two elements, one of which has few samples, some of them in one place."""
    rng = _rng()
    case = benign()
    classes = np.where(np.arange(240) % 6, 29, 79)
    latents = case.latents.copy()
    rare = np.flatnonzero(classes == 79)
    latents[rare[:15]] = latents[rare[0]]
    asked = rng.choice([29, 79], len(case.queries))
    return case._replace(latents=latents, strata=classes, asked=asked, settings=settings)


def with_targets(case, n_outputs=1, **changes):
    """The same with a target for each sample, which those of one place do not share.

    Predictions of every second query are those of a model that goes on; the others are far off.
    """
    rng = np.random.default_rng(1)
    slopes = rng.normal(size=(3, n_outputs))
    noise = rng.normal(size=(len(case.latents), n_outputs))
    y_pred = case.queries @ slopes
    y_pred[1::2] += 30 * rng.normal(size=y_pred[1::2].shape)
    settings = case.settings | changes
    return case._replace(targets=case.latents @ slopes + noise, y_pred=y_pred, settings=settings)


BELOW_1 = (0.25, 0.5, 0.9)  # that so many held-out samples can keep

# As users get them, where they stretch and weigh.
DEFAULTS = {
    "weights": "uniform",
    "stretch": "bounded",
    "distance_scaling": 3.0,
    "disagreement_scaling": 0.7,
}

CASES = {
    "benign": benign(),
    "whitened": benign(scaling="whiten"),
    "standardised": benign(scaling="standardize"),
    "weights by distance": benign(weights="distance"),
    "not stretched": benign(distance_scaling=0.0),
    "ties in errors": ties_in_errors(),
    "ties in errors, not stretched": ties_in_errors(settings={"distance_scaling": 0.0}),
    "ties in errors, calibrated": ties_in_errors(held_out=1.0, exponent=0.5, levels=BELOW_1),
    "equal latents": equal_latents(),
    "equal latents, weights by distance": equal_latents(weights="distance"),
    "some equal latents": some_equal_latents(),
    "some equal latents, weights by distance": some_equal_latents(weights="distance"),
    "nearly equal latents": nearly_equal_latents(),
    "equally near": equally_near(),
    "equally near, weights by distance": equally_near(weights="distance"),
    "two places": two_places(),
    "strata": strata(),
    "strata, whitened": strata(scaling="whiten"),
    "strata, calibrated": strata()._replace(held_out=2.0, levels=BELOW_1),
    "calibrated": benign()._replace(held_out=2.0, levels=BELOW_1),
    "levels above 1": benign()._replace(held_out=20.0, exponent=0.0, levels=BELOW_1),
    "bounded": benign(stretch="bounded", distance_scaling=2.5),
    "bounded, some equal latents": some_equal_latents(stretch="bounded", distance_scaling=2.5),
    "defaults": benign(**DEFAULTS),
    "targets": with_targets(benign()),
    "targets, not stretched": with_targets(benign(), distance_scaling=0.0),
    "targets, defaults": with_targets(benign(), **DEFAULTS),
    "targets, weights by distance": with_targets(benign(), weights="distance"),
    "targets of several outputs": with_targets(benign(), 3, **DEFAULTS),
    "targets, whitened": with_targets(benign(), scaling="whiten", stretch="bounded"),
    "targets, equal latents": with_targets(equal_latents()),
    "targets, equal latents, defaults": with_targets(equal_latents(), 2, **DEFAULTS),
    "targets, some equal latents": with_targets(some_equal_latents()),
    "targets, some equal latents, defaults": with_targets(some_equal_latents(), 2, **DEFAULTS),
    "targets, two places": with_targets(two_places(), **DEFAULTS),
    "targets, strata": with_targets(strata(), 2, **DEFAULTS),
    "targets, calibrated": with_targets(benign(), **DEFAULTS)._replace(
        held_out=2.0, levels=BELOW_1
    ),
}
