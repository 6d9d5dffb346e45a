"""Errors recorded while nequip trains, against those of its own calculator."""

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from lightning.pytorch.callbacks import ModelCheckpoint
from nequip.integrations.ase import NequIPCalculator

from ltau.adapters._forces.frames import fingerprint, load_frames
from ltau.adapters.nequip import ErrorRecorderCallback
from ltau.adapters.nequip._state import nequip_state
from ltau.log import ErrorLog

ENERGY_ONLY = {
    "loss": {"_target_": "nequip.train.EnergyOnlyLoss"},
    "val_metrics": {"_target_": "nequip.train.EnergyOnlyMetrics"},
}


def errors_of(checkpoint, folder):
    """What a checkpoint's model gets wrong in the frames of a folder: forces, energies."""
    with nequip_state():
        calculator = NequIPCalculator._from_saved_model(
            str(checkpoint), chemical_species_to_atom_type_map=True
        )
        forces, energies = [], []
        for atoms in load_frames(folder / "frames.extxyz"):
            truth = atoms.calc.results
            atoms.calc = calculator
            if "forces" in truth:
                forces.append(np.linalg.norm(atoms.get_forces() - truth["forces"], axis=1))
            error = atoms.get_potential_energy() - truth["energy"]
            energies.append(abs(error) / len(atoms))
    return np.concatenate(forces or [[]]), np.array(energies)


def logs(folder):
    return ErrorLog(folder / "forces")[:], ErrorLog(folder / "energy")[:]


def assert_same_structure(atoms, original):
    np.testing.assert_array_equal(atoms.numbers, original.numbers)
    np.testing.assert_array_equal(atoms.pbc, original.pbc)
    np.testing.assert_allclose(atoms.positions, original.positions, rtol=0, atol=1e-8)
    np.testing.assert_allclose(atoms.cell.array, original.cell.array, rtol=0, atol=1e-8)


def last(folder, **options):
    """A callback that keeps the last epoch of a training in `last.ckpt`."""
    return ModelCheckpoint(dirpath=folder, save_last=True, **options)


def test_the_last_errors_of_mode_eval_are_those_of_the_final_checkpoint(run):
    forces, energies = logs(run.evals)
    expected_forces, expected_energies = errors_of(run.checkpoint, run.evals)
    np.testing.assert_allclose(forces[:, -1], expected_forces, rtol=0, atol=1e-6)
    np.testing.assert_allclose(energies[:, -1], expected_energies, rtol=0, atol=1e-6)
    assert np.ptp(forces, axis=1).min() > 0  # the weights did change


def test_errors_of_the_steps_come_near_those_of_the_epoch(run):
    for step, evaluated in zip(logs(run.steps), logs(run.evals), strict=True):
        assert np.isfinite(step).all()
        assert 0 < np.abs(step - evaluated).mean() < 0.1 * evaluated.mean()


def test_logs_say_what_they_are_of(run, frames):
    forces, energy = ErrorLog(run.evals / "forces"), ErrorLog(run.evals / "energy")
    assert (forces.unit, forces.target) == ("eV/Å", "forces")
    assert (energy.unit, energy.target) == ("eV", "energy per atom")
    assert forces.notes == energy.notes
    assert (forces.notes["mode"], forces.notes["n_frames"]) == ("eval", energy.n_samples)
    kept = load_frames(run.evals / "frames.extxyz")
    assert sum(map(len, kept)) == forces.n_samples
    for atoms in kept:
        (original,) = (
            frame for frame in frames if np.abs(frame[0].position - atoms[0].position).max() < 1e-6
        )
        assert_same_structure(atoms, original)
        np.testing.assert_allclose(atoms.get_forces(), original.get_forces(), atol=1e-7)
        assert atoms.get_potential_energy() == pytest.approx(original.get_potential_energy())


@pytest.mark.parametrize(
    ("mode", "loader"),
    [
        ("step", {}),
        ("step", {"num_workers": 2}),
        (
            "step",
            {"num_workers": 1, "persistent_workers": True, "multiprocessing_context": "spawn"},
        ),
        ("step", {"batch_size": 1, "shuffle": False}),
        ("step", {"batch_size": 7, "drop_last": True}),
        ("eval", {}),
        ("eval", {"num_workers": 1}),
        ("eval", {"batch_size": 7, "drop_last": True}),
    ],
)
def test_every_error_is_of_its_own_atom_and_frame(train, frames, tmp_path, mode, loader):
    callbacks = [ErrorRecorderCallback(tmp_path / "log", mode=mode), last(tmp_path)]
    train(tmp_path, frames, callbacks, epochs=2, lr=0.0, loader=loader)
    for log, expected in zip(
        logs(tmp_path / "log"), errors_of(tmp_path / "last.ckpt", tmp_path / "log"), strict=True
    ):
        seen = np.isfinite(log)
        assert seen.all() == (mode == "eval" or not loader.get("drop_last", False))
        np.testing.assert_allclose(
            log[seen], np.stack([expected] * 2, axis=1)[seen], rtol=0, atol=2e-6
        )


def test_frames_that_an_epoch_drops_are_nan_as_a_whole(train, frames, tmp_path):
    callback = ErrorRecorderCallback(tmp_path / "log")
    train(tmp_path, frames, [callback], epochs=1, loader={"batch_size": 7, "drop_last": True})
    forces, energies = logs(tmp_path / "log")
    assert np.isnan(energies).sum() == len(energies) % 7
    sizes = [len(atoms) for atoms in load_frames(tmp_path / "log" / "frames.extxyz")]
    np.testing.assert_array_equal(np.isnan(forces), np.repeat(np.isnan(energies), sizes, axis=0))


def test_a_training_set_that_is_not_split(train, frames, tmp_path):
    paths = {name: str(tmp_path / f"{name}.extxyz") for name in ("train", "val")}
    ase.io.write(paths["train"], frames[:5])
    ase.io.write(paths["val"], frames[5:7])
    data = {f"{name}_file_path": path for name, path in paths.items()} | {"split_dataset": []}
    callbacks = [ErrorRecorderCallback(tmp_path / "log"), last(tmp_path)]
    train(tmp_path, frames, callbacks, epochs=1, lr=0.0, data=data)
    forces, _ = logs(tmp_path / "log")
    expected, _ = errors_of(tmp_path / "last.ckpt", tmp_path / "log")
    np.testing.assert_allclose(forces[:, 0], expected, rtol=0, atol=2e-6)
    kept = load_frames(tmp_path / "log" / "frames.extxyz")
    for atoms, original in zip(kept, frames[:5], strict=True):
        assert_same_structure(atoms, original)


def test_validation_structures_are_kept_too(run, frames):
    """Those that were split off, with their labels."""
    trained = load_frames(run.evals / "frames.extxyz")
    held_out = load_frames(run.evals / "validation.extxyz")
    assert len(held_out) == 4
    assert {fingerprint([a]) for a in trained}.isdisjoint({fingerprint([a]) for a in held_out})
    for atoms in held_out:
        (original,) = (
            frame for frame in frames if np.abs(frame[0].position - atoms[0].position).max() < 1e-6
        )
        assert_same_structure(atoms, original)
        np.testing.assert_allclose(atoms.get_forces(), original.get_forces(), atol=1e-7)
        assert atoms.get_potential_energy() == pytest.approx(original.get_potential_energy())


def test_structures_keep_what_their_files_say_of_them(train, frames, tmp_path):
    told = [atoms.copy() for atoms in frames]
    for number, (atoms, original) in enumerate(zip(told, frames, strict=True)):
        atoms.calc = original.calc
        atoms.info |= {"system": f"run {number // 3}", "number": number, "weight": 0.5}
    train(tmp_path, told, [ErrorRecorderCallback(tmp_path / "log")], epochs=1)
    numbers = []
    for name in ("frames", "validation"):
        for atoms in load_frames(tmp_path / "log" / f"{name}.extxyz"):
            number = atoms.info["number"]
            assert atoms.info == {"system": f"run {number // 3}", "number": number}
            assert_same_structure(atoms, frames[number])
            numbers.append(number)
    assert sorted(numbers) == list(range(len(frames)))


def test_all_validation_sets_are_kept_and_those_of_the_last_start(train, frames, tmp_path):
    paths = [str(tmp_path / f"{number}.extxyz") for number in range(3)]
    for path, part in zip(paths, (frames[:5], frames[5:7], frames[7:10]), strict=True):
        ase.io.write(path, part)
    for held_out, expected in ((paths[1:], 5), (paths[1], 2)):
        data = {"train_file_path": paths[0], "val_file_path": held_out, "split_dataset": []}
        callback = ErrorRecorderCallback(tmp_path / "log", overwrite=True)
        train(tmp_path, frames, [callback], epochs=1, data=data)
        kept = load_frames(tmp_path / "log" / "validation.extxyz")
        assert len(kept) == expected
        for atoms, original in zip(kept, frames[5:], strict=False):
            assert_same_structure(atoms, original)


class Witness(lightning.Callback):
    """What a training ends with: its weights, and where the global generator is."""

    def on_train_end(self, trainer, pl_module):
        self.generator = torch.get_rng_state()
        self.weights = {
            name: value.clone()
            for name, value in pl_module.state_dict().items()
            if isinstance(value, torch.Tensor)
        }


@pytest.mark.parametrize("mode", ["step", "eval"])
def test_training_goes_on_as_it_would_without(train, frames, tmp_path, mode):
    alone, watched = Witness(), Witness()
    train(tmp_path, frames, [alone], epochs=2)
    recorder = ErrorRecorderCallback(tmp_path / "log", mode=mode)
    trainer = train(tmp_path, frames, [recorder, watched], epochs=2)
    assert torch.equal(alone.generator, watched.generator)
    assert alone.weights.keys() == watched.weights.keys()
    for name, weights in alone.weights.items():
        assert torch.equal(watched.weights[name], weights)
    assert not trainer.lightning_module.model["sole_model"]._forward_hooks
    with ErrorLog(tmp_path / "log" / "forces", mode="resume") as log:
        log.record([0], [1.0])  # nobody else is writing


def test_passes_of_mode_eval_are_in_evaluation_mode(train, frames, tmp_path):
    modes = []

    class Modes(lightning.Callback):
        def on_train_start(self, trainer, pl_module):
            model = pl_module.model["sole_model"]
            model.register_forward_hook(lambda module, *_: modes.append(module.training))

    recorder = ErrorRecorderCallback(tmp_path / "log", mode="eval")
    train(tmp_path, frames, [recorder, Modes()], epochs=2, loader={"batch_size": 5})
    steps, validation, passes = [True] * 4, [False], [False] * 4
    assert modes == (steps + validation + passes) * 2


@pytest.mark.parametrize("mode", ["step", "eval"])
def test_a_resumed_training_goes_on_in_the_same_logs(train, frames, tmp_path, mode):
    loader = {"shuffle": False}  # a resumed nequip shuffles as if it began
    whole = ErrorRecorderCallback(tmp_path / "whole", mode=mode)
    train(tmp_path, frames, [whole], epochs=4, loader=loader)
    for epochs, start in [(3, None), (4, tmp_path / "epoch=1.ckpt")]:  # epoch 2 is run again
        keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        callbacks = [ErrorRecorderCallback(tmp_path / "log", mode=mode), keep]
        train(tmp_path, frames, callbacks, epochs=epochs, resume=start, loader=loader)
    for log, expected in zip(logs(tmp_path / "log"), logs(tmp_path / "whole"), strict=True):
        np.testing.assert_allclose(log, expected, rtol=0, atol=1e-6)


def test_what_cannot_go_on_is_refused_before_training(train, frames, run, tmp_path):
    def resume(folder, frames=frames, mode="step"):
        callbacks = [ErrorRecorderCallback(folder, mode=mode), last(run.folder)]
        options = {"model": {"num_layers": 2}, "resume": run.checkpoint}
        train(tmp_path / "again", frames, callbacks, epochs=9, **options)

    with pytest.raises(
        ValueError, match=r"goes on at epoch 4, got .*new.forces, which has 0 epochs"
    ):
        resume(tmp_path / "new")
    before = {path: path.read_bytes() for path in run.steps.rglob("*") if path.is_file()}
    moved = [atoms.copy() for atoms in frames]
    for atoms, original in zip(moved, frames, strict=True):
        atoms.calc = SinglePointCalculator(atoms, **original.calc.results)
        atoms.positions += 0.01
    with pytest.raises(ValueError, match=r"training frames of the log .* got another"):
        resume(run.steps, moved)
    with pytest.raises(ValueError, match="n_samples="):
        resume(run.steps, frames[1:])
    with pytest.raises(ValueError, match=r"mode of the log .*: eval instead of step"):
        resume(run.steps, mode="eval")
    assert before == {path: path.read_bytes() for path in before}


def without(frames, name, where):
    """The frames, some of them without a label."""
    stripped = [atoms.copy() for atoms in frames]
    for number, (atoms, original) in enumerate(zip(stripped, frames, strict=True)):
        labels = dict(original.calc.results)
        if where == "everywhere":
            del labels[name]
        elif number == where:
            labels[name] = labels[name] * np.nan
        atoms.calc = SinglePointCalculator(atoms, **labels)
    return stripped


def test_data_without_forces_have_a_log_of_energies_alone(train, frames, tmp_path):
    callbacks = [ErrorRecorderCallback(tmp_path / "log"), last(tmp_path)]
    energies = without(frames, "forces", "everywhere")
    train(tmp_path, energies, callbacks, epochs=1, lr=0.0, module=ENERGY_ONLY)
    assert not (tmp_path / "log" / "forces").exists()
    _, expected = errors_of(tmp_path / "last.ckpt", tmp_path / "log")
    np.testing.assert_allclose(
        ErrorLog(tmp_path / "log" / "energy")[:, 0], expected, rtol=0, atol=2e-6
    )


def test_a_model_without_forces_has_a_log_of_energies_alone(train, frames, tmp_path):
    callback = ErrorRecorderCallback(tmp_path / "log", mode="eval")
    model = {"do_derivatives": False}
    train(tmp_path, frames, [callback], epochs=1, model=model, module=ENERGY_ONLY)
    assert not (tmp_path / "log" / "forces").exists()
    assert ErrorLog(tmp_path / "log" / "energy").n_epochs == 1


def test_labels_that_only_some_frames_have_are_refused(train, frames, tmp_path):
    partly = without(frames, "forces", 3)
    with pytest.raises(ValueError, match=r"forces of all training frames.*1 of 20 lack them"):
        train(tmp_path, partly, [ErrorRecorderCallback(tmp_path / "log")])
    assert not (tmp_path / "log").exists()


def test_frames_without_labels_are_refused(train, frames, tmp_path):
    bare = without(without(frames, "forces", "everywhere"), "energy", "everywhere")
    with pytest.raises(ValueError, match="with energies or forces"):
        train(tmp_path, bare, [ErrorRecorderCallback(tmp_path / "log")])


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'step' or 'eval', got 'epoch'"):
        ErrorRecorderCallback(tmp_path, mode="epoch")


def test_other_trainings_than_nequips_are_refused(tmp_path):
    class Other(lightning.LightningModule):
        def training_step(self, batch, batch_idx):
            return None

        def configure_optimizers(self):
            return None

    settings = {"max_epochs": 1, "logger": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(callbacks=[ErrorRecorderCallback(tmp_path / "log")], **settings)
    with pytest.raises(TypeError, match="a NequIPDataModule, got NoneType"):
        trainer.fit(Other(), torch.utils.data.DataLoader([1]))


DISTRIBUTED = """
import importlib.util, sys
from pathlib import Path
import ase.io, torch
from lightning.pytorch.callbacks import ModelCheckpoint
from ltau.adapters.nequip import ErrorRecorderCallback

torch.set_num_threads(1)
specification = importlib.util.spec_from_file_location("trainings", sys.argv[1])
trainings = importlib.util.module_from_spec(specification)
specification.loader.exec_module(trainings)
folder = Path(sys.argv[2])
callbacks = [
    ErrorRecorderCallback(folder / "steps"),
    ErrorRecorderCallback(folder / "evals", mode="eval"),
    ModelCheckpoint(dirpath=folder, save_last=True),
]
trainer = trainings._train(
    folder, ase.io.read(sys.argv[3], ":"), callbacks, epochs=2, lr=0.0, devices=2, strategy="ddp"
)
assert trainer.world_size == 2
"""


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="no gloo",
)
def test_two_processes_write_one_log(frames, tmp_path):
    ase.io.write(tmp_path / "frames.extxyz", frames[:-1])  # 19: one is drawn twice
    (tmp_path / "train.py").write_text(DISTRIBUTED)
    conftest = Path(__file__).with_name("conftest.py")
    folder = tmp_path / "run"
    environment = {
        **os.environ,
        "PYTHONPATH": str(conftest.parents[3]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "train.py", conftest, folder, tmp_path / "frames.extxyz"]
    process = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180
    )
    assert process.returncode == 0, process.stderr
    expected = errors_of(folder / "last.ckpt", folder / "evals")
    for kind in ("steps", "evals"):
        for log, errors in zip(logs(folder / kind), expected, strict=True):
            np.testing.assert_allclose(log, np.stack([errors] * 2, axis=1), rtol=0, atol=2e-6)
