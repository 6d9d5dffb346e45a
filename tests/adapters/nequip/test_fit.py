"""Estimators fitted to what a training left, against estimators fitted by hand."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from nequip.integrations.ase import NequIPCalculator

from ltau import LTAUEstimator
from ltau.adapters._forces.frames import load_frames, save_frames
from ltau.adapters.nequip import fit_run, latents
from ltau.adapters.nequip._state import nequip_state
from ltau.log import ErrorLog
from ltau.structures import FORCE_FIELD, environment_latents


@pytest.fixture(scope="module")
def training(run):
    """Structures of the run, and what an estimator is fitted to: latents, errors, elements."""
    structures = load_frames(run.evals / "frames.extxyz")
    rows = latents(run.checkpoint, structures)
    elements = np.concatenate([atoms.numbers for atoms in structures])
    return structures, rows, ErrorLog(run.evals / "forces")[:], elements


@pytest.fixture
def folder(run, tmp_path):
    """A copy of the run, with one folder of logs."""
    shutil.copytree(run.evals, tmp_path / "run" / "evals")
    shutil.copy(run.checkpoint, tmp_path / "run" / "last.ckpt")
    return tmp_path / "run"


def by_hand(training, environment=3.5, strata=True, errors=None, **parameters):
    """An estimator as fit_run makes it where nothing is held out, and the rows it knows."""
    structures, rows, all_errors, elements = training
    groups = np.repeat(np.arange(len(structures)), [len(atoms) for atoms in structures])
    if environment is not None:
        rows = environment_latents(rows, structures, environment)
    estimator = LTAUEstimator(**{**FORCE_FIELD, **parameters})
    errors = all_errors if errors is None else errors
    return estimator.fit(rows, errors, elements if strata else None, groups=groups), rows


def at_epoch(checkpoint, epoch):
    """Pretend that a checkpoint was saved at another epoch."""
    contents = torch.load(checkpoint, weights_only=False)
    contents["epoch"] = epoch
    torch.save(contents, checkpoint)


def test_one_call_does_what_is_done_by_hand(folder, training):
    elements = training[-1]
    fitted = fit_run(folder, calibrate=False)
    expected, rows = by_hand(training)
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))
    np.testing.assert_array_equal(fitted.strata_, [29, 79])
    assert fitted.calibration_ is None
    assert fitted.notes_["environment"] == 3.5
    assert fitted.notes_["chosen"]["scores"] == []
    assert (fitted.target_, fitted.unit_) == ("forces", "eV/Å")


def test_the_estimator_keeps_a_probe_of_the_model_in_its_file(folder, training, path):
    structures, rows, _, _ = training
    fit_run(folder, environment=2.5).save(path)
    notes = LTAUEstimator.load(path).notes_
    smallest = min(range(len(structures)), key=lambda number: len(structures[number]))
    first = sum(len(atoms) for atoms in structures[:smallest])
    probe, atoms = notes["probe"], structures[smallest]
    np.testing.assert_array_equal(probe["numbers"], atoms.numbers)
    np.testing.assert_array_equal(probe["positions"], atoms.positions)
    np.testing.assert_array_equal(probe["cell"], atoms.cell.array)
    np.testing.assert_array_equal(probe["pbc"], atoms.pbc)
    expected = environment_latents(rows, structures, 2.5)[first : first + len(atoms)]
    np.testing.assert_array_equal(np.float32(probe["latents"]), expected)
    assert notes["environment"] == 2.5
    assert notes["epoch"] == 3
    assert notes["frames"] == ErrorLog(folder / "evals" / "forces").notes["frames"]


def test_an_estimator_gives_its_parameters_and_stays_as_it_is(folder, training):
    given = LTAUEstimator(**{**FORCE_FIELD, "n_neighbors": 3, "scaling": "standardize"})
    fitted = fit_run(folder, estimator=given, strata=None, environment=None, calibrate=False)
    expected, rows = by_hand(training, None, False, n_neighbors=3, scaling="standardize")
    np.testing.assert_array_equal(fitted.predict(rows), expected.predict(rows))
    assert fitted.strata_ is None
    assert not hasattr(given, "notes_")


def test_errors_of_energies_belong_to_the_mean_latents_of_a_structure(folder, training):
    structures, rows, _, _ = training
    ends = np.cumsum([0, *map(len, structures)])
    means = np.stack([rows[a:b].mean(axis=0) for a, b in pairwise(ends)])
    fitted = fit_run(folder, target="energy", calibrate=False)
    errors = ErrorLog(folder / "evals" / "energy")[:]
    k = fitted.notes_["chosen"]["n_neighbors"]
    assert k == 10  # there are too few structures for 30
    expected = LTAUEstimator(**{**FORCE_FIELD, "n_neighbors": k}).fit(means, errors)
    np.testing.assert_allclose(fitted.predict(means), expected.predict(means), rtol=1e-5)
    assert (fitted.target_, fitted.unit_) == ("energy per atom", "eV")
    assert len(fitted.notes_["probe"]["latents"]) == len(fitted.notes_["probe"]["numbers"])


def test_a_checkpoint_from_before_the_end_of_the_log_takes_its_epochs_alone(folder, training):
    elements = training[-1]
    at_epoch(folder / "last.ckpt", 1)
    with pytest.warns(UserWarning, match=r"is of epoch 1, and the log goes on to 3: .* 0 to 1"):
        fitted = fit_run(folder, calibrate=False)
    expected, rows = by_hand(training, errors=training[2][:, :2])
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))
    assert (fitted.target_, fitted.unit_, fitted.notes_["epoch"]) == ("forces", "eV/Å", 1)


def test_a_log_that_ends_before_the_checkpoint_is_refused(folder):
    at_epoch(folder / "last.ckpt", 4)
    with pytest.raises(ValueError, match=r"epochs up to 4, .*n_epochs=4"):
        fit_run(folder)


@pytest.fixture(scope="module")
def held_out(run):
    """Validation structures, and what nequip's own calculator gets wrong in them."""
    frames = load_frames(run.evals / "validation.extxyz")
    with nequip_state():
        calculator = NequIPCalculator._from_saved_model(
            str(run.checkpoint), chemical_species_to_atom_type_map=True
        )
        forces, energies = [], []
        for atoms in frames:
            truth, atoms.calc = atoms.calc.results, calculator
            forces.append(np.linalg.norm(atoms.get_forces() - truth["forces"], axis=1))
            energies.append(abs(atoms.get_potential_energy() - truth["energy"]) / len(atoms))
    return frames, np.concatenate(forces), np.array(energies)


def assert_same_calibration(found, expected):
    assert found.scale == pytest.approx(expected.scale, rel=1e-3)
    np.testing.assert_allclose(found.scores[None], expected.scores[None], atol=1e-3)


def test_it_is_calibrated_on_the_errors_in_validation_structures(run, folder, training, held_out):
    frames, forces, _ = held_out
    fitted = fit_run(folder, environment=3.5, strata="elements", estimator=LTAUEstimator(5))
    expected, _ = by_hand(training, n_neighbors=5)
    expected.set_params(**LTAUEstimator(5).get_params())
    rows = environment_latents(latents(run.checkpoint, frames), frames)
    expected.calibrate(rows, forces, np.concatenate([atoms.numbers for atoms in frames]))
    assert_same_calibration(fitted.calibration_, expected.calibration_)
    assert fitted.notes_["n_held_out"] == 4


def test_validation_structures_choose_what_is_not_given(folder):
    chosen = fit_run(folder).notes_["chosen"]
    tried = {(entry["environment"], entry["strata"]) for entry in chosen["scores"]}
    assert tried == {(3.5, "elements"), (None, "elements"), (3.5, None), (None, None)}
    assert all(entry["crps"] > 0 for entry in chosen["scores"])
    again = fit_run(folder).notes_["chosen"]
    assert again == chosen


def test_energies_are_calibrated_on_energies(run, folder, held_out):
    frames, _, energies = held_out
    fitted = fit_run(folder, target="energy", estimator=LTAUEstimator(3))
    means = np.stack([latents(run.checkpoint, [atoms]).mean(axis=0) for atoms in frames])
    found = fitted.calibration_
    assert_same_calibration(found, fitted.calibrate(means, energies).calibration_)


def test_without_validation_structures_nothing_is_calibrated(folder, training):
    (folder / "evals" / "validation.extxyz").unlink()
    elements = training[-1]
    expected, rows = by_hand(training)
    fitted = fit_run(folder)
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))
    assert fitted.calibration_ is None
    assert fitted.notes_["n_held_out"] == 0
    with pytest.raises(ValueError, match=r"validation structures with labels of forces in .*evals"):
        fit_run(folder, calibrate=True)


def test_what_is_left_of_the_validation_structures_is_said(folder):
    path = folder / "evals" / "validation.extxyz"
    frames = load_frames(path)
    frames[0].calc = SinglePointCalculator(frames[0], energy=0.0)
    frames[1].calc.results["forces"][0, 0] = np.nan
    trained_on = load_frames(folder / "evals" / "frames.extxyz")[:3]
    save_frames(path, frames + trained_on)
    with pytest.warns(UserWarning, match="7 validation structures") as warned:
        assert fit_run(folder).notes_["n_held_out"] == 2
    said = [str(warning.message) for warning in warned if "validation" in str(warning.message)]
    assert [text.split(":")[0] for text in said] == [
        f"2 of 7 validation structures in {path} lack forces",
        f"3 of 7 validation structures in {path} were trained on",
    ]
    assert all(
        warning.filename == __file__ for warning in warned if "valid" in str(warning.message)
    )
    save_frames(path, frames[:2])
    assert fit_run(folder).notes_["n_held_out"] == 0
    with pytest.raises(ValueError, match=r"labels of forces .* got none"):
        fit_run(folder, calibrate=True)


def test_groups_are_those_that_the_structures_tell(folder, training):
    structures, _, _, elements = training
    path = folder / "evals" / "frames.extxyz"
    frames = load_frames(path)
    for number, atoms in enumerate(frames):
        atoms.info["system"] = f"pair {number // 2}"
    save_frames(path, frames)
    fitted = fit_run(folder, groups="system", calibrate=False)
    groups = np.repeat(np.arange(len(frames)) // 2, [len(atoms) for atoms in structures])
    expected, rows = by_hand(training)
    by_structure = expected.ood_score(rows, elements)
    expected.fit(rows, training[2], elements, groups=groups)
    found = fitted.ood_score(rows, elements)
    np.testing.assert_allclose(found, expected.ood_score(rows, elements), rtol=1e-9)
    assert np.abs(found - by_structure).max() > 1e-3
    with pytest.raises(ValueError, match=r"'run' in the info of all structures, .* 20 of 20 lack"):
        fit_run(folder, groups="run")


def test_one_folder_of_logs_is_found(run, folder, tmp_path):
    with pytest.raises(ValueError, match=r"several: .*evals, .*steps"):
        fit_run(run.folder)
    fitted = fit_run(run.steps, checkpoint=run.checkpoint, calibrate=False)
    assert fitted.notes_["mode"] == "step"
    with pytest.raises(FileNotFoundError, match=r"no folder .*elsewhere"):
        fit_run(tmp_path / "elsewhere")
    shutil.rmtree(folder / "evals" / "forces")
    with pytest.raises(FileNotFoundError, match=r"no log of forces .* something else in .*evals"):
        fit_run(folder)
    shutil.rmtree(folder / "evals")
    with pytest.raises(FileNotFoundError, match=r"no log of forces .* writes them\."):
        fit_run(folder)


def test_one_checkpoint_is_found(folder, training, tmp_path):
    _, rows, _, elements = training
    options = {"environment": None, "calibrate": False}
    expected = fit_run(folder, **options).predict(rows, elements)
    shutil.copy(folder / "last.ckpt", folder / "last-v1.ckpt")
    with pytest.raises(ValueError, match=r"several: .*last-v1.ckpt, .*last.ckpt\. Give"):
        fit_run(folder)
    chosen = fit_run(folder, checkpoint=folder / "last-v1.ckpt", **options)
    np.testing.assert_array_equal(chosen.predict(rows, elements), expected)
    for checkpoint in folder.glob("last*.ckpt"):
        checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match=r"no last\.ckpt"):
        fit_run(folder)
    with pytest.raises(FileNotFoundError, match=r"other\.ckpt"):
        fit_run(folder, checkpoint=tmp_path / "other.ckpt")


class Attack:
    """What leaves a folder behind when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_a_checkpoint_below_the_folder_is_named_before_it_runs(folder, tmp_path):
    trace, hidden = tmp_path / "it-ran", folder / "evals" / "last.ckpt"
    (folder / "last.ckpt").unlink()
    torch.save({"epoch": 3, "attack": Attack(trace)}, hidden)
    named = rf"{hidden} was found, and is loaded, which runs code"
    with pytest.raises(UserWarning, match=named):  # the tests make errors of warnings
        fit_run(folder)
    assert not trace.exists()
    with pytest.warns(UserWarning, match=named), pytest.raises(ValueError, match="cannot be load"):
        fit_run(folder)
    assert trace.exists()


def test_a_checkpoint_that_somebody_named_is_not_named_again(folder, training):
    _, rows, _, elements = training
    options = {"environment": None, "calibrate": False}
    expected = fit_run(folder, **options).predict(rows, elements)  # in the folder that is given
    hidden = shutil.move(folder / "last.ckpt", folder / "evals" / "last.ckpt")
    found = fit_run(folder, checkpoint=hidden, **options)
    np.testing.assert_array_equal(found.predict(rows, elements), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: frames[::-1],
        lambda frames: frames[1:],
        lambda frames: [frames[0], *frames],
        lambda frames: [atoms[::-1] for atoms in frames],
        lambda frames: [atoms for atoms in frames if not atoms.rattle(1e-6)],
    ],
)
def test_structures_that_are_not_those_of_the_log_are_refused(folder, change):
    path = folder / "evals" / "frames.extxyz"
    ase.io.write(path, change(load_frames(path)))
    for target in ("forces", "energy"):
        with pytest.raises(ValueError, match=r"structures of the log .*, got other ones"):
            fit_run(folder, target=target)


def test_a_log_of_other_origin_is_refused(folder, training):
    _, rows, errors, _ = training
    shutil.rmtree(folder / "evals" / "forces")
    with ErrorLog(folder / "evals" / "forces", len(rows)) as log:
        log.record(np.arange(len(rows)), errors[:, 0])
        log.end_epoch()
    with pytest.raises(ValueError, match=r"structures of the log .* fingerprint None"):
        fit_run(folder)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "stress"}, ValueError, "'forces' or 'energy', got 'stress'"),
        ({"strata": "species"}, ValueError, "'elements' or None, got 'species'"),
        ({"environment": 0.0}, ValueError, r"positive, finite environment, got 0\.0"),
        ({"environment": 4.5}, ValueError, r"within the model's cutoff, 4, got one of 4\.5"),
        ({"target": "energy", "environment": 3.5}, ValueError, r"neither strata nor an env.*3\.5"),
        ({"target": "energy", "strata": "elements"}, ValueError, "strata='elements'"),
        ({"groups": 3}, TypeError, r"entry of atoms\.info, got 3"),
        ({"estimator": 10}, TypeError, "an LTAUEstimator, got int"),
        ({"estimator": LTAUEstimator(n_neighbors=500)}, ValueError, "500"),
    ],
)
def test_what_cannot_be_fitted_is_refused(folder, options, error, message):
    with pytest.raises(error, match=message):
        fit_run(folder, **options)


CONFIG = """
run: [train]
data:
  _target_: nequip.data.datamodule.ASEDataModule
  seed: 1
  split_dataset: {file_path: DATA, train: 20, val: 4}
  transforms:
    - {_target_: nequip.data.transforms.NeighborListTransform, r_max: 4.0}
    - _target_: nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper
      model_type_names: [Cu, Au]
  train_dataloader: {batch_size: 5, shuffle: true}
  val_dataloader: {batch_size: 4}
trainer:
  _target_: lightning.Trainer
  accelerator: cpu
  max_epochs: 2
  logger: false
  enable_progress_bar: false
  callbacks:
    - _target_: ltau.adapters.nequip.ErrorRecorderCallback
      folder: ${hydra:runtime.output_dir}/ltau
    - _target_: lightning.pytorch.callbacks.ModelCheckpoint
      dirpath: ${hydra:runtime.output_dir}
      save_last: true
training_module:
  _target_: nequip.train.EMALightningModule
  model:
    _target_: nequip.model.NequIPGNNModel
    seed: 1
    model_dtype: float32
    type_names: [Cu, Au]
    r_max: 4.0
    num_layers: 1
    l_max: 0
    parity: false
    num_features: 4
    radial_mlp_width: 4
    avg_num_neighbors: 12.0
    per_type_energy_scales: 1.0
    per_type_energy_shifts: 0.0
  optimizer: {_target_: torch.optim.Adam}
  loss:
    _target_: nequip.train.EnergyForceLoss
    coeffs: {total_energy: 1.0, forces: 1.0}
  val_metrics: {_target_: nequip.train.EnergyForceMetrics}
"""


def test_the_folder_of_nequip_train_is_all_that_is_needed(frames, tmp_path):
    ase.io.write(tmp_path / "data.extxyz", frames)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("DATA", str(tmp_path / "data.extxyz")))
    command = [sys.executable, "-m", "nequip.scripts.train", "-cp", tmp_path, "-cn", "config"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180
    )
    assert process.returncode == 0, process.stderr
    (tmp_path / "data.extxyz").unlink()
    (structures,) = map(load_frames, (tmp_path / "outputs").rglob("frames.extxyz"))
    with pytest.warns(UserWarning, match=r"last\.ckpt was found, and is loaded"):
        fitted = fit_run(tmp_path / "outputs")
    assert len(structures) == 20
    assert fitted.n_samples_fit_ == sum(map(len, structures))
    assert fitted.notes_["epoch"] == 1
