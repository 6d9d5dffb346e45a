"""Latents of CHGNet, by the model that its wheel holds."""

import pytest

pytest.importorskip("chgnet")

import torch
from ase import Atoms
from ase.calculators.emt import EMT
from chgnet.model import CHGNet, CHGNetCalculator

from ltau.adapters.chgnet import latents

from .frameworks import (
    check_latents,
    check_they_follow_the_atoms,
    check_uncertain_calculator,
    crystal,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # those of pymatgen and PyTorch


@pytest.fixture(scope="module")
def make():
    model = CHGNet.load(use_device="cpu", verbose=False)
    return lambda: CHGNetCalculator(model=model, use_device="cpu")


def module(calculator):
    return calculator.model.mlp  # that of the whole is not called, but its forward


def test_latents_are_invariant_and_of_the_calculators_own_pass(make):
    check_latents(latents, make, module)


def test_latents_follow_the_atoms(make):
    check_they_follow_the_atoms(latents, make)


def test_forces_come_with_their_uncertainty_in_one_pass(make):
    check_uncertain_calculator(latents, make, module)


def test_they_are_what_the_energies_are_read_from(make):
    """The model's last layers make the atoms' energies of them."""
    calculator, atoms = make(), crystal()
    calculator.return_site_energies = True
    rows = torch.from_numpy(latents(atoms, calculator))
    own = calculator.results["energies"]
    read = calculator.model.mlp(rows).detach().numpy().ravel()
    difference = own - read  # CHGNet adds the reference energy of each element
    for element in (11, 17):
        assert difference[atoms.numbers == element].std() < 1e-4


def test_what_has_no_latents_is_refused(make):
    with pytest.raises(TypeError, match="Expected a CHGNetCalculator, got a EMT"):
        latents(crystal(), EMT())
    with pytest.raises(ValueError, match=r"a periodic structure, got the cell \[\[0.0"):
        latents(Atoms("H2", [[0, 0, 0], [0, 0, 1]]), make())
