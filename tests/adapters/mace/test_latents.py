"""Latents are MACE's own invariant descriptors, of all layers."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch
from ase import Atoms
from mace.calculators import MACECalculator

from ltau.adapters.mace import latents, load_model
from ltau.structures import environment_latents

OF_TESTS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("trainings.py"))))


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model)


def test_they_are_the_descriptors_of_maces_calculator(loaded, frames):
    calculator = MACECalculator(models=loaded.module, device="cpu", default_dtype="float32")
    expected = [calculator.get_descriptors(atoms, invariants_only=True) for atoms in frames]
    found = latents(loaded, frames, batch_size=5)
    assert found.shape == (sum(map(len, frames)), 4)  # two channels of two layers
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_they_do_not_turn_with_the_structure(loaded, frames):
    for atoms in frames[:2]:
        turned = atoms.copy()
        turned.rotate(70, (1, 2, 3), rotate_cell=True)
        turned.translate([0.3, 0.4, 0.5])
        order = np.arange(len(atoms))[::-1]
        np.testing.assert_allclose(
            latents(loaded, [turned[order]])[order], latents(loaded, [atoms]), atol=1e-5
        )


def test_environments_are_those_of_structures(loaded, frames):
    own = latents(loaded, frames)
    found = latents(loaded, frames, environment=3.5)
    np.testing.assert_allclose(found, environment_latents(own, frames, 3.5), atol=1e-5)


def test_a_path_and_a_module_are_models_too(loaded, model, frames):
    expected = latents(loaded, frames[:1])
    for given in (model, str(model), loaded.module):
        np.testing.assert_array_equal(latents(given, frames[:1]), expected)


def test_of_atoms_without_neighbours_nothing_is_known(loaded, frames):
    apart = Atoms("CuAu", [[0, 0, 0], [0, 0, 9.0]])
    with pytest.warns(UserWarning, match="3 of 6 atoms are NaN"):
        found = latents(loaded, [Atoms("Cu"), frames[0], apart])
    assert np.isnan(found).all(axis=1).tolist() == [True, False, False, False, True, True]


def test_what_is_no_structure_of_the_model_is_refused(loaded, frames):
    broken = frames[0].copy()
    broken.positions[1, 2] = np.nan
    with pytest.raises(ValueError, match="knows Cu, Au, got O in frame 1"):
        latents(loaded, [frames[0], Atoms("CuO")])
    with pytest.raises(ValueError, match="NaN or infinity in frame 0"):
        latents(loaded, [broken])
    with pytest.raises(ValueError, match="atoms in frame 0, got none"):
        latents(loaded, [Atoms()])
    with pytest.raises(ValueError, match="at least one structure"):
        latents(loaded, [])
    with pytest.raises(TypeError, match="a list of"):
        latents(loaded, frames[0])
    with pytest.raises(ValueError, match="within the model's cutoff, 4, got one of 5"):
        latents(loaded, frames, environment=5.0)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", ["small_compiled.model", "train.xyz", "checkpoints/*.pt"])
def test_a_file_that_is_no_model_is_refused(finished, name):
    path = sorted(finished.glob(name))[-1]
    with pytest.raises(ValueError, match=path.name):
        load_model(path)


def test_other_models_are_refused(finished, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no model .*none\.model"):
        load_model(finished / "none.model")
    torch.save(torch.nn.Linear(2, 3), tmp_path / "linear.model")
    with pytest.raises(ValueError, match="a MACE model of energies and forces, got Linear"):
        load_model(tmp_path / "linear.model")
    with pytest.raises(TypeError, match="got int"):
        latents(3, [])


def test_heads_are_named(loaded):
    assert loaded.head(None) == loaded.head("Default") == "Default"
    with pytest.raises(ValueError, match="a head of the model, 'Default', got 'other'"):
        loaded.head("other")
