"""The commands ``ltau frames``, with a calculator and latents from a file of the user's."""

import sys
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("ase")

import ase.io
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, fit_frames
from ltau.cli import main

USERS_CODE = """
import numpy as np
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones


def calculator(sigma="2.25"):
    return LennardJones(epsilon=0.1, sigma=float(sigma), rc=8.0)


class Models:
    class Best:
        @staticmethod
        def load(sigma="2.25"):
            return calculator(sigma)


def latents(atoms, calculator):
    distances = atoms.get_all_distances()
    np.fill_diagonal(distances, np.inf)
    return np.stack([np.exp(-((distances - r) ** 2)).sum(axis=1) for r in (2, 2.5, 3, 4)], axis=1)


def turning(atoms, calculator):
    return atoms.get_positions()


NUMBER = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, make_cluster):
    """A folder with the user's module, 24 labelled structures and six more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "of_the_user", raising=False)
    (tmp_path / "of_the_user.py").write_text(USERS_CODE)
    frames = [make_cluster(seed) for seed in range(30)]
    for number, atoms in enumerate(frames):
        forces = LennardJones(epsilon=0.1, sigma=2.3, rc=8.0).get_forces(atoms)
        atoms.calc = SinglePointCalculator(atoms, forces=forces)
        atoms.info["system"] = number // 3
    ase.io.write(tmp_path / "known.extxyz", frames[:24])
    ase.io.write(tmp_path / "new.extxyz", frames[24:])
    yield tmp_path
    sys.modules.pop("of_the_user", None)


NAMED = "--calculator", "of_the_user:calculator", "--latents", "of_the_user:latents"


def fit(*options, named=NAMED):
    main(["frames", "fit", "known.extxyz", "-o", "f.ltau", *named, *options])
    return LTAUEstimator.load("f.ltau")


def test_fit_saves_what_the_function_gives(capsys):
    options = ["--n-neighbors", "5", "--environment", "none", "--groups", "system"]
    found = fit("--checkpoints", "2.1", "2.2", "2.25", "--held-out", "new.extxyz", *options)
    users = import_module("of_the_user")

    expected = fit_frames(
        ase.io.read("known.extxyz", ":"),
        map(users.calculator, ("2.1", "2.2", "2.25")),
        users.latents,
        held_out=ase.io.read("new.extxyz", ":"),
        estimator=LTAUEstimator(n_neighbors=5, distance_scaling=found.distance_scaling),
        environment=None,
        groups="system",
    )
    assert found.get_params() == expected.get_params()
    assert found.notes_ == expected.notes_
    said = capsys.readouterr()
    assert "errors of forces (eV/Å), of 192 samples by 3 checkpoints\n5 neighbours" in said.out
    assert "calibrated on 6 validation structures" in said.out
    assert "2.25, 3 of 3" in said.err


def test_one_model_needs_structures_to_calibrate_with(capsys):
    fails("where there is one calculator", "fit", "known.extxyz", *NAMED, "-o", "f.ltau")
    found = fit("--split", "0.25")
    assert found.notes_["n_held_out"] == 6
    assert "by one model" in capsys.readouterr().out


def test_predict_writes_what_the_calculator_gives(capsys):
    estimator = fit("--held-out", "new.extxyz")
    options = ["--checkpoint", "2.25", "--level", "0.5", "-o", "out.extxyz"]
    main(["frames", "predict", "f.ltau", "new.extxyz", *NAMED, *options])
    users = import_module("of_the_user")

    own = UncertainCalculator(users.calculator(), estimator, users.latents, level=0.5)
    written, given = ase.io.read("out.extxyz", ":"), ase.io.read("new.extxyz", ":")
    for atoms, known in zip(written, given, strict=True):
        known.calc = own
        np.testing.assert_allclose(atoms.get_forces(), known.get_forces(), atol=1e-7)
        for name in ("forces_uncertainty", "forces_uncertainty_upper", "ood_score"):
            np.testing.assert_allclose(atoms.arrays[name], known.arrays[name], atol=1e-7)
    assert "6 structures; the largest expected error" in capsys.readouterr().out


def test_names_may_lead_into_classes():
    fit("--split", "0.25", named=("--calculator", "of_the_user:Models.Best.load", *NAMED[2:]))


def fails(message, *arguments):
    with pytest.raises(SystemExit, match="1"):
        main(["frames", *arguments])


@pytest.mark.parametrize(
    ("calculator", "latents", "message"),
    [
        ("of_the_user", "of_the_user:latents", "a name such as module:function, got 'of_the_user'"),
        ("nowhere:make", "of_the_user:latents", "to be something to import: No module named"),
        ("of_the_user:no", "of_the_user:latents", "has no attribute 'no'"),
        ("of_the_user:NUMBER", "of_the_user:latents", "NUMBER to be callable, got int"),
        (
            "of_the_user:calculator",
            "of_the_user:turning",
            "stay the same when a structure is rotated",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(calculator, latents, message, capsys):
    named = "--calculator", calculator, "--latents", latents
    fails(message, "fit", "known.extxyz", "--split", "0.25", *named, "-o", "f.ltau")
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("ltau frames fit: ")
    assert said.count("\n") == 1


def test_latents_that_turn_are_taken_if_that_is_meant(capsys):
    named = *NAMED[:2], "--latents", "of_the_user:turning"
    fit("--split", "0.25", "--not-invariant", named=named)
    fails("another model", "predict", "f.ltau", "new.extxyz", *NAMED, "-o", "out.extxyz")
    assert "ltau frames predict: Expected a model with latents of width" in capsys.readouterr().err


def test_the_commands_say_that_code_is_run(capsys):
    for command in ("fit", "predict"):
        with pytest.raises(SystemExit, match="0"):
            main(["frames", command, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert "code of yours" in said
        assert "name only what you trust" in said


def test_a_file_of_the_folder_hides_no_package(folder):
    (folder / "numpy.py").write_text("raise RuntimeError('imported')")
    fit("--split", "0.25")
