"""Structures in which no atom has a neighbour: nothing is learnt from them, or said of them."""

import copy

import ase.io
import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.verlet import VelocityVerlet
from nequip.integrations.ase import NequIPCalculator
from nequip.utils import torch_default_dtype

from ltau import LTAUEstimator
from ltau.adapters._forces.frames import load_frames, save_frames
from ltau.adapters.ase import UncertaintyMonitor
from ltau.adapters.nequip import (
    ErrorRecorderCallback,
    UncertainNequIPCalculator,
    fit_run,
    latents,
    load_model,
)
from ltau.log import ErrorLog

LEFT_OUT = "no atoms within the model's cutoff of each other: they are left out"


@pytest.fixture(scope="module")
def training(train, frames, alone, tmp_path_factory):
    """A training with such structures among others."""
    folder = tmp_path_factory.mktemp("training")
    mixed = [atoms for pair in zip(alone, frames, strict=False) for atoms in pair]
    mixed += frames[len(alone) :]
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=folder, save_last=True)
    train(folder, mixed, [ErrorRecorderCallback(folder / "ltau"), checkpoints], epochs=2)
    return folder


def is_alone(atoms):
    return len(atoms) < 3


def rows_of(structures, kept):
    """Rows of the atoms of structures that are kept."""
    return np.repeat(kept, [len(atoms) for atoms in structures])


def test_a_training_goes_on_without_them(training):
    """The log has their errors; the estimator is that of the other structures."""
    checkpoint = training / "last.ckpt"
    structures = load_frames(training / "ltau" / "frames.extxyz")
    kept = np.array([not is_alone(atoms) for atoms in structures])
    assert 0 < np.count_nonzero(~kept) < 4
    rows = rows_of(structures, kept)
    log = ErrorLog(training / "ltau" / "forces")
    assert np.isfinite(log[:]).all()
    options = {"estimator": LTAUEstimator(3), "environment": None, "strata": None}
    options["calibrate"] = False
    said = f"{np.count_nonzero(~kept)} of {len(structures)} training structures have {LEFT_OUT}"
    with pytest.warns(UserWarning, match=said) as warned:
        fitted = fit_run(training, **options)
    assert [warning.filename for warning in warned] == [__file__]
    others = [atoms for atoms in structures if not is_alone(atoms)]
    known = latents(checkpoint, others)
    groups = np.repeat(np.arange(len(others)), [len(atoms) for atoms in others])
    expected = LTAUEstimator(3).fit(known, log[:][rows], groups=groups)
    np.testing.assert_allclose(fitted.predict(known), expected.predict(known), rtol=1e-5)
    np.testing.assert_allclose(fitted.ood_score(known), expected.ood_score(known), rtol=1e-3)
    with pytest.warns(UserWarning, match=LEFT_OUT):
        energies = fit_run(training, **{**options, "target": "energy", "strata": None})
    assert energies.n_samples_fit_ == len(others)


def test_a_calibration_goes_on_without_them(training, frames, alone):
    path = training / "ltau" / "validation.extxyz"
    held_out = load_frames(path)
    new = copy.deepcopy(alone)
    for atoms in new:
        atoms.positions += 1.0  # or they are said to be those that were trained on
        atoms.calc.atoms.positions += 1.0
    others = [atoms for atoms in held_out if not is_alone(atoms)]
    try:
        save_frames(path, [*others, *new])
        said = f"{len(new)} of {len(others) + len(new)} validation structures have {LEFT_OUT}"
        with pytest.warns(UserWarning, match=LEFT_OUT) as warned:
            fitted = fit_run(training, estimator=LTAUEstimator(3))
        assert any(said in str(warning.message) for warning in warned)
        assert all(warning.filename == __file__ for warning in warned)
        assert fitted.notes_["n_held_out"] == len(others)
        save_frames(path, new)
        with (
            pytest.warns(UserWarning, match=LEFT_OUT),
            pytest.raises(ValueError, match=r"validation structures with labels .* got none"),
        ):
            fit_run(training, calibrate=True)
    finally:
        save_frames(path, held_out)


def test_a_training_of_nothing_else_is_refused(run, alone, train, tmp_path):
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=tmp_path, save_last=True)
    recorder = ErrorRecorderCallback(tmp_path / "ltau")
    train(tmp_path, alone * 3, [recorder, checkpoints], epochs=1)
    with (
        pytest.warns(UserWarning, match=f"5 of 5 training structures have {LEFT_OUT}"),
        pytest.raises(ValueError, match=r"cutoff of each other, got none in .*ltau"),
    ):
        fit_run(tmp_path, calibrate=False)


def test_their_latents_are_not_known(loaded, frames, alone):
    """Those of the others are as ever, in one batch with them."""
    mixed = [frames[0], *alone, frames[1]]
    kept = rows_of(mixed, [not is_alone(atoms) for atoms in mixed])
    for environment in (None, 3.0):
        with pytest.warns(UserWarning, match=f"latents of 4 of {len(kept)} atoms are NaN") as said:
            found = latents(loaded, mixed, environment=environment)
        assert [warning.filename for warning in said] == [__file__]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(found).all(axis=1), ~kept)
        expected = latents(loaded, frames[:2], environment=environment)
        np.testing.assert_allclose(found[kept], expected, atol=1e-6)


def test_a_broken_model_is_not_taken_for_it(run, frames):
    model = load_model(run.checkpoint)
    for parameter in model.module.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="finite latents, got NaN or infinity for 4 of 4 atoms"):
        latents(model, frames[:1])


@pytest.mark.parametrize("cutoff", [None, 3.0])
def test_their_forces_are_those_of_the_plain_calculator(loaded, run, alone, cutoff, tmp_path):
    """And nothing is said of them, in files either."""
    options = {"estimator": LTAUEstimator(3), "environment": cutoff, "strata": "elements"}
    estimator = fit_run(run.evals, checkpoint=run.checkpoint, **options)
    calculator = UncertainNequIPCalculator.from_model(
        loaded, estimator, tolerance=0.1, keep_latents=True
    )
    plain = NequIPCalculator(loaded.module, "cpu", transforms=loaded.transforms)
    for number, atoms in enumerate(alone):
        own = atoms.copy()
        own.calc = calculator
        with torch_default_dtype(torch.float64):
            plain.calculate(atoms.copy())
        assert own.get_potential_energy() == plain.results["energy"]
        np.testing.assert_array_equal(own.get_forces(), plain.results["forces"])
        for name in calculator.uncertainty.properties:
            assert np.isnan(calculator.results[name]).all()
        assert calculator.results["latents"].shape == (len(atoms), estimator.n_features_in_)
        own.calc = SinglePointCalculator(own, **calculator.results)
        ase.io.write(tmp_path / f"{number}.extxyz", own)
        again = ase.io.read(tmp_path / f"{number}.extxyz")
        assert np.isnan(again.arrays["forces_uncertainty"]).all()
        assert np.isnan(again.info["forces_uncertainty_max"])
        np.testing.assert_array_equal(again.get_forces(), own.get_forces())


def test_dynamics_that_come_apart_are_stopped(run, alone, tmp_path):
    """A limit does not hold where nothing is known."""
    estimator = fit_run(run.evals, checkpoint=run.checkpoint, estimator=LTAUEstimator(3))
    atoms = alone[1].copy()
    atoms.calc = UncertainNequIPCalculator.from_model(run.checkpoint, estimator)
    dynamics = VelocityVerlet(atoms, 1.0)
    monitor = UncertaintyMonitor(dynamics, tmp_path / "run.csv", max_ood_score=5.0, patience=2)
    dynamics.attach(monitor)
    dynamics.run(10)
    assert dynamics.nsteps == 1
    assert "ood_score_max = nan is not within 5 for 2 steps in a row" in monitor.reason
    assert (tmp_path / "run.csv").read_text().splitlines()[-1].endswith("nan,nan,nan")
