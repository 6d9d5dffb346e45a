"""Latents of SevenNet, by the model that its wheel holds."""

import numpy as np
import pytest

pytest.importorskip("sevenn")

import torch
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.mixing import SumCalculator
from sevenn.calculator import SevenNetCalculator
from sevenn.util import load_checkpoint

from ltau.adapters.sevennet import latents

from .frameworks import (
    check_latents,
    check_they_follow_the_atoms,
    check_uncertain_calculator,
    crystal,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # those of SevenNet and PyTorch


@pytest.fixture(scope="module")
def make():
    """Makes calculators that share a model."""
    model = load_checkpoint("7net-0").build_model()
    return lambda: SevenNetCalculator(model, file_type="model_instance", device="cpu")


def module(calculator):
    return calculator.model


def test_latents_are_invariant_and_of_the_calculators_own_pass(make):
    check_latents(latents, make, module)


def test_latents_follow_the_atoms(make):
    check_they_follow_the_atoms(latents, make)
    rows = latents(crystal(0), make())
    latents(crystal(1), make())
    assert latents(crystal(0), make()) == pytest.approx(rows, abs=1e-5)


def test_forces_come_with_their_uncertainty_in_one_pass(make):
    check_uncertain_calculator(latents, make, module)


def test_they_are_what_the_energies_are_read_from(make):
    """The model's last layer makes the atoms' energies of them."""
    calculator, atoms = make(), crystal()
    rows = torch.from_numpy(latents(atoms, calculator))
    last = calculator.model._modules["reduce_hidden_to_energy"].linear
    read = last(rows).detach().numpy().ravel()
    own = calculator.results["energies"]  # in eV, with the reference energy of each element
    for element in (11, 17):
        of = atoms.numbers == element
        assert np.corrcoef(read[of], own[of])[0, 1] == pytest.approx(1, abs=1e-6)


def test_an_isolated_atom_has_latents(make):
    assert latents(Atoms("H"), make()).shape == (1, 64)


def test_what_has_no_latents_is_refused(make):
    with pytest.raises(TypeError, match="Expected a SevenNetCalculator, got a EMT"):
        latents(crystal(), EMT())
    with pytest.raises(TypeError, match="got a SumCalculator"):
        latents(crystal(), SumCalculator([make(), EMT()]))
    with pytest.raises(ValueError, match=r"The model knows H, He, .* got At\."):
        latents(Atoms("At2", [[0, 0, 0], [0, 0, 3]]), make())
