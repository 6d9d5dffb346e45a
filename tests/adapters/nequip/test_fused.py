"""The uncertainty inside of a model: the same numbers as the estimator's own."""

import shutil
import warnings

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from nequip.data import AtomicDataDict
from nequip.integrations.ase import NequIPCalculator

from ltau import LTAUEstimator
from ltau.adapters.nequip import (
    ErrorRecorderCallback,
    UncertainNequIPCalculator,
    compile_model,
    fit_run,
    latents,
    load_model,
)
from ltau.adapters.nequip._fields import fields_of
from ltau.adapters.nequip._fused import ModelWithUncertainty
from ltau.adapters.nequip._fused import _least as least
from ltau.adapters.nequip._models import LATENTS, SUMMARY, UNCERTAINTY
from ltau.adapters.nequip._state import nequip_state
from ltau.structures import environment_latents


def summary_of(fused, model, atoms):
    with nequip_state():
        out = fused(AtomicDataDict.batched_from_list([fields_of(atoms, model, "a frame")]))
    return out[UNCERTAINTY].numpy()


def fit(frames, model, strata, held_out=None, environment=None, **parameters):
    """Fit to drawn errors, larger for some atoms than for others."""
    rng = np.random.default_rng(0)
    numbers = np.concatenate([atoms.numbers for atoms in frames])
    rows = latents(model, frames, environment=environment)
    errors = rng.exponential(0.1 * numbers[:, None] ** 0.5, size=(len(rows), 30))
    classes = numbers if strata else None
    estimator = LTAUEstimator(3, **parameters).fit(rows, errors, classes)
    if held_out:
        estimator.calibrate(rows, 2 * errors[:, 0], classes)
    estimator.notes_["environment"] = environment
    return estimator


@pytest.mark.parametrize("strata", [False, True], ids=["all elements", "by element"])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_prototypes": 20},
        {"scaling": "none", "distance_scaling": 0.0},
        {"weights": "distance", "distance_scaling": 1.0, "n_prototypes": 16},
        {"held_out": True},
        {"environment": 3.0, "n_prototypes": 20},
        {"index": "ivf"},  # which has its vectors in an order of its own
    ],
    ids=["defaults", "prototypes", "paper", "weights", "calibrated", "environment", "ivf"],
)
def test_it_is_that_of_the_estimator(run, frames, model, strata, parameters):
    known, others = frames[:12], frames[12:]
    estimator = fit(known, model, strata, **parameters)
    fused = ModelWithUncertainty(model.module, estimator, 0.83, ["Cu", "Au"]).eval()
    for atoms in others:
        classes = atoms.numbers if strata else None
        own = latents(model, [atoms])
        cutoff = parameters.get("environment")
        rows = own if cutoff is None else environment_latents(own, [atoms], cutoff)
        expected = estimator.predict_summary(rows, 0.83, classes)
        for found, wanted in zip(summary_of(fused, model, atoms), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4 if cutoff else 1e-5)


def test_a_level_at_which_the_distribution_stays_gives_the_larger_error(frames, model):
    """Half of all errors are small and half large: at 0.5 rounding would choose between them."""
    rows = latents(model, frames[:12])
    errors = np.where(np.arange(30) % 2, 0.1, 1.0) * np.ones((len(rows), 1))
    estimator = LTAUEstimator(3, distance_scaling=0.0, burn_in=0.0).fit(rows, errors)
    fused = ModelWithUncertainty(model.module, estimator, 0.5, ["Cu", "Au"]).eval()
    _, bars, _ = summary_of(fused, model, frames[12])
    edges = estimator.bin_edges_
    begins = edges[np.searchsorted(edges, 1.0, side="right") - 1]
    np.testing.assert_allclose(bars, begins if begins < 1.0 else edges[-2], rtol=1e-9)


def test_the_summary_is_of_all_atoms(frames, model):
    estimator = fit(frames[:12], model, False)
    fused = ModelWithUncertainty(model.module, estimator, 0.9, ["Cu", "Au"]).eval()
    with nequip_state():
        out = fused(AtomicDataDict.batched_from_list([fields_of(frames[12], model, "a frame")]))
    expected = out[UNCERTAINTY][0].numpy()
    np.testing.assert_allclose(out[SUMMARY].numpy(), [expected.max(), expected.mean()])


class GivesLatents(torch.nn.Module):
    """A model whose latents are its input."""

    model_dtype = torch.float32

    def forward(self, fields):
        return dict(fields)


def test_many_samples_of_one_stratum_and_few_of_another():
    """Some blocks of the first are visited, and the only one of the second."""
    rng = np.random.default_rng(0)
    numbers = np.repeat([29, 79], [3000, 40])
    rows = rng.normal(size=(3040, 4)).astype(np.float32)
    errors = rng.exponential(1.0 + np.abs(rows[:, :1]), size=(3040, 50))
    estimator = LTAUEstimator(4, index="flat").fit(rows, errors, numbers)
    fused = ModelWithUncertainty(GivesLatents(), estimator, 0.9, ["Cu", "Au"]).eval()
    queries = rng.normal(size=(500, 4)).astype(np.float32)
    types = np.arange(500) % 2
    fields = {LATENTS: torch.tensor(queries), AtomicDataDict.ATOM_TYPE_KEY: torch.tensor(types)}
    found = fused(fields)[UNCERTAINTY].numpy()
    expected = estimator.predict_summary(queries, 0.9, np.array([29, 79])[types])
    same = np.isclose(found, np.array(expected), rtol=1e-4).all(axis=0)
    assert same[types == 1].all()
    assert 0.9 < same.mean() < 1.0  # recall is of neighbours, of which each sample has four


def test_too_many_samples_are_refused(run, frames, model, monkeypatch):
    estimator = fit(frames, model, False)
    monkeypatch.setattr("ltau.adapters.nequip._fused._MOST", 10)
    with pytest.raises(ValueError, match=r"at most 10 samples to compile, got \d+: fit one with"):
        ModelWithUncertainty(model.module, estimator, 0.9, ["Cu", "Au"])


def test_an_element_without_a_stratum_is_refused(run, frames, model):
    estimator = fit(frames, model, True)
    with pytest.raises(ValueError, match=r"all elements of the model, Cu, Au, Ag, got \[29, 79\]"):
        ModelWithUncertainty(model.module, estimator, 0.9, ["Cu", "Au", "Ag"])


@pytest.fixture(scope="module")
def shallow(train, frames, tmp_path_factory):
    """Folder of a training of a model of one layer, which takes half the time to compile.

    How a deeper one is compiled is tested without the uncertainty.
    """
    folder = tmp_path_factory.mktemp("shallow")
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=folder, save_last=True)
    recorder = ErrorRecorderCallback(folder / "evals", mode="eval")
    train(folder, frames, [recorder, checkpoints])
    return folder


@pytest.fixture(scope="module")
def fused_file(shallow, tmp_path_factory):
    """An estimator, and the model of `shallow` compiled with it."""
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler, which torch needs to compile a model")
    checkpoint = shallow / "last.ckpt"
    prototypes = LTAUEstimator(3, n_prototypes=24)
    options = {"checkpoint": checkpoint, "estimator": prototypes, "strata": "elements"}
    estimator = fit_run(shallow / "evals", environment=3.0, **options)
    path = tmp_path_factory.mktemp("fused") / "model.nequip.pt2"
    with warnings.catch_warnings():  # torch of its own parts
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        compile_model(checkpoint, path, estimator=estimator, level=0.8)
    return path, estimator


def test_a_compiled_model_gives_the_same_results_by_itself(fused_file, shallow, frames):
    path, estimator = fused_file
    alone = UncertainNequIPCalculator.from_model(path, keep_latents=True)
    beside = UncertainNequIPCalculator.from_model(shallow / "last.ckpt", estimator, level=0.8)
    assert alone.uncertainty.level == load_model(path).level == 0.8
    for atoms in frames[-4:]:
        one, other = atoms.copy(), atoms.copy()
        one.calc, other.calc = alone, beside
        np.testing.assert_allclose(one.get_forces(), other.get_forces(), atol=1e-5)
        for name in beside.uncertainty.properties:
            np.testing.assert_allclose(alone.results[name], beside.results[name], rtol=1e-3)
        own = latents(shallow / "last.ckpt", [atoms])
        np.testing.assert_allclose(alone.results["latents"], own, atol=2e-6)
        np.testing.assert_array_equal(
            one.arrays["forces_uncertainty"], alone.results["forces_uncertainty"]
        )


def test_of_atoms_without_neighbours_nothing_is_said(fused_file, alone):
    path, estimator = fused_file
    calculator = UncertainNequIPCalculator.from_model(path, keep_latents=True)
    plain = NequIPCalculator(calculator.model, "cpu", transforms=calculator.transforms)
    for atoms in alone:
        one, other = atoms.copy(), atoms.copy()
        one.calc, other.calc = calculator, plain
        np.testing.assert_array_equal(one.get_forces(), other.get_forces())
        assert one.get_potential_energy() == other.get_potential_energy()
        for name in calculator.uncertainty.properties:
            assert np.isnan(calculator.results[name]).all()
        assert calculator.results["latents"].shape == (len(atoms), estimator.n_features_in_ // 3)


def test_steps_and_units(fused_file, frames):
    path, _ = fused_file
    plain = UncertainNequIPCalculator.from_model(path)
    scaled = UncertainNequIPCalculator.from_model(path, energy_units_to_eV=2.0, every=2)
    atoms = frames[-1].copy()
    atoms.calc = plain
    atoms.get_forces()
    atoms.calc = scaled
    atoms.get_forces()
    np.testing.assert_allclose(
        scaled.results["forces_uncertainty"], 2 * plain.results["forces_uncertainty"]
    )
    atoms.positions[0, 0] += 0.01
    atoms.get_forces()
    assert "forces_uncertainty" not in scaled.results


def test_estimator_and_level_are_those_inside(fused_file, run):
    path, estimator = fused_file
    with pytest.raises(ValueError, match="its uncertainty: give no estimator"):
        UncertainNequIPCalculator.from_model(path, estimator)
    with pytest.raises(ValueError, match=r"for the level 0\.8: give no level or tolerance"):
        UncertainNequIPCalculator.from_model(path, level=0.9, tolerance=0.1)
    with pytest.raises(ValueError, match=r"give no strata"):
        UncertainNequIPCalculator.from_model(path, strata=lambda atoms: atoms.numbers)
    loaded = load_model(path)
    with pytest.raises(ValueError, match=r"give no tolerance"):
        UncertainNequIPCalculator(
            loaded.module, "cpu", estimator=None, transforms=loaded.transforms, tolerance=0.1
        )
    with pytest.raises(ValueError, match="no uncertainty: give an estimator"):
        UncertainNequIPCalculator.from_model(run.checkpoint)


def test_an_estimator_of_another_model_is_refused_before_compilation(run, model, frames, tmp_path):
    estimator = fit(frames, model, False)
    estimator.notes_ = {
        "probe": {
            "numbers": [29, 29],
            "positions": [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]],
            "cell": np.zeros((3, 3)).tolist(),
            "pbc": [False] * 3,
            "latents": [[1.0] * 8] * 2,
        }
    }
    with pytest.raises(ValueError, match="belongs to another model"):
        compile_model(run.checkpoint, tmp_path / "model.nequip.pt2", estimator=estimator)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k", [1, 3, 5, 6])
def test_the_least_are_those_of_a_sort(k):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 9)).astype(np.float32) * 10.0 ** rng.integers(-38, 38, (50, 9))
    values = values.astype(np.float32)
    values[10:20, ::2] = np.inf
    values[20:30, 1:] = values[20:30, :1]
    values[30, :] = np.inf
    values[40:, 3] = 0.0
    found, places = least(torch.from_numpy(values), k)
    np.testing.assert_array_equal(found, np.sort(values, axis=1)[:, :k])
    np.testing.assert_array_equal(values[np.arange(50)[:, None], places], found)
    finite = np.isfinite(values).all(axis=1)
    distinct = [len(set(row)) for row in places[torch.from_numpy(finite)].tolist()]
    assert set(distinct) == {k}
