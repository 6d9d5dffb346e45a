"""Errors that are recorded while MACE trains are those of its own predictions."""

import copy
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch
from ase import Atoms
from mace import tools
from mace.data import utils
from torch.utils.data import ConcatDataset

from ltau import ErrorLog
from ltau.adapters.mace import record_errors

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))
arguments, errors_of = OF_TESTS.arguments, OF_TESTS.errors_of
prepare, run, train = OF_TESTS.prepare, OF_TESTS.run, OF_TESTS.train


def recorded(prepared, folder, *, mode="step", head=None, overwrite=False, **changes):
    with record_errors(folder, mode=mode, head=head, overwrite=overwrite):
        given = train(prepared, **changes)
    return ErrorLog(folder / "forces")[:], given


def test_a_step_has_the_same_numbers_recorded_or_not(tmp_path, prepared):
    plain = train(prepared)
    _, watched = recorded(prepared, tmp_path / "ltau")
    weights = [given["model"].state_dict() for given in (plain, watched)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_after_the_training_everything_is_as_before(tmp_path, prepared):
    before = tools.train, utils.config_from_atoms
    _, given = recorded(prepared, tmp_path / "ltau")
    assert (tools.train, utils.config_from_atoms) == before
    assert not given["model"]._forward_hooks
    (part,) = given["train_loader"].dataset.datasets
    assert isinstance(part, list)
    assert "ltau_atom" not in part[0]


def test_in_mode_step_errors_are_those_of_the_weights_of_each_step(tmp_path, prepared, frames):
    """Of one batch an epoch: those that the epoch begins with."""
    loader = prepared["train_loader"]
    whole = type(loader)(loader.dataset, batch_size=len(frames))
    initial = errors_of(copy.deepcopy(prepared["model"]), frames)
    errors, _ = recorded(prepared, tmp_path / "ltau", train_loader=whole, ema=None)
    np.testing.assert_allclose(errors[:, 0], initial, rtol=1e-4, atol=1e-5)
    assert (np.abs(errors[:, 1] - initial) > 1e-4).any()


def test_samples_that_a_step_leaves_out_are_not_known(tmp_path, prepared, frames):
    errors, _ = recorded(prepared, tmp_path / "ltau")
    of_frame = np.repeat(np.arange(14), [len(frame) for frame in frames])
    for column in errors.T:
        left_out = np.unique(of_frame[np.isnan(column)])
        assert len(left_out) == 2
        assert np.isnan(column[np.isin(of_frame, left_out)]).all()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, frames, held_out):
    """A training with a structure twice, an isolated atom, and one that has no forces."""
    unlabelled = frames[1].copy()
    del unlabelled.arrays["REF_forces"]
    unlabelled.positions += 0.3
    lonely = Atoms("Cu", info={"REF_energy": 0.1}, cell=[20.0] * 3, pbc=True)
    lonely.arrays["REF_forces"] = np.zeros((1, 3))
    folder = tmp_path_factory.mktemp("mace") / "mixed"
    own = [frames[0], unlabelled, frames[2], frames[0], lonely, *frames[3:6]]
    told = arguments(folder, own, [unlabelled, *held_out], "--max_num_epochs=2")
    return prepare(told), [frames[0], frames[2], lonely, *frames[3:6]]


@pytest.mark.parametrize("mode", ["step", "eval"])
def test_what_has_no_forces_is_left_out_and_what_is_there_twice_counts_once(tmp_path, mixed, mode):
    prepared, own = mixed
    errors, _ = recorded(prepared, tmp_path, mode=mode)
    kept = ase.io.read(tmp_path / "frames.extxyz", ":")
    assert [len(atoms) for atoms in kept] == [len(atoms) for atoms in own]
    assert errors.shape == (sum(map(len, own)), 2)
    assert np.isfinite(errors).all()
    assert errors[np.repeat([len(atoms) == 1 for atoms in own], [*map(len, own)])].max() == 0
    assert len(ase.io.read(tmp_path / "validation.extxyz", ":")) == 8


def test_epochs_without_validation_are_not_known_in_mode_eval(tmp_path, prepared):
    errors, _ = recorded(prepared, tmp_path / "eval", mode="eval", eval_interval=2)
    assert np.isnan(errors).all(axis=0).tolist() == [False, True, False]
    steps, _ = recorded(prepared, tmp_path / "step", eval_interval=2)
    assert not np.isnan(steps).all(axis=0).any()
    assert steps.shape[1] == 3


def test_a_second_training_is_refused_the_folder_unless_it_may_remove_what_is_there(
    tmp_path, prepared
):
    before, _ = recorded(prepared, tmp_path)
    with pytest.raises(FileExistsError, match="3 epochs of an earlier run"):
        recorded(prepared, tmp_path)
    again, _ = recorded(prepared, tmp_path, overwrite=True, max_num_epochs=1)
    np.testing.assert_array_equal(again, before[:, :1])
    models = json.loads((tmp_path / "models.json").read_text())["models"]
    assert [each["epoch"] for each in models] == [0]


@pytest.mark.filterwarnings("ignore:Epoch 1 of the log:UserWarning")
def test_a_training_that_goes_on_repeats_an_epoch(tmp_path, frames, held_out):
    """MACE begins with the epoch of the checkpoint, from its averaged weights."""
    told = arguments(tmp_path / "run", frames, held_out, "--max_num_epochs=2")
    with record_errors(tmp_path / "ltau", mode="eval"):
        run(told)
    before = ErrorLog(tmp_path / "ltau" / "forces")[:]
    models = json.loads((tmp_path / "ltau" / "models.json").read_text())["models"]
    assert [each["epoch"] for each in models] == [0, 1]
    given = prepare([*told, "--max_num_epochs=3", "--restart_latest"])
    assert given["start_epoch"] == 1
    recorded(given, tmp_path / "ltau", mode="eval")
    after = ErrorLog(tmp_path / "ltau" / "forces")[:]
    assert after.shape[1] == 3
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert not np.array_equal(after[:, 1], before[:, 1])
    with pytest.raises(ValueError, match="Expected the mode of the log"):
        recorded(given, tmp_path / "ltau", mode="step")
    with pytest.raises(ValueError, match="has 0 epochs"):
        recorded(given, tmp_path / "another")


def test_epochs_that_patience_skips_are_not_known(tmp_path, prepared):
    """MACE goes to stage two at once where the first does not improve any more."""
    swa = tools.SWAContainer(
        model=torch.optim.swa_utils.AveragedModel(prepared["model"]),
        scheduler=torch.optim.swa_utils.SWALR(copy.deepcopy(prepared["optimizer"]), 0.01),
        start=4,
        loss_fn=prepared["loss_fn"],
    )
    worse = {**prepared, "optimizer": torch.optim.SGD(prepared["model"].parameters(), 10.0)}
    errors, _ = recorded(worse, tmp_path, swa=swa, max_num_epochs=6, patience=1)
    skipped = np.isnan(errors).all(axis=0)
    assert errors.shape[1] == 6
    assert skipped.any()
    assert not skipped[0]
    assert not skipped[5]


def test_what_would_be_wrong_is_refused_before_training(tmp_path, prepared):
    lbfgs = torch.optim.LBFGS(prepared["model"].parameters())
    cases = [
        ({"distributed": True}, ValueError, "in one process, got --distributed"),
        ({"optimizer": lbfgs}, ValueError, "mode='eval' with --lbfgs"),
        ({"output_args": {"forces": False}}, ValueError, "gives forces"),
    ]
    for changes, kind, message in cases:
        with pytest.raises(kind, match=message):
            recorded(prepared, tmp_path, **changes)
    assert not (tmp_path / "forces").exists()


def test_lbfgs_is_recorded_after_its_epochs(tmp_path, prepared, frames):
    given = OF_TESTS.copied(prepared)
    given["optimizer"] = torch.optim.LBFGS(given["model"].parameters(), max_iter=2)
    with OF_TESTS.process_as_it_was(), record_errors(tmp_path, mode="eval"):
        tools.train(**given | {"ema": None, "max_num_epochs": 2})
    errors = ErrorLog(tmp_path / "forces")[:]
    assert errors.shape[1] == 2
    own = errors_of(given["model"], frames)
    np.testing.assert_allclose(errors[:, 1], own, rtol=1e-4, atol=1e-5)


def test_forces_that_are_not_finite_are_refused(tmp_path, prepared):
    broken = OF_TESTS.copied(prepared)
    broken["train_loader"].dataset.datasets[0][3].forces[0, 0] = torch.nan
    with pytest.raises(ValueError, match="finite forces, got NaN or infinity in structure 3"):
        recorded(broken, tmp_path)


def test_data_of_another_loop_are_refused(tmp_path, prepared):
    loader = prepared["train_loader"]
    other = type(loader)(list(loader.dataset), batch_size=4)
    with pytest.raises(TypeError, match="a ConcatDataset"):
        recorded(prepared, tmp_path, train_loader=other)


def test_items_that_are_made_anew_each_time_are_numbered_too(tmp_path, prepared):
    """As those of HDF5 files, which are no list."""

    class MadeAnew(torch.utils.data.Dataset):
        def __init__(self, items):
            self.items = items

        def __len__(self):
            return len(self.items)

        def __getitem__(self, index):
            return copy.deepcopy(self.items[index])

    expected, _ = recorded(prepared, tmp_path / "list", mode="eval")
    anew = OF_TESTS.copied(prepared)
    (items,) = anew["train_loader"].dataset.datasets
    loader = anew["train_loader"]
    anew["train_loader"] = type(loader)(
        ConcatDataset([MadeAnew(items)]),
        batch_size=4,
        shuffle=True,
        drop_last=True,
        generator=loader.generator,
    )
    found, _ = recorded(anew, tmp_path / "anew", mode="eval")
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_recording_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(RuntimeError, match="Expected a training of mace_run_train"),
        record_errors(tmp_path),
    ):
        pass
    with (
        pytest.raises(ValueError, match="mode"),
        record_errors(tmp_path, mode="none"),
    ):
        pass
