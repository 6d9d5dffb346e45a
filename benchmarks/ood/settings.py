"""Which settings of LTAU are tried, and on which sets they are chosen and confirmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Domain, Samples
from ltau import ErrorDistribution, LTAUEstimator

__all__ = ["CHOOSING", "CONFIRMING", "PAPER", "USED", "Setting", "grid", "one_at_a_time"]

# No setting is chosen on a set that it is then praised on.
CHOOSING = ("emt", "airfoil", "energy", "kin40k")
CONFIRMING = ("acac", "concrete", "yacht", "wine", "esol")


@dataclass(frozen=True)
class Setting:
    """One way to use LTAU."""

    n_neighbors: int = 30
    burn_in: float = 1 / 3
    scaling: str = "whiten"
    weights: str = "uniform"
    distance_scaling: float = 1.0
    reference: str = "local"  # of distances: the neighbours' own, or "global": all training ones
    strata: bool = True  # whether classes are strata, where there are classes
    errors: str = "eval"  # those after each epoch, or "step": of the training steps

    @property
    def name(self) -> str:
        """The levels of what is combined in the grid."""
        levels = ((key, getattr(self, key)) for key in _LEVELS)
        return ", ".join(f"{k} {v:.2g}" if isinstance(v, float) else f"{k} {v}" for k, v in levels)

    def predict(self, domain: Domain) -> dict[str, ErrorDistribution]:
        """Fit, and predict the errors of each test set."""
        train = domain.train
        own = {"n_neighbors", "burn_in", "scaling", "weights", "distance_scaling"}
        settings: dict[str, Any] = {name: getattr(self, name) for name in own}
        if self.reference == "global":
            settings["distance_scaling"] = 0.0
        estimator = LTAUEstimator(**settings, n_jobs=1, random_state=0)
        estimator.fit(train.latents, domain.trajectories[self.errors], self._strata(train))
        predicted = {
            name: estimator.predict_distribution(samples.latents, self._strata(samples))
            for name, samples in domain.tests.items()
        }
        if self.reference == "local":
            return predicted
        distance = self._distances(estimator, train, left_out=1).mean()
        return {
            name: distribution.scaled(
                (self._distances(estimator, domain.tests[name]) / distance) ** self.distance_scaling
            )
            for name, distribution in predicted.items()
        }

    def _distances(
        self, estimator: LTAUEstimator, samples: Samples, left_out: int = 0
    ) -> NDArray[np.float64]:
        """Average the distances to the neighbours, without as many of the nearest."""
        distances, _ = estimator.kneighbors(
            samples.latents, self.n_neighbors + left_out, self._strata(samples)
        )
        return distances[:, left_out:].mean(axis=1)

    def _strata(self, samples: Samples) -> NDArray[np.int64] | None:
        return samples.classes if self.strata else None


PAPER = Setting(10, 0.0, "none", "uniform", 0.0, strata=False)
USED = Setting()  # by the method "LTAU, distance-aware" of the comparison

_LEVELS: dict[str, tuple[Any, ...]] = {
    "distance_scaling": (0.0, 0.5, 1.0, 1.5),
    "scaling": ("none", "standardize", "whiten"),
    "n_neighbors": (10, 30, 100),
    "burn_in": (0.0, 1 / 3, 2 / 3),
    "strata": (False, True),
}
_ALONE: dict[str, tuple[Any, ...]] = {
    "weights": ("distance",),
    "reference": ("global",),
    "errors": ("step",),
}


def grid() -> list[Setting]:
    """Combine the levels of what matters most, each with each."""
    return [
        Setting(**dict(zip(_LEVELS, levels, strict=True))) for levels in product(*_LEVELS.values())
    ]


def one_at_a_time(center: Setting) -> list[tuple[str, Setting]]:
    """Change one thing of a setting after the other; each with a name for what is changed."""
    changed = [
        (f"{name} = {level:.3g}" if isinstance(level, float) else f"{name} = {level}", name, level)
        for levels in (_LEVELS, _ALONE)
        for name, values in levels.items()
        for level in values
        if level != getattr(center, name)
    ]
    return [(label, replace(center, **{name: level})) for label, name, level in changed]
