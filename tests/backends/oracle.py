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
    k, weights, scale, exponent
        As in the estimator, or as its calibration has them.
    """

    def __init__(self, latents, errors, strata, edges, *, k, weights, scale, exponent):
        self.k, self.weights, self.scale, self.exponent = k, weights, scale, exponent
        self.edges = edges
        self.centers = (edges[:-1] + edges[1:]) / 2
        self.places = {}
        for stratum in sorted(set(strata)):
            mine = strata == stratum
            self.places[stratum] = self._places(latents[mine], errors[mine])

    def _places(self, latents, errors):
        """Put samples of the same place together: where, how many, density, own distance."""
        _, owner = np.unique(np.round(latents, 3), axis=0, return_inverse=True)
        owner = owner.ravel()
        n = owner.max() + 1
        where = np.array([latents[owner == i][0] for i in range(n)], np.float64)
        size = np.bincount(owner)
        density = np.array([self._histogram(errors[owner == i]) for i in range(n)])
        own = np.empty(n)
        for i in range(n):
            others = np.sort(np.linalg.norm(np.delete(where, i, axis=0) - where[i], axis=1))
            near = np.append(0.0, others) if size[i] > 1 else others
            own[i] = near[: self.k].mean()
        return where, size, density, own

    def _histogram(self, errors):
        counts, _ = np.histogram(errors[~np.isnan(errors)].astype(np.float32), self.edges)
        return counts / counts.sum()

    def answer(self, latent, stratum, levels):
        where, size, density, own = self.places[stratum]
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
        factor = self.scale * np.clip(ratio, 1e-3, 1e3) ** self.exponent
        quantiles = [factor * self._quantile(p, level) for level in levels]
        return Answer(factor * (p @ self.centers), quantiles, ratio)

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
