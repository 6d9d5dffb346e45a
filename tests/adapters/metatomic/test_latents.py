"""Latents of metatomic's models, from the pass of its ASE calculator."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("metatomic_ase", reason="pip install 'ltau[metatomic]'")

import torch
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from metatomic.torch import ModelOutput
from metatomic_ase import MetatomicCalculator

from ltau.adapters.ase import UncertainCalculator, check_invariant, fit_frames
from ltau.adapters.metatomic import add_uncertainty, latents, uncertainty_outputs

from ..engines.structures import crystal, slab
from .models import make_model

OTHER = "mtt::aux::energy_last_layer_features"


@pytest.fixture
def calculator(model, kept):
    return MetatomicCalculator(model, additional_outputs=kept)


def test_they_are_in_the_order_of_the_atoms(calculator):
    atoms = crystal(3)
    atoms.calc = calculator
    energies = atoms.get_potential_energies()
    rows = latents(atoms, calculator)
    assert rows.dtype == np.float32
    read = calculator.model().module.energy(torch.from_numpy(rows).double())
    np.testing.assert_allclose(read.detach()[:, 0], energies, rtol=1e-5)


def test_they_do_not_turn_with_the_structure(calculator):
    check_invariant(latents, calculator, [crystal(0), slab(1)])


def test_another_output(known):
    kept = {OTHER: ModelOutput(sample_kind="atom")}
    calculator = MetatomicCalculator(make_model(feature=OTHER), additional_outputs=kept)
    atoms = known[0][0]
    calculator.get_property("forces", atoms)
    np.testing.assert_allclose(latents(atoms, calculator, OTHER), known[1][: len(atoms)])


def test_from_labelled_frames_to_a_model_that_tells_its_errors(model, calculator, tmp_path):
    """What the page on engines does."""
    rng = np.random.default_rng(0)
    frames = [crystal(seed) for seed in range(8)]
    for atoms in frames:
        forces = calculator.get_property("forces", atoms) + 0.1 * rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, forces=forces)
    estimator = fit_frames(frames, calculator, latents, held_out=0.3, environment=3.5)
    add_uncertainty(model, estimator).save(tmp_path / "uncertain.pt")
    inside, outside = crystal(9), crystal(9)
    inside.calc = MetatomicCalculator(
        tmp_path / "uncertain.pt", additional_outputs=uncertainty_outputs()
    )
    outside.calc = UncertainCalculator(calculator, estimator, latents)
    np.testing.assert_allclose(inside.get_forces(), outside.get_forces(), atol=1e-10)
    found = inside.calc.additional_outputs["ltau::force_uncertainty"].block().values[:, 0]
    np.testing.assert_allclose(found, outside.arrays["forces_uncertainty"], rtol=1e-5)


def test_what_has_no_latents_is_refused(model, calculator, estimator):
    with pytest.raises(TypeError, match="Expected a MetatomicCalculator, got a EMT"):
        latents(crystal(), EMT())
    plain = MetatomicCalculator(model)
    plain.get_property("forces", crystal())
    with pytest.raises(ValueError, match=r"keeps the output 'feature', got one with \[\]: give it"):
        latents(crystal(), plain)
    with pytest.raises(ValueError, match=r"give it additional_outputs=\{'feature': ModelOutput"):
        UncertainCalculator(plain, estimator, latents).get_property("ood_score", crystal())
    by_system = MetatomicCalculator(model, additional_outputs={"feature": ModelOutput()})
    by_system.get_property("forces", crystal())
    with pytest.raises(ValueError, match=r"row for each atom, got .*\['system'\].*sample_kind="):
        latents(crystal(), by_system)
    calculator.get_property("forces", crystal()[:4])
    with pytest.raises(ValueError, match=r"latents of shape \(32, n_features\), .* got \(4, 8\)"):
        latents(crystal(), calculator)
    with pytest.raises(ValueError, match="keeps the output 'mtt::aux"):
        partial(latents, output=OTHER)(crystal(), calculator)
