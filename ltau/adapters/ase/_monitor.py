"""An observer of dynamics and optimisers that logs the uncertainty and acts on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ase import Atoms, units
from ase.filters import Filter
from ase.md.md import MolecularDynamics
from ase.optimize.optimize import BaseDynamics
from ase.optimize.sciopt import Converged, SciPyOptimizer

from ltau.adapters._forces.watch import RunWatch, StrPath, check_uncertain

__all__ = ["UncertaintyMonitor"]


class UncertaintyMonitor:
    """Log the uncertainty of a run step by step, and stop the run where it is too large.

    Attach it to the run: ``dyn.attach(monitor)``, or with an `interval`. Only the steps at
    which it is called then count below.

    Parameters
    ----------
    dyn : ase dynamics or optimiser
        The run. Its atoms have a calculator that gives uncertainties, such as
        `UncertainCalculator`.
    path : str or path-like
        The table, a CSV file. An existing table is continued.
    max_error : float, optional
        Stop where the largest expected force error of an atom is above, in eV/Å.
    max_probability : float, optional
        Stop where an atom's error is above the calculator's tolerance with a larger
        probability.
    max_ood_score : float, optional
        Stop where the largest `ood_score` of an atom is above.
    patience : int, default=1
        Stop where one of these was exceeded for this many steps in a row; the count then
        starts again. Steps without an uncertainty neither count nor interrupt; one in which
        it is NaN, for atoms without neighbours, counts.
    action : callable, optional
        Called with the atoms and the reason, a sentence, instead of a stop.
    frames : str or path-like, optional
        A file in extended XYZ format for the structure of every step, not compressed.
    start : int, optional
        Step of the table at which `dyn` is now. Rows and frames of later steps are
        dropped. By default the number of steps that `dyn` has made, if it has made any;
        else the last step of the table.

    Attributes
    ----------
    reason : str or None
        Why the run was stopped, or the action called, the last time. A stop is also logged
        by Python's logging, as a warning.
    saved : Path
        Where the structures are saved at which that happened: for a table ``run.csv``,
        the file ``run.uncertain.xyz`` beside it, in extended XYZ format with the arrays.

    Raises
    ------
    OSError
        If the table cannot be written.
    TypeError
        If `dyn` does not run atoms, or `action` cannot be called.
    ValueError
        If the calculator does not give what is needed, a number is out of range, or the
        table has other columns.
    RuntimeError
        From the run: if it continues although it was stopped.

    Notes
    -----
    The columns are ``step``; for dynamics ``time`` (fs); ``energy`` (eV); for dynamics
    ``temperature`` (K); ``forces_uncertainty_max`` and ``forces_uncertainty_mean``
    (eV/Å), and ``ood_score_max``, over the atoms; and, if the calculator has a tolerance,
    ``forces_error_probability_max``. Cells of a step without uncertainty are empty. A
    row is in the file before the next step begins; a row torn by the end of the process is
    dropped by the run that continues.

    A run is stopped by ``dyn.max_steps``: ``dyn.run`` returns after the step, and may be
    called again.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from ase import units
    >>> from ase.build import molecule
    >>> from ase.calculators.emt import EMT
    >>> from ase.md.verlet import VelocityVerlet
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.ase import UncertainCalculator, UncertaintyMonitor
    >>> def latents(atoms, calculator):
    ...     return atoms.get_all_distances().sum(axis=1, keepdims=True)
    >>> rng = np.random.default_rng(0)
    >>> known = np.vstack([latents(molecule("H2O"), None)] * 20)
    >>> known += 0.001 * rng.normal(size=known.shape)
    >>> estimator = LTAUEstimator().fit(known, np.full((60, 5), 0.1), np.tile([8, 1, 1], 20))
    >>> atoms = molecule("H2O")
    >>> atoms.calc = UncertainCalculator(EMT(), estimator, latents)
    >>> folder = tempfile.TemporaryDirectory()
    >>> dyn = VelocityVerlet(atoms, timestep=0.2 * units.fs)
    >>> monitor = UncertaintyMonitor(dyn, f"{folder.name}/run.csv", max_ood_score=50)
    >>> dyn.attach(monitor)
    >>> _ = dyn.run(1000)
    >>> dyn.nsteps < 1000
    True
    >>> monitor.reason                                                   # doctest: +ELLIPSIS
    'step ...: ood_score_max = ... > 50'
    >>> folder.cleanup()
    """

    def __init__(
        self,
        dyn: BaseDynamics,
        path: StrPath,
        *,
        max_error: float | None = None,
        max_probability: float | None = None,
        max_ood_score: float | None = None,
        patience: int = 1,
        action: Callable[[Atoms, str], object] | None = None,
        frames: StrPath | None = None,
        start: int | None = None,
    ) -> None:
        self.dyn = dyn
        self._atoms = _atoms_of(dyn)
        self._stops = action is None
        self._dynamics = dyn if isinstance(dyn, MolecularDynamics) else None
        self._watch = RunWatch(
            path,
            ["time", "energy", "temperature"] if self._dynamics else ["energy"],
            has_probability=check_uncertain(self._atoms.calc),
            made=dyn.nsteps,
            max_error=max_error,
            max_probability=max_probability,
            max_ood_score=max_ood_score,
            patience=patience,
            action=action,
            frames=frames,
            start=start,
        )
        if self._dynamics:
            self._time_offset = self._first_time(self._dynamics)

    def _first_time(self, dynamics: MolecularDynamics) -> float:
        """Find what to add to the time of `dynamics`, in fs, for that of the table."""
        last = self._watch.last
        time = float(last["time"]) if last else 0.0
        made = self._watch.start - max(self._watch.last_step, 0)  # steps since the last row
        return time + (made * dynamics.dt - dynamics.get_time()) / units.fs

    @property
    def reason(self) -> str | None:
        """Why the run was stopped, or the action called, the last time."""
        return self._watch.reason

    @property
    def saved(self) -> Path:
        """Where the structures are saved at which that happened."""
        return self._watch.saved

    def __call__(self) -> None:
        """Log the step that `dyn` has made, and stop it or act if that is due."""
        made = self.dyn.nsteps
        if self._watch.step(made) <= self._watch.last_step:  # known from the run before
            return
        if self.reason and self._stops and made > self.dyn.max_steps:
            raise RuntimeError(f"{type(self.dyn).__name__} went on after: {self.reason}.")
        numbers = {"energy": self._atoms.get_potential_energy()}
        if self._dynamics:
            numbers["time"] = self._time_offset + self._dynamics.get_time() / units.fs
            numbers["temperature"] = self._atoms.get_temperature()
        if self._watch(made, numbers, self._atoms.calc.results, lambda: self._atoms) is None:
            return
        self.dyn.max_steps = made  # how far the loops of ASE run
        if isinstance(self.dyn, SciPyOptimizer):  # the loop is SciPy's, and this its end
            raise Converged


def _atoms_of(dyn: BaseDynamics) -> Atoms:
    """Find the atoms of a run, which may be inside filters."""
    atoms = getattr(dyn, "atoms", None)
    while isinstance(atoms, Filter):
        atoms = atoms.atoms
    if not isinstance(dyn, BaseDynamics) or not isinstance(atoms, Atoms):
        raise TypeError(
            "Expected dynamics or an optimiser of ase.Atoms, got "
            f"{type(dyn).__name__} of {type(atoms).__name__}."
        )
    return atoms
