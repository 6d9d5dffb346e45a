"""A MACE calculator for ASE that tells how wrong its forces may be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import all_changes
from mace.calculators import MACECalculator
from numpy.typing import NDArray

from ltau.adapters._forces.checks import check_atoms
from ltau.adapters._forces.edges import check_reach
from ltau.adapters._forces.probe import check_same_model
from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.mace._graphs import Graphs
from ltau.adapters.mace._latents import latents_of
from ltau.adapters.mace._models import MACEModel, as_model
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["UncertainMACECalculator"]

_OF_FORCES = ("MACE", "EnergyDipoleMACE")  # kinds of models, as MACE's calculator names them


class UncertainMACECalculator(UncertainCalculator):
    """Energy, forces and stress by MACE, and how wrong the forces may be, in one pass.

    Energies, forces and stress are bit for bit those of the ``MACECalculator`` within. By
    their names the results give besides what `ltau.adapters.ase.Uncertainty` tells: for each
    atom ``forces_uncertainty``, ``forces_uncertainty_upper`` and ``ood_score``, and for the
    structure ``forces_uncertainty_max`` and ``forces_uncertainty_mean``. As in
    `UncertainCalculator`, they are copied to the atoms too, and so reach files.

    `from_model` makes one of a model; this takes a calculator, with all that it can do.

    Parameters
    ----------
    calculator : MACECalculator
        Of one model, which gives forces.
    estimator : LTAUEstimator
        Fitted on this model's latents and errors of forces, in eV/Å.
    **options
        As in `Uncertainty`: `level`, `tolerance`, `every`, `strata`, `unit_factor`,
        `keep_latents`, `in_info` and `enabled`.

    Attributes
    ----------
    calculator : MACECalculator
        The calculator within.
    uncertainty : Uncertainty
        Makes the predictions; its attribute `enabled` switches the uncertainty off and on.

    Raises
    ------
    TypeError
        If `calculator` is another one, or there is no such option.
    ValueError
        If it is a committee, or gives no forces; it has another head than the estimator was
        fitted on; the estimator belongs to another model, was fitted on errors of something
        else than forces, or on environments beyond the model's cutoff; or an option is
        out of range. In a calculation: if there are NaN positions, or an element that the
        model or the estimator does not know.

    Notes
    -----
    A result that is asked for by its name is computed in any step, whatever `every` says.

    Where no atom of a structure has a neighbour within the model's cutoff, nothing can be
    said of its forces, and every uncertainty is NaN.

    To find out whether it belongs to the model, the estimator's own notes are used: the
    latents of one training structure, where `fit_run` made it. For an estimator without
    notes, only the width of the latents can be checked. The notes also say whether the
    estimator was fitted on environment latents, which then come from the model's own edges,
    in the same pass.

    Examples
    --------
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.mace import UncertainMACECalculator
    >>> atoms.calc = UncertainMACECalculator.from_model(  # doctest: +SKIP
    ...     "checkpoints/acac_run-0.model", LTAUEstimator.load("forces.ltau")
    ... )
    >>> atoms.get_forces()  # doctest: +SKIP
    >>> atoms.calc.results["forces_uncertainty"]  # doctest: +SKIP
    """

    calculator: MACECalculator

    def __init__(
        self, calculator: MACECalculator, estimator: LTAUEstimator, **options: Any
    ) -> None:
        _check_calculator(calculator)
        super().__init__(calculator, estimator, self._known_latents, **options)
        self._model = as_model(calculator.models[0], "cpu")
        self._environment = environment_cutoff(estimator)
        self._seen: tuple[Graphs, dict[str, Any]] | None = None  # in the last pass
        _check_head(calculator.head, self._model, estimator)
        if self._environment is not None:
            check_reach(self._environment, self._model.cutoff)
        check_same_model(estimator, self._dimer(), self._latents_alone)

    def _check_model(self) -> None:
        """Leave it until all is known that it takes."""

    @classmethod
    def from_model(
        cls,
        model: str | os.PathLike[str] | torch.nn.Module | MACEModel,
        estimator: LTAUEstimator,
        *,
        device: str | torch.device = "cpu",
        dtype: str | None = None,
        head: str | None = None,
        **options: Any,
    ) -> Self:
        """Make a calculator from a model.

        Parameters
        ----------
        model : str, path-like, MACEModel or torch.nn.Module
            Path of a model as in `load_model`, or a loaded one, which stays where it is.
            Loading one runs code that the file holds: give only files that you trust.
        estimator : LTAUEstimator
            Fitted on this model's latents and errors of forces, in eV/Å.
        device : str or torch.device, default="cpu"
            Where to run a model that is given by its path.
        dtype : {"float32", "float64"}, optional
            Of the model's weights, which are converted; by default as they are.
        head : str, optional
            Head of the model; by default its only one, or the one that the estimator was
            fitted on.
        **options
            As in `Uncertainty`.

        Returns
        -------
        UncertainMACECalculator
            The calculator.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            If the model cannot be loaded, as in `load_model`; it has several heads and none is
            named, or none of that name; or as the class.
        """
        loaded = as_model(model, device)
        notes = getattr(estimator, "notes_", {})
        named = loaded.head(notes.get("head") if head is None else head)
        calculator = MACECalculator(
            models=loaded.module,
            device=str(loaded.device),
            default_dtype=str(loaded.dtype).removeprefix("torch.") if dtype is None else dtype,
            head=named,
        )
        return cls(calculator, estimator, **options)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("forces",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Calculate everything in one pass, and the uncertainty if it is due."""
        if atoms is not None:
            check_atoms(atoms, self._model.known)
        if system_changes:
            self._seen = None
        with self._watched():
            super().calculate(atoms, properties, system_changes)

    def _known_latents(
        self, atoms: Atoms, calculator: MACECalculator
    ) -> NDArray[np.float32] | None:
        """Take the latents out of what the model gave; None where no atom has neighbours."""
        if self._seen is None:  # the calculator had the results already
            calculator.reset()
            calculator.get_property("forces", atoms)
        return self._latents(len(atoms))

    def _latents(self, n_atoms: int) -> NDArray[np.float32] | None:
        if self._seen is None:
            raise RuntimeError("Expected the model to run, got a calculation in which it did not.")
        graphs, output = self._seen
        rows = latents_of(output, graphs, self._model, self._environment, n_atoms)
        return None if np.isnan(rows[0, 0]) else rows  # all are NaN, or none

    def _latents_alone(self, atoms: Atoms) -> NDArray[np.float32]:
        """Run the model once, to see whether it is the one that the estimator is for."""
        check_atoms(atoms, self._model.known, "a structure that the estimator was fitted on")
        with self._watched():
            self.calculator.calculate(atoms)
        self.calculator.reset()
        found = self._latents(len(atoms))
        self._seen = None
        if found is None:
            raise ValueError(
                "Expected a model that joins the atoms of a structure that the estimator was "
                "fitted on, got one with a shorter cutoff."
            )
        return found

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Keep what the model is given and gives."""

        def keep(_model: Any, args: Any, _kwargs: Any, output: dict[str, Any]) -> None:
            self._seen = args[0], output

        hook = self.calculator.models[0].register_forward_hook(keep, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def _dimer(self) -> Atoms:
        """Make the simplest structure that the model can take, well within any cutoff."""
        element = self._model.numbers[0]
        return Atoms([element, element], [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])


def _check_calculator(calculator: object) -> None:
    if not isinstance(calculator, MACECalculator):
        raise TypeError(f"Expected a MACECalculator, got {type(calculator).__name__}.")
    if len(calculator.models) != 1:
        raise ValueError(
            f"Expected a calculator of one model, got a committee of {len(calculator.models)}."
        )
    if calculator.model_type not in _OF_FORCES:
        raise ValueError(f"Expected a model that gives forces, got a {calculator.model_type}.")
    if (calculator.energy_units_to_eV, calculator.length_units_to_A) != (1.0, 1.0):
        raise ValueError("Expected a calculator of a model in eV and Å, got one of other units.")


def _check_head(head: str, model: MACEModel, estimator: LTAUEstimator) -> None:
    """Refuse errors of one head with forces of another."""
    model.head(head)
    fitted = getattr(estimator, "notes_", {}).get("head")
    if fitted is not None and fitted != head:
        raise ValueError(
            f"Expected the head {fitted!r}, on whose forces the estimator was fitted, got {head!r}."
        )
