"""The examples with 7net-0: fine-tuned on a few frames, and as it came on a few systems."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sevenn")

import ase.io
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.structures import iread

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.filterwarnings("ignore")  # those of SevenNet and PyTorch


def script(path):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fine_tuning_leaves_checkpoints_that_can_be_fitted(data_dir, tmp_path):
    data = data_dir / "acac" / "train_300K.xyz.xz"
    if not data.is_file():
        pytest.skip(f"no acac at {data_dir}")
    frames = list(iread(data, "::25", format="extxyz"))
    ase.io.write(tmp_path / "train.extxyz", frames[:12])  # of which four are trained on
    ase.io.write(tmp_path / "validation.extxyz", frames[12:16])
    tuning = script(EXAMPLES / "acac" / "fine_tuning.py")
    tuning.train(tmp_path, 2)
    estimator = tuning.fit(tmp_path)
    assert estimator.n_samples_fit_ == 4 * 15
    assert (estimator.notes_["n_checkpoints"], estimator.notes_["n_held_out"]) == (2, 4)
    atoms = frames[17].copy()
    atoms.calc = tuning.calculator(tmp_path, estimator)
    error = np.linalg.norm(atoms.get_forces() - frames[17].get_forces(), axis=1)
    assert atoms.arrays["forces_uncertainty"].mean() == pytest.approx(error.mean(), rel=0.6)


def test_as_it_came_it_is_asked_of_other_frames_and_other_systems(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for number, metal in enumerate(("Cu", "Ag", "Au", "Pt", "Pd", "Ni", "Al")):
        frames = []
        for _ in range(8):
            atoms = bulk(metal, cubic=True)
            atoms.rattle(0.1, rng=rng)
            atoms.set_tags([2, 1, 1, 0])
            atoms.calc = SinglePointCalculator(atoms, forces=rng.normal(size=(4, 3)))
            frames.append(atoms)
        ase.io.write(tmp_path / f"random{number}.extxyz", frames)
    monkeypatch.setattr(sys, "argv", ["as_shipped.py", str(tmp_path), "--every", "1"])
    script(EXAMPLES / "oc20" / "as_shipped.py").main()
    said = capsys.readouterr().out
    assert "7 systems, 56 frames" in said
    assert "Other frames of the same systems: 56 atoms" in said  # of two of eight frames of each
    assert "Systems left out: 224 atoms" in said
    assert said.count("within a system") == 2
    assert "AUROC" in said
