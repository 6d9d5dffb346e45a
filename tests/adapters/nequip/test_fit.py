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

from ltau import LTAUEstimator
from ltau.adapters.nequip import fit_run, latents
from ltau.adapters.nequip._frames import load_frames
from ltau.log import ErrorLog


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


def at_epoch(checkpoint, epoch):
    """Pretend that a checkpoint was saved at another epoch."""
    contents = torch.load(checkpoint, weights_only=False)
    contents["epoch"] = epoch
    torch.save(contents, checkpoint)


def test_one_call_does_what_is_done_by_hand(folder, training):
    _, rows, errors, elements = training
    fitted = fit_run(folder)
    expected = LTAUEstimator().fit(rows, errors, elements)
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))
    np.testing.assert_array_equal(fitted.strata_, [29, 79])
    assert (fitted.target_, fitted.unit_) == ("forces", "eV/Å")


def test_the_estimator_keeps_a_probe_of_the_model_in_its_file(folder, training, path):
    structures, rows, _, _ = training
    fit_run(folder).save(path)
    notes = LTAUEstimator.load(path).notes_
    smallest = min(range(len(structures)), key=lambda number: len(structures[number]))
    first = sum(len(atoms) for atoms in structures[:smallest])
    probe, atoms = notes["probe"], structures[smallest]
    np.testing.assert_array_equal(probe["numbers"], atoms.numbers)
    np.testing.assert_array_equal(probe["positions"], atoms.positions)
    np.testing.assert_array_equal(probe["cell"], atoms.cell.array)
    np.testing.assert_array_equal(probe["pbc"], atoms.pbc)
    np.testing.assert_array_equal(np.float32(probe["latents"]), rows[first : first + len(atoms)])
    assert notes["epoch"] == 3
    assert notes["frames"] == ErrorLog(folder / "evals" / "forces").notes["frames"]


def test_an_estimator_gives_its_parameters_and_stays_as_it_is(folder, training):
    _, rows, errors, _ = training
    given = LTAUEstimator(n_neighbors=3, scaling="whiten")
    fitted = fit_run(folder, estimator=given, strata=None)
    expected = LTAUEstimator(n_neighbors=3, scaling="whiten").fit(rows, errors)
    np.testing.assert_array_equal(fitted.predict(rows), expected.predict(rows))
    assert fitted.strata_ is None
    assert not hasattr(given, "notes_")


def test_errors_of_energies_belong_to_the_mean_latents_of_a_structure(folder, training):
    structures, rows, _, _ = training
    ends = np.cumsum([0, *map(len, structures)])
    means = np.stack([rows[a:b].mean(axis=0) for a, b in pairwise(ends)])
    fitted = fit_run(folder, target="energy")
    expected = LTAUEstimator().fit(means, ErrorLog(folder / "evals" / "energy")[:])
    np.testing.assert_array_equal(fitted.predict(means), expected.predict(means))
    assert (fitted.target_, fitted.unit_) == ("energy per atom", "eV")
    assert len(fitted.notes_["probe"]["latents"]) == len(fitted.notes_["probe"]["numbers"])


def test_a_checkpoint_from_before_the_end_of_the_log_takes_its_epochs_alone(folder, training):
    _, rows, errors, elements = training
    at_epoch(folder / "last.ckpt", 1)
    with pytest.warns(UserWarning, match=r"is of epoch 1, and the log goes on to 3: .* 0 to 1"):
        fitted = fit_run(folder)
    expected = LTAUEstimator().fit(rows, errors[:, :2], elements)
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))
    assert (fitted.target_, fitted.unit_, fitted.notes_["epoch"]) == ("forces", "eV/Å", 1)


def test_a_log_that_ends_before_the_checkpoint_is_refused(folder):
    at_epoch(folder / "last.ckpt", 4)
    with pytest.raises(ValueError, match=r"epochs up to 4, .*n_epochs=4"):
        fit_run(folder)


def test_one_folder_of_logs_is_found(run, folder, tmp_path):
    with pytest.raises(ValueError, match=r"several: .*evals, .*steps"):
        fit_run(run.folder)
    assert fit_run(run.steps, checkpoint=run.checkpoint).notes_["mode"] == "step"
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
    expected = fit_run(folder).predict(rows, elements)
    shutil.copy(folder / "last.ckpt", folder / "last-v1.ckpt")
    with pytest.raises(ValueError, match=r"several: .*last-v1.ckpt, .*last.ckpt"):
        fit_run(folder)
    chosen = fit_run(folder, checkpoint=folder / "last-v1.ckpt")
    np.testing.assert_array_equal(chosen.predict(rows, elements), expected)
    for checkpoint in folder.glob("last*.ckpt"):
        checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match=r"no last\.ckpt"):
        fit_run(folder)
    with pytest.raises(FileNotFoundError, match=r"other\.ckpt"):
        fit_run(folder, checkpoint=tmp_path / "other.ckpt")


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
    fitted = fit_run(tmp_path / "outputs")
    assert len(structures) == 20
    assert fitted.n_samples_fit_ == sum(map(len, structures))
    assert fitted.notes_["epoch"] == 1
