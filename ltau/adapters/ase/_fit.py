"""From labelled structures and any calculators to a fitted estimator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike, NDArray

from ltau.adapters._forces.checks import is_number
from ltau.adapters._forces.frames import fingerprint
from ltau.adapters._forces.probe import make_probe
from ltau.adapters._forces.results import UNIT
from ltau.adapters.ase._checkpoints import check_gives_forces, check_labels, force_errors
from ltau.adapters.ase._invariance import check_invariant
from ltau.adapters.ase._latents import Latents, latents_with_pass
from ltau.estimator import LTAUEstimator
from ltau.log import ErrorLog
from ltau.structures import (
    StructureSamples,
    check_options,
    environment_cutoff,
    fit_structures,
)

__all__ = ["fit_frames"]


def fit_frames(
    frames: Iterable[Atoms],
    calculators: BaseCalculator | Iterable[BaseCalculator],
    latents: Latents,
    *,
    errors: ErrorLog | ArrayLike | None = None,
    held_out: Iterable[Atoms] | float | None = None,
    estimator: LTAUEstimator | None = None,
    strata: str | None = "auto",
    environment: float | str | None = "auto",
    groups: str | None = None,
    invariant: bool = True,
) -> LTAUEstimator:
    """Fit an estimator to the force errors of any calculators on labelled structures.

    A training only needs to have saved a handful of checkpoints, as
    `errors_from_checkpoints` takes them, or the finished model. The latents are those of
    the last. A model that others have trained works the same way, with structures labelled
    by the same method.

    **The errors of a finished model on structures that it was trained on are too small**, and
    so are error bars. Held-out structures correct that; without them a single model is
    refused.

    Parameters
    ----------
    frames : iterable of ase.Atoms
        The structures that the model was trained on, or, for a model of others, that it is
        compared with. Each has a calculator that holds forces in eV/Å, as after reading a
        file.
    calculators : ase calculator or iterable of them
        One for each checkpoint, in the order of training; the last is the finished model. A
        generator may load one after the other, into the same model too.
    latents : callable
        Called with atoms and a calculator, it returns the atoms' latents, of shape
        (n_atoms, n_features): `ltau.adapters.sevennet.latents`, that of another framework, or
        your own. If it is not marked by `runs_calculator`, it is called after the calculator
        has computed the atoms.
    errors : ErrorLog or array-like of shape (n_atoms, n_epochs), optional
        Error trajectories of the structures' atoms, in eV/Å, where a training has recorded
        them, as `ltau.adapters.matgl.errors_from_log` reads; `calculators` is then only the
        finished model.
    held_out : iterable of ase.Atoms or float, optional
        Labelled structures that the model was not trained on: they choose and calibrate, as
        in `ltau.structures.fit_structures`. Or the share of `frames` to hold out, whole
        groups at random: right only if the model was trained on none of them, and not with
        `errors`.
    estimator, strata, environment, groups
        As in `ltau.structures.fit_structures`.
    invariant : bool, default=True
        Whether latents that change when a structure is rotated are refused, see
        `check_invariant`.

    Returns
    -------
    LTAUEstimator
        The fitted estimator. Its `notes_` hold those of `ltau.structures.fit_structures` and

        - ``n_checkpoints``: how many errors of each atom there were;
        - ``probe``: the smallest structure with its latents, by which `UncertainCalculator`
          knows whether it was given the same model.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; a structure has no labels; structures are held
        out that are among the others; there is one calculator and nothing is held out; the
        latents are not those of one kind of model, or not invariant; a calculator gives no
        forces; or as `ltau.structures.fit_structures`.

    Examples
    --------
    >>> import numpy as np
    >>> from ase.build import bulk
    >>> from ase.calculators.lj import LennardJones
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ltau.adapters.ase import fit_frames
    >>> frames = [bulk("Ar", cubic=True) for _ in range(12)]
    >>> for seed, atoms in enumerate(frames):
    ...     atoms.rattle(0.1, seed=seed)
    ...     true = LennardJones(epsilon=0.0104, sigma=3.4).get_forces(atoms)
    ...     atoms.calc = SinglePointCalculator(atoms, forces=true)
    >>> def distances(atoms, calculator):
    ...     return np.sort(atoms.get_all_distances(mic=True), axis=1)[:, 1:]
    >>> model = LennardJones(epsilon=0.0104, sigma=3.3)
    >>> estimator = fit_frames(frames, model, distances, held_out=0.25, environment=None)
    >>> estimator.notes_["n_checkpoints"], estimator.notes_["n_held_out"]
    (1, 3)
    """
    check_options(estimator, strata, environment, groups)
    if errors is not None and is_number(held_out):
        raise ValueError("Expected structures to be held out where errors are given, got a share.")
    known, new = _parted(frames, held_out, groups)
    given = [calculators] if isinstance(calculators, BaseCalculator) else calculators
    if errors is None and isinstance(given, Sized) and not new:
        _check_several(len(given))
    samples, finished = _passed(given, known, latents, invariant)
    if errors is not None:
        samples = _recorded(samples, errors)
    n_checkpoints = _n_columns(samples.errors)
    if not new:
        _check_several(n_checkpoints)
    calibrating = _passed([finished], new, latents, False)[0] if new else None
    fitted = fit_structures(
        samples,
        calibrating,
        estimator=estimator,
        strata=strata,
        environment=environment,
        groups=groups,
    )
    fitted.target_, fitted.unit_ = "forces", UNIT
    fitted.notes_ = {
        **fitted.notes_,
        "n_checkpoints": n_checkpoints,
        "probe": make_probe(samples.frames, samples.latents, environment_cutoff(fitted)),
    }
    return fitted


def _recorded(samples: StructureSamples, errors: ErrorLog | ArrayLike) -> StructureSamples:
    """Put errors that were recorded in the place of those of the finished model."""
    if _n_columns(samples.errors) != 1:
        raise ValueError(
            "Expected the finished model alone where errors are given, got "
            f"{_n_columns(samples.errors)} calculators."
        )
    known = errors if isinstance(errors, ErrorLog) else np.asarray(errors)
    if not isinstance(known, ErrorLog) and known.ndim != 2:
        raise ValueError(f"Expected errors of shape (n_atoms, n_epochs), got {known.shape}.")
    return replace(samples, errors=known)


def _n_columns(errors: ErrorLog | NDArray[np.floating]) -> int:
    return errors.n_epochs if isinstance(errors, ErrorLog) else np.shape(errors)[1]


def _check_several(n_calculators: int) -> None:
    """Refuse a single model's errors where there is nothing to calibrate with."""
    if n_calculators == 1:
        raise ValueError(
            "Expected structures to calibrate with, where there is one calculator: the errors "
            "of a finished model are too small on what it was trained on. Give held_out: "
            "labelled structures that it was not trained on, or, if it was trained on none of "
            "these, a share of them to split off."
        )


def _parted(
    frames: Iterable[Atoms], held_out: Iterable[Atoms] | float | None, groups: str | None
) -> tuple[list[Atoms], list[Atoms]]:
    """Give the structures to learn from, and those to calibrate with, all with labels."""
    known = _listed(frames, "frames")
    if held_out is None:
        return known, []
    if is_number(held_out):
        return _split(known, float(held_out), groups)  # type: ignore[arg-type]
    new = _listed(held_out, "held_out")  # type: ignore[arg-type]
    seen = {fingerprint([atoms]) for atoms in known}
    same = [number for number, atoms in enumerate(new) if fingerprint([atoms]) in seen]
    if same:
        raise ValueError(
            f"Expected structures held out that are not among the others, got {len(same)} of "
            f"{len(new)} that are: the first is number {same[0]}."
        )
    return known, new


def _listed(frames: Iterable[Atoms], name: str) -> list[Atoms]:
    """List structures with labels; a single one is an iterable too, of its atoms."""
    if isinstance(frames, Atoms) or not isinstance(frames, Iterable):
        raise TypeError(f"Expected {name} to be a list of ase.Atoms, got {type(frames).__name__}.")
    listed = list(frames)
    if not listed:
        raise ValueError(f"Expected at least one structure in {name}, got none.")
    check_labels(listed)
    return listed


def _split(
    frames: Sequence[Atoms], share: float, groups: str | None
) -> tuple[list[Atoms], list[Atoms]]:
    """Split off a share of the groups, at random."""
    if not 0 < share < 1:
        raise ValueError(f"Expected held_out to be structures or a share in (0, 1), got {share}.")
    sizes = list(map(len, frames))
    empty = np.empty((sum(sizes), 0), np.float32)
    labels = StructureSamples(frames, empty, np.empty(len(frames)), whole=True).groups(groups)
    names = np.unique(labels)
    n_new = max(1, round(share * len(names)))
    if n_new >= len(names):
        raise ValueError(
            f"Expected groups of structures to learn from besides those split off, got "
            f"{len(names)} in all, of which {n_new} are a share of {share:g}."
        )
    chosen = np.random.default_rng(0).choice(names, n_new, replace=False)
    split_off = np.isin(labels, chosen)
    return (
        [frame for frame, out in zip(frames, split_off, strict=True) if not out],
        [frame for frame, out in zip(frames, split_off, strict=True) if out],
    )


def _passed(
    calculators: Iterable[BaseCalculator],
    frames: Sequence[Atoms],
    latents: Latents,
    invariant: bool,
) -> tuple[StructureSamples, BaseCalculator]:
    """Compute errors by each calculator, and latents by the last, in one pass of each."""
    labels = check_labels(frames)
    columns: list[NDArray[np.float64]] = []
    rows: list[NDArray[np.float32]] = []
    finished = None
    for calculator in calculators:
        name = f"calculator {len(columns)}"
        check_gives_forces(calculator, name)
        if calculator is finished:
            raise ValueError("Expected a calculator for each checkpoint, got one twice in a row.")
        if invariant and finished is None:
            check_invariant(latents, calculator, frames)
        earlier, rows, errors = rows, [], []
        for number, (atoms, label) in enumerate(zip(frames, labels, strict=True)):
            rows.append(latents_with_pass(latents, atoms.copy(), calculator))
            if earlier and earlier[0].shape[1] != rows[0].shape[1]:
                raise ValueError(
                    "Expected checkpoints of one model, with latents of width "
                    f"{earlier[0].shape[1]}, got {rows[0].shape[1]} from {name}."
                )
            whose = f"from {name} in frame {number}"
            errors.append(force_errors(calculator, atoms, label, whose))  # of the same pass
        columns.append(np.concatenate(errors))
        finished = calculator
    if finished is None:
        raise ValueError("Expected at least one calculator, got none.")
    samples = StructureSamples(frames, np.concatenate(rows), np.stack(columns, axis=1))
    return samples, finished
