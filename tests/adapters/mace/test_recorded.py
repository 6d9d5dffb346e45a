"""What a whole training of MACE leaves that was recorded: its own numbers, and what it was of."""

import json
import runpy
import zipfile
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch

from ltau import ErrorLog

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))
TAG = OF_TESTS.TAG


def written(folder):
    return (folder / "results" / f"{TAG}_train.txt").read_text()


def without_times(text):
    rows = [json.loads(line) for line in text.splitlines()]
    return [{key: value for key, value in row.items() if key != "time"} for row in rows]


def test_a_training_has_the_same_numbers_recorded_or_not(tmp_path, frames, held_out, finished):
    told = "--max_num_epochs=4 --swa --start_swa=2 --swa_lr=0.01"
    OF_TESTS.run(OF_TESTS.arguments(tmp_path / "plain", frames, held_out, told))
    plain, watched = tmp_path / "plain", finished
    assert without_times(written(plain)) == without_times(written(watched))
    for name in (f"{TAG}.model", f"{TAG}_stagetwo.model"):
        models = [
            torch.load(folder / "checkpoints" / name, weights_only=False)
            for folder in (plain, watched)
        ]
        first, second = (each.state_dict() for each in models)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_saved_model_needs_no_ltau(model):
    """A hook that is left in place is saved with the model."""
    with zipfile.ZipFile(model) as file:
        (name,) = (each for each in file.namelist() if each.endswith("data.pkl"))
        pickled = file.read(name)
    assert b"mace" in pickled
    assert b"ltau" not in pickled


def test_in_mode_eval_errors_are_those_of_the_model_that_is_saved(finished, frames, model):
    errors = ErrorLog(finished / "ltau" / "forces")[:]
    assert errors.shape == (sum(map(len, frames)), 4)
    assert np.isfinite(errors).all()
    saved = json.loads((finished / "ltau" / "models.json").read_text())["models"]
    for name, stage in ((f"{TAG}.model", 0), (f"{TAG}_stagetwo.model", 2)):
        epoch = max(each["epoch"] for each in saved if each["first"] == stage)
        kept = torch.load(model.with_name(name), weights_only=False)
        np.testing.assert_allclose(
            errors[:, epoch], OF_TESTS.errors_of(kept, frames), rtol=1e-4, atol=1e-5
        )


def test_structures_are_kept_with_forces_and_info(finished, frames, held_out):
    for name, originals in (("frames", frames), ("validation", held_out)):
        kept = ase.io.read(finished / "ltau" / f"{name}.extxyz", ":")
        assert len(kept) == len(originals)
        for atoms, original in zip(kept, originals, strict=True):
            np.testing.assert_array_equal(atoms.numbers, original.numbers)
            np.testing.assert_allclose(atoms.positions, original.positions, atol=1e-6)
            np.testing.assert_allclose(atoms.cell, original.cell, atol=1e-6)
            np.testing.assert_array_equal(atoms.pbc, original.pbc)
            np.testing.assert_allclose(atoms.get_forces(), original.arrays["REF_forces"], atol=1e-6)
            assert atoms.info["run"] == original.info["run"]
