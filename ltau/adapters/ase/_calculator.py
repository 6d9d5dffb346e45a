"""A calculator that tells how wrong another one's forces are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.outputs import Properties
from numpy.typing import ArrayLike

from ltau.adapters._forces.own_pass import has_own_pass
from ltau.adapters._forces.results import CalculatorResults, Results, Strata
from ltau.adapters.ase._latents import Latents, check_model, with_environment
from ltau.adapters.ase._uncertainty import Uncertainty
from ltau.estimator import LTAUEstimator

__all__ = ["UncertainCalculator"]


class UncertainCalculator(Calculator):
    """Add uncertainties of the forces to the results of any ASE calculator.

    Energy, forces and everything else are those of the inner calculator, bit for bit.

    Parameters
    ----------
    calculator : ase calculator
        What computes the forces.
    estimator : LTAUEstimator
        Fitted on latents of the same model, and per-atom force errors in eV/Å.
    latents : callable
        Called with the atoms and `calculator`, which has computed their forces by then,
        it returns their latents, of shape (n_atoms, n_features); or None where they have
        none, as for an isolated atom: every uncertainty is then NaN. One that is marked by
        `runs_calculator` is called first, and lets the calculator compute the forces.
        Environment latents, where the estimator was fitted on those, are made of the model's
        own.
    level, tolerance, every, strata, unit_factor, keep_latents, in_info, enabled
        As in `Uncertainty`.

    Attributes
    ----------
    calculator : ase calculator
        The inner calculator. After a change of its parameters, call `reset`.
    uncertainty : Uncertainty
        Makes the predictions; its attribute `enabled` switches the uncertainty off and on.

    Raises
    ------
    TypeError
        If there are no `latents` to call.
    ValueError
        If the inner calculator gives no forces; the estimator belongs to another model, by
        the structure in its notes, if `fit_frames` has left one; or from `Uncertainty`; and
        from a calculation, if positions or latents are NaN, or as `Uncertainty.predict`.

    Notes
    -----
    The results are found by the names in ``uncertainty.properties`` too, as in
    ``calc.results["forces_uncertainty"]``. Its items remain those that ASE knows, so that
    ``SinglePointCalculator(atoms, **calc.results)`` takes them. Whenever a result is asked
    for, the uncertainty is copied to ``atoms.arrays`` and ``atoms.info``, as in
    `Uncertainty.attach`, and so is written to files. A result that is asked for by its name
    is computed in any step, whatever `every` is.

    Examples
    --------
    >>> import numpy as np
    >>> from ase.build import molecule
    >>> from ase.calculators.emt import EMT
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.ase import UncertainCalculator
    >>> def latents(atoms, calculator):
    ...     distances = atoms.get_all_distances()
    ...     return np.exp(-distances).sum(axis=1, keepdims=True)
    >>> rng = np.random.default_rng(0)
    >>> known = np.vstack([latents(molecule("H2O", vacuum=5.0), None)] * 20)
    >>> known += 0.01 * rng.normal(size=known.shape)
    >>> estimator = LTAUEstimator().fit(known, np.full((60, 5), 0.1), np.tile([8, 1, 1], 20))
    >>> atoms = molecule("H2O", vacuum=5.0)
    >>> atoms.calc = UncertainCalculator(EMT(), estimator, latents)
    >>> forces = atoms.get_forces()
    >>> atoms.arrays["forces_uncertainty"].round(1)
    array([0.1, 0.1, 0.1])
    >>> round(atoms.calc.results["forces_uncertainty_max"], 1)
    0.1
    """

    def __init__(
        self,
        calculator: BaseCalculator,
        estimator: LTAUEstimator,
        latents: Latents,
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
        super().__init__()
        if "forces" not in calculator.implemented_properties:
            raise ValueError(
                "Expected a calculator that gives forces, got "
                f"{type(calculator).__name__}, which gives {calculator.implemented_properties}."
            )
        if not callable(latents):
            raise TypeError(
                f"Expected latents to be a callable of atoms and calculator, got {latents!r}."
            )
        self.calculator = calculator
        self.latents = latents
        self.uncertainty = Uncertainty(
            estimator,
            level=level,
            tolerance=tolerance,
            every=every,
            strata=strata,
            unit_factor=unit_factor,
            keep_latents=keep_latents,
            in_info=in_info,
            enabled=enabled,
        )
        self.implemented_properties = [
            *calculator.implemented_properties,
            *self.uncertainty.properties,
        ]
        self._check_model()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("forces",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Calculate properties by the inner calculator, and the uncertainty if it is due."""
        if atoms is None:
            raise ValueError("Expected atoms, got none, nor any of an earlier calculation.")
        if not np.isfinite(atoms.positions).all():
            raise ValueError("Expected finite positions, got NaN or infinity.")
        due = False
        if system_changes:
            self.reset()
            self.uncertainty.attach(atoms, {})  # nothing of an earlier step stays
            due = self.uncertainty.step()
        own = set(self.uncertainty.properties)
        asked = self.uncertainty.enabled and not own.isdisjoint(properties)
        latents = None
        if (due or asked) and has_own_pass(self.latents):
            latents = self.latents(atoms, self.calculator)
        for name in [name for name in properties if name not in own] or ["forces"]:
            self.calculator.get_property(name, atoms)
        results = {name: _copied(value) for name, value in self.calculator.results.items()}
        known = {name: self.results[name] for name in own if name in self.results}
        if due or asked:
            if not has_own_pass(self.latents):
                latents = self.latents(atoms, self.calculator)
            known = self._uncertainty_of(atoms, latents)
        super().calculate(atoms, list(properties), list(system_changes))
        self.results = CalculatorResults(results, known)

    def _uncertainty_of(self, atoms: Atoms, latents: ArrayLike | None) -> Results:
        estimator = self.uncertainty.estimator
        if latents is None:
            return self.uncertainty.unknown(np.full((len(atoms), estimator.n_features_in_), np.nan))
        return self.uncertainty.predict(with_environment(latents, atoms, estimator), atoms)

    def _check_model(self) -> None:
        """Refuse an estimator that belongs to another model."""
        check_model(self.uncertainty.estimator, self.calculator, self.latents)

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Give a result as ASE does, and leave the uncertainty with the atoms."""
        value = super().get_property(name, atoms, allow_calculation)
        if atoms is not None:
            self.uncertainty.attach(atoms, self.results)
        return value

    def calculate_properties(self, atoms: Atoms, properties: Sequence[str]) -> Properties:
        """Calculate properties as ASE does, and leave the uncertainty with the atoms."""
        found: Properties = super().calculate_properties(atoms, properties)
        self.uncertainty.attach(atoms, self.results)
        return found


def _copied(value: object) -> object:
    """Copy an array: some calculators overwrite theirs in the next step."""
    return value.copy() if isinstance(value, np.ndarray) else value
