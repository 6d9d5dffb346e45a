"""What held-out structures choose: environments, strata, and the number of neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

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
    estimator: LTAUEstimator, samples: StructureSamples, choice: Choice, key: str | None = None
) -> LTAUEstimator:
    """Fit a copy of an estimator.

    Parameters
    ----------
    estimator : LTAUEstimator
        The other parameters.
    samples : StructureSamples
        What was trained on.
    choice : Choice
        What was chosen.
    key : str, optional
        What groups structures, as in `StructureSamples.groups`.

    Returns
    -------
    LTAUEstimator
        The fitted estimator, whose notes have the cutoff of the environment.
    """
    return _fit(estimator, samples, choice, key, samples.rows(choice.environment))


def choose(
    estimator: LTAUEstimator,
    samples: StructureSamples,
    held_out: StructureSamples | None,
    options: Options,
    key: str | None = None,
) -> tuple[Choice, list[dict[str, Any]]]:
    """Choose what scores best on held-out structures.

    Each candidate is fitted to the training samples; one common scale of its predicted errors
    is learnt from the held-out ones, and the mean CRPS of these decides. A candidate takes the
    place of the one before it if it is better by more than a standard error over the groups of
    structures [1]_: what few structures cannot tell apart stays as it is.

    Parameters
    ----------
    estimator : LTAUEstimator
        The other parameters.
    samples, held_out : StructureSamples
        What was trained on, and what was not; None if there is nothing.
    options : Options
        What is tried. Elements are no strata where one has too few training atoms; nor are
        more neighbours tried than there can be.
    key : str, optional
        What groups structures, as in `StructureSamples.groups`.

    Returns
    -------
    choice : Choice
        The best; without held-out samples the first option that is possible.
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
    possible = list(_possible(options, samples, samples.groups(key), held_out))
    if held_out is None or len(possible) < 2:
        first = Choice(options.environments[0], options.strata[0], options.n_neighbors[0])
        return (possible or [first])[0], []
    scores = {}
    for environment in options.environments:
        rows, others = samples.rows(environment), held_out.rows(environment)
        for choice in possible:
            if choice.environment == environment:
                fitted = _fit(estimator, samples, choice, key, rows)
                scores[choice] = _crps(fitted, others, held_out, key)
    best = next(iter(scores))
    for choice, crps in scores.items():
        if _is_better(crps, scores[best]):
            best = choice
    return best, [{**each._asdict(), "crps": float(crps.mean())} for each, crps in scores.items()]


def _is_better(crps: Floats, before: Floats) -> bool:
    """Tell whether the means of groups are lower by more than a standard error."""
    difference = crps - before
    if len(difference) < 2:
        return False
    error = difference.std(ddof=1) / len(difference) ** 0.5
    return bool(difference.mean() < -error)


def _fit(
    estimator: LTAUEstimator,
    samples: StructureSamples,
    choice: Choice,
    key: str | None,
    rows: NDArray[np.float32],
) -> LTAUEstimator:
    copy: LTAUEstimator = clone(estimator).set_params(n_neighbors=choice.n_neighbors)
    strata = None if choice.strata is None else samples.elements()
    fitted = copy.fit(rows, samples.errors, strata, groups=samples.groups(key))
    fitted.notes_ = {**fitted.notes_, ENVIRONMENT: choice.environment}
    return fitted


def _crps(
    fitted: LTAUEstimator, rows: NDArray[np.float32], held_out: StructureSamples, key: str | None
) -> Floats:
    """Score each group of held-out samples, once errors are right in size on the whole."""
    strata = None if fitted.strata_ is None else held_out.elements()
    errors = np.asarray(held_out.errors)
    fitted.calibrate(rows, errors, strata, stretch_fraction=1.0)
    crps = fitted.predict_distribution(rows, strata).crps(errors)
    _, group = np.unique(held_out.groups(key), return_inverse=True)
    return np.bincount(group, crps) / np.bincount(group)


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
