"""The commands ``ltau nequip``, from a training's folder to structures with error bars."""

import lzma
import shutil

import ase.io
import numpy as np
import pytest
from ase import Atoms

from ltau import LTAUEstimator
from ltau.adapters.nequip import UncertainNequIPCalculator, fit_run
from ltau.cli import main
from ltau.structures import FORCE_FIELD


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A run with one folder of logs, and some structures, unlabelled."""
    folder = tmp_path_factory.mktemp("commands")
    shutil.copytree(run.steps, folder / "run" / "ltau")
    shutil.copy(run.checkpoint, folder / "run" / "last.ckpt")
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    """An estimator that the command fitted and saved."""
    options = ["--n-neighbors", "5", "--burn-in", "1", "--scaling", "standardize"]
    options += ["--environment", "2.5"]
    main(["nequip", "fit", str(folder / "run"), "-o", str(folder / "model.ltau"), *options])
    return folder / "model.ltau"


@pytest.fixture
def structures(frames, tmp_path):
    """A file of bare structures, with arrays and info of their own."""
    bare = [
        Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc) for atoms in frames
    ]
    for number, atoms in enumerate(bare[:4]):
        atoms.info["origin"] = number
    ase.io.write(tmp_path / "structures.extxyz", bare[:4])
    return tmp_path / "structures.extxyz"


def predict(fitted, run, structures, output, *options):
    main(
        [
            "nequip",
            "predict",
            *map(str, [fitted, run.checkpoint, structures, "-o", output]),
            *options,
        ]
    )


def test_fit_saves_what_fit_run_gives(folder, fitted):
    estimator = LTAUEstimator.load(fitted)
    assert estimator.get_params() == {
        **LTAUEstimator(**FORCE_FIELD).get_params(),
        "n_neighbors": 5,
        "burn_in": 1,
        "scaling": "standardize",
    }
    expected = fit_run(folder / "run", estimator=estimator, environment=2.5)
    assert expected.notes_ == estimator.notes_
    rng = np.random.default_rng(0)
    queries, elements = rng.normal(size=(4, estimator.n_features_in_)), [29, 29, 79, 79]
    np.testing.assert_array_equal(
        estimator.predict(queries, elements), expected.predict(queries, elements)
    )


@pytest.mark.parametrize(
    ("options", "said", "cutoff"),
    [
        ([], "calibrated on 4 validation structures", None),
        (["--no-calibration"], "by environments of 3.5 Å; not calibrated", 3.5),
        (["--environment", "none", "--no-calibration"], "by own latents; not calibrated", None),
    ],
)
def test_fit_says_what_is_chosen(folder, tmp_path, capsys, options, said, cutoff):
    output = tmp_path / "model.ltau"
    main(["nequip", "fit", str(folder / "run"), "-o", str(output), *options])
    assert said in capsys.readouterr().out
    chosen = LTAUEstimator.load(output).notes_["chosen"]
    if options:
        assert chosen["environment"] == cutoff
    assert bool(chosen["scores"]) == (not options)


def test_fit_by_groups_that_nobody_recorded(folder, tmp_path, capsys):
    command = ["fit", folder / "run", "-o", tmp_path / "model.ltau", "--groups", "system"]
    fails(capsys, 1, "'system' in the info of all structures", *command)


def test_fit_to_energies_from_another_checkpoint(folder, tmp_path, capsys):
    other = shutil.copy(folder / "run" / "last.ckpt", tmp_path / "other.ckpt")
    command = ["nequip", "fit", str(folder / "run"), "--target", "energy"]
    main([*command, "--checkpoint", str(other), "-o", str(tmp_path / "energies.ltau")])
    estimator = LTAUEstimator.load(tmp_path / "energies.ltau")
    assert (estimator.target_, estimator.strata_) == ("energy per atom", None)
    assert "energy per atom (eV), of 20 samples up to epoch 3" in capsys.readouterr().out


def test_fit_names_a_checkpoint_before_it_runs_or_asks_which_is_meant(folder, tmp_path, capsys):
    shutil.copytree(folder / "run", tmp_path / "run")
    hidden = shutil.move(tmp_path / "run" / "last.ckpt", tmp_path / "run" / "ltau" / "last.ckpt")
    command = ["fit", tmp_path / "run", "-o", tmp_path / "model.ltau"]
    with pytest.warns(UserWarning, match=f"{hidden} was found, and is loaded"):
        main(["nequip", *map(str, command), "--no-calibration"])
    shutil.copy(hidden, tmp_path / "run" / "last.ckpt")
    fails(capsys, 1, "got several", *command)
    fails(capsys, 1, "--checkpoint", *command)


def test_predict_writes_what_the_calculator_gives(fitted, run, structures, tmp_path, capsys):
    predict(fitted, run, structures, tmp_path / "out.extxyz", "--level", "0.5")
    calculator = UncertainNequIPCalculator.from_model(
        run.checkpoint, LTAUEstimator.load(fitted), level=0.5
    )
    written = ase.io.read(tmp_path / "out.extxyz", ":")
    assert [atoms.info["origin"] for atoms in written] == [0, 1, 2, 3]
    for atoms, given in zip(written, ase.io.read(structures, ":"), strict=True):
        given.calc = calculator
        np.testing.assert_allclose(atoms.get_forces(), given.get_forces(), atol=1e-7)
        assert atoms.get_potential_energy() == pytest.approx(given.get_potential_energy())
        for name in ("forces_uncertainty", "forces_uncertainty_upper", "ood_score"):
            np.testing.assert_allclose(atoms.arrays[name], calculator.results[name], atol=1e-7)
        for name in ("forces_uncertainty_max", "forces_uncertainty_mean"):
            assert atoms.info[name] == pytest.approx(calculator.results[name])
    largest = max(atoms.info["forces_uncertainty_max"] for atoms in written)
    assert f"4 structures; the largest expected error of a force is {largest:.3g} eV/Å" in (
        capsys.readouterr().out
    )


def test_predict_writes_structures_without_neighbours(fitted, run, frames, alone, tmp_path, capsys):
    """One in a file of others; and where there are no others."""
    for name, structures in (("some", [frames[0], *alone]), ("all", alone)):
        ase.io.write(tmp_path / "in.extxyz", [atoms.copy() for atoms in structures])
        predict(fitted, run, tmp_path / "in.extxyz", tmp_path / "out.extxyz")
        written = ase.io.read(tmp_path / "out.extxyz", ":")
        known = [np.isfinite(atoms.info["forces_uncertainty_max"]) for atoms in written]
        assert known == [atoms is frames[0] for atoms in structures]
        for atoms, is_known in zip(written, known, strict=True):
            assert np.isfinite(atoms.get_forces()).all()
            assert np.isfinite(atoms.arrays["ood_score"]).all() == is_known
        largest = written[0].info["forces_uncertainty_max"]
        said = f"force is {largest:.3g} eV/Å; NaN for 3 without neighbours"
        assert said in capsys.readouterr().out, name


def test_predict_reads_packed_structures_and_writes_none(fitted, run, structures, tmp_path, capsys):
    packed, output = tmp_path / "packed.extxyz.xz", tmp_path / "out.extxyz"
    packed.write_bytes(lzma.compress(structures.read_bytes()))
    predict(fitted, run, packed, output)
    assert [atoms.info["origin"] for atoms in ase.io.read(output, ":")] == [0, 1, 2, 3]
    output = tmp_path / "out.extxyz.gz"
    command = "predict", fitted, run.checkpoint, packed, "-o", output
    fails(capsys, 1, f"a file that is not packed, got {output}", *command)
    assert not output.exists()


def fails(capsys, code, message, *arguments):
    with pytest.raises(SystemExit, match=str(code)):
        main(["nequip", *map(str, arguments)])
    assert message in capsys.readouterr().err


def test_what_cannot_be_fitted_is_told_in_one_line(folder, run, tmp_path, capsys):
    output = tmp_path / "model.ltau"
    fails(capsys, 1, "ltau nequip fit: There is no folder", "fit", tmp_path / "no", "-o", output)
    fails(capsys, 1, "ltau nequip fit: Expected one log", "fit", run.folder, "-o", output)
    fails(capsys, 2, "expected at least 1", "fit", folder, "-o", output, "--n-neighbors", "0")
    assert not output.exists()


def test_what_cannot_be_predicted_is_told_in_one_line(fitted, run, tmp_path, frames, capsys):
    output, ends = tmp_path / "out.extxyz", ["-o", tmp_path / "out.extxyz"]
    command = ["predict", fitted, run.checkpoint]
    fails(capsys, 1, "missing.extxyz", *command, tmp_path / "missing.extxyz", *ends)
    ase.io.write(
        tmp_path / "silver.extxyz", [frames[0].copy(), Atoms("Ag2", [[0, 0, 0], [2, 0, 0]])]
    )
    fails(
        capsys,
        1,
        "silver.extxyz: The model knows Cu, Au, got Ag",
        *command,
        tmp_path / "silver.extxyz",
        *ends,
    )
    estimator = LTAUEstimator().fit(np.ones((20, 8)), np.ones((20, 2)))
    estimator.target_ = "energy per atom"
    estimator.save(tmp_path / "energies.ltau")
    fails(
        capsys,
        1,
        "ltau nequip predict: ",
        "predict",
        tmp_path / "energies.ltau",
        run.checkpoint,
        tmp_path / "silver.extxyz",
        *ends,
    )
    assert not output.exists()


def test_what_cannot_be_compiled_is_told_in_one_line(tmp_path, capsys):
    output = tmp_path / "model.nequip.pt2"
    fails(capsys, 1, "ltau nequip compile: ", "compile", tmp_path / "no.ckpt", "-o", output)
