"""Systems in OC20's layouts, written as OC20 writes them and not by the code under test."""

import lzma
import pickle
import sys
import types

import numpy as np
import pytest

pytest.importorskip("ase")
pytest.importorskip("lmdb")
torch = pytest.importorskip("torch")

from ase import Atoms  # noqa: E402
from ase.build import add_adsorbate, fcc111  # noqa: E402
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase.constraints import FixAtoms  # noqa: E402

from benchmarks.is2rs.sources.systems import System  # noqa: E402


@pytest.fixture(scope="session")
def make_system():
    """Make a system that has no physics: carbon monoxide on copper, with random forces."""

    def make(sid="random1", split="val_id", n_frames=3, reference_energy=-12.5, **others):
        rng = np.random.default_rng(sum(map(ord, sid)))
        slab = fcc111("Cu", (2, 2, 3), vacuum=5.0)
        slab.set_tags([1 if tag == 1 else 0 for tag in slab.get_tags()])
        add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0, 0, 1.1)], tags=[2, 2]), 1.8, "fcc")
        slab.set_constraint(FixAtoms(np.flatnonzero(slab.get_tags() == 0)))
        slab.pbc = True
        frames = []
        for _ in range(n_frames):
            atoms = slab.copy()
            atoms.positions += np.round(rng.normal(scale=0.1, size=(len(atoms), 3)), 8)
            forces = np.round(rng.normal(size=(len(atoms), 3)), 8)
            atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=forces)
            frames.append(atoms)
        fields = {"bulk": "Cu12", "adsorbate": "CO"} | others
        return System(sid, split, tuple(frames), True, reference_energy, **fields)

    return make


@pytest.fixture(scope="session")
def official():
    """Lay out frames as the files of OC20 have them."""

    def text(frames):
        return "".join(map(_frame, frames))

    return text


def _frame(atoms):
    lattice = " ".join(map(str, atoms.cell.array.ravel()))
    energy = atoms.calc.results["energy"]
    rows = zip(
        atoms.symbols,
        atoms.positions,
        atoms.get_tags(),
        atoms.calc.results["forces"],
        strict=True,
    )
    lines = [
        f"{symbol} {x:.8f} {y:.8f} {z:.8f} {'T' if tag else 'F'} {tag} {fx:.8f} {fy:.8f} {fz:.8f}"
        for symbol, (x, y, z), tag, (fx, fy, fz) in rows
    ]
    header = (
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:move_mask:L:1:tags:I:1:forces:R:3 '
        f'energy={energy!r} free_energy={energy!r} pbc="T T T"'
    )
    return "\n".join([str(len(atoms)), header, *lines]) + "\n"


@pytest.fixture(scope="session")
def write():
    """Write text, packed if the name says so."""

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(lzma.compress(data) if path.suffix == ".xz" else data)
        return path

    return write


@pytest.fixture(scope="session")
def same_frames():
    """Check that frames are the same, to the eight digits that files have."""

    def same(frames, others):
        for a, b in zip(frames, others, strict=True):
            np.testing.assert_array_equal(a.numbers, b.numbers)
            np.testing.assert_array_equal(a.get_tags(), b.get_tags())
            np.testing.assert_array_equal(a.constraints[0].index, b.constraints[0].index)
            np.testing.assert_array_equal(a.pbc, b.pbc)
            np.testing.assert_allclose(a.cell.array, b.cell.array, rtol=1e-12)
            np.testing.assert_allclose(a.positions, b.positions, atol=1e-8)
            found, expected = a.calc.results, b.calc.results
            np.testing.assert_allclose(found["forces"], expected["forces"], atol=1e-8)
            assert found["energy"] == pytest.approx(expected["energy"], abs=1e-12)

    return same


@pytest.fixture(scope="session")
def record():
    """Make the fields of a record of IS2RE."""

    def fields(system, sid):
        first, last = system.initial, system.relaxed
        n = len(first)
        return {
            "edge_index": torch.zeros(2, 50 * n, dtype=torch.int64),
            "atomic_numbers": torch.tensor(first.numbers, dtype=torch.float32),
            "pos": torch.tensor(first.positions, dtype=torch.float32),
            "natoms": n,
            "tags": torch.tensor(first.get_tags()),
            "fixed": (torch.tensor(first.get_tags()) == 0).float(),
            "cell": torch.tensor(first.cell.array, dtype=torch.float32).view(1, 3, 3),
            "sid": sid,
            "y_init": first.get_potential_energy(),
            "y_relaxed": np.float64(last.get_potential_energy()),
            "pos_relaxed": torch.tensor(last.positions, dtype=torch.float32),
        }

    return fields


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def pickled(request):
    """Pickle fields as that version of torch_geometric does, which need not be installed."""

    def dumps(fields):
        with pytest.MonkeyPatch.context() as patch:
            modules = _torch_geometric()
            for name, module in modules.items():
                patch.setitem(sys.modules, name, module)
            return pickle.dumps(_data(modules, fields, request.param), protocol=-1)

    return dumps


def _torch_geometric():
    """Make modules with the classes that pickles of torch_geometric name."""
    names = ("torch_geometric", "torch_geometric.data", "torch_geometric.data.data")
    modules = {name: types.ModuleType(name) for name in (*names, "torch_geometric.data.storage")}
    for module, names in (
        ("torch_geometric.data.data", ("Data", "DataEdgeAttr", "DataTensorAttr")),
        ("torch_geometric.data.storage", ("GlobalStorage",)),
    ):
        for name in names:
            setattr(modules[module], name, type(name, (), {"__module__": module}))
    return modules


def _data(modules, fields, version):
    classes = modules["torch_geometric.data.data"]
    data = classes.Data()
    if version == 1:
        data.__dict__.update({"x": None, "edge_attr": None, "y": None}, **fields)
        return data
    store = modules["torch_geometric.data.storage"].GlobalStorage()
    store.__dict__.update(_mapping=dict(fields), _parent=data)
    data.__dict__.update(
        _tensor_attr_cls=classes.DataTensorAttr, _edge_attr_cls=classes.DataEdgeAttr, _store=store
    )
    return data
