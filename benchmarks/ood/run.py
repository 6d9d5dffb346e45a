"""Train the models, then measure every method on every domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

import ltau
from benchmarks.harness.cells import cached
from benchmarks.harness.data import load as load_table
from benchmarks.harness.parallel import run_all
from benchmarks.methods.costs import costs
from benchmarks.methods.domains import IN_DOMAIN, Domain, Samples
from benchmarks.methods.judging import Judge, methods
from benchmarks.methods.predictions import ErrorPrediction
from benchmarks.ood import forcefields, slabs, tabular
from benchmarks.ood.forcefields import ForceField
from benchmarks.ood.scoring import detection, score
from benchmarks.ood.tabular import Table

__all__ = ["FULL", "QUICK", "SHORT", "Case", "Cell", "Profile", "load", "run", "train"]


@dataclass(frozen=True)
class Profile:
    """How much is run."""

    fields: tuple[ForceField, ...]
    tables: tuple[Table, ...]
    n_seeds: int  # each seed is a replicate: another model, and other rows
    n_resamples: int  # of the bootstrap
    methods: tuple[str, ...] = ()  # their names; all if empty

    def cases(self) -> list[Case]:
        """Give every domain of every seed."""
        data: tuple[ForceField | Table, ...] = (*self.fields, *self.tables)
        return [Case(each, seed) for each in data for seed in range(self.n_seeds)]


@dataclass(frozen=True)
class Case:
    """One domain: the model of a seed on a set of data."""

    data: ForceField | Table
    seed: int

    @property
    def name(self) -> str:
        """Name of the set, with the shift where one is made from the data."""
        shift = f", {self.data.shift}" if isinstance(self.data, Table) else ""
        return self.data.name + shift


@dataclass(frozen=True)
class Cell:
    """The measurements of one method on one domain."""

    domain: str
    seed: int
    method: str
    result: dict[str, Any]  # costs; ``tests``, of each test set its scores


def _tables(names: Iterable[str], **sizes: int) -> tuple[Table, ...]:
    return tuple(Table(name, shift, **sizes) for name in names for shift in tabular.SHIFTS)


FULL = Profile(
    fields=(
        ForceField(
            "acac",
            ("H", "C", "O"),
            r_max=5.0,
            n_features=32,
            n_epochs=150,
            n_train=450,
            n_test=650,
            n_members=4,
        ),
        ForceField(
            "emt",
            ("Cu", "Au"),
            r_max=4.2,
            n_features=16,
            n_epochs=80,
            n_train=150,
            n_test=80,
            n_members=4,
        ),
        ForceField(  # the models of benchmarks.is2rs
            "slabs",
            slabs.ELEMENTS,
            r_max=4.5,
            n_features=32,
            n_epochs=50,
            n_train=80,
            n_test=24,
            n_members=4,
        ),
    ),
    tables=_tables(
        ("airfoil", "energy", "kin40k", "concrete", "yacht", "wine", "esol"),
        n_epochs=200,
        max_train=2000,
        max_test=1000,
        n_members=4,
    ),
    n_seeds=2,
    n_resamples=200,
)
_SHORT_EPOCHS = {"acac": 40, "slabs": 20}
SHORT = Profile(
    fields=tuple(
        replace(field, n_epochs=_SHORT_EPOCHS[field.name], n_members=1)
        for field in FULL.fields
        if field.name in _SHORT_EPOCHS
    ),
    tables=(),
    n_seeds=1,
    n_resamples=100,
    methods=(
        "LTAU, calibrated",
        "LTAU, calibrated, own latents",
        "Distance",
        "Regressor",
        "Quantile boosting",
        "Quantile boosting, held-out",
        "Error bins",
        "Error bins, held-out",
        "Constant",
    ),
)
QUICK = Profile(
    fields=(
        ForceField(
            "emt",
            ("Cu", "Au"),
            r_max=4.2,
            n_features=8,
            n_epochs=6,
            n_train=30,
            n_test=16,
            n_members=2,
        ),
    ),
    tables=_tables(("airfoil",), n_epochs=30, max_train=400, max_test=200, n_members=2),
    n_seeds=1,
    n_resamples=50,
)


def load(case: Case, cells: Path) -> Domain:
    """Give a domain; its models are trained if they are not."""
    if isinstance(case.data, ForceField):
        return forcefields.domain(case.data, case.seed, cells)
    return tabular.domain(case.data, case.seed, cells)


def train(cases: Sequence[Case], output: Path, n_jobs: int) -> list[Case]:
    """Train the models of all cases that are not trained yet, the force fields first.

    Parameters
    ----------
    cases : sequence of Case
        What to train for.
    output : Path
        Folder whose subfolder ``cells`` keeps what is finished.
    n_jobs : int
        Processes at once, each of one thread.

    Returns
    -------
    list of Case
        Those whose data are there. Of the others it is said where to get them.
    """
    cells = output / "cells"
    missing = _missing({case.data for case in cases}, cells)
    for message in missing.values():
        tqdm.write(f"Left out: {message}")
    present = [case for case in cases if case.data not in missing]
    fields = list(dict.fromkeys(c.data for c in present if isinstance(c.data, ForceField)))
    tasks: list[tuple[Callable[..., object], ForceField | Table, int]] = [
        (forcefields.train, field, seed) for field in fields for seed in range(field.n_members)
    ]
    tasks += [(tabular.domain, c.data, c.seed) for c in present if isinstance(c.data, Table)]
    run_all(_train, [(*task, cells) for task in tasks], n_jobs, "training")
    return present


def run(profile: Profile, output: Path, n_jobs: int = 1) -> list[Cell]:
    """Train, and measure all cells that are not measured yet; give all.

    Parameters
    ----------
    profile : Profile
        What to run.
    output : Path
        Folder whose subfolder ``cells`` keeps what is finished.
    n_jobs : int, default=1
        Processes at once, each of one thread.

    Returns
    -------
    list of Cell
        In the order of domains, seeds and methods.
    """
    cases = train(profile.cases(), output, n_jobs)
    tasks = [(case, profile, output / "cells") for case in cases]
    return [cell for part in run_all(_measure_case, tasks, n_jobs, "domain") for cell in part]


def _missing(data: Iterable[ForceField | Table], cells: Path) -> dict[ForceField | Table, str]:
    """Say of each set of data that is not there what is to be done."""
    messages = {}
    for part in data:
        try:
            if isinstance(part, ForceField):
                part.frames(cells)
            else:
                load_table(part.name)
        except OSError as error:
            messages[part] = str(error)
    return messages


def _train(trains: Callable[..., object], data: ForceField | Table, seed: int, cells: Path) -> None:
    trains(data, seed, cells)  # the result is in the cells: it need not travel


def _measure_case(case: Case, profile: Profile, cells: Path) -> list[Cell]:
    """Measure the methods on one domain, unless that is done."""
    domain = load(case, cells)
    config = asdict(case.data) | {
        "seed": case.seed,
        "resamples": profile.n_resamples,
        "ltau": ltau.__version__,
    }
    return [
        Cell(
            case.name,
            case.seed,
            name,
            cached(
                cells,
                config | {"method": name, "settings": dict(vars(method))},
                partial(_measure, method, name, domain, profile.n_resamples),
            ),
        )
        for name, method in methods(domain).items()
        if name in profile.methods or not profile.methods
    ]


def _measure(method: Judge, name: str, domain: Domain, n_resamples: int) -> dict[str, Any]:
    """Fit a method, and score it on each test set; costs are in units of the model's own."""
    usual = domain.tests[IN_DOMAIN]
    spent = costs(method, domain, usual)
    pass_seconds = domain.pass_seconds * len(usual.errors)
    predictions = {test: method.predict(samples) for test, samples in domain.tests.items()}
    return {
        "training": domain.trainings.get(name, 1) + spent.fit / domain.training_seconds,
        "prediction": domain.passes.get(name, 1) + spent.predict / pass_seconds,
        "unit": domain.unit,
        "tests": {
            test: score(predictions[test], samples, n_resamples)
            | _detection(predictions, domain.tests, test, n_resamples)
            for test, samples in domain.tests.items()
        },
    }


def _detection(
    predictions: Mapping[str, ErrorPrediction],
    tests: Mapping[str, Samples],
    test: str,
    n_resamples: int,
) -> dict[str, Any]:
    if test == IN_DOMAIN:
        return {}
    inside = predictions[IN_DOMAIN], tests[IN_DOMAIN]
    return detection(*inside, predictions[test], tests[test], n_resamples)
