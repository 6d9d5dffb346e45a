"""A NequIP calculator for ASE that tells how wrong its forces may be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.outputs import Properties
from nequip.data import AtomicDataDict
from nequip.integrations.ase import NequIPCalculator
from nequip.utils import torch_default_dtype
from numpy.typing import NDArray

from ltau.adapters._forces.checks import check_atoms
from ltau.adapters._forces.edges import check_reach
from ltau.adapters._forces.probe import check_same_model
from ltau.adapters._forces.results import CalculatorResults, Results, Strata
from ltau.adapters.ase import Uncertainty
from ltau.adapters.nequip._compiled_uncertainty import CompiledUncertainty
from ltau.adapters.nequip._environment import reach_of
from ltau.adapters.nequip._fields import Fields, without_neighbors
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._models import (
    COMPILED_INPUTS,
    COMPILED_OUTPUTS,
    NequIPModel,
    as_model,
    known_elements,
)
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["UncertainNequIPCalculator"]


class UncertainNequIPCalculator(NequIPCalculator):
    """Energy, forces and stress by NequIP, and how wrong the forces may be, in one pass.

    Energies, forces and stress are bit for bit those of ``NequIPCalculator``. By their names
    the results give besides what `ltau.adapters.ase.Uncertainty` tells: for each atom
    ``forces_uncertainty``, ``forces_uncertainty_upper`` and ``ood_score``, and for the
    structure ``forces_uncertainty_max`` and ``forces_uncertainty_mean``. Whenever ASE
    asks for a result they are copied to the atoms too, as `Uncertainty.attach` tells,
    and so reach files. The items of the results are those that ASE knows, as in
    `UncertainCalculator`.

    Usually made by `from_model`.

    Parameters
    ----------
    model : torch.nn.Module
        A NequIP model in evaluation mode, which gives forces and latents.
    device : str or torch.device
        Where it is to run.
    estimator : LTAUEstimator or None
        Fitted on this model's latents and errors of forces, in the model's units; None for
        a model that was compiled with one.
    transforms : sequence of torch.nn.Module
        What gives a structure the model's atom types and neighbours.
    energy_units_to_eV, length_units_to_A : float, default=1.0
        What the model's units are. The uncertainties are converted as the forces are.
    level : float, default=0.9
        As in `Uncertainty`. Of a model that was compiled with an estimator, it is the one
        that was compiled, which `from_model` knows.
    tolerance, strata
        As in `Uncertainty`; they need an estimator.
    every, keep_latents, in_info, enabled
        As in `Uncertainty`.

    Attributes
    ----------
    uncertainty : Uncertainty
        Makes the predictions; its attribute `enabled` switches the uncertainty off and on.

    Raises
    ------
    ValueError
        If the model gives no forces or no latents; or the estimator belongs to another
        model, was fitted on errors of something else than forces, or on environments
        beyond the model's cutoff; or an option is out of range. In a calculation: if
        there are NaN positions, or an element that the model or the estimator does not know.

    Notes
    -----
    A result that is asked for by its name is computed in any step, whatever `every` says.

    Where no atom of a structure has a neighbour within the model's cutoff, nothing can be
    said of its forces, and every uncertainty is NaN.

    With several threads the last digits of a compiled model's forces depend on the order of
    the threads, in nequip's own calculator too.

    To find out whether it belongs to the model, the estimator's own notes are used: the
    latents of one training structure, where it was fitted from a training folder. For an
    estimator without notes, only the width of the latents can be checked. The notes also
    say whether the estimator was fitted on environment latents, which then come from the
    model's own edges, in the same pass.

    Examples
    --------
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.nequip import UncertainNequIPCalculator
    >>> atoms.calc = UncertainNequIPCalculator.from_model(  # doctest: +SKIP
    ...     "model.nequip.pt2", LTAUEstimator.load("model.ltau")
    ... )
    >>> atoms.get_forces()  # doctest: +SKIP
    >>> atoms.calc.results["forces_uncertainty"]  # doctest: +SKIP
    """

    results: dict[str, Any]

    def __init__(
        self,
        model: torch.nn.Module,
        device: str | torch.device,
        *,
        estimator: LTAUEstimator | None,
        transforms: Sequence[torch.nn.Module],
        energy_units_to_eV: float = 1.0,
        length_units_to_A: float = 1.0,
        level: float = 0.9,
        tolerance: float | None = None,
        every: int = 1,
        strata: Strata = "elements",
        keep_latents: bool = False,
        in_info: bool = False,
        enabled: bool = True,
    ) -> None:
        factor = energy_units_to_eV / length_units_to_A
        reporting: dict[str, Any] = {
            "level": level,
            "every": every,
            "unit_factor": None if factor == 1 else factor,
            "keep_latents": keep_latents,
            "in_info": in_info,
            "enabled": enabled,
        }
        self.uncertainty: Uncertainty | CompiledUncertainty
        if estimator is None:
            _check_compiled(level, tolerance=tolerance, strata=strata)
            self.uncertainty = CompiledUncertainty(**reporting)
        else:
            self.uncertainty = Uncertainty(
                estimator, tolerance=tolerance, strata=strata, **reporting
            )
        self._due = True  # whether it is this calculation's turn
        self._environment = None if estimator is None else environment_cutoff(estimator)
        self._fields: Fields = {}  # what the model was last given
        super().__init__(
            model,
            device,
            energy_units_to_eV=energy_units_to_eV,
            length_units_to_A=length_units_to_A,
            transforms=list(transforms),
        )
        self.implemented_properties = [
            *NequIPCalculator.implemented_properties,
            *self.uncertainty.properties,
        ]
        self._known = known_elements(self.transforms)
        if self._environment is not None:
            check_reach(self._environment, reach_of(self.transforms))
        if estimator is not None:
            self._check_model(estimator)

    @classmethod
    def from_model(
        cls,
        model: str | os.PathLike[str] | torch.nn.Module | NequIPModel,
        estimator: LTAUEstimator | None = None,
        *,
        device: str | torch.device = "cpu",
        energy_units_to_eV: float = 1.0,
        length_units_to_A: float = 1.0,
        level: float | None = None,
        tolerance: float | None = None,
        every: int = 1,
        strata: Strata = "elements",
        keep_latents: bool = False,
        in_info: bool = False,
        enabled: bool = True,
    ) -> Self:
        """Make a calculator from a checkpoint, a package or a compiled model.

        Parameters
        ----------
        model : str, path-like, NequIPModel or nequip GraphModel
            Path of a model as in `load_model`, or a loaded one, which stays where it is.
            Loading one runs code that the file holds: give only files that you trust.
        estimator : LTAUEstimator, optional
            Fitted on this model's latents and errors of forces. A model that was compiled
            with an estimator needs none, and takes none.
        device : str or torch.device, default="cpu"
            Where to run a model that is given by its path.
        energy_units_to_eV, length_units_to_A : float, default=1.0
            What the model's units are.
        level : float, optional
            As in `Uncertainty`, 0.9 by default. A model that was compiled with an estimator
            has a level, and takes no other.
        tolerance, every, strata, keep_latents, in_info, enabled
            As in `Uncertainty`; the first and the third need an estimator.

        Returns
        -------
        UncertainNequIPCalculator
            The calculator.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            If the model cannot be loaded, as in `load_model`; there is an estimator, or
            a level, where one is compiled into the model, or none where none is; or as
            the class.
        """
        loaded = as_model(model, device)
        if (loaded.level is None) == (estimator is None):
            has = "no uncertainty: give an" if loaded.level is None else "its uncertainty: give no"
            raise ValueError(f"The model has {has} estimator.")
        if loaded.level is not None:
            _check_compiled(loaded.level, level=level, tolerance=tolerance, strata=strata)
            level = loaded.level
        return cls(
            loaded.module,
            loaded.device,
            estimator=estimator,
            transforms=loaded.transforms,
            energy_units_to_eV=energy_units_to_eV,
            length_units_to_A=length_units_to_A,
            level=0.9 if level is None else level,
            tolerance=tolerance,
            every=every,
            strata=strata,
            keep_latents=keep_latents,
            in_info=in_info,
            enabled=enabled,
        )

    @classmethod
    def _get_aoti_compile_target(cls) -> dict[str, Any]:
        """Let ``from_compiled_model`` of the base class take a model that gives latents."""
        return {"input": COMPILED_INPUTS, "output": COMPILED_OUTPUTS}

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Calculate everything in one pass, and the uncertainty if it is due."""
        asked = not set(self.uncertainty.properties).isdisjoint(properties)
        self._due = (asked and self.uncertainty.enabled) or self.uncertainty.step()
        try:
            with torch_default_dtype(torch.float64):  # else nequip rounds the positions
                super().calculate(atoms, properties, system_changes)
        except Exception:
            self.reset()  # or ASE would take what is there for the results
            raise

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Give a result as ASE does, and leave the uncertainty with the atoms."""
        try:
            return super().get_property(name, atoms, allow_calculation)
        finally:
            if atoms is not None:
                self.uncertainty.attach(atoms, self.results)

    def calculate_properties(self, atoms: Atoms, properties: Sequence[str]) -> Properties:
        """Calculate properties as ASE does, and leave the uncertainty with the atoms."""
        try:
            found: Properties = super().calculate_properties(atoms, properties)
        finally:
            self.uncertainty.attach(atoms, self.results)
        return found

    def atoms_to_data(self, atoms: Atoms) -> Fields:
        """Make the model's input of a structure, checked."""
        check_atoms(atoms, self._known)
        data: Fields = super().atoms_to_data(atoms)
        return data

    def call_model(self, data: Fields) -> Fields:
        """Run the model, and remember what it was given."""
        self._fields = data
        out: Fields = super().call_model(data.copy())
        return out

    def save_extra_outputs(self, out: Fields) -> None:
        """Add the uncertainty, if it is due, to the results; nequip calls this."""
        self.results = CalculatorResults(self.results, self._added(out) if self._due else {})

    def _added(self, out: Fields) -> Results:
        if without_neighbors(self._fields).all():
            return self.uncertainty.unknown(self._latents(out))
        if isinstance(self.uncertainty, CompiledUncertainty):
            return self.uncertainty.read(out, self._fields)
        return self.uncertainty.predict(self._latents(out), self.atoms)

    def _check_model(self, estimator: LTAUEstimator) -> None:
        """Run the model once, to see whether it is the one that the estimator is for."""

        def run(atoms: Atoms) -> NDArray[np.float32]:
            check_atoms(atoms, self._known, "a structure that the estimator was fitted on")
            with torch_default_dtype(torch.float64):
                out = self.call_model(self.atoms_to_data(atoms))
            if AtomicDataDict.FORCE_KEY not in out:
                names = ", ".join(out)
                raise ValueError(f"Expected a model that gives forces, got {names} alone.")
            return self._latents(out)

        check_same_model(estimator, self._dimer(), run)

    def _latents(self, out: Fields) -> NDArray[np.float32]:
        """Take the latents that the estimator knows out of what the model gave."""
        return latents_of(out, self._fields, self._environment)

    def _dimer(self) -> Atoms:
        """Make the simplest structure that the model can take, well within any cutoff."""
        element = np.flatnonzero(self._known)[0]
        return Atoms([element, element], [[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])


def _check_compiled(compiled_level: float, **given: object) -> None:
    """Refuse what was settled when a model was compiled with its uncertainty."""
    settled = [name for name, value in given.items() if value not in (None, "elements")]
    if settled:
        raise ValueError(
            f"The model was compiled with its uncertainty, for the level {compiled_level}: "
            f"give no {' or '.join(settled)}."
        )
