"""The example of active learning, with little to learn."""

import importlib
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

for needed in ("ase", "matplotlib", "torch"):
    pytest.importorskip(needed)

import torch  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "active_learning"


@pytest.fixture
def loop(monkeypatch):
    """The script as a module, beside the one that it imports."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("loop", "potential"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    level = logging.getLogger("ltau").level
    yield importlib.import_module("loop")
    logging.getLogger("ltau").setLevel(level)  # which its main sets
    for name in ("loop", "potential"):
        sys.modules.pop(name, None)


def test_both_strategies_learn_from_the_same_labels(loop, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["loop.py", "--quick", "-o", str(tmp_path / "learning.png")])
    threads = torch.get_num_threads()
    try:
        loop.main()
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out.splitlines()
    assert "2 seeds" in said[0]
    first, last = (line.split() for line in said[2:4])
    assert (first[0], last[0]) == ("15", "20")
    assert first[1] == first[4]  # before the first round both are one
    assert float(first[7]) == 0
    assert "Steps of a walker" in said[4]
    assert (tmp_path / "learning.png").read_bytes().startswith(b"\x89PNG")


def test_the_forces_are_the_gradient_of_the_energy(loop):
    torch.manual_seed(0)
    network = sys.modules["potential"].Network().double()
    atoms = loop.cluster(np.random.default_rng(0))
    atoms.rattle(0.1, seed=0)
    atoms.calc = loop.NetworkCalculator(network)
    forces, step = atoms.get_forces(), 1e-4
    for atom, axis in ((0, 0), (5, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            moved.calc = loop.NetworkCalculator(network)
            energies.append(moved.get_potential_energy())
        expected = -(energies[0] - energies[1]) / (2 * step)
        assert forces[atom, axis] == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert atoms.calc.latents.shape == (13, 32)
