"""Measure every method on every split, one cell at a time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ltau
from benchmarks.harness.cells import cached, code_of_ltau
from benchmarks.harness.data import SETS, Dataset, Split, load
from benchmarks.harness.parallel import one_thread
from ltau import LTAUEstimator
from ltau.comparison import Comparison
from ltau.comparison.network import Network

__all__ = ["FULL", "METHODS", "QUICK", "REFERENCE", "REWEIGHTING", "Cell", "Profile", "run"]

REFERENCE = "Constant"  # one network and one forward pass: the unit of cost

METHODS = (
    "LTAU",
    "LTAU, held-out",
    "LTAU, out-of-fold",
    "MC dropout",
    "Deep ensemble",
    "Quantile regression",
    "Split conformal",
    REFERENCE,
)

Floats = NDArray[np.float64]

REWEIGHTING = "re-weighting"
_SECOND_TRAINING = 500  # added to the seed: another start than that of the first training


@dataclass(frozen=True)
class Profile:
    """How much is run. The fold's number is the seed of everything random in it."""

    sets: tuple[str, ...] = SETS
    n_folds: int = 5
    n_epochs: int = 200
    max_train: int = 2000
    max_test: int = 2000


FULL = Profile()
QUICK = Profile(sets=("airfoil", "yacht", "esol"), n_folds=2, n_epochs=50)


@dataclass(frozen=True)
class Cell:
    """The measurements of one method on one fold of one set."""

    dataset: str
    method: str
    fold: int
    result: dict[str, float]


def run(profile: Profile, output: Path) -> list[Cell]:
    """Measure all cells that are not measured yet, and give all.

    Parameters
    ----------
    profile : Profile
        What to run.
    output : Path
        Folder whose subfolder ``cells`` keeps what is finished.

    Returns
    -------
    list of Cell
        In the order of sets, methods and folds.
    """
    _warm_up()
    return [cell for name in profile.sets for cell in _of_set(name, profile, output / "cells")]


def _warm_up() -> None:
    """Let every method run once: the first call of a library costs more than those after it."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    once = [(np.arange(200), np.arange(200, 300))]
    ltau.compare(METHODS, X, X.sum(axis=1), model=Network(2), cv=once)


def _of_set(name: str, profile: Profile, folder: Path) -> list[Cell]:
    """Compare all methods on a set, and a second training with weights."""
    dataset = load(name)
    splits = [
        dataset.split(fold, profile.max_train, profile.max_test) for fold in range(profile.n_folds)
    ]
    print(name, file=sys.stderr)
    compared = ltau.compare(
        METHODS,
        dataset.X,
        dataset.y,
        model=Network(profile.n_epochs),
        cv=splits,
        cache=folder,
        verbose=True,
    )
    _check_all_finished(compared)
    cells = [_cell(name, row) for row in compared.by_fold()]
    with one_thread():
        for fold, split in enumerate(splits):
            result = _reweighting(name, dataset, split, fold, profile, folder)
            cells.append(Cell(name, REWEIGHTING, fold, result))
    return cells


def _check_all_finished(compared: Comparison) -> None:
    missing = compared.lost | compared.skipped
    if missing:
        raise RuntimeError(f"Expected all methods to finish, got {missing}.")


def _cell(name: str, row: dict[str, Any]) -> Cell:
    """Bring scores with a unit to that of the training targets' standard deviation."""
    unit, method, fold = (row.pop(key) for key in ("target_std", "method", "fold"))
    scaled = {score: row[score] / unit for score in ("width_90", "crps", "mae")}
    return Cell(name, method, fold, row | scaled)


def _reweighting(
    name: str, dataset: Dataset, split: Split, fold: int, profile: Profile, folder: Path
) -> dict[str, float]:
    """Measure the second training, unless it is in the cache."""
    config = {
        "set": name,
        "fold": fold,
        "method": REWEIGHTING,
        "n_epochs": profile.n_epochs,
        "max_train": profile.max_train,
        "max_test": profile.max_test,
        "code": code_of_ltau(),
    }
    train, test = ((dataset.X[rows], dataset.y[rows]) for rows in split)
    return cached(folder, config, lambda: _reweight(train, test, profile.n_epochs, fold))


def _reweight(
    train: tuple[Floats, Floats], test: tuple[Floats, Floats], n_epochs: int, seed: int
) -> dict[str, float]:
    """Train again, weighted by LTAU and unweighted, and compare the errors on the test rows."""
    (X, y), (X_test, y_test) = train, test
    first = Network(n_epochs, random_state=seed).fit(X, y)
    weight = LTAUEstimator().fit(first.latents(X), first.errors_).sample_weight()
    result = {}
    for name, sample_weight in (("unweighted", None), ("weighted", weight)):
        second = Network(n_epochs, random_state=seed + _SECOND_TRAINING).fit(X, y, sample_weight)
        errors = np.abs(second.predict(X_test) - y_test) / y.std()
        result[f"mae_{name}"] = float(errors.mean())
        result[f"rmse_{name}"] = float(np.sqrt((errors**2).mean()))
    return result
