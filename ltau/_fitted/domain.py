"""How far a sample lies from the training domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltau.neighbors import LatentIndex, Neighbors, n_threads

if TYPE_CHECKING:
    from ltau._prototypes.condense import Members

__all__ = ["FARTHEST", "DomainMixin", "local_ratio", "rows_to_rank", "stretch"]

Floats = NDArray[np.float64]

FARTHEST = 1000.0  # ratio of distances, either way, beyond which nothing is told apart

_N_FOR_THRESHOLD = 20_000  # training samples whose scores are ranked


class DomainMixin:
    """Scores of distance from the training domain, and a decision by them."""

    n_neighbors: int
    n_jobs: int | None
    random_state: int | None
    _index: LatentIndex
    _own_distances: tuple[int, Floats]  # of the training samples, for a number of neighbours
    _members: Members | None  # what is kept of the training samples, where there are prototypes

    def _search(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Iterable[Neighbors]:
        raise NotImplementedError

    def ood_score(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Measure how far each sample lies from the training domain.

        The mean distance to the nearest training samples, over the mean distance of
        those to their own nearest: about 1 inside the domain. The training samples' own
        distances are searched when first needed, and kept. With prototypes these take the
        place of the training samples, and the distance of a prototype's own is the mean
        over its members.

        Parameters
        ----------
        X, strata
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Ratios of distances. Where all neighbours are duplicates of each other the
            score is 1 for another duplicate, and infinite for anything else.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; if there is a single training sample, in all or in a stratum; and
            if there are prototypes, and `n_neighbors` was changed since `fit`.
        """
        batches = self._search(X, strata)
        own = self._training_distances()
        return np.concatenate([local_ratio(distances, own[rows]) for distances, rows in batches])

    def predict_ood(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        false_positive_rate: float = 0.05,
    ) -> NDArray[np.bool_]:
        """Tell which samples lie outside the training domain.

        Those whose `ood_score` is above the threshold that a share of
        `false_positive_rate` of the training samples pass, each with itself left out of
        its neighbours.

        Parameters
        ----------
        X, strata
            As in `predict`.
        false_positive_rate : float, default=0.05
            Share of samples like the training ones that may be called outside, between
            0 and 1.

        Returns
        -------
        ndarray of shape (n_samples,), bool
            Whether each sample lies outside.

        Raises
        ------
        NotFittedError, ValueError
            As `ood_score`; and if the rate lies outside (0, 1).
        """
        scores = self.ood_score(X, strata)
        return scores > self.ood_threshold(false_positive_rate)

    def ood_threshold(self, false_positive_rate: float = 0.05) -> float:
        """Find the `ood_score` that a share of the training samples pass.

        Parameters
        ----------
        false_positive_rate : float, default=0.05
            The share, between 0 and 1.

        Returns
        -------
        float
            The threshold: a quantile of the scores of the training samples, of 20,000
            of them where there are more.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the rate lies outside (0, 1); there is a single training sample, in all or in
            a stratum; or there are prototypes, and `n_neighbors` was changed since `fit`.
        """
        if not 0 < false_positive_rate < 1:
            raise ValueError(
                f"Expected a false_positive_rate between 0 and 1, got {false_positive_rate!r}."
            )
        check_is_fitted(self)
        scores = self._training_scores()
        return float(np.quantile(scores, 1 - false_positive_rate, method="higher"))

    def _training_scores(self) -> NDArray[np.floating]:
        """Scores of the training samples, or some of them, each left out of its neighbours."""
        own = self._training_distances()
        if self._members is not None:
            return self._members.scores
        ranked = rows_to_rank(len(own), self.random_state)
        with n_threads(self.n_jobs):
            scores = [
                local_ratio(distances, own[neighbors])
                for _, distances, neighbors in self._index.own_neighbors(self.n_neighbors, ranked)
            ]
        return np.concatenate(scores)

    def _training_distances(self) -> Floats:
        """Mean distance of each training sample to its own neighbours, searched once."""
        if self._own_distances[0] != self.n_neighbors:
            if self._members is not None:
                raise ValueError(
                    f"Expected n_neighbors = {self._own_distances[0]} as at fit, got "
                    f"{self.n_neighbors}: the samples behind the prototypes were measured with "
                    "it. Fit again."
                )
            own = np.empty(len(self._index))
            with n_threads(self.n_jobs):
                for rows, distances, _ in self._index.own_neighbors(self.n_neighbors):
                    own[rows] = distances.mean(axis=1)
            self._own_distances = self.n_neighbors, own
        return self._own_distances[1]


def rows_to_rank(n_samples: int, random_state: int | None) -> NDArray[np.intp]:
    """Draw the training samples whose scores make the threshold, ascending."""
    if n_samples <= _N_FOR_THRESHOLD:
        return np.arange(n_samples)
    rng = np.random.default_rng(random_state)
    return np.sort(rng.choice(n_samples, _N_FOR_THRESHOLD, replace=False))


def local_ratio(distances: Floats, own_distances: Floats) -> Floats:
    """Divide mean distances by those of the neighbours; nothing over nothing is 1."""
    distance, reference = distances.sum(axis=1), own_distances.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == reference, 1.0, distance / reference)


def stretch(scale: float, exponent: float, ood_score: Floats) -> Floats:
    """Give the factor of each sample's errors, ``scale * ood_score**exponent``.

    The score is taken to be at most 1,000, and at least the inverse: among duplicates it
    may be infinite or 0.
    """
    factor: Floats = scale * np.clip(ood_score, 1 / FARTHEST, FARTHEST) ** exponent
    return factor
