"""Which settings of LTAU are tried, and on which sets they are chosen and confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.predictions import LEVELS, ErrorPrediction
from ltau import LTAUEstimator
from ltau.structures import FORCE_FIELD, environment_latents

__all__ = [
    "CHOOSING",
    "CONFIRMING",
    "FIELDS",
    "PAPER",
    "TABLES",
    "Kind",
    "Setting",
]


@dataclass(frozen=True)
class Setting:
    """One way to use LTAU; scale and levels are calibrated on the validation samples."""

    n_neighbors: int = 10
    burn_in: float = 1 / 3
    scaling: str = "whiten"
    weights: str = "uniform"
    stretch: str = "bounded"
    distance_scaling: float = 3.0
    disagreement_scaling: float = 0.7  # 0 where there are no targets
    # Of atoms alone:
    strata: bool = False  # whether elements are strata
    groups: bool = False  # whether own distances are to other systems
    environment: float | None = None  # cutoff, in Å
    errors: str = "eval"  # those after each epoch, or "step": of the training steps

    @property
    def of_fit(self) -> Setting:
        """What a fit depends on: the same but for how errors are stretched."""
        return replace(self, stretch="bounded", distance_scaling=0.0, disagreement_scaling=0.0)

    def fit(self, domain: Domain) -> LTAUEstimator:
        """Fit an estimator."""
        train = domain.train
        own = ("n_neighbors", "burn_in", "scaling", "weights")
        settings: Mapping[str, Any] = {name: getattr(self, name) for name in own}
        return LTAUEstimator(**settings, n_jobs=1).fit(
            self._latents(train),
            domain.trajectories[self.errors],
            self._strata(train),
            groups=train.groups if self.groups else None,
            targets=train.targets,
        )

    def predict(self, estimator: LTAUEstimator, domain: Domain) -> dict[str, ErrorPrediction]:
        """Calibrate a fitted estimator, and predict the errors of each test set."""
        own = ("stretch", "distance_scaling", "disagreement_scaling")
        estimator.set_params(**{name: getattr(self, name) for name in own})
        validation = domain.validation
        estimator.calibrate(
            self._latents(validation),
            validation.errors,
            self._strata(validation),
            y_pred=validation.y_pred,
        )
        return {name: self._predict(estimator, samples) for name, samples in domain.tests.items()}

    def _predict(self, estimator: LTAUEstimator, samples: Samples) -> ErrorPrediction:
        asked = self._latents(samples), self._strata(samples)
        errors, score = estimator.predict_distribution(
            *asked, y_pred=samples.y_pred, return_ood_score=True
        )
        latents, strata = asked
        bounds = estimator.predict_quantile(latents, LEVELS, strata, y_pred=samples.y_pred)
        return ErrorPrediction(errors, bounds, score)

    def _latents(self, samples: Samples) -> NDArray[np.float32]:
        if self.environment is None or samples.frames is None:
            return samples.latents
        return environment_latents(samples.latents, samples.frames, self.environment)

    def _strata(self, samples: Samples) -> NDArray[np.int64] | None:
        return samples.classes if self.strata else None


PAPER = Setting(10, 0.0, "none", distance_scaling=0.0, disagreement_scaling=0.0)

_FORMS = (
    ("power", 0.0),
    ("power", 0.5),
    ("power", 1.0),
    ("power", 1.5),
    ("bounded", 1.5),
    ("bounded", 2.0),
    ("bounded", 2.5),
    ("bounded", 3.0),
    ("bounded", 3.5),
    ("bounded", 4.0),
)
_ALONE: dict[str, tuple[Any, ...]] = {
    "n_neighbors": (10, 30, 100),
    "burn_in": (0.0, 1 / 3, 2 / 3),
    "scaling": ("none", "standardize", "whiten"),
    "weights": ("uniform", "distance"),
    "errors": ("eval", "step"),
}


@dataclass(frozen=True)
class Kind:
    """Sets of one kind, for which one setting is chosen: never on a set it is then praised on."""

    name: str
    choosing: tuple[str, ...]
    confirming: tuple[str, ...]
    center: Setting  # the default
    grid: dict[str, tuple[Any, ...]]  # levels that are combined with the forms of stretching
    alone: dict[str, tuple[Any, ...]]  # levels that are tried one at a time
    steps: tuple[tuple[str, Mapping[str, Any]], ...]  # from the paper's setting to the default

    def settings(self) -> list[Setting]:
        """Combine the levels of the grid."""
        return [
            replace(
                self.center,
                stretch=form,
                distance_scaling=strength,
                **dict(zip(self.grid, levels, strict=True)),
            )
            for (form, strength), *levels in product(_FORMS, *self.grid.values())
        ]

    def one_at_a_time(self, center: Setting) -> list[tuple[str, Setting]]:
        """Change one thing after the other; each with a name for what is changed."""
        changed = [
            (
                f"{name} = {level:.3g}" if isinstance(level, float) else f"{name} = {level}",
                name,
                level,
            )
            for name, levels in (self.grid | self.alone).items()
            for level in levels
            if level != getattr(center, name)
        ]
        forms = [
            (f"{form}, {strength:g}", replace(center, stretch=form, distance_scaling=strength))
            for form, strength in _FORMS
            if (form, strength) != (center.stretch, center.distance_scaling)
        ]
        return forms + [(label, replace(center, **{name: level})) for label, name, level in changed]

    def one_after_the_other(self) -> list[tuple[str, Setting]]:
        """Go from the paper's setting to the default, step by step."""
        setting, found = PAPER, [("paper", PAPER)]
        for name, change in self.steps:
            setting = replace(setting, **change)
            found.append((f"+ {name}", setting))
        return found


TABLES = Kind(
    "tables",
    choosing=("airfoil", "energy", "kin40k"),
    confirming=("concrete", "yacht", "wine", "esol"),
    center=Setting(),
    grid={"disagreement_scaling": (0.0, 0.3, 0.7, 1.0), "weights": ("uniform", "distance")},
    alone={name: levels for name, levels in _ALONE.items() if name != "weights"},
    steps=(
        ("burn-in", {"burn_in": 1 / 3}),
        ("whitening", {"scaling": "whiten"}),
        ("distance", {"distance_scaling": 3.0}),
        ("disagreement", {"disagreement_scaling": 0.7}),
    ),
)
FIELDS = Kind(
    "force fields",
    choosing=("emt", "slabs"),
    confirming=("acac",),
    center=Setting(
        disagreement_scaling=0.0, strata=True, groups=True, environment=3.5, **FORCE_FIELD
    ),
    grid={"environment": (None, 3.5)},
    alone=_ALONE | {"strata": (False, True), "groups": (False, True)},
    steps=(
        ("burn-in", {"burn_in": 1 / 3}),
        ("whitening", {"scaling": "whiten"}),
        ("30 neighbours", {"n_neighbors": 30}),
        ("elements apart", {"strata": True}),
        ("distance", {"distance_scaling": 3.5}),
        ("other systems", {"groups": True}),
        ("environments", {"environment": 3.5}),
    ),
)
CHOOSING = TABLES.choosing + FIELDS.choosing
CONFIRMING = TABLES.confirming + FIELDS.confirming
