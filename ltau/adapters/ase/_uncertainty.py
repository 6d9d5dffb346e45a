"""From the latents of a structure's atoms to results under the names of this library."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import error_bars
from ltau.adapters._forces.checks import check_elements, check_target, symbols
from ltau.adapters._forces.reporter import Reporter
from ltau.adapters._forces.results import Results, Strata
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["Uncertainty"]

Floats = NDArray[np.float64]


class Uncertainty(Reporter):
    """Predict the error of each atom's force from the atoms' latents.

    Parameters
    ----------
    estimator : LTAUEstimator
        Fitted on per-atom force errors. If it was fitted with strata, those of the atoms
        are found as `strata` tells. If it was fitted on environment latents, it is given
        those: see `ltau.structures.environment_latents`.
    level : float, default=0.9
        Probability with which the error stays below ``forces_uncertainty_upper``.
    tolerance : float, optional
        A force error, in eV/Å; if given, the results have the probability of a larger one.
    every : int, default=1
        Predict in every n-th step, from the first one on.
    strata : "elements" or callable, default="elements"
        Strata of the atoms, used if the estimator has any: their atomic numbers, or what
        the function gives for an `ase.Atoms`, of shape (n_atoms,).
    unit_factor : float, optional
        What the estimator's errors are multiplied with to be in eV/Å. By default 1, for
        an estimator that was told no unit or this one.
    keep_latents : bool, default=False
        Whether to give the latents too: `ltau.selection.select` needs them.
    in_info : bool, default=False
        Whether to leave the results of the atoms in ``atoms.info`` too: ASE's traj files
        hold that, and no arrays but its own.
    enabled : bool, default=True
        Whether to predict at all. The attribute may be set at any time.

    Attributes
    ----------
    properties : tuple of str
        Names of the results.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator was fitted on errors of something else than forces, or in
        another unit; if its strata are not elements; or a number is out of range.

    Notes
    -----
    The results are, for each atom, in arrays of shape (n_atoms,):

    - ``forces_uncertainty``: expected error of the force, the length of its difference
      to the true force, in eV/Å;
    - ``forces_uncertainty_upper``: error not exceeded with probability `level`, in eV/Å;
    - ``forces_error_probability``: P(error > `tolerance`), if a tolerance was given;
    - ``ood_score``: distance to the training atoms, about 1 where they are dense;
    - ``latents``: of shape (n_atoms, n_features), if they are kept;

    and for the structure ``forces_uncertainty_max`` and ``forces_uncertainty_mean``, in
    eV/Å, over its atoms.

    Examples
    --------
    >>> import numpy as np
    >>> from ase.build import molecule
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.ase import Uncertainty
    >>> rng = np.random.default_rng(0)
    >>> latents = rng.normal(size=(60, 2))                  # of 20 molecules of water
    >>> errors = np.full((60, 5), 0.1)                      # eV/Å
    >>> elements = np.tile([8, 1, 1], 20)
    >>> estimator = LTAUEstimator().fit(latents, errors, elements)
    >>> uncertainty = Uncertainty(estimator, tolerance=0.2)
    >>> results = uncertainty([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]], molecule("H2O"))
    >>> results["forces_uncertainty"].round(1)
    array([0.1, 0.1, 0.4])
    >>> results["ood_score"] > 3
    array([False, False,  True])
    """

    def __init__(
        self,
        estimator: LTAUEstimator,
        *,
        level: float = 0.9,
        tolerance: float | None = None,
        every: int = 1,
        strata: Strata = "elements",
        unit_factor: float | None = None,
        keep_latents: bool = False,
        in_info: bool = False,
        enabled: bool = True,
    ) -> None:
        check_is_fitted(estimator)
        check_target(estimator, unit_factor)
        super().__init__(
            level=level,
            tolerance=tolerance,
            every=every,
            unit_factor=unit_factor,
            keep_latents=keep_latents,
            in_info=in_info,
            enabled=enabled,
        )
        if strata == "elements":
            check_elements(estimator)
        elif not callable(strata):
            raise ValueError(f'Expected strata "elements" or a callable, got {strata!r}.')
        self.estimator = estimator
        self.strata = strata

    def __call__(self, latents: ArrayLike, atoms: Atoms) -> Results:
        """Predict, if it is switched on and this step's turn.

        Parameters
        ----------
        latents, atoms
            As in `predict`.

        Returns
        -------
        dict
            The results, as in `predict`; empty where there is nothing to predict.

        Raises
        ------
        ValueError
            As `predict`.
        """
        return self.predict(latents, atoms) if self.step() else {}

    def predict(self, latents: ArrayLike, atoms: Atoms) -> Results:
        """Predict, whatever the step.

        Parameters
        ----------
        latents : array-like of shape (n_atoms, n_features)
            Latents of the atoms, of the model that the estimator was fitted on.
        atoms : ase.Atoms
            The structure.

        Returns
        -------
        dict
            The results by the names in `properties`.

        Raises
        ------
        ValueError
            If latents are NaN, infinite or of another shape, or the estimator saw no
            atom of an element.
        """
        queries = np.asarray(latents, order="C")
        if queries.dtype != np.float32:  # float64 is rounded once it is centred
            queries = queries.astype(np.float64, copy=False)
        expected = (len(atoms), self.estimator.n_features_in_)
        if queries.shape != expected:
            cutoff = environment_cutoff(self.estimator)
            remedy = (
                f", as environment_latents gives with a cutoff of {cutoff:g} Å" if cutoff else ""
            )
            raise ValueError(f"Expected latents of shape {expected}{remedy}, got {queries.shape}.")
        if not np.isfinite(queries).all():
            bad = ~np.isfinite(queries).all(axis=1)
            raise ValueError(f"Expected finite latents, got NaN or infinity for {_listed(bad)}.")
        strata = self._strata(atoms)
        errors, upper, ood_score, larger = self._predicted(queries, strata)
        largest, mean = float(errors.max()), float(errors.sum() / len(errors))
        results = self._named(errors, upper, ood_score, largest, mean)
        if larger is not None:
            results["forces_error_probability"] = larger
        if self.keep_latents:
            results["latents"] = queries
        return results

    def _predicted(
        self, queries: NDArray[np.floating], strata: NDArray[np.generic] | None
    ) -> tuple[Floats, Floats, Floats, Floats | None]:
        """Predict errors, bars and scores, and how probable errors beyond the tolerance are."""
        if self.tolerance is None:  # a summary takes fewer calls
            return *self.estimator.predict_summary(queries, self.level, strata), None
        distribution, ood_score = self.estimator.predict_distribution(
            queries, strata, return_ood_score=True
        )
        upper = error_bars(distribution, self.estimator.calibration_, self.level)
        factor = 1.0 if self.unit_factor is None else self.unit_factor
        larger = 1.0 - distribution.cdf(self.tolerance / factor)
        return distribution.mean(), upper, ood_score, larger

    def _strata(self, atoms: Atoms) -> NDArray[np.generic] | None:
        known = self.estimator.strata_
        if known is None:
            return None
        if callable(self.strata):
            return np.asarray(self.strata(atoms))
        unknown = sorted(set(atoms.numbers.tolist()) - set(known.tolist()))
        if unknown:
            raise ValueError(
                f"The estimator was fitted on atoms of {symbols(known.tolist())}, got "
                f"{symbols(unknown)}: {_listed(np.isin(atoms.numbers, unknown))}."
            )
        return atoms.numbers


def _listed(chosen: ArrayLike) -> str:
    """Name the first atoms of a mask."""
    rows = np.flatnonzero(chosen)
    more = ", ..." if rows.size > 5 else ""
    return f"atoms {', '.join(map(str, rows[:5]))}{more}"
