"""Which results there are, in which steps, and how they reach the structure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from ltau.adapters._forces.checks import is_number
from ltau.adapters._forces.results import PER_ATOM, PER_STRUCTURE, Results

__all__ = ["Reporter"]

Floats = NDArray[np.float64]


class Reporter:
    """Which results there are, in which steps, and how they reach the structure.

    Parameters
    ----------
    level, tolerance, every, unit_factor, keep_latents, in_info, enabled
        As in `Uncertainty`.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(
        self,
        *,
        level: float = 0.9,
        tolerance: float | None = None,
        every: int = 1,
        unit_factor: float | None = None,
        keep_latents: bool = False,
        in_info: bool = False,
        enabled: bool = True,
    ) -> None:
        if not is_number(level) or not 0 <= level <= 1:
            raise ValueError(f"Expected a level from 0 to 1, got {level!r}.")
        if not isinstance(every, int | np.integer) or every < 1:
            raise ValueError(f"Expected every to be an integer >= 1, got {every!r}.")
        for name, value in {"tolerance": tolerance, "unit_factor": unit_factor}.items():
            if value is not None and not (is_number(value) and 0 < value < np.inf):
                raise ValueError(f"Expected a positive, finite {name}, got {value!r}.")
        self.level = level
        self.tolerance = tolerance
        self.every = every
        self.unit_factor = unit_factor
        self.keep_latents = keep_latents
        self.in_info = in_info
        self.enabled = enabled
        self._steps = 0

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the results, of the atoms and of the structure."""
        optional = {
            "forces_error_probability": self.tolerance is not None,
            "latents": self.keep_latents,
        }
        return tuple(name for name in PER_ATOM if optional.get(name, True)) + PER_STRUCTURE

    def step(self) -> bool:
        """Count a step.

        Returns
        -------
        bool
            Whether to predict in it. Latents need not be computed where not.
        """
        turn = self._steps % self.every == 0
        self._steps += 1
        return self.enabled and turn

    def unknown(self, latents: ArrayLike) -> Results:
        """Say of a structure's atoms that nothing is known, as of those without neighbours.

        Parameters
        ----------
        latents : array-like of shape (n_atoms, n_features)
            Latents of the atoms, which are given back if they are kept.

        Returns
        -------
        dict
            NaN by the names in `properties`.
        """
        kept = np.asarray(latents)
        expected, upper, ood_score = np.full((3, len(kept)), np.nan)
        results = self._named(expected, upper, ood_score, np.nan, np.nan)
        if self.tolerance is not None:
            results["forces_error_probability"] = np.full(len(kept), np.nan)
        if self.keep_latents:
            results["latents"] = kept
        return results

    def attach(self, atoms: Atoms, results: Mapping[str, Any]) -> None:
        """Copy the results to the structure, so that they reach files.

        Of a calculator's results ASE writes those alone that it knows. Those of the atoms
        go to ``atoms.arrays``, which files in extended XYZ format hold; those of the
        structure go to ``atoms.info``, which traj files hold too.

        Parameters
        ----------
        atoms : ase.Atoms
            The structure. What an earlier step left is replaced, or taken away if
            `results` does not have it.
        results : mapping
            What `predict` gave, or any results that hold it.
        """
        in_info = PER_STRUCTURE + PER_ATOM if self.in_info else PER_STRUCTURE
        for name in PER_ATOM + PER_STRUCTURE:
            atoms.arrays.pop(name, None)
            atoms.info.pop(name, None)
        for name in PER_ATOM:
            if name in results:
                atoms.arrays[name] = results[name].copy()
        for name in in_info:
            if name in results:
                atoms.info[name] = copy(results[name])

    def _named(
        self, expected: Floats, upper: Floats, ood_score: Floats, largest: float, mean: float
    ) -> Results:
        """Give the names of results to what is known of the atoms and of all, in eV/Å."""
        if self.unit_factor is not None:
            expected, upper = self.unit_factor * expected, self.unit_factor * upper
            largest, mean = self.unit_factor * largest, self.unit_factor * mean
        return {
            "forces_uncertainty": expected,
            "forces_uncertainty_upper": upper,
            "ood_score": ood_score,
            "forces_uncertainty_max": largest,
            "forces_uncertainty_mean": mean,
        }
