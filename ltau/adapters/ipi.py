"""Forces with their uncertainty in i-PI, bead by bead."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from ltau.adapters._forces.potential import Potential
from ltau.adapters._forces.watch import RunWatch, check_uncertain, path_of_one
from ltau.structures import iread

try:
    from ipi.pes.dummy import Dummy_driver
    from ipi.utils.softexit import softexit
    from ipi.utils.units import unit_to_internal, unit_to_user
except ModuleNotFoundError as error:
    message = f"i-PI is needed: pip install 'ltau[ipi]' ({error})"
    raise ModuleNotFoundError(message, name=error.name) from error

__all__ = ["UncertainDriver"]

Floats = NDArray[np.float64]
FULL = [[0, 5, 4], [5, 1, 3], [4, 3, 2]]  # ASE's order of a stress, in a matrix
NEAR = 0.01  # Å, within which a position is that of the template


class UncertainDriver(Dummy_driver):
    """A driver of i-PI whose forces are an ASE calculator's, with their uncertainty.

    Derive a class from it, in a file of your own, that makes the calculator. i-PI takes the
    file as ``<pes_path>`` of an ``<ffdirect>`` with ``<pes>custom</pes>``, or after ``-m
    custom -P`` of ``i-pi-driver-py``. The parameters below come from ``<parameters>`` or
    after ``-o``.

    Parameters
    ----------
    template : str
        A file that ASE reads, whose last structure has the atoms in the order of
        i-PI's own.
    table : str, optional
        Log the steps in this table, a CSV file; with several beads ``run.csv`` becomes
        ``run.0.csv``, ``run.1.csv`` and so on. An existing table is continued.
    beads : int, default=1
        Number of structures that each step asks this driver for, in the same order.
    pbc : bool, optional
        Whether the structure is periodic along all vectors of its cell, or along none. By
        default it is as the template says, which then has a cell.
    max_error, max_probability, max_ood_score, patience, frames
        As in `ltau.adapters.ase.UncertaintyMonitor`, for each bead; they need a table. The
        table has no time and no temperature.
    start : int, optional
        Step of the table at which i-PI is now; by default its last one. After a stop give
        the step of i-PI's file RESTART, which is the one before.
    verbose, verbosity
        What i-PI passes itself.

    Raises
    ------
    NotImplementedError
        If the class does not make a calculator.
    OSError
        If a file cannot be read or written.
    ValueError
        If the calculator gives no uncertainty, a number is out of range, there are limits
        without a table, or the template does not say whether it is periodic. From a step,
        if i-PI has another number of atoms than the template, or starts in another order.

    Notes
    -----
    For each bead i-PI's ``extras`` have ``forces_uncertainty``, ``forces_uncertainty_upper``
    and ``ood_score`` of the atoms, ``forces_error_probability`` if the calculator has a
    tolerance, and ``forces_uncertainty_max`` and ``forces_uncertainty_mean`` of all, with
    errors in eV/Å. They are NaN in a step without uncertainty. If the calculator gives no
    stress, the virial is NaN, and so is everything computed from it.

    Where a limit is exceeded, the driver asks i-PI for a soft exit: nothing moves any more,
    and the file RESTART has the step before. A driver by socket is a process of its own, and
    ends: with ``exit_on_disconnect='True'`` of ``<ffsocket>`` i-PI ends with it.

    The driver counts calls. Steps that call it more than once per bead, with multiple time
    steps or properties by finite differences, are counted wrongly.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from ase.build import molecule
    >>> from ase.calculators.emt import EMT
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.ase import UncertainCalculator
    >>> from ltau.adapters.ipi import UncertainDriver
    >>> def latents(atoms, calculator):
    ...     return atoms.get_all_distances().sum(axis=1, keepdims=True)
    >>> class Driver(UncertainDriver):
    ...     def make_calculator(self):
    ...         rng = np.random.default_rng(0)
    ...         known = np.vstack([latents(molecule("H2O"), None)] * 20)
    ...         known += 0.001 * rng.normal(size=known.shape)
    ...         estimator = LTAUEstimator().fit(known, np.full((60, 5), 0.1))
    ...         return UncertainCalculator(EMT(), estimator, latents)
    >>> folder = tempfile.TemporaryDirectory()
    >>> water = molecule("H2O")
    >>> water.write(f"{folder.name}/water.xyz")
    >>> driver = Driver(f"{folder.name}/water.xyz", pbc=False)
    >>> bohr = 0.529177
    >>> energy, forces, virial, extras = driver(20 * np.eye(3), water.positions / bohr)
    >>> sorted(json.loads(extras))                               # doctest: +ELLIPSIS
    ['forces_uncertainty', 'forces_uncertainty_max', ..., 'ood_score']
    >>> folder.cleanup()
    """

    def __init__(
        self,
        template: str,
        table: str | None = None,
        *,
        beads: int = 1,
        pbc: bool | str | None = None,
        max_error: float | None = None,
        max_probability: float | None = None,
        max_ood_score: float | None = None,
        patience: int = 1,
        frames: str | None = None,
        start: int | None = None,
        verbose: bool = False,
        verbosity: object = None,
    ) -> None:
        super().__init__(verbose=verbose)
        self._template = _read(template, pbc)
        self._potential = Potential(self.make_calculator())
        self._n_beads = int(beads)
        self._n_asked = 0
        has_probability = check_uncertain(self._potential.calculator)
        if self._n_beads < 1:
            raise ValueError(f"Expected one bead or more, got {beads!r}.")
        others = (max_error, max_probability, max_ood_score, frames, start)
        if table is None and any(value is not None for value in others):
            raise ValueError("Expected a table beside limits, frames or a start, got none.")
        numbers = range(0 if table is None else self._n_beads)
        self._watches = [
            RunWatch(
                path_of_one(str(table), bead, self._n_beads),
                ["energy"],
                has_probability=has_probability,
                max_error=_number(max_error),
                max_probability=_number(max_probability),
                max_ood_score=_number(max_ood_score),
                patience=int(patience),
                frames=None if frames is None else path_of_one(frames, bead, self._n_beads),
                start=None if start is None else int(start),
            )
            for bead in numbers
        ]

    def make_calculator(self) -> Any:
        """Make the calculator. A class that derives from this one must define it.

        Returns
        -------
        ase calculator
            Computes the forces and their uncertainty, such as
            `ltau.adapters.ase.UncertainCalculator`.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define make_calculator.")

    def compute_structure(self, cell: Floats, pos: Floats) -> tuple[float, Floats, Floats, str]:
        """Compute a bead.

        Parameters
        ----------
        cell : ndarray of shape (3, 3)
            Vectors of the cell, one per column, in bohr.
        pos : ndarray of shape (n_atoms, 3)
            Positions, in bohr.

        Returns
        -------
        energy : float
            In hartree.
        forces : ndarray of shape (n_atoms, 3)
            In hartree / bohr.
        virial : ndarray of shape (3, 3)
            In hartree.
        extras : str
            The uncertainty, as JSON.
        """
        positions = unit_to_user("length", "angstrom", np.reshape(pos, (-1, 3)))
        self._check(positions)
        vectors = unit_to_user("length", "angstrom", np.transpose(cell))
        potential, template = self._potential, self._template
        potential.compute(template.numbers, positions, vectors, template.pbc)
        self._observe()
        virial = -potential.stress[FULL] * potential.atoms.get_volume()
        known = potential.uncertainty()
        return (
            float(unit_to_internal("energy", "electronvolt", potential.energy)),
            unit_to_internal("force", "ev/ang", potential.forces),
            unit_to_internal("energy", "electronvolt", virial),
            json.dumps({name: np.asarray(value).tolist() for name, value in known.items()}),
        )

    def _check(self, positions: Floats) -> None:
        """Refuse other atoms than the template's, as far as positions tell."""
        template = self._template
        if len(positions) != len(template):
            raise ValueError(
                f"Expected the {len(template)} atoms of the template, got {len(positions)}."
            )
        if self._n_asked:
            return
        apart = np.linalg.norm(positions[:, None] - template.positions, axis=2)
        nearest = apart.argmin(axis=1)
        places = apart.min(axis=1) < NEAR
        if (template.numbers[nearest] != template.numbers)[places].any():
            raise ValueError(
                "Expected i-PI's atoms in the order of the template, got atoms that lie where "
                "the template has those of other elements."
            )

    def _observe(self) -> None:
        """Log the bead if it is watched, and end the run if that is due."""
        step, bead = divmod(self._n_asked, self._n_beads)
        self._n_asked += 1
        if not self._watches:
            return
        potential = self._potential
        results = potential.calculator.results
        numbers = {"energy": potential.energy}
        reason = self._watches[bead](step, numbers, results, lambda: potential.atoms)
        if reason is not None:
            softexit.trigger(status="restartable", message=f"bead {bead}, {reason}")


def _number(value: float | str | None) -> float | None:
    """Read a number, which i-PI passes as it stands in the input."""
    return None if value is None else float(value)


def _read(template: str, pbc: bool | str | None) -> Atoms:
    """Read the template, and make sure that it says whether it is periodic."""
    *_, atoms = iread(template)
    if pbc is not None:
        word = str(pbc).strip().lower()  # i-PI passes words as they are
        if word not in ("true", "false"):
            raise ValueError(f"Expected pbc to be true or false, got {pbc!r}.")
        atoms.pbc = word == "true"
    elif not atoms.cell.any():
        raise ValueError(
            f"Expected a template with a cell, or the parameter pbc, got {template} without: "
            "whether it is periodic is not known."
        )
    return atoms
