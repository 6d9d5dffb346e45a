"""What ``ltau nequip`` runs, with the options of the command line."""

from __future__ import annotations

import sys
from argparse import Namespace

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from tqdm.auto import tqdm

from ltau._files.packed import is_packed
from ltau._files.whole import write_text_whole
from ltau.adapters.nequip import UncertainNequIPCalculator, compile_model, fit_run
from ltau.estimator import LTAUEstimator
from ltau.structures import FORCE_FIELD, iread

__all__ = ["COMMANDS"]


def _fit(options: Namespace) -> None:
    """Fit an estimator to a training's folder, and save it."""
    names = "n_neighbors", "burn_in", "scaling"
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    fitted = fit_run(
        options.training,
        estimator=LTAUEstimator(**{**FORCE_FIELD, **given}) if given else None,
        checkpoint=options.checkpoint,
        target=options.target,
        environment=options.environment,
        groups=options.groups,
        calibrate=False if options.no_calibration else None,
        device=options.device,
        progress=sys.stderr.isatty(),
    )
    fitted.save(options.output)
    print(
        f"{options.output}: errors of {fitted.target_} ({fitted.unit_}), "
        f"of {fitted.n_samples_fit_} samples up to epoch {fitted.notes_['epoch']}\n"
        f"{_chosen(fitted)}"
    )


def _chosen(fitted: LTAUEstimator) -> str:
    """Say what was chosen, and by what."""
    chosen, n_held_out = fitted.notes_["chosen"], fitted.notes_["n_held_out"]
    cutoff = chosen["environment"]
    parts = [
        f"{chosen['n_neighbors']} neighbours",
        "of the same element" if chosen["strata"] else "of all kinds",
        "by own latents" if cutoff is None else f"by environments of {cutoff:g} Å",
    ]
    by = f"calibrated on {n_held_out} validation structures" if n_held_out else "not calibrated"
    return f"{' '.join(parts)}; {by}"


def _predict(options: Namespace) -> None:
    """Write structures with the model's energies and forces, and how wrong the forces may be."""
    if is_packed(options.output):
        raise ValueError(f"Expected a name of a file that is not packed, got {options.output}.")
    calculator = UncertainNequIPCalculator.from_model(
        options.model,
        LTAUEstimator.load(options.estimator),
        level=options.level,
        device=options.device,
    )
    frames = iread(options.structures)
    predicted = []
    for number, atoms in enumerate(tqdm(frames, disable=not sys.stderr.isatty())):
        try:
            predicted.append(_predicted(atoms, calculator))
        except ValueError as error:
            raise ValueError(f"frame {number} of {options.structures}: {error}") from error
    if not predicted:
        raise ValueError(f"Expected structures in {options.structures}, got none.")
    write_text_whole(options.output, lambda file: ase.io.write(file, predicted, format="extxyz"))
    print(f"{options.output}: {len(predicted)} structures; {_largest(predicted)}")


def _largest(predicted: list[Atoms]) -> str:
    """Say how wrong the forces may be, and of how many structures nothing is known."""
    errors = np.array([atoms.info["forces_uncertainty_max"] for atoms in predicted])
    known = errors[~np.isnan(errors)]
    said = f"the largest expected error of a force is {max(known, default=np.nan):.3g} eV/Å"
    n_unknown = len(errors) - len(known)
    return f"{said}; NaN for {n_unknown} without neighbours" if n_unknown else said


def _predicted(atoms: Atoms, calculator: UncertainNequIPCalculator) -> Atoms:
    """Run the model once; what the uncertainty adds, the calculator puts into the structure."""
    atoms.calc = calculator
    atoms.get_forces()
    results = calculator.results
    kept = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    atoms.calc = SinglePointCalculator(atoms, **kept)
    return atoms


def _compile(options: Namespace) -> None:
    """Compile a model that gives its latents too, and how wrong the forces may be."""
    estimator = None if options.estimator is None else LTAUEstimator.load(options.estimator)
    compile_model(
        options.model,
        options.output,
        estimator=estimator,
        level=options.level,
        device=options.device,
    )
    more = "latents" if estimator is None else "latents, and the uncertainty of the forces"
    print(f"{options.output}: gives energies, forces, stress, {more}")


COMMANDS = {"fit": _fit, "predict": _predict, "compile": _compile}
