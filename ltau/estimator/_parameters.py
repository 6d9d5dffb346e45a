"""The parameters of an estimator, what they may be, and what a fit says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from ltau._fitted.calibration import Calibration
from ltau._fitted.settings import Settings
from ltau._fitted.state import Fitted
from ltau.estimator._checks import check_n_neighbors
from ltau.neighbors import INDEX_CLASSES

__all__ = ["MOST_EXPONENT", "Parameters"]

MOST_EXPONENT = 10.0  # of the `ood_score`, which reaches 1,000: beyond, factors overflow
_OF_PREDICTIONS = (
    "n_neighbors",
    "weights",
    "distance_scaling",
    "stretch",
    "disagreement_scaling",
    "n_jobs",
)


class Parameters(BaseEstimator):
    """Parameters and attributes of `LTAUEstimator`, which describes them."""

    fitted_: Fitted
    calibration_: Calibration | None
    _remembered: Mapping[str, object] = MappingProxyType({})

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "burn_in": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="left"),
        ],
        "scaling": [StrOptions({"none", "standardize", "whiten"})],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "bins": [StrOptions({"log", "linear"}), "array-like"],
        "weights": [StrOptions({"uniform", "distance"})],
        "distance_scaling": [Interval(Real, 0, MOST_EXPONENT, closed="both")],
        "stretch": [StrOptions({"bounded", "power"})],
        "disagreement_scaling": [Interval(Real, 0, MOST_EXPONENT, closed="both")],
        "index": [StrOptions({"auto", *INDEX_CLASSES})],
        "recall": [Interval(Real, 0, 1, closed="right")],
        "n_prototypes": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "prototype_tolerance": [Interval(Real, 0, None, closed="left")],
        "memory_limit": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        burn_in: float = 1 / 3,
        scaling: str = "whiten",
        n_bins: int = 100,
        bins: str | ArrayLike = "log",
        weights: str = "uniform",
        distance_scaling: float = 3.0,
        stretch: str = "bounded",
        disagreement_scaling: float = 0.7,
        index: str = "auto",
        recall: float = 0.99,
        n_prototypes: int | Literal["auto"] | None = None,
        prototype_tolerance: float = 0.01,
        memory_limit: int | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
        verbose: bool | int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.burn_in = burn_in
        self.scaling = scaling
        self.n_bins = n_bins
        self.bins = bins
        self.weights = weights
        self.distance_scaling = distance_scaling
        self.stretch = stretch
        self.disagreement_scaling = disagreement_scaling
        self.index = index
        self.recall = recall
        self.n_prototypes = n_prototypes
        self.prototype_tolerance = prototype_tolerance
        self.memory_limit = memory_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        tags.target_tags.two_d_labels = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False  # a trajectory, were it of one epoch
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")

    @property
    def bin_edges_(self) -> NDArray[np.float64]:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""
        return self.fitted_.densities.edges

    @property
    def n_samples_fit_(self) -> int:
        """Number of training samples."""
        return self.fitted_.n_samples

    @property
    def n_prototypes_(self) -> int | None:
        """Number of prototypes, or None where all training samples are kept."""
        return None if self.fitted_.members is None else len(self.fitted_.densities)

    @property
    def strata_(self) -> NDArray[np.generic] | None:
        """The strata seen at fit, or None."""
        return self.fitted_.index.classes

    @property
    def index_(self) -> str | tuple[str, ...]:
        """The kind of index in use; one for each stratum where there are strata."""
        index = self.fitted_.index
        return index.kinds[0] if index.classes is None else index.kinds

    @property
    def recall_(self) -> float:
        """Recall reached by the index: 1 if it is exact, the lowest one if there are strata."""
        return self.fitted_.index.recall

    def settings(self, n_neighbors: int | None = None) -> Settings:
        """Give what predictions depend on besides the fit, for other backends.

        Parameters
        ----------
        n_neighbors : int, optional
            Number of neighbours; by default that of the estimator.

        Returns
        -------
        Settings
            The number of neighbours, their weights, how errors are stretched, and the
            calibration: without one, that they are stretched by `distance_scaling`.

        Raises
        ------
        ValueError
            If a parameter was set to something invalid since `fit`, or to something else
            since `calibrate`.
        """
        if self._of_predictions() != self._remembered:
            self._validate_params()
            if self._is_calibration_stale():
                raise ValueError(
                    f"Expected the parameters of the calibration, {_told(self._remembered)}, "
                    f"got {_told(self._of_predictions())}: call calibrate again, or "
                    "reset_calibration."
                )
            self._remember_settings()
        k = self.n_neighbors if n_neighbors is None else check_n_neighbors(n_neighbors)
        learnt: Calibration | None = getattr(self, "calibration_", None)
        calibration = learnt or _uncalibrated(float(self.distance_scaling))
        c = float(self.disagreement_scaling)
        return Settings(int(k), self.weights, self.stretch, c, calibration)

    def _check_parameter(self, name: str) -> None:
        """Refuse one parameter that was set to something invalid since `fit`."""
        constraints = {name: self._parameter_constraints[name]}
        validate_parameter_constraints(
            constraints, {name: getattr(self, name)}, type(self).__name__
        )

    def _is_calibration_stale(self) -> bool:
        """Find out whether there is a calibration, which belongs to other parameters."""
        if getattr(self, "calibration_", None) is None:
            return False
        before, now = ({**of, "n_jobs": None} for of in (self._remembered, self._of_predictions()))
        return before != now

    def _remember_settings(self) -> None:
        """Remember the parameters that are known to be valid: each prediction asks for them."""
        self._remembered = self._of_predictions()

    def _of_predictions(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _OF_PREDICTIONS}


def _told(parameters: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


@cache
def _uncalibrated(exponent: float) -> Calibration:
    """Make what stands for a calibration where there is none."""
    return Calibration(1.0, exponent, {})
