"""A pretrained model as it came: how wrong its forces are on systems that nothing is known of.

SevenNet's 7net-0, whose weights its package holds, computes forces along 20 relaxations of the
Open Catalyst 2020 data (CC BY 4.0), each of other elements. It was not trained on them, nor on
their functional. LTAU learns its errors on some, and is asked

- about other frames of the same relaxations, and
- about relaxations that were left out.

In a checkout of the repository, with the extra ``sevennet``:

    python examples/oc20/as_shipped.py FOLDER

The folder holds ``*.extxyz`` files, packed or not, as OC20's is2res has them, by default
``oc20/is2res`` in the folder that ``LTAU_DATA`` names. Every 20th frame takes some three minutes
of one core.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from sevenn.calculator import SevenNetCalculator

from ltau import LTAUEstimator
from ltau.adapters.sevennet import latents
from ltau.metrics import auroc, spearman
from ltau.structures import FORCE_FIELD, StructureSamples, fit_structures, iread

Floats = NDArray[np.float64]

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
N_FOLDS = 5
ADSORBATE = 2  # the tag of its atoms


class Passed(NamedTuple):
    """A structure, and what the model makes of it."""

    atoms: Atoms
    rows: NDArray[np.float32]
    errors: Floats  # of the atoms' forces, in eV/Å


class Answers(NamedTuple):
    """What is predicted of atoms, and what is true."""

    error: Floats
    expected: Floats
    upper: Floats  # which it exceeds with a probability of 10 %
    ood_score: Floats
    is_far: NDArray[np.bool_]  # beyond the threshold of predict_ood
    tags: NDArray[np.int_]
    system: NDArray[np.str_]


def main() -> None:
    """Compute all frames once; fit and ask twice."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    data = Path(os.environ.get("LTAU_DATA", BESIDE)) / "oc20" / "is2res"
    parser.add_argument("folder", type=Path, nargs="?", default=data)
    parser.add_argument("--every", type=int, default=20, help="take every so many frames")
    options = parser.parse_args()
    systems = computed(options.folder, options.every)
    n_frames = sum(map(len, systems))
    print(f"{len(systems)} systems, {n_frames} frames")
    same, left_out = other_frames(systems), other_systems(systems)
    print(report("Other frames of the same systems", same))
    print(report("Systems left out", left_out))
    print(f"Told from each other by ood_score: AUROC {told_apart(same, left_out):.2f}")


def computed(folder: Path, every: int) -> list[list[Passed]]:
    """Run the model on every so many frames of each system."""
    calculator = SevenNetCalculator("7net-0", device="cpu")
    systems = []
    for path in sorted(folder.glob("*.extxyz*")):
        frames = list(iread(path, f"::{every}"))
        for atoms in frames:
            atoms.info["system"] = path.name.partition(".")[0]
        systems.append([passed(atoms, calculator) for atoms in frames])
    if len(systems) < N_FOLDS:
        raise SystemExit(f"Expected at least {N_FOLDS} systems in {folder}, got {len(systems)}.")
    return systems


def passed(atoms: Atoms, calculator: SevenNetCalculator) -> Passed:
    """Take latents and errors from one pass."""
    bare = atoms.copy()
    rows = latents(bare, calculator)
    difference = calculator.get_property("forces", bare) - atoms.calc.results["forces"]
    return Passed(atoms, rows, np.linalg.norm(difference, axis=1))


def other_frames(systems: list[list[Passed]]) -> Answers:
    """Learn from half of the frames of all systems, calibrate on a quarter, ask the others."""
    known = [each for system in systems for each in system[::2]]
    calibrating = [each for system in systems for each in system[1::4]]
    asked = [each for system in systems for each in system[3::4]]
    return ask(fit(known, calibrating), asked)


def other_systems(systems: list[list[Passed]]) -> Answers:
    """Leave out some systems in turn; of the others every fourth calibrates."""
    answers = []
    for fold in range(N_FOLDS):
        out = systems[fold::N_FOLDS]
        left = [system for i, system in enumerate(systems) if i % N_FOLDS != fold]
        known = [each for i, system in enumerate(left) if i % 4 for each in system]
        calibrating = [each for system in left[::4] for each in system]
        answers.append(ask(fit(known, calibrating), [e for s in out for e in s]))
    return Answers(*map(np.concatenate, zip(*answers, strict=True)))


def fit(known: list[Passed], calibrating: list[Passed]) -> LTAUEstimator:
    """Fit to the errors of the one model, and calibrate; elements differ between systems."""
    estimator = LTAUEstimator(**FORCE_FIELD)
    return fit_structures(
        samples(known), samples(calibrating), estimator=estimator, strata=None, environment=None
    )


def samples(passes: list[Passed]) -> StructureSamples:
    """Give what fit_structures takes."""
    frames, rows, errors = zip(*passes, strict=True)
    return StructureSamples(frames, np.concatenate(rows), np.concatenate(errors)[:, None])


def ask(estimator: LTAUEstimator, passes: list[Passed]) -> Answers:
    """Predict the errors on some structures."""
    frames, rows, errors = zip(*passes, strict=True)
    queries = np.concatenate(rows)
    expected, upper, ood_score = estimator.predict_summary(queries)
    return Answers(
        np.concatenate(errors),
        expected,
        upper,
        ood_score,
        estimator.predict_ood(queries),
        np.concatenate([atoms.get_tags() for atoms in frames]),
        np.repeat([atoms.info["system"] for atoms in frames], list(map(len, frames))),
    )


def report(name: str, of: Answers) -> str:
    """Say how good the answers are."""
    ranks = [
        spearman(of.error[rows], of.expected[rows])
        for rows in (of.system == system for system in np.unique(of.system))
    ]
    spread = np.std(ranks) / np.sqrt(len(ranks))
    adsorbate = of.tags == ADSORBATE
    error, expected, inside = of.error, of.expected, of.error <= of.upper
    return (
        f"{name}: {len(error)} atoms\n"
        f"  mean error {error.mean():.2f} eV/Å, expected {expected.mean():.2f}; of adsorbates "
        f"{error[adsorbate].mean():.2f}, expected {expected[adsorbate].mean():.2f}\n"
        f"  rank correlation of both {spearman(error, expected):.2f}, within a system "
        f"{np.mean(ranks):.2f} ± {spread:.2f} (standard error over systems)\n"
        f"  rank correlation of errors and ood_score {spearman(error, of.ood_score):.2f}\n"
        f"  within the 90 % error bar {inside.mean():.0%}, of adsorbates "
        f"{inside[adsorbate].mean():.0%}\n"
        f"  ood_score: median {np.median(of.ood_score):.1f}; out of domain {of.is_far.mean():.0%}"
    )


def told_apart(same: Answers, left_out: Answers) -> float:
    """Tell how well the score of an atom says whether its system was left out."""
    scores = np.concatenate([same.ood_score, left_out.ood_score])
    is_new = np.repeat([False, True], [len(same.error), len(left_out.error)])
    return float(auroc(is_new, scores))


if __name__ == "__main__":
    main()
