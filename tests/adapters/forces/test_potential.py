"""A calculator as engines ask it."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.emt import EMT

from ltau.adapters._forces.potential import Potential


def compute(calculator, atoms):
    potential = Potential(calculator)
    potential.compute(atoms.numbers, atoms.positions, atoms.cell, atoms.pbc)
    return potential


def test_it_computes_what_the_structure_does(atoms):
    potential = compute(EMT(), atoms)
    atoms.calc = EMT()
    assert potential.energy == atoms.get_potential_energy()
    np.testing.assert_array_equal(potential.forces, atoms.get_forces())
    np.testing.assert_array_equal(potential.stress, atoms.get_stress())


class Broken(Calculator):
    """Forces that are not finite."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms, *arguments):
        super().calculate(atoms, *arguments)
        self.results = {"energy": 0.0, "forces": np.full((len(atoms), 3), np.nan)}


def test_forces_that_are_not_finite_are_refused(atoms):
    with pytest.raises(ValueError, match="Expected finite forces"):
        compute(Broken(), atoms)


class SometimesStress(EMT):
    """A calculator that gives no stress without periodicity."""

    def get_property(self, name, atoms=None, allow_calculation=True):
        if name == "stress" and not atoms.pbc.any():
            raise PropertyNotImplementedError(name)
        return super().get_property(name, atoms, allow_calculation)


def test_stress_that_is_not_given_is_nan(atoms):
    assert np.isnan(compute(SometimesStress(), atoms).stress).all()
