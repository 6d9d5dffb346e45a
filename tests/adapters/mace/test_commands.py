"""``ltau mace train|fit|predict``: each does what its function does."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

from ltau import ErrorLog, LTAUEstimator
from ltau.adapters.mace import fit_run, load_model
from ltau.cli import main

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))


def test_a_training_is_recorded(finished, tmp_path, frames, held_out, capsys):
    """The one of all tests: see conftest.py."""
    log = ErrorLog(finished / "ltau" / "forces")
    assert (log.n_epochs, log.notes["mode"]) == (4, "eval")
    told = OF_TESTS.arguments(tmp_path / "run", frames, held_out, "--max_num_epochs=1")
    with OF_TESTS.process_as_it_was(), pytest.raises(SystemExit):
        main(["mace", "train", str(finished / "ltau"), *told])
    assert "4 epochs of an earlier run" in capsys.readouterr().err


def test_fit_and_predict(tmp_path, finished, model, frames, capsys):
    saved, structures, out = (tmp_path / name for name in ("f.ltau", "in.xyz", "out.extxyz"))
    main(["mace", "fit", str(finished), "--n-neighbors", "3", "-o", str(saved)])
    fitted = LTAUEstimator.load(saved)
    own = fit_run(finished, estimator=LTAUEstimator(n_neighbors=3, distance_scaling=3.5))
    rows = np.random.default_rng(0).normal(size=(5, fitted.n_features_in_))
    strata = None if fitted.strata_ is None else [29] * 5
    np.testing.assert_allclose(fitted.predict(rows, strata), own.predict(rows, strata), rtol=1e-5)
    assert "calibrated on 8 validation structures" in capsys.readouterr().out

    ase.io.write(structures, frames[:3])
    main(["mace", "predict", str(saved), str(model), str(structures), "-o", str(out)])
    predicted = ase.io.read(out, ":")
    assert len(predicted) == 3
    errors = OF_TESTS.errors_of(load_model(model).module, frames[:3])
    forces = np.concatenate([atoms.get_forces() for atoms in predicted])
    known = np.concatenate([atoms.arrays["REF_forces"] for atoms in frames[:3]])
    np.testing.assert_allclose(np.linalg.norm(forces - known, axis=1), errors, atol=1e-4)
    assert all((atoms.arrays["forces_uncertainty_upper"] > 0).all() for atoms in predicted)


def test_mistakes_end_a_command_with_a_line(tmp_path, finished, capsys):
    with pytest.raises(SystemExit):
        main(["mace", "fit", str(tmp_path), "-o", str(tmp_path / "f.ltau")])
    assert "ltau mace fit: There is no log of forces" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["mace", "predict", "f.ltau", "m.model", "in.xyz", "-o", str(tmp_path / "x.xyz.gz")])
    assert "not packed" in capsys.readouterr().err
