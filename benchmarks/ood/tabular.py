"""Shifts made from the regression sets: the upper range of a feature, or a cluster, held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

import ltau
from benchmarks.harness.cells import cached_arrays
from benchmarks.harness.data import Dataset, load
from benchmarks.harness.members import DROPOUT, N_DRAWS, member
from benchmarks.harness.timing import fastest, processor_seconds
from benchmarks.methods.domains import IN_DOMAIN, Domain, Samples

__all__ = ["SHIFTS", "Table", "domain"]

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SHARE = 0.2  # of the rows that are held out, about
_LEAST_SHARE, _LARGEST_SHARE = 0.1, 0.3
_N_CLUSTERS = 5
_N_TIMED = 5  # passes; the fastest counts
_MC_DROPOUT = "MC dropout"


@dataclass(frozen=True)
class Table:
    """A regression set with a shift, and how much is trained on it."""

    name: str  # one of `benchmarks.harness.data.SETS`
    shift: str  # one of `SHIFTS`
    n_epochs: int
    max_train: int
    max_test: int
    n_members: int  # of the ensemble


def upper_range(X: Floats, y: Floats) -> Mask:
    """Find the rows in the upper range of the feature that ranks the target best.

    The range begins where closest to a fifth of the rows are in it. Features with so few values
    that this is less than a tenth or more than three tenths of the rows are passed over.
    """
    ranges = [(x, x >= _beginning(x)) for x in X.T]
    possible = [
        (abs(spearmanr(x, y).statistic), number)
        for number, (x, beyond) in enumerate(ranges)
        if _LEAST_SHARE <= beyond.mean() <= _LARGEST_SHARE
    ]
    if not possible:
        raise ValueError(f"Expected a feature with an upper range, got none in {X.shape[1]}.")
    return ranges[max(possible)[1]][1]


def _beginning(x: Floats) -> float:
    """Find the value that closest to a fifth of the rows reach."""
    values = np.unique(x)
    share_above = 1 - np.searchsorted(np.sort(x), values) / len(x)
    return float(values[np.abs(share_above - _SHARE).argmin()])


def cluster(X: Floats, _: Floats) -> Mask:
    """Find the rows of the one of five clusters that holds closest to a fifth of the rows."""
    labels = KMeans(_N_CLUSTERS, n_init=3, random_state=0).fit_predict(
        StandardScaler().fit_transform(X)
    )
    share = np.bincount(labels) / len(labels)
    mask: Mask = labels == np.abs(share - _SHARE).argmin()
    return mask


SHIFTS = {"range": upper_range, "cluster": cluster}


def domain(table: Table, seed: int, cells: Path) -> Domain:
    """Train the networks, unless that is done, and put together what the methods need to know.

    Parameters
    ----------
    table : Table
        What to train on.
    seed : int
        Seed of the division of the rows, and of the networks.
    cells : Path
        Where the results are kept.

    Returns
    -------
    Domain
        Rows, with absolute errors in standard deviations of the training targets.
    """
    config = asdict(table) | {"seed": seed, "ltau": ltau.__version__}
    arrays = cached_arrays(cells, config, lambda: _train(table, seed))
    members = {"Ensemble of 2": 2, f"Ensemble of {table.n_members}": table.n_members}

    def samples(part: str) -> Samples:
        errors = arrays[f"{part}/errors"]
        return Samples(
            latents=arrays[f"{part}/latents"],
            errors=errors,
            structures=np.arange(len(errors)),
            classes=None,
            spreads={name: arrays[f"{part}/{name}"] for name in (*members, _MC_DROPOUT)},
            targets=arrays[f"{part}/targets"],
            y_pred=arrays[f"{part}/y_pred"],
        )

    return Domain(
        train=samples("train"),
        trajectories={mode: arrays[mode] for mode in ("step", "eval")},
        validation=samples("validation"),
        tests={name: samples(name) for name in (IN_DOMAIN, table.shift)},
        training_seconds=float(arrays["training_seconds"]),
        pass_seconds=float(arrays["pass_seconds"]),
        trainings=members | {_MC_DROPOUT: 2},
        passes=members | {_MC_DROPOUT: 1 + N_DRAWS},
        unit="standard deviations",
    )


def divide(data: Dataset, table: Table, seed: int) -> dict[str, NDArray[np.intp]]:
    """Give the rows of each part: what lies beyond the domain is in the shifted test alone."""
    beyond = SHIFTS[table.shift](data.X, data.y)
    rng = np.random.default_rng(seed)
    inside = rng.permutation(np.flatnonzero(~beyond))
    train, validation, test = np.split(inside, (np.array([0.6, 0.8]) * len(inside)).astype(int))
    return {
        "train": train[: table.max_train],
        "validation": validation[: table.max_train // 4],
        IN_DOMAIN: test[: table.max_test],
        table.shift: rng.permutation(np.flatnonzero(beyond))[: table.max_test],
    }


def _train(table: Table, seed: int) -> Arrays:
    data = load(table.name)
    rows = divide(data, table, seed)
    X, y = data.X[rows["train"]], data.y[rows["train"]]
    networks = [member(number, table.n_epochs, seed) for number in range(table.n_members)]
    _, training_seconds = processor_seconds(
        lambda: networks[0].fit(X, y, held_out=(X, y))  # watched, not held out
    )
    for network in networks[1:]:
        network.fit(X, y)
    dropout = member(table.n_members, table.n_epochs, seed, dropout=DROPOUT)
    dropout.fit(X, y)
    usual = data.X[rows[IN_DOMAIN]]
    pass_seconds = fastest(lambda: networks[0].predict(usual), _N_TIMED) / len(usual)
    unit = y.std()
    arrays: Arrays = {
        "step": networks[0].errors_ / unit,
        "eval": networks[0].held_out_errors_ / unit,
        "training_seconds": np.array(training_seconds),
        "pass_seconds": np.array(pass_seconds),
    }
    for part, chosen in rows.items():
        predictions = np.stack([network.predict(data.X[chosen]) for network in networks])
        draws = dropout.predict_with_dropout(data.X[chosen], N_DRAWS)
        arrays |= {
            f"{part}/latents": networks[0].latents(data.X[chosen]),
            f"{part}/errors": np.abs(predictions[0] - data.y[chosen]) / unit,
            f"{part}/targets": data.y[chosen] / unit,
            f"{part}/y_pred": predictions[0] / unit,
            f"{part}/Ensemble of 2": predictions[:2].std(axis=0) / unit,
            f"{part}/Ensemble of {table.n_members}": predictions.std(axis=0) / unit,
            f"{part}/{_MC_DROPOUT}": draws.std(axis=0) / unit,
        }
    return arrays
