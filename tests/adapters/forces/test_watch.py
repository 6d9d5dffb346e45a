"""What a run's watch decides, asked as an engine asks it."""

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")

from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.adapters._forces.watch import RunWatch, path_of_one


def structure():
    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((3, 3)))
    return atoms


def watch(path, **options):
    return RunWatch(path, ["energy"], has_probability=False, **options)


def reasons(watched, scores, first=0):
    """What it says of steps whose atoms have these largest scores."""
    found = []
    for made, score in enumerate(scores, start=first):
        results = {} if score is None else {"ood_score": np.array([1.0, score, 0.5])}
        found.append(watched(made, {"energy": -1.0}, results, structure))
    return found


def steps(path):
    with path.open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_it_says_when_to_stop(tmp_path):
    watched = watch(tmp_path / "run.csv", max_ood_score=2, patience=2)
    assert reasons(watched, [1, 3, 1, 3, None]) == [None] * 5
    assert reasons(watched, [3], first=5) == ["step 5: ood_score_max = 3 > 2 for 2 steps in a row"]
    assert watched.saved.is_file()


@pytest.mark.parametrize(
    ("scores", "said"), [([3, 3, 3], True), ([None, 3, 3, 3], True), ([1, 3, 3, 3], False)]
)
def test_a_limit_that_no_step_is_within_is_told_of(scores, said, tmp_path, caplog):
    reasons(watch(tmp_path / "run.csv", max_ood_score=2, patience=3), scores)
    assert "Stopped at step" in caplog.text
    assert ("No step was within the limit" in caplog.text) == said


def test_steps_follow_those_of_the_engine_before(tmp_path):
    path = tmp_path / "run.csv"
    reasons(watch(path), [1, 1, 1])
    reasons(watch(path), [1, 1])  # an engine that begins at 0, in the last structure
    assert steps(path) == [0, 1, 2, 3]
    reasons(watch(path, made=2), [1, 1], first=2)  # one that knows its own step
    assert steps(path) == [0, 1, 2, 3]
    reasons(watch(path, start=1), [1, 1, 1, 1, 1])
    assert steps(path) == [0, 1, 2, 3, 4, 5]


def test_one_of_several_runs_has_its_number_before_the_ending():
    assert path_of_one("a/run.csv", 0, 1) == Path("a/run.csv")
    assert path_of_one("a/run.csv", 1, 2) == Path("a/run.1.csv")
