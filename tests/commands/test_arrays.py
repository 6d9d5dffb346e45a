"""``ltau fit``, ``predict``, ``calibrate`` and ``score``, against the estimator in Python."""

import csv
import re

import numpy as np
import pytest

from ltau import ErrorLog, LTAUEstimator
from ltau.cli import main
from ltau.metrics import coverage


@pytest.fixture
def files(tmp_path, monkeypatch, trajectories):
    """Files of training samples and of held-out ones, in the current folder."""
    monkeypatch.chdir(tmp_path)
    latents, errors = trajectories
    train, held_out = slice(200), slice(200, 300)
    np.save("latents.npy", latents[train])
    np.savez("training.npz", errors=errors[train], groups=np.arange(200) // 5)
    np.save("new.npy", latents[held_out])
    with open("held_out.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["error", "y_pred", "system", "z0", "z1", "z2", "z3"])
        for n, row in enumerate(range(200, 300)):
            line = [errors[row, -1], latents[row, 0], f"s{n // 4}", *latents[row]]
            table.writerow([str(value) for value in line])
    with ErrorLog("log", 200, mode="new") as log:
        for epoch in errors[train].T:
            log.record(np.arange(200), epoch)
            log.end_epoch()
    return latents, errors


@pytest.fixture
def fitted(files):
    latents, errors = files
    return LTAUEstimator().fit(latents[:200], errors[:200])


def run(command, expected_error=None, capsys=None):
    if expected_error is None:
        return main(command.split())
    with pytest.raises(SystemExit, match="1"):
        main(command.split())
    assert expected_error in capsys.readouterr().err
    return None


@pytest.mark.parametrize("errors", ["training.npz:errors", "log"])
def test_fitted_from_files_it_predicts_what_it_does_in_python(errors, fitted, capsys):
    run(f"fit latents.npy {errors} -o model.ltau")
    assert "errors of 200 samples" in capsys.readouterr().out
    run("predict model.ltau held_out.csv:z0,z1,z2,z3 --y-pred held_out.csv:y_pred -o out.csv")
    found = np.genfromtxt("out.csv", delimiter=",", names=True)
    latents = np.load("new.npy")
    expected = fitted.predict_summary(latents, 0.9)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)
    low, high = fitted.predict_interval(latents, latents[:, 0], 0.9).T
    np.testing.assert_allclose(found["low"], low, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["high"], high, rtol=1e-5, atol=1e-5)


def test_parameters_groups_and_targets_reach_the_estimator(files):
    latents, errors = files
    run(
        "fit latents.npy training.npz:errors --groups training.npz:groups --n-neighbors 7 "
        "--burn-in 0.5 --scaling none --targets latents.npy -o model.ltau"
    )
    model = LTAUEstimator.load("model.ltau")
    assert (model.n_neighbors, model.burn_in, model.scaling) == (7, 0.5, "none")
    same = LTAUEstimator(n_neighbors=7, burn_in=0.5, scaling="none").fit(
        latents[:200], errors[:200], groups=np.arange(200) // 5, targets=latents[:200]
    )
    run("predict model.ltau new.npy --y-pred new.npy -o out.csv")
    found = np.genfromtxt("out.csv", delimiter=",", names=True)
    assert found.dtype.names == ("expected_error", "error_bar", "ood_score")  # of four outputs
    expected = same.predict(latents[200:], y_pred=latents[200:])
    np.testing.assert_allclose(found["expected_error"], expected, rtol=1e-6)


def test_it_is_calibrated_and_scored(fitted, files, capsys):
    fitted.save("model.ltau")
    run("calibrate model.ltau new.npy held_out.csv:error -o calibrated.ltau")
    assert "calibrated on 100 samples" in capsys.readouterr().out
    run("score calibrated.ltau new.npy held_out.csv:error")
    shown = capsys.readouterr().out
    latents, errors = files
    fitted.calibrate(latents[200:], errors[200:, -1])
    inside = coverage(errors[200:, -1], upper=fitted.predict_quantile(latents[200:], 0.9))
    assert re.search(rf"within 90% error bar +{inside:#.3g}  \[", shown)
    assert "100 independent samples" in shown
    run("score calibrated.ltau new.npy held_out.csv:error --groups held_out.csv:system")
    assert "100 samples in 25 groups" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit latents.npy training.npz -o m.ltau", "one of training.npz:errors, training.npz:gr"),
        ("fit latents.npy held_out.csv:error -o m.ltau", "trajectories of 200 samples"),
        ("fit latents.npy held_out.csv -o m.ltau", "numbers in column 'system'"),
        ("fit latents.npy nothing.npy -o m.ltau", "nothing.npy"),
        ("fit latents.txt training.npz:errors -o m.ltau", "ends in .npy, .npz or .csv"),
        ("fit latents.npy log --groups held_out.csv -o m.ltau", "one column of labels, got 7"),
        ("fit objects.npy log -o m.ltau", "allow_pickle=False"),
        ("fit broken.npz:x log -o m.ltau", "arrays of numpy in broken.npz"),
        ("predict model.ltau new.npy -o out.txt", "a name that ends in .csv"),
        ("predict model.ltau new.npy --y-pred latents.npy:0 -o o.csv", "latents.npy:0"),
        ("predict model.ltau new.npy --y-pred short.npy -o o.csv", "100 predictions, got 3"),
        ("score model.ltau new.npy training.npz:errors", "one error for each sample"),
    ],
)
def test_files_that_do_not_fit_are_named(command, message, fitted, capsys):
    fitted.save("model.ltau")
    np.save("objects.npy", np.array([{}]))
    np.save("short.npy", np.zeros(3))
    with open("broken.npz", "wb") as file:
        file.write(b"PK\x03\x04")
    run(command, message, capsys)
