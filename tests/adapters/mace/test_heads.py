"""Models with several heads: one is recorded, fitted and run."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch
from ase import Atoms
from mace.calculators import MACECalculator

from ltau import ErrorLog, LTAUEstimator
from ltau.adapters.mace import UncertainMACECalculator, fit_run, record_errors

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))
structures = OF_TESTS.structures


def recorded(prepared, folder, **options):
    with record_errors(folder, mode="eval", **options):
        given = OF_TESTS.train(prepared, ema=None)
    return ErrorLog(folder / "forces")[:], given["model"]


@pytest.fixture(scope="module")
def heads(tmp_path_factory, held_out):
    """A training of a replay head, and of two others of which one has more structures."""
    folder = tmp_path_factory.mktemp("mace") / "heads"
    folder.mkdir()
    sizes = {"pt_head": 4, "small": 4, "large": 6}
    parts = {}
    for seed, (name, size) in enumerate(sizes.items()):
        ase.io.write(folder / f"{name}.xyz", structures(size, seed=10 + seed))
        ase.io.write(folder / f"{name}_valid.xyz", structures(4, seed=20 + seed))
        parts[name] = {
            "train_file": str(folder / f"{name}.xyz"),
            "valid_file": str(folder / f"{name}_valid.xyz"),
            "E0s": "{29:0.0,79:0.0}",
        }
    told = OF_TESTS.arguments(folder, structures(1, 0), held_out, "--max_num_epochs=1")
    return OF_TESTS.prepare([*told, f"--heads={parts!r}"]), sizes


def test_of_several_heads_one_is_recorded(tmp_path, heads):
    prepared, _ = heads
    with pytest.raises(ValueError, match="several heads, 'pt_head', 'small', 'large': give head"):
        recorded(prepared, tmp_path)
    with pytest.raises(ValueError, match=r"Expected a head of the training, .*, got 'medium'"):
        recorded(prepared, tmp_path, head="medium")
    for seed, name in ((11, "small"), (12, "large")):
        errors, _ = recorded(prepared, tmp_path / name, head=name)
        own = structures(heads[1][name], seed=seed)
        kept = ase.io.read(tmp_path / name / "frames.extxyz", ":")
        np.testing.assert_allclose(kept[0].positions, own[0].positions, atol=1e-6)
        assert errors.shape == (sum(map(len, own)), 1)
        assert len(ase.io.read(tmp_path / name / "validation.extxyz", ":")) == 4
        assert ErrorLog(tmp_path / name / "forces").notes["head"] == name


def test_the_head_that_was_recorded_is_fitted_and_run(tmp_path, heads):
    prepared, _ = heads
    _, model = recorded(prepared, tmp_path / "ltau", head="large")
    torch.save(model, tmp_path / "small_run-0.model")
    fitted = fit_run(tmp_path, estimator=LTAUEstimator(n_neighbors=2))
    assert fitted.notes_["head"] == "large"
    calculator = UncertainMACECalculator.from_model(model, fitted)
    frame = structures(1, seed=5)[0]
    forces = {}
    for name in ("small", "large"):
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        own = MACECalculator(models=model, device="cpu", default_dtype="float32", head=name)
        forces[name] = own.get_property("forces", atoms)
        if name == "small":
            with pytest.raises(ValueError, match=r"Expected the head 'large', .* got 'small'"):
                UncertainMACECalculator(own, fitted)
    np.testing.assert_array_equal(calculator.get_property("forces", atoms), forces["large"])
    assert not np.array_equal(forces["small"], forces["large"])
    with pytest.raises(ValueError, match="Expected the head 'large'"):
        UncertainMACECalculator.from_model(model, fitted, head="small")
