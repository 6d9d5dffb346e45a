"""What is predicted of samples from their neighbours, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.conformal import bound, quantile_levels
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.few import are_few, summary_of_few
from ltau._fitted.learning import HeldOut
from ltau._fitted.neighborhood import Known, Neighborhood, neighborhood
from ltau._fitted.settings import Settings
from ltau._fitted.summary import ErrorSummary
from ltau.distribution import ErrorDistribution, distribution_of
from ltau.neighbors import Found

__all__ = ["Predictor", "join"]

Floats = NDArray[np.float64]


class Predictor:
    """Predictions from an iterable search, what is known of what it finds, and settings.

    Parameters
    ----------
    search : callable
        Called without arguments it gives what was found for the samples, batch by batch:
        by an index, by shards, or long ago.
    n_samples : int
        Number of samples.
    known : Known
        What is known of the training samples, or of those that were found.
    settings : Settings
        By what neighbours become a prediction.
    y_pred : ndarray of shape (n_samples, n_outputs), float64, optional
        The model's predictions of the samples, where targets are known.
    """

    def __init__(
        self,
        search: Callable[[], Iterable[Found]],
        n_samples: int,
        known: Known,
        settings: Settings,
        y_pred: Floats | None = None,
    ) -> None:
        self.search = search
        self.n_samples = n_samples
        self.known = known
        self.settings = settings
        self.y_pred = y_pred

    def expected(self) -> Floats:
        """Predict expected errors, shape (n_samples,)."""
        return join(self._expected(near) for near in self._batches())

    def pdf(self) -> Floats:
        """Predict densities over the bins, shape (n_samples, n_bins)."""
        densities = self.known.densities
        widths = np.diff(densities.edges)
        return join(
            densities.average(near.rows, near.weights, widths)
            if near.factor is None
            else _rebinned(densities, near) / widths
            for near in self._batches()
        )

    def cdf(self, tolerances: Floats) -> Floats:
        """Predict the probabilities that errors stay within tolerances, shape (n_samples, m)."""
        return join(
            np.stack([_cdf(self.known.densities, near, t) for t in tolerances], axis=1)
            for near in self._batches()
        )

    def quantile(self, q: ArrayLike, groups: ArrayLike | None) -> Floats:
        """Predict errors not exceeded with probabilities, shape (n_samples, m)."""
        levels = quantile_levels(self.settings.calibration, q, self.n_samples, groups)
        quantiles, start = [], 0
        for near in self._batches():
            quantiles.append(bound(self._distribution(near), _rows(levels, start, near)))
            start += len(near.rows)
        return join(quantiles)

    def summary(self, level: float, groups: ArrayLike | None) -> ErrorSummary:
        """Predict expected errors, error bars and scores."""
        levels = quantile_levels(self.settings.calibration, level, self.n_samples, groups)
        parts: list[tuple[Floats | None, ...]] = []
        start = 0
        for found in self.search():
            if self.y_pred is None and are_few(found, self.known, self.settings, levels):
                parts.append(summary_of_few(found, self.known, self.settings, levels))
            else:
                near = self._neighborhood(found, start, ood_score=True)
                bar = bound(self._distribution(near), _rows(levels, start, near))[:, 0]
                parts.append((self._expected(near), bar, near.ood_score))
            start += len(found.distances)
        columns = parts[0] if len(parts) == 1 else map(join, zip(*parts, strict=True))
        return ErrorSummary(*columns)

    def distributions(self) -> Iterator[ErrorDistribution]:
        """Predict the distributions of each batch."""
        return map(self._distribution, self._batches())

    def scored_distribution(self, *, ood_score: bool) -> tuple[ErrorDistribution, Floats | None]:
        """Predict the distributions of all samples, and their scores if wanted."""
        cdfs, factors, scores = [], [], []
        for near in self._batches(ood_score=ood_score):
            cdfs.append(self.known.densities.average_cdf(near.rows, near.weights))
            factors.append(near.factor)
            scores.append(near.ood_score)
        factor = None if factors[0] is None else join(factors)
        distribution = distribution_of(join(cdfs), self.known.densities.edges, factor)
        return distribution, join(scores) if ood_score else None

    def ood_score(self) -> Floats:
        """Measure scores of distance, shape (n_samples,)."""
        return join(near.ood_score for near in self._batches(ood_score=True))

    def nearest(self) -> tuple[Floats, NDArray[np.intp]]:
        """Find distances and rows of the nearest training samples, each of shape (n_samples, k)."""
        k = self.settings.n_neighbors
        found = (self.known.rows_of(near.distances, near.numbers, k) for near in self.search())
        distances, rows = zip(*found, strict=True)
        return join(distances), join(rows)

    def held_out(self) -> HeldOut:
        """Predict the distributions, not stretched yet, and what stretches them."""
        cdfs, scores, surplus = [], [], []
        for near in self._batches(ood_score=True):
            cdfs.append(self.known.densities.average_cdf(near.rows, near.weights))
            scores.append(near.ood_score)
            surplus.append(near.excess)
        plain = distribution_of(join(cdfs), self.known.densities.edges, None)
        return HeldOut(plain, join(scores), None if surplus[0] is None else join(surplus))

    def _batches(self, *, ood_score: bool = False) -> Iterator[Neighborhood]:
        start = 0
        for found in self.search():
            yield self._neighborhood(found, start, ood_score=ood_score)
            start += len(found.distances)

    def _neighborhood(self, found: Found, start: int, *, ood_score: bool) -> Neighborhood:
        """Weigh what was found for the samples from `start` on."""
        y_pred = self.y_pred
        if y_pred is not None:
            y_pred = y_pred[start : start + len(found.distances)]
        return neighborhood(found, self.known, self.settings, y_pred, ood_score=ood_score)

    def _expected(self, near: Neighborhood) -> Floats:
        means = (near.weights * self.known.densities.means[near.rows]).sum(axis=1)
        return means if near.factor is None else means * near.factor

    def _distribution(self, near: Neighborhood) -> ErrorDistribution:
        densities = self.known.densities
        cdf = densities.average_cdf(near.rows, near.weights)
        return distribution_of(cdf, densities.edges, near.factor)


def join(batches: Iterable[Any]) -> NDArray[Any]:
    """Put the results of all batches together, without a copy where there is one."""
    parts = list(batches)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(levels: Floats, start: int, near: Neighborhood) -> Floats:
    """Take the levels of a batch, which may be common to all."""
    return levels[start : start + len(near.rows)] if len(levels) > 1 else levels


def _cdf(densities: TrainingDensities, near: Neighborhood, tolerance: float) -> Floats:
    """Average P(error <= tolerance) over the neighbours."""
    limit = tolerance if near.factor is None else (tolerance / near.factor)[:, None]
    cdf: Floats = (near.weights * densities.cdf(near.rows, limit)).sum(axis=1)
    return cdf


def _rebinned(densities: TrainingDensities, near: Neighborhood) -> Floats:
    """Probability of each bin after stretching; the last one has all that lies above."""
    cdf = densities.average_cdf(near.rows, near.weights)
    cdf = distribution_of(cdf, densities.edges, near.factor).cdf(densities.edges)
    cdf[:, -1] = 1.0
    return np.diff(cdf)
