"""Latents of Allegro's models, whose features lie on edges; and what is no latent."""

import shutil
import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from nequip.data import AtomicDataDict
from nequip.integrations.ase import NequIPCalculator
from nequip.utils import torch_default_dtype

from ltau import LTAUEstimator
from ltau.adapters.nequip import (
    UncertainNequIPCalculator,
    compile_model,
    fit_run,
    latents,
    load_model,
)
from ltau.adapters.nequip._compiled_uncertainty import CompiledUncertainty
from ltau.adapters.nequip._features import features_of
from ltau.adapters.nequip._models import LATENTS, SUMMARY, UNCERTAINTY
from ltau.log import ErrorLog
from ltau.structures import environment_latents

WIDTH = 8  # 4 features of each edge, of the embedding and of the one layer


@pytest.fixture(scope="module")
def estimator(allegro_run):
    options = {"estimator": LTAUEstimator(3), "strata": "elements", "environment": 3.0}
    return fit_run(allegro_run, **options)


@pytest.fixture(scope="module")
def fused(allegro_package, estimator, tmp_path_factory):
    """The model compiled with its uncertainty."""
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler, which torch needs to compile a model")
    path = tmp_path_factory.mktemp("fused") / "model.nequip.pt2"
    with warnings.catch_warnings():  # torch of its own parts
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        compile_model(allegro_package, path, estimator=estimator, level=0.8)
    return path


def summed_edges(path, frames):
    """The features that the readout of edges is given, summed up edge by edge."""
    model = load_model(path)
    seen = []
    (readout,) = (m for n, m in model.module.named_modules() if n.endswith(".edge_readout"))
    readout.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].copy()))
    calculator = NequIPCalculator(model.module, "cpu", transforms=model.transforms)
    rows = []
    for atoms in frames:
        with torch_default_dtype(torch.float64):
            calculator.calculate(atoms.copy())
        sums = np.zeros((len(atoms), WIDTH))
        edges = seen[-1][AtomicDataDict.EDGE_INDEX_KEY].T.tolist()
        features = seen[-1][AtomicDataDict.EDGE_FEATURES_KEY].detach().numpy()
        for (atom, _), feature in zip(edges, features, strict=True):
            sums[atom] += feature
        rows.append(sums)
    return np.concatenate(rows)


def test_they_are_sums_over_edges(allegro_run, allegro_package, frames):
    expected = summed_edges(allegro_run / "last.ckpt", frames)
    assert np.ptp(expected, axis=0).min() > 1e-3  # there is something to compare
    for path in (allegro_run / "last.ckpt", allegro_package):
        found = latents(path, frames, batch_size=5)
        assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_symmetries(allegro_run, frames):
    model = load_model(allegro_run / "last.ckpt")
    rng = np.random.default_rng(0)
    for atoms in frames[:6]:
        order = rng.permutation(len(atoms))
        other = atoms.copy()[order]
        other.rotate(rng.uniform(0, 360), rng.normal(size=3), rotate_cell=True)
        expected = latents(model, [atoms])[order]
        np.testing.assert_allclose(latents(model, [other]), expected, rtol=0, atol=1e-5)


def test_an_atom_without_neighbours_has_none(allegro_run, frames):
    atoms = frames[1] + Atoms("Cu", [[100.0, 0.0, 0.0]])
    np.testing.assert_array_equal(latents(allegro_run / "last.ckpt", [atoms])[-1], 0.0)


def test_the_estimator_of_a_training_is_fitted_to_them(allegro_run, estimator, frames):
    """And the calculator predicts from them, with nequip's own forces."""
    checkpoint = allegro_run / "last.ckpt"
    assert estimator.n_features_in_ == 3 * WIDTH
    assert estimator.n_samples_fit_ == len(ErrorLog(allegro_run / "ltau" / "forces"))
    calculator = UncertainNequIPCalculator.from_model(checkpoint, estimator)
    atoms = frames[-1].copy()
    atoms.calc = calculator
    forces = atoms.get_forces()
    rows = environment_latents(summed_edges(checkpoint, [atoms]), [atoms], 3.0)
    expected = estimator.predict(rows, atoms.numbers)
    np.testing.assert_allclose(calculator.results["forces_uncertainty"], expected, rtol=1e-3)
    plain = NequIPCalculator._from_saved_model(
        str(checkpoint), chemical_species_to_atom_type_map=True
    )
    with torch_default_dtype(torch.float64):
        np.testing.assert_array_equal(forces, plain.get_forces(atoms))


def test_a_compiled_model_gives_them(allegro_run, estimator, fused, frames):
    alone = UncertainNequIPCalculator.from_model(fused, keep_latents=True)
    beside = UncertainNequIPCalculator.from_model(allegro_run / "last.ckpt", estimator, level=0.8)
    for atoms in frames[-4:]:
        one, other = atoms.copy(), atoms.copy()
        one.calc, other.calc = alone, beside
        np.testing.assert_allclose(one.get_forces(), other.get_forces(), atol=1e-5)
        own = summed_edges(allegro_run / "last.ckpt", [atoms])
        np.testing.assert_allclose(alone.results["latents"], own, atol=1e-5)
        np.testing.assert_allclose(latents(fused, [atoms]), own, atol=1e-5)
        for name in beside.uncertainty.properties:
            np.testing.assert_allclose(alone.results[name], beside.results[name], rtol=1e-3)


def test_a_single_feature_is_no_latent():
    """Not even where a model was compiled with an uncertainty of it."""
    scratch = {LATENTS: torch.zeros(4, 1)}
    with pytest.raises(ValueError, match=r"several features, got a single one .* compile it again"):
        features_of(scratch)
    compiled = {**scratch, UNCERTAINTY: torch.zeros(3, 4), SUMMARY: torch.zeros(2)}
    with pytest.raises(ValueError, match=r"several features, got a single one"):
        CompiledUncertainty().read(compiled, {})


def test_a_model_without_latents():
    with pytest.raises(ValueError, match="gives node_features, got forces"):
        features_of({"forces": torch.zeros(4, 3)})
