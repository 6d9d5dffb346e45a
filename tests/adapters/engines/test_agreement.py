"""ASE, LAMMPS, i-PI and torch-sim find the same forces and uncertainties of a structure."""

import json

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import units
from ase.calculators.emt import EMT

RTOL = 1e-5
NAMES = ("forces_uncertainty", "forces_uncertainty_upper", "ood_score")


@pytest.fixture
def by_ase(structure, uncertain):
    """What ASE finds: energy, forces and the uncertainty by name."""
    structure = structure.copy()
    structure.calc = uncertain()
    energy, forces = structure.get_potential_energy(), structure.get_forces()
    return energy, forces, {name: structure.arrays[name] for name in NAMES}


def assert_same(found, expected):
    energy, forces, uncertainty = expected
    np.testing.assert_allclose(found[0], energy, rtol=RTOL)
    np.testing.assert_allclose(found[1], forces, rtol=RTOL, atol=RTOL)
    for name in NAMES:
        np.testing.assert_allclose(found[2][name], uncertainty[name], rtol=RTOL, err_msg=name)


def test_lammps(structure, uncertain, lammps_with, by_ase):
    from ltau.adapters.lammps import COLUMNS, UncertainFix

    lmp = lammps_with(structure)
    UncertainFix(lmp, uncertain(), ["Cu", "Au"])
    lmp.command("run 0")
    order = np.argsort(lmp.numpy.extract_atom("id")[: len(structure)])
    known = {name: lmp.numpy.extract_atom(column)[order] for column, name in COLUMNS.items()}
    forces = np.reshape(lmp.gather_atoms("f", 1, 3), (-1, 3))
    assert_same((lmp.get_thermo("pe"), forces, known), by_ase)


def test_ipi(structure, uncertain, by_ase, tmp_path):
    pytest.importorskip("ipi", reason="i-PI is not installed: pip install 'ltau[ipi]'")
    from ltau.adapters.ipi import UncertainDriver

    class Driver(UncertainDriver):
        def make_calculator(self):
            return uncertain()

    structure.write(tmp_path / "init.extxyz")
    cell, positions = structure.cell[:].T / units.Bohr, structure.positions / units.Bohr
    driver = Driver(str(tmp_path / "init.extxyz"))
    energy, forces, virial, extras = driver(cell, positions)
    forces = forces * units.Hartree / units.Bohr
    assert_same((energy * units.Hartree, forces, json.loads(extras)), by_ase)
    structure.calc = uncertain()
    stress = -virial * units.Hartree / structure.get_volume()
    # i-PI has an ångström of eight digits.
    np.testing.assert_allclose(stress, structure.get_stress(voigt=False), rtol=RTOL, atol=1e-7)


def test_torch_sim(structure, estimator, latents_of, by_ase):
    pytest.importorskip("torch")
    from ltau.adapters.torch_sim import UncertainModel

    from .stand_in import Model, initialize_state, nve_init

    plain = Model(EMT(), latents_of)
    model = UncertainModel(plain, estimator, lambda state, model: model.features)
    state = nve_init(initialize_state([structure]), model)
    known = {name: getattr(state, name) for name in NAMES}
    assert_same((state.energy[0], state.forces, known), by_ase)
