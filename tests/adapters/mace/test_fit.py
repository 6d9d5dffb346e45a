"""From what a training of MACE left in its folder to an estimator."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch

from ltau import ErrorLog, LTAUEstimator
from ltau.adapters.mace import fit_run, latents

TAG = "small_run-0"


@pytest.fixture
def folder(tmp_path, finished):
    """A copy of the finished training, to be changed."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_errors_are_those_of_the_models_own_stage(finished, estimator):
    notes = estimator.notes_
    assert notes["epoch"] in (2, 3)
    assert notes["head"] == "Default"
    assert notes["n_held_out"] == 8
    log = ErrorLog(finished / "ltau" / "forces")
    assert (estimator.target_, estimator.unit_) == (log.target, log.unit) == ("forces", "eV/Å")
    first = fit_run(finished, model=finished / "checkpoints" / f"{TAG}.model", calibrate=False)
    assert first.notes_["epoch"] in (0, 1)


def test_it_is_what_an_estimator_learns_from_the_same_latents_and_errors(finished, model, frames):
    fitted = fit_run(
        finished,
        estimator=LTAUEstimator(n_neighbors=3, burn_in=0),
        strata=None,
        environment=None,
        calibrate=False,
    )
    epoch = fitted.notes_["epoch"]
    rows = latents(model, frames)
    errors = ErrorLog(finished / "ltau" / "forces")[:][:, 2 : epoch + 1]
    groups = np.repeat(np.arange(len(frames)), [len(atoms) for atoms in frames])
    expected = LTAUEstimator(n_neighbors=3, burn_in=0).fit(rows, errors, groups=groups)
    np.testing.assert_allclose(fitted.predict(rows), expected.predict(rows), rtol=1e-4)


def test_structures_of_a_run_are_a_group(finished):
    options = {"estimator": LTAUEstimator(n_neighbors=2), "strata": None, "environment": None}
    assert fit_run(finished, groups="run", **options).notes_["groups"] == "run"
    with pytest.raises(ValueError, match="'walk' in the info of all structures"):
        fit_run(finished, groups="walk", **options)


def test_a_model_that_the_training_has_not_saved_is_refused(folder, model, tmp_path):
    other = torch.load(model, weights_only=False)
    with torch.no_grad():
        for weights in other.parameters():
            weights.mul_(1.1)
    torch.save(other, tmp_path / "other.model")
    with pytest.raises(ValueError, match=r"other\.model: it is of another training, or older"):
        fit_run(folder, model=tmp_path / "other.model")


def test_a_model_that_is_older_than_the_log_is_refused(folder):
    """As where a training was repeated, and stopped before it has saved a model."""
    path = folder / "ltau" / "models.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "models": []}))
    with pytest.raises(ValueError, match="of epochs none, got"):
        fit_run(folder)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"models\.json is damaged"):
        fit_run(folder)


def test_of_models_with_the_same_latents_it_is_the_last(folder):
    """As where only what reads them out is trained."""
    path = folder / "ltau" / "models.json"
    kept = json.loads(path.read_text())
    newest = max(kept["models"], key=lambda each: each["epoch"])
    alike = [{**newest, "epoch": epoch} for epoch in (0, newest["epoch"], 1)]
    path.write_text(json.dumps({**kept, "models": alike}))
    fitted = fit_run(folder, estimator=LTAUEstimator(n_neighbors=3), calibrate=False)
    assert fitted.notes_["epoch"] == newest["epoch"]


def test_a_log_that_ends_before_the_model_is_refused(folder):
    with ErrorLog(folder / "ltau" / "forces", mode="resume") as log:
        log.record([0], [0.1])
        with pytest.warns(UserWarning, match=r"Epoch 0 of the log .* was recorded again"):
            log.end_epoch(0)
    with pytest.raises(ValueError, match="Expected a log with the epochs up to"):
        fit_run(folder)


def test_what_is_missing_or_there_twice_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        fit_run(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no log of forces"):
        fit_run(folder / "checkpoints")
    shutil.copy(folder / "checkpoints" / f"{TAG}_stagetwo.model", folder)
    with pytest.raises(ValueError, match=r"Expected one small_run-0_stagetwo\.model"):
        fit_run(folder)
    for path in folder.rglob("*.model"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no small_run-0\.model .*: give model"):
        fit_run(folder)


def test_a_log_of_another_framework_is_refused(folder):
    path = folder / "ltau" / "forces"
    of_mace = ErrorLog(path)
    notes = {name: note for name, note in of_mace.notes.items() if name != "mace"}
    shutil.rmtree(path)
    with ErrorLog(path, of_mace.n_samples, notes=notes | {"nequip": "0.19.1"}) as log:
        log.record([0], [0.1])
        log.end_epoch()
    with pytest.raises(ValueError, match="a log of a training of mace"):
        fit_run(folder)


def test_structures_of_another_log_are_refused(folder):
    path = folder / "ltau" / "frames.extxyz"
    path.write_text((folder / "ltau" / "validation.extxyz").read_text())
    with pytest.raises(ValueError, match="other ones or another order"):
        fit_run(folder)


def test_a_model_found_elsewhere_is_named_before_it_is_loaded(folder):
    (folder / "checkpoints").rename(folder / "kept")
    with pytest.warns(UserWarning, match="was found, and is loaded, which runs code"):
        fit_run(folder, estimator=LTAUEstimator(n_neighbors=3))


def test_without_validation_structures_nothing_is_calibrated(folder):
    (folder / "ltau" / "validation.extxyz").unlink()
    fitted = fit_run(folder, estimator=LTAUEstimator(n_neighbors=3))
    assert fitted.notes_["n_held_out"] == 0
    with pytest.raises(ValueError, match=r"validation structures with forces .* to calibrate"):
        fit_run(folder, calibrate=True)


def test_arguments_are_checked_first(finished):
    with pytest.raises(ValueError, match="strata"):
        fit_run(finished, strata="atoms")
    with pytest.raises(ValueError, match="within the model's cutoff"):
        fit_run(finished, environment=6.0)
