"""What held-out structures choose: environments, strata, and the number of neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ltau._progress import Tell
from ltau.estimator import LTAUEstimator
from ltau.structures._cutoff import ENVIRONMENT
from ltau.structures._samples import StructureSamples
from ltau.structures._settings import FORCE_FIELD

__all__ = ["CUTOFF", "Choice", "Options", "choose", "learn"]

Floats = NDArray[np.float64]

CUTOFF = 3.5  # Å, of the environments that are tried, and taken where nothing can be tried

_N_NEIGHBORS = (FORCE_FIELD["n_neighbors"], 10, 100)  # the first where nothing can be tried


class Choice(NamedTuple):
    """What is chosen."""

    environment: float | None  # cutoff in Å
    strata: str | None  # "elements" or None
    n_neighbors: int


class Options(NamedTuple):
    """What can be chosen from; the first of each is taken where nothing tells them apart."""

    environments: tuple[float | None, ...]
    strata: tuple[str | None, ...]
    n_neighbors: tuple[int, ...]

    @classmethod
    def of(
        cls,
        environment: float | str | None,
        strata: str | None,
        n_neighbors: int | None,
        *,
        reach: float,
    ) -> Options:
        """List the options.

        Parameters
        ----------
        environment : float, "auto" or None
            Cutoff in Å; ``"auto"`` tries 3.5 Å, and none.
        strata : {"auto", "elements", None}
            ``"auto"`` tries elements, and none.
        n_neighbors : int or None
            The number of neighbours; None tries some.
        reach : float
            The longest cutoff that there may be; 0 if there may be no environment.

        Returns
        -------
        Options
            The options.
        """
        tried = (CUTOFF, None) if reach >= CUTOFF else (None,)
        return cls(
            tried if environment == "auto" else (environment,),  # type: ignore[arg-type]
            ("elements", None) if strata == "auto" else (strata,),
            _N_NEIGHBORS if n_neighbors is None else (n_neighbors,),
        )


def learn(
    estimator: LTAUEstimator, samples: StructureSamples, groups: NDArray[np.generic], choice: Choice
) -> LTAUEstimator:
    """Fit a copy of an estimator.

    Parameters
    ----------
    estimator : LTAUEstimator
        The other parameters.
    samples : StructureSamples
        What was trained on.
    groups : ndarray of shape (n_samples,)
        Their groups.
    choice : Choice
        What was chosen.

    Returns
    -------
    LTAUEstimator
        The fitted estimator, whose notes have the cutoff of the environment.
    """
    return _fit(estimator, samples, groups, choice, samples.rows(choice.environment))


def choose(
    estimator: LTAUEstimator,
    samples: StructureSamples,
    groups: NDArray[np.generic],
    held_out: StructureSamples | None,
    units: NDArray[np.generic] | None,
    options: Options,
    tell: Tell,
) -> tuple[Choice, list[dict[str, Any]]]:
    """Choose what scores best on held-out structures.

    Each candidate is fitted to the training samples; one common scale of its predicted errors
    is learnt from the held-out ones, and the mean CRPS of these decides: of the candidates
    that are better than the first by more than the standard error of the difference [1]_, the
    best takes its place.

    Parameters
    ----------
    estimator : LTAUEstimator
        The other parameters.
    samples, held_out : StructureSamples
        What was trained on, and what was not; None if there is nothing.
    groups : ndarray of shape (n_samples,)
        Groups of those trained on.
    units : ndarray of shape (n_held_out,) or None
        Groups of those held out, which are independent of each other.
    options : Options
        What is tried. Elements are no strata where one has too few training atoms; nor are
        more neighbours tried than there can be.
    tell : callable
        Is told which candidate comes next.

    Returns
    -------
    choice : Choice
        The best, or the first option, where none is clearly better or nothing is held out.
    scores : list of dict
        Of each candidate its fields, and under ``crps`` its score; empty where nothing was
        tried.

    Raises
    ------
    ValueError
        If no candidate is possible, with the reason of the estimator.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, R. Olshen and C. Stone, *Classification and Regression
       Trees*, Wadsworth (1984), section 3.4.3: the rule of one standard error.
    """
    possible = list(_possible(options, samples, groups, held_out))
    if held_out is None or units is None or len(possible) < 2:
        first = Choice(options.environments[0], options.strata[0], options.n_neighbors[0])
        return (possible or [first])[0], []
    scores: dict[Choice, Floats] = {}
    for environment in options.environments:
        rows, others = samples.rows(environment), held_out.rows(environment)
        for choice in possible:
            if choice.environment == environment:
                tell(f"candidate {len(scores) + 1} of {len(possible)}")
                fitted = _fit(estimator, samples, groups, choice, rows)
                scores[choice] = _crps(fitted, others, held_out)
    report = [{**choice._asdict(), "crps": float(scores[choice].mean())} for choice in possible]
    first = possible[0]
    clear = [each for each in possible if _is_clear(scores[first] - scores[each], units)]
    return min(clear or [first], key=lambda choice: scores[choice].mean()), report


def _is_clear(gains: Floats, units: NDArray[np.generic]) -> bool:
    """Tell whether the mean of gains is more than its standard error, over independent units."""
    _, codes = np.unique(units, return_inverse=True)
    sizes, sums = np.bincount(codes), np.bincount(codes, gains)
    n, mean = len(sizes), gains.mean()
    if n < 2:
        return False
    error = np.sqrt(n / (n - 1) * ((sums - mean * sizes) ** 2).sum()) / len(gains)
    return bool(mean > error)


def _fit(
    estimator: LTAUEstimator,
    samples: StructureSamples,
    groups: NDArray[np.generic],
    choice: Choice,
    rows: NDArray[np.float32],
) -> LTAUEstimator:
    copy: LTAUEstimator = clone(estimator).set_params(n_neighbors=choice.n_neighbors)
    strata = None if choice.strata is None else samples.elements()
    fitted = copy.fit(rows, samples.errors, strata, groups=groups)
    fitted.notes_ = {**fitted.notes_, ENVIRONMENT: choice.environment}
    return fitted


def _crps(fitted: LTAUEstimator, rows: NDArray[np.float32], held_out: StructureSamples) -> Floats:
    """Score held-out samples, once their errors are right in size on the whole."""
    strata = None if fitted.strata_ is None else held_out.elements()
    observed = np.reshape(held_out.errors, (len(rows), -1))
    fitted.calibrate(rows, observed, strata, stretch_fraction=1.0)
    return np.nanmean(fitted.predict_distribution(rows, strata).crps(observed), axis=1)


def _possible(
    options: Options,
    samples: StructureSamples,
    groups: NDArray[np.generic],
    held_out: StructureSamples | None,
) -> Iterable[Choice]:
    """List what can be fitted, and asked of the held-out samples."""
    elements = samples.elements()
    everywhere = None if held_out is None else held_out.elements()
    for strata in options.strata:
        labels = np.zeros(len(groups), int) if strata is None or elements is None else elements
        if strata is not None and everywhere is not None and not np.isin(everywhere, labels).all():
            continue
        most = _most_neighbors(labels, groups)
        for environment in options.environments:
            for n_neighbors in options.n_neighbors:
                if n_neighbors <= most:
                    yield Choice(environment, strata, n_neighbors)


def _most_neighbors(labels: NDArray[np.generic], groups: NDArray[np.generic]) -> int:
    """Count how many neighbours of other groups every sample can have in its stratum."""
    of_strata: Sequence[NDArray[np.generic]] = [groups[labels == label] for label in set(labels)]
    return int(min(len(own) - np.unique(own, return_counts=True)[1].max() for own in of_strata))
