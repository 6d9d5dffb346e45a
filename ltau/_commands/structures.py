"""What the commands of all force fields do with structures and estimators."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.singlepoint import SinglePointCalculator
from tqdm.auto import tqdm

from ltau._files.packed import is_packed
from ltau._files.whole import write_text_whole
from ltau.estimator import LTAUEstimator
from ltau.structures import FORCE_FIELD, iread

__all__ = [
    "check_not_packed",
    "fit_arguments",
    "given_estimator",
    "predict_structures",
    "save_fitted",
]


def fit_arguments(options: Namespace) -> dict[str, Any]:
    """Give `fit_run` of any framework what its command was told."""
    return {
        "estimator": given_estimator(options),
        "environment": options.environment,
        "groups": options.groups,
        "calibrate": False if options.no_calibration else None,
        "device": options.device,
        "progress": sys.stderr.isatty(),
    }


def given_estimator(options: Namespace) -> LTAUEstimator | None:
    """Give the estimator to fit; None if nothing was told of it."""
    names = "n_neighbors", "burn_in", "scaling"
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return LTAUEstimator(**{**FORCE_FIELD, **given}) if given else None


def save_fitted(fitted: LTAUEstimator, path: Path) -> None:
    """Save an estimator that `fit_run` or `fit_frames` made, and say what it is of."""
    fitted.save(path)
    notes = fitted.notes_
    of = f"up to epoch {notes['epoch']}" if "epoch" in notes else _by(notes["n_checkpoints"])
    print(
        f"{path}: errors of {fitted.target_} ({fitted.unit_}), "
        f"of {fitted.n_samples_fit_} samples {of}\n"
        f"{_chosen(fitted)}"
    )


def _by(n_checkpoints: int) -> str:
    return "by one model" if n_checkpoints == 1 else f"by {n_checkpoints} checkpoints"


def check_not_packed(path: Path) -> None:
    """Refuse a name of a packed file, before a model is loaded."""
    if is_packed(path):
        raise ValueError(f"Expected a name of a file that is not packed, got {path}.")


def predict_structures(calculator: BaseCalculator, structures: Path, output: Path) -> None:
    """Write structures with energies and forces, and how wrong the forces may be."""
    frames = iread(structures)
    predicted = []
    for number, atoms in enumerate(tqdm(frames, disable=not sys.stderr.isatty())):
        try:
            predicted.append(_predicted(atoms, calculator))
        except ValueError as error:
            raise ValueError(f"frame {number} of {structures}: {error}") from error
    if not predicted:
        raise ValueError(f"Expected structures in {structures}, got none.")
    write_text_whole(output, lambda file: ase.io.write(file, predicted, format="extxyz"))
    print(f"{output}: {len(predicted)} structures; {_largest(predicted)}")


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


def _largest(predicted: list[Atoms]) -> str:
    """Say how wrong the forces may be, and of how many structures nothing is known."""
    errors = np.array([atoms.info["forces_uncertainty_max"] for atoms in predicted])
    known = errors[~np.isnan(errors)]
    said = f"the largest expected error of a force is {max(known, default=np.nan):.3g} eV/Å"
    n_unknown = len(errors) - len(known)
    return f"{said}; NaN for {n_unknown} without neighbours" if n_unknown else said


def _predicted(atoms: Atoms, calculator: Any) -> Atoms:
    """Run the model once; what the uncertainty adds, the calculator puts into the structure."""
    atoms.calc = calculator
    atoms.get_forces()
    results = calculator.results
    kept = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    atoms.calc = SinglePointCalculator(atoms, **kept)
    return atoms
