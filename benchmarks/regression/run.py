"""Measure every method on every split, one cell at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import ltau
from benchmarks.harness.cells import cached
from benchmarks.harness.data import SETS, Dataset, Rows, Split, load
from benchmarks.harness.network import Network
from benchmarks.harness.parallel import one_thread
from benchmarks.methods import costs
from benchmarks.methods.learning import METHODS, Learner
from benchmarks.regression.scoring import score
from ltau import LTAUEstimator

__all__ = ["FULL", "QUICK", "REWEIGHTING", "Cell", "Profile", "run"]

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
        In the order of sets, folds and methods.
    """
    cells = []
    names = [*METHODS, REWEIGHTING]
    with (
        one_thread(),
        tqdm(total=len(profile.sets) * profile.n_folds * len(names), unit="cell") as progress,
    ):
        _warm_up()
        for name in profile.sets:
            dataset = load(name)
            for fold in range(profile.n_folds):
                for method in names:
                    progress.set_description(f"{name}, fold {fold}, {method}")
                    result = _cell(profile, output / "cells", name, dataset, fold, method)
                    cells.append(Cell(name, method, fold, result))
                    progress.update()
    return cells


def _warm_up() -> None:
    """Let every method run once: the first call of a library costs more than those after it."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    for method in METHODS.values():
        method(n_epochs=2, seed=0).fit(Rows(X, X.sum(axis=1))).predict(X)


def _cell(
    profile: Profile, folder: Path, name: str, dataset: Dataset, fold: int, method: str
) -> dict[str, float]:
    """Measure one cell, unless it is in the cache."""
    settings = {key: value for key, value in asdict(profile).items() if key.startswith("max_")}
    config: dict[str, Any] = {
        "set": name,
        "fold": fold,
        "method": method,
        "n_epochs": profile.n_epochs,
        "ltau": ltau.__version__,
        **settings,
    }
    split = dataset.split(fold, profile.max_train, profile.max_test)

    def measure() -> dict[str, float]:
        if method == REWEIGHTING:
            return _reweight(split, profile.n_epochs, fold)
        return _measure(split, METHODS[method](profile.n_epochs, fold))

    return cached(folder, config, measure)


def _measure(split: Split, method: Learner) -> dict[str, float]:
    """Fit a method and score what it predicts; costs are in seconds of the processor."""
    spent = costs(method, split.train, split.test.X, lambda prediction: prediction.interval(0.9))
    prediction = method.predict(split.test.X)
    return {
        **score(prediction, split.test.y, float(split.train.y.std())),
        "fit_seconds": spent.fit,
        "predict_seconds": spent.predict,
    }


def _reweight(split: Split, n_epochs: int, seed: int) -> dict[str, float]:
    """Train again, weighted by LTAU and unweighted, and compare the errors on the test rows."""
    (X, y), (X_test, y_test) = split
    first = Network(n_epochs, seed=seed).fit(X, y)
    weight = LTAUEstimator().fit(first.latents(X), first.errors_).sample_weight()
    result = {}
    for name, sample_weight in (("unweighted", None), ("weighted", weight)):
        second = Network(n_epochs, seed=seed + _SECOND_TRAINING).fit(X, y, sample_weight)
        errors = np.abs(second.predict(X_test) - y_test) / y.std()
        result[f"mae_{name}"] = float(errors.mean())
        result[f"rmse_{name}"] = float(np.sqrt((errors**2).mean()))
    return result
