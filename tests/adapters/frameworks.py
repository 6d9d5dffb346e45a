"""What latents of any framework's calculator must be; a framework's tests call all of it."""

from contextlib import contextmanager

import numpy as np
import torch
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.adapters.ase import UncertainCalculator, check_invariant, fit_frames


def crystal(seed=0):
    """Rock salt with displaced atoms."""
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def forces(calculator, atoms):
    """Those of a calculator that nothing else has touched."""
    calculator.reset()
    return calculator.get_property("forces", atoms.copy()).copy()


@contextmanager
def _one_thread():
    """Let torch use one thread: otherwise, sums over neighbours depend on which comes first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def check_latents(latents, make, module):
    """Latents move and turn with nothing, come from one pass, and leave no hook.

    `make` makes the calculator, the same each time; `module` gives its model.
    """
    calculator, atoms = make(), crystal()
    rows = latents(atoms, calculator)
    assert rows.dtype == np.float32
    assert rows.shape[0] == len(atoms)
    assert rows.shape[1] > 2
    size = np.abs(rows).max()
    assert rows.std(axis=0).max() > 1e-3 * size  # they tell atoms apart
    np.testing.assert_array_equal(calculator.results["forces"], forces(make(), atoms))

    turned, order = atoms.copy(), np.random.default_rng(0).permutation(len(atoms))
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.translate([0.3, -0.2, 0.7])
    np.testing.assert_allclose(latents(turned, calculator), rows, atol=1e-5 * size)
    np.testing.assert_allclose(latents(atoms[order], calculator), rows[order], atol=1e-5 * size)
    check_invariant(latents, calculator, [atoms, turned])

    hooks = [
        hook
        for part in module(calculator).modules()
        for hook in (*part._forward_hooks.values(), *part._forward_pre_hooks.values())
    ]
    assert [hook for hook in hooks if "ltau" in getattr(hook, "__module__", "")] == []


def check_they_follow_the_atoms(latents, make):
    """They are not those of an earlier structure."""
    calculator, first, second = make(), crystal(0), crystal(1)
    expected = latents(first, make())
    latents(second, calculator)
    np.testing.assert_allclose(latents(first, calculator), expected, atol=1e-5)
    calculator.get_property("forces", first)  # which it knows already
    np.testing.assert_allclose(latents(first, calculator), expected, atol=1e-5)


@_one_thread()
def check_uncertain_calculator(latents, make, module):
    """Forces are the calculator's own, from one pass a step."""
    frames = [crystal(seed) for seed in range(6)]
    rng = np.random.default_rng(0)
    for atoms in frames:
        near = forces(make(), atoms) + 0.1 * rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, forces=near)
    estimator = fit_frames(frames, make(), latents, held_out=0.3, environment=3.5)
    inner, passes = make(), []
    calculator = UncertainCalculator(inner, estimator, latents)
    hook = module(inner).register_forward_pre_hook(lambda *_: passes.append(1))
    atoms = crystal(9)
    atoms.calc = calculator
    found = atoms.get_forces()
    atoms.get_potential_energy()
    hook.remove()
    assert len(passes) == 1
    np.testing.assert_array_equal(found, forces(make(), atoms))
    assert np.all(atoms.arrays["forces_uncertainty"] > 0)
    assert np.all(atoms.arrays["forces_uncertainty"] < 1)
