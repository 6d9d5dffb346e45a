"""What every backend must answer, computed the slow way from the training data."""

from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """Of one query."""

    expected_error: float
    quantiles: list[float]
    ood_score: float


class Oracle:
    """Sees each training sample, and counts neighbours one by one.

    Parameters
    ----------
    latents, errors, strata
        The training samples; latents scaled as the estimator scales them.
    edges : ndarray
        Bin edges.
    k, weights, stretch, c, scale, exponent
        As in the estimator, or as its calibration has them; c scales the disagreement.
    targets : ndarray of shape (n_samples, n_outputs), optional
        What the model should have predicted.
    """

    def __init__(
        self,
        latents,
        errors,
        strata,
        edges,
        *,
        k,
        weights,
        stretch,
        c,
        scale,
        exponent,
        targets=None,
    ):
        self.k, self.weights, self.scale, self.exponent = k, weights, scale, exponent
        self.stretch, self.c, self.edges = stretch, c, edges
        if targets is None:
            targets = np.zeros((len(latents), 1))
        self.centers = (edges[:-1] + edges[1:]) / 2
        self.places = {}
        for stratum in sorted(set(strata)):
            mine = strata == stratum
            self.places[stratum] = self._places(latents[mine], errors[mine], targets[mine])

    def _places(self, latents, errors, targets):
        """Put samples of the same place together.

        Of each: where, how many, density, own distance, target, own disagreement.
        """
        _, owner = np.unique(np.round(latents, 3), axis=0, return_inverse=True)
        owner = owner.ravel()
        n = owner.max() + 1
        where = np.array([latents[owner == i][0] for i in range(n)], np.float64)
        size = np.bincount(owner)
        density = np.array([self._histogram(errors[owner == i]) for i in range(n)])
        target = np.array([targets[owner == i].mean(axis=0) for i in range(n)])
        own, apart = np.empty(n), np.empty(n)
        for i in range(n):
            others = np.delete(np.arange(n), i)
            distance = np.linalg.norm(where[others] - where[i], axis=1)
            near = others[np.argsort(distance, kind="stable")]
            if size[i] > 1:  # another sample of this place is its own nearest
                near = np.append(i, near)
            near = near[: self.k]
            own[i] = np.mean([np.linalg.norm(where[j] - where[i]) for j in near])
            apart[i] = np.linalg.norm(target[i] - target[near].mean(axis=0))
        return where, size, density, own, target, apart

    def _histogram(self, errors):
        counts, _ = np.histogram(errors[~np.isnan(errors)].astype(np.float32), self.edges)
        return counts / counts.sum()

    def answer(self, latent, stratum, levels, y_pred=None):
        where, size, density, own, target, apart = self.places[stratum]
        distance = np.linalg.norm(where - latent, axis=1)
        share = self._shares(distance, size, self.k)
        even = self._shares(distance, np.ones_like(size), min(self.k, len(size)))
        reference, measured = (even * own).sum(), (even * distance).sum()
        if measured < 1e-6 > reference:
            ratio = 1.0
        else:
            ratio = np.inf if reference < 1e-6 else measured / reference
        if self.weights == "distance":
            here = (distance < 1e-4) & (share > 0)
            share = here * share if here.any() else share / distance
            share = share / share.sum()
        p = share @ density
        loss = p @ self.centers
        outside = max(0.0, 1.0 - 1.0 / ratio) if ratio > 0 else 0.0
        if self.stretch == "power" or self.exponent == 0:
            expected = loss * np.clip(ratio, 1e-3, 1e3) ** self.exponent
        else:
            expected = loss * (min(1.0, max(0.5, ratio)) + self.exponent * outside)
        if y_pred is not None:
            distance_of_targets = np.linalg.norm(y_pred - share @ target)
            expected += self.c * max(0.0, outside * distance_of_targets - share @ apart)
        expected *= self.scale
        quantiles = [expected / loss * self._quantile(p, level) for level in levels]
        return Answer(expected, quantiles, ratio)

    def _shares(self, distance, size, k):
        """Fill the places from the nearest on; equally near ones share those that are left."""
        share, left = np.zeros(len(distance)), float(k)
        for near in np.unique(np.round(distance, 5)):
            if left <= 0:
                break
            tied = np.abs(distance - near) < 2e-5
            taken = min(left, size[tied].sum())
            share[tied] = taken * size[tied] / size[tied].sum()
            left -= taken
        return share / share.sum()

    def _quantile(self, p, level):
        """Find the largest error whose probability of not being exceeded is the level."""
        cdf = np.append(0.0, np.cumsum(p))
        if level >= 1 - 1e-12:
            return self.edges[np.flatnonzero(cdf >= 1 - 1e-12)[0]] * max(level, 1.0)
        last = np.flatnonzero(cdf <= level + 1e-12)[-1]
        fraction = max(0.0, (level - cdf[last]) / (cdf[last + 1] - cdf[last]))
        return self.edges[last] + fraction * (self.edges[last + 1] - self.edges[last])
