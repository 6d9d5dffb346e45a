"""The code on the page about MACE runs, and so does the example's own."""

import importlib.util
import runpy
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

from ltau.structures import iread

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))
ROOT = Path(__file__).resolve().parents[3]
OF_PAGES = SimpleNamespace(**runpy.run_path(str(ROOT / "tests" / "test_docs.py")))


def test_the_page_trains_fits_and_predicts(tmp_path, monkeypatch, frames, held_out):
    monkeypatch.chdir(tmp_path)
    atoms = held_out[0].copy()
    told = OF_TESTS.arguments(Path("run"), frames * 2, held_out, "--max_num_epochs=1")
    page = {"arguments": told, "atoms": atoms}
    code = list(OF_PAGES.blocks("mace.rst"))
    assert sum(bool(line) for block in code for line in block.splitlines()) <= 15
    with OF_TESTS.process_as_it_was():
        for block in code:
            exec(block, page)  # noqa: S102
    assert np.isfinite(atoms.arrays["forces_uncertainty"]).all()
    assert (tmp_path / "forces.ltau").is_file()


def test_the_example_trains_mace(tmp_path, data_dir):
    packed = data_dir / "acac" / "train_300K.xyz.xz"
    if not packed.is_file():
        pytest.skip(f"no acac at {data_dir}")
    script = ROOT / "examples" / "acac" / "force_fields.py"
    spec = importlib.util.spec_from_file_location("force_fields", script)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    frames = list(iread(packed, ":30", format="extxyz"))
    ase.io.write(tmp_path / "train.extxyz", frames[:25])
    ase.io.write(tmp_path / "validation.extxyz", frames[25:])
    example.train(tmp_path, "mace", 1)
    estimator = example.fit(tmp_path, "mace")
    assert estimator.notes_["n_held_out"] == 5
    atoms = frames[29].copy()
    atoms.calc = example.calculator(tmp_path, "mace", estimator)
    atoms.get_forces()
    assert np.isfinite(atoms.arrays["forces_uncertainty"]).all()
