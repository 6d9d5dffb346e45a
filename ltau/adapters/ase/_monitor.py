"""An observer of dynamics and optimisers that logs the uncertainty and acts on it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.filters import Filter
from ase.io.formats import get_compression
from ase.md.md import MolecularDynamics
from ase.optimize.optimize import BaseDynamics
from ase.optimize.sciopt import Converged, SciPyOptimizer

from ltau.adapters.ase._run_files import RunTable, append_frame, cut_frames
from ltau.adapters.ase._thresholds import Thresholds

__all__ = ["UncertaintyMonitor"]

_logger = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]
Row = dict[str, float | None]


class UncertaintyMonitor:
    """Log the uncertainty of a run step by step, and stop the run where it is too large.

    Attach it to the run: ``dyn.attach(monitor)``, or with an `interval`; what is said of
    steps below then holds of every so many steps.

    Parameters
    ----------
    dyn : ase dynamics or optimiser
        The run. Its atoms have a calculator that gives uncertainties, such as
        `UncertainCalculator`.
    path : str or path-like
        The table, a CSV file. A table that is there is gone on with.
    max_error : float, optional
        Stop where the largest expected force error of an atom is above, in eV/Å.
    max_probability : float, optional
        Stop where an atom's error is above the calculator's tolerance with a larger
        probability.
    max_ood_score : float, optional
        Stop where the largest `ood_score` of an atom is above.
    patience : int, default=1
        Stop where one of these was passed for so many steps in a row; the count then
        starts again. Steps without an uncertainty neither count nor interrupt; one in which
        it is NaN, as of atoms without neighbours, counts.
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
        Why the run was stopped, or the action called, the last time. A stop is told to
        Python's logging too, as a warning.
    saved : Path
        Where the structures are saved at which that happened: for a table ``run.csv``,
        the file ``run.uncertain.xyz`` beside it, in extended XYZ format with the arrays.

    Raises
    ------
    OSError
        If the table cannot be written.
    TypeError
        If `dyn` is no run of atoms, or `action` cannot be called.
    ValueError
        If the calculator does not give what is needed, a number is out of range, or the
        table has other columns.
    RuntimeError
        From the run: if it goes on although it was stopped.

    Notes
    -----
    The columns are ``step``; for dynamics ``time`` (fs); ``energy`` (eV); for dynamics
    ``temperature`` (K); ``forces_uncertainty_max`` and ``forces_uncertainty_mean``
    (eV/Å), and ``ood_score_max``, over the atoms; and, if the calculator has a tolerance,
    ``forces_error_probability_max``. Cells of a step without uncertainty are empty. A
    row is in the file before the next step begins; one torn by the end of the process is
    dropped by the run that goes on.

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
        self.action = action
        self.saved = Path(path).with_suffix(".uncertain.xyz")
        self.frames = None if frames is None else Path(frames)
        self.reason: str | None = None
        if self.frames is not None and get_compression(self.frames.name)[1] is not None:
            raise ValueError(
                "Expected frames in a file that can be gone on with, got a compressed one, "
                f"{self.frames}."
            )
        self._atoms = _atoms_of(dyn)
        self._thresholds = Thresholds(
            {
                "forces_uncertainty_max": max_error,
                "forces_error_probability_max": max_probability,
                "ood_score_max": max_ood_score,
            },
            patience,
        )
        columns = self._columns()
        if max_probability is not None and "forces_error_probability_max" not in columns:
            raise ValueError("max_probability needs a calculator with a tolerance.")
        if action is not None and not callable(action):
            raise TypeError(f"Expected action to be a callable or None, got {action!r}.")
        if start is not None and (not isinstance(start, int | np.integer) or start < 0):
            raise ValueError(f"Expected start to be a step >= 0, got {start!r}.")
        now = start if start is not None else dyn.nsteps or None
        self._table = RunTable(Path(path), columns, now)
        self._go_on_from(now)

    def _go_on_from(self, now: int | None) -> None:
        """Find how steps and time of the table follow from those of `dyn`."""
        last = self._table.last
        self._last_step = int(last["step"]) if last else -1
        now = max(self._last_step, 0) if now is None else now
        self._offset = now - self.dyn.nsteps
        for file in filter(None, (self.saved, self.frames)):
            if not last and file.exists() and file.stat().st_size:
                raise ValueError(
                    f"{file} holds frames of another run: the table has no rows. Move it away."
                )
            cut_frames(file, self._last_step)
        if isinstance(self.dyn, MolecularDynamics):
            made = now - max(self._last_step, 0)  # steps since the last row
            time = float(last["time"]) if last else 0.0
            self._time_offset = time + (made * self.dyn.dt - self.dyn.get_time()) / units.fs

    def __call__(self) -> None:
        """Log the step that `dyn` has made, and stop it or act if that is due."""
        step = self._offset + self.dyn.nsteps
        if step <= self._last_step:  # a run goes on where the one before has ended
            return
        if self.reason and self.action is None and self.dyn.nsteps > self.dyn.max_steps:
            raise RuntimeError(f"{type(self.dyn).__name__} went on after: {self.reason}.")
        row = self._observe(step)
        self._table.append(row)
        self._last_step = step  # of a row that is there: after an error, a step may be tried again
        if self.frames is not None:
            append_frame(self.frames, self._atoms, step=step)
        passed = self._thresholds.passed(row)
        if passed is not None:
            self._act(step, f"step {step}: {passed}")

    def _columns(self) -> list[str]:
        """Name the columns, once the calculator is known to fill them."""
        calculator = self._atoms.calc
        properties = set(getattr(calculator, "implemented_properties", ()))
        needed = {"forces_uncertainty_max", "forces_uncertainty_mean", "ood_score"}
        if not needed <= properties:
            raise ValueError(
                f"Expected atoms with a calculator that gives {', '.join(sorted(needed))}, such "
                f"as UncertainCalculator, got {type(calculator).__name__}."
            )
        columns = ["energy", "forces_uncertainty_max", "forces_uncertainty_mean", "ood_score_max"]
        if isinstance(self.dyn, MolecularDynamics):
            columns = ["time", "energy", "temperature", *columns[1:]]
        if "forces_error_probability" in properties:
            columns.append("forces_error_probability_max")
        return ["step", *columns]

    def _observe(self, step: int) -> Row:
        row: Row = {"step": step, "energy": self._atoms.get_potential_energy()}
        if isinstance(self.dyn, MolecularDynamics):
            row["time"] = self._time_offset + self.dyn.get_time() / units.fs
            row["temperature"] = self._atoms.get_temperature()
        results = self._atoms.calc.results
        for name in ("forces_uncertainty_max", "forces_uncertainty_mean"):
            row[name] = results.get(name)
        for name in ("ood_score", "forces_error_probability"):
            row[f"{name}_max"] = float(results[name].max()) if name in results else None
        return row

    def _act(self, step: int, reason: str) -> None:
        """Save the structure, and call the action or stop."""
        self.reason = reason
        append_frame(self.saved, self._atoms, step=step, reason=reason)
        if self.action is not None:
            self.action(self._atoms, reason)
            return
        _logger.warning("Stopped at %s. The structure is in %s.", reason, self.saved)
        self.dyn.max_steps = self.dyn.nsteps  # how far the loops of ASE run
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
