"""The uncertainty inside of a metatomic model, as its ASE calculator runs it."""

import importlib
import sys

import numpy as np
import pytest

pytest.importorskip("metatomic_ase", reason="pip install 'ltau[metatomic]'")

import torch
from ase import Atoms
from metatensor.torch import Labels, TensorBlock
from metatomic.torch import (
    ModelEvaluationOptions,
    ModelOutput,
    System,
    load_atomistic_model,
)
from metatomic_ase import MetatomicCalculator

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator
from ltau.adapters.metatomic import add_uncertainty, latents, uncertainty_outputs

from ..engines.structures import STRUCTURES, cluster, crystal, slab
from .models import make_model

NAMES = {
    "ltau::force_uncertainty": "forces_uncertainty",
    "ltau::force_uncertainty_upper": "forces_uncertainty_upper",
    "ltau::ood_score": "ood_score",
}
OF_ATOMS = ModelOutput(sample_kind="atom")


@pytest.fixture(params=[None, 3.5], ids=["own latents", "environment"], scope="module")
def environment(request):
    return request.param


@pytest.fixture(scope="module")
def saved(model, fitted, environment, tmp_path_factory):
    """Path of a model that was saved with its uncertainty."""
    path = tmp_path_factory.mktemp("metatomic") / "uncertain.pt"
    add_uncertainty(model, fitted(environment, n_prototypes=40)).save(path)
    return path


@pytest.fixture(scope="module")
def loaded(saved):
    return load_atomistic_model(saved)


def run(model, structures, outputs=None, selected=None):
    """The outputs of a model for some structures, and the labels of their rows."""
    calculator = MetatomicCalculator(model, check_consistency=True)
    asked = uncertainty_outputs() if outputs is None else outputs
    found = calculator.run_model(structures, asked, selected)
    values = {name: found[name].block().values[:, 0].numpy() for name in asked}
    return values, found[next(iter(asked))].block().samples.values.numpy()


def assert_same(found, expected, rtol=1e-6):
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=rtol, err_msg=name)


@pytest.mark.parametrize("make", STRUCTURES.values(), ids=STRUCTURES)
def test_forces_and_uncertainty_are_those_of_ase(
    make, model, fitted, kept, environment, saved, tmp_path
):
    plain, inside, outside = (make(seed=100) for _ in range(3))
    model.save(tmp_path / "plain.pt")
    plain.calc = MetatomicCalculator(tmp_path / "plain.pt")
    inside.calc = MetatomicCalculator(
        saved, additional_outputs=uncertainty_outputs(), check_consistency=True
    )
    within = MetatomicCalculator(model, additional_outputs=kept)
    estimator = fitted(environment, n_prototypes=40)
    outside.calc = UncertainCalculator(within, estimator, latents)
    np.testing.assert_array_equal(inside.get_forces(), plain.get_forces())
    assert inside.get_potential_energy() == plain.get_potential_energy()
    if plain.pbc.all():
        np.testing.assert_array_equal(inside.get_stress(), plain.get_stress())
    np.testing.assert_allclose(inside.get_forces(), outside.get_forces(), rtol=1e-5, atol=1e-10)
    for name, result in NAMES.items():
        found = inside.calc.additional_outputs[name].block().values[:, 0]
        np.testing.assert_allclose(found, outside.calc.results[result], rtol=1e-5)


def test_several_systems_are_each_as_alone(loaded):
    structures = [crystal(7), cluster(8), Atoms("Cu"), slab(9)]
    found, labels = run(loaded, structures)
    alone = [run(loaded, atoms)[0] for atoms in structures]
    assert_same(found, {name: np.concatenate([one[name] for one in alone]) for name in NAMES})
    expected = [[i, j] for i, atoms in enumerate(structures) for j in range(len(atoms))]
    np.testing.assert_array_equal(labels, expected)


def test_atoms_are_compared_some_at_a_time(model, estimator, monkeypatch):
    expected, _ = run(add_uncertainty(model, estimator), [crystal(7), slab(9)])
    monkeypatch.setattr("ltau.adapters.metatomic._model._DISTANCES", 10 * 40)
    found, _ = run(add_uncertainty(model, estimator), [crystal(7), slab(9)])
    assert_same(found, expected, rtol=1e-12)


def test_a_run_does_not_depend_on_the_sizes_before(loaded):
    structures = [crystal(7), cluster(8)[:5], Atoms("Au"), slab(9)]
    expected = [run(loaded, atoms)[0] for atoms in structures]
    calculator = MetatomicCalculator(loaded)
    for _ in range(3):  # TorchScript optimises for what it has seen
        for atoms, alone in zip(structures, expected, strict=True):
            found = calculator.run_model(atoms, uncertainty_outputs())
            assert_same({name: found[name].block().values[:, 0] for name in NAMES}, alone)


def test_of_selected_atoms_the_numbers_are_the_same(loaded):
    structures = [crystal(7), cluster(8), slab(9)]
    chosen = [[2, 3], [0, 5], [0, 1], [1, 0], [2, 0]]  # not in order
    selected = Labels(["system", "atom"], torch.tensor(chosen, dtype=torch.int32))
    found, labels = run(loaded, structures, selected=selected)
    everywhere, all_labels = run(loaded, structures)
    np.testing.assert_array_equal(labels, sorted(chosen))
    rows = [all_labels.tolist().index(label) for label in labels.tolist()]
    assert_same(found, {name: values[rows] for name, values in everywhere.items()})
    nothing = Labels(["system", "atom"], torch.zeros((0, 2), dtype=torch.int32))
    assert run(loaded, structures, selected=nothing)[1].shape == (0, 2)


def test_what_else_is_asked_for_stays_what_it_is(loaded, model):
    """Of selected atoms, and latents system by system, which are then computed by themselves."""
    structures = [crystal(7), cluster(8)]
    chosen = torch.tensor([[0, 3], [1, 2], [1, 7]], dtype=torch.int32)
    for selected in (None, Labels(["system", "atom"], chosen)):
        for kind in ("system", "atom"):
            others = {
                "energy": ModelOutput(unit="meV", sample_kind="system"),
                "feature": ModelOutput(sample_kind=kind),
            }
            expected, _ = run(model, structures, others, selected)
            found, _ = run(loaded, structures, others | uncertainty_outputs(), selected)
            assert_same(found, expected, rtol=0)
            assert_same(found, run(loaded, structures, selected=selected)[0])


@pytest.mark.filterwarnings("ignore:.*output name is deprecated")  # metatomic's own
def test_the_old_name_of_the_latents_is_known(fitted, known, estimator):
    old = make_model(feature="features")
    uncertain = add_uncertainty(old, estimator)
    expected, _ = run(add_uncertainty(make_model(), estimator), crystal(7))
    assert_same(run(uncertain, crystal(7))[0], expected)
    for name in ("feature", "features"):
        assert {"energy", name} < set(uncertain.capabilities().outputs)


def test_latents_of_another_name(estimator):
    name = "mtt::aux::energy_last_layer_features"
    other = make_model(feature=name)
    expected, _ = run(add_uncertainty(make_model(), estimator), crystal(7))
    assert_same(run(add_uncertainty(other, estimator, latents=name), crystal(7))[0], expected)
    with pytest.raises(ValueError, match=f"output 'feature', got one with energy, {name}: give"):
        add_uncertainty(other, estimator)


@pytest.mark.parametrize("load", [load_atomistic_model, torch.jit.load], ids=["metatomic", "torch"])
def test_a_model_from_a_file(model, estimator, tmp_path, load):
    """It tells by itself no more what it asks of the engine."""
    make_model(inputs=True).save(tmp_path / "plain.pt")
    uncertain = add_uncertainty(load(tmp_path / "plain.pt"), estimator)
    uncertain.save(tmp_path / "uncertain.pt")
    expected, _ = run(add_uncertainty(model, estimator), slab(3))
    assert_same(run(tmp_path / "uncertain.pt", slab(3))[0], expected)
    again = load_atomistic_model(tmp_path / "uncertain.pt")
    assert list(again.requested_inputs(use_new_names=True)) == ["mass"]
    assert len(again.requested_neighbor_lists()) == 1


def test_an_environment_reaches_farther_and_has_a_list_of_its_own(model, fitted):
    uncertain = add_uncertainty(model, fitted(3.5, n_prototypes=40))
    assert uncertain.capabilities().interaction_range == 4.5 + 2 * 3.5
    lists = {neighbors.cutoff for neighbors in uncertain.requested_neighbor_lists()}
    assert lists == {4.5, 3.5}


def test_models_in_other_units(fitted, environment):
    """Of length within, of force as asked for, and of the estimator's errors."""
    estimator = fitted(environment, n_prototypes=40)
    expected, _ = run(add_uncertainty(make_model(), estimator), crystal(7))
    in_nm = make_model(cutoff=0.45, length_unit="nm")
    found, _ = run(add_uncertainty(in_nm, estimator), crystal(7))
    for name in NAMES:  # of prototypes that are as near, rounding may choose another
        assert np.isclose(found[name], expected[name], rtol=1e-3).mean() > 0.9
    doubled, _ = run(add_uncertainty(make_model(), estimator, unit_factor=2.0), crystal(7))
    np.testing.assert_array_equal(doubled["ltau::ood_score"], expected["ltau::ood_score"])
    name = "ltau::force_uncertainty_upper"
    np.testing.assert_allclose(doubled[name], 2 * expected[name])
    asked = {name: ModelOutput(unit="meV/A", sample_kind="atom")}
    in_mev, _ = run(add_uncertainty(make_model(), estimator), crystal(7), asked)
    np.testing.assert_allclose(in_mev[name], 1000 * expected[name])


def test_numbers_have_the_type_of_the_model(estimator):
    found, _ = run(add_uncertainty(make_model("float32"), estimator), crystal(7))
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    expected, _ = run(add_uncertainty(make_model(), estimator), crystal(7))
    assert_same(found, expected, rtol=1e-3)  # latents differ by rounding, and are whitened


def system_of(model, atoms, dtype=torch.float64):
    """A system with neighbour lists that are empty."""
    geometry = [torch.tensor(part, dtype=dtype) for part in (atoms.positions, atoms.cell.array)]
    system = System(
        torch.tensor(atoms.numbers, dtype=torch.int32), *geometry, torch.tensor([False] * 3)
    )
    names = ["first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
    samples = Labels(names, torch.zeros((0, 5), dtype=torch.int32))
    xyz = Labels(["xyz"], torch.arange(3, dtype=torch.int32)[:, None])
    distance = Labels(["distance"], torch.zeros((1, 1), dtype=torch.int32))
    for options in model.requested_neighbor_lists():
        block = TensorBlock(torch.zeros((0, 3, 1), dtype=dtype), samples, [xyz], distance)
        system.add_neighbor_list(options, block)
    return system


def test_a_system_without_atoms_has_no_rows(model, fitted, environment):
    uncertain = add_uncertainty(model, fitted(environment, n_prototypes=40))
    options = ModelEvaluationOptions(length_unit="angstrom", outputs=uncertainty_outputs())
    systems = [system_of(uncertain, atoms) for atoms in (Atoms(), Atoms("Cu"), Atoms())]
    found = uncertain(systems, options, check_consistency=True)
    expected, _ = run(uncertain, Atoms("Cu"))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].block().values[:, 0], values)
        assert found[name].block().samples.values.tolist() == [[1, 0]]
    found = uncertain(systems[:1], options, check_consistency=True)
    assert found["ltau::ood_score"].block().values.shape == (0, 1)
    wrong = system_of(uncertain, Atoms("Cu"), torch.float32)
    with pytest.raises(ValueError, match="wrong dtype for the systems: the model wants"):
        uncertain([wrong], options, check_consistency=True)


def test_what_a_model_refuses_when_it_runs(estimator, fitted):
    uncertain = add_uncertainty(make_model(), estimator)
    with pytest.raises(ValueError, match=r"with sample_kind='atom', got 'system'"):
        run(uncertain, crystal(7), {"ltau::ood_score": ModelOutput()})
    rows = np.random.default_rng(0).normal(size=(60, 8))
    copper = LTAUEstimator(3).fit(rows, np.ones((60, 5)), [29] * 60)
    with pytest.raises(ValueError, match=r"fitted on atoms of \[29\], got 79"):
        run(add_uncertainty(make_model(), copper), crystal(7))
    model = make_model()
    broken = add_uncertainty(model, estimator)
    model.module.embedding.bias.data[0] = torch.nan  # they share the weights
    with pytest.raises(ValueError, match="gives finite latents, got NaN or infinity"):
        run(broken, crystal(7))


def other(**attributes):
    """Change what an estimator says of itself."""

    def change(estimator):
        for name, value in attributes.items():
            setattr(estimator, name, value)
        return estimator

    return change


@pytest.mark.parametrize(
    ("how", "change", "options", "message"),
    [
        ({"feature": ""}, other(), {}, "output 'feature', got one with energy: give"),
        ({"feature_kind": "system"}, other(), {}, "'feature' for each atom, got one"),
        ({"width": 9}, other(), {}, "latents of width 8, on which .* fitted, got 9"),
        ({}, other(target_="energy"), {}, "errors of forces, got one of energy"),
        ({}, other(unit_="kcal/mol/Å"), {}, "got one in kcal/mol/Å: give unit_factor"),
        ({"length_unit": ""}, other(notes_={"environment": 3.5}), {}, "unit of length"),
        ({}, other(), {"level": 1.5}, "a level from 0 to 1, got 1.5"),
        ({}, other(), {"unit_factor": 0.0}, "positive, finite unit_factor, got 0.0"),
    ],
)
def test_what_is_refused(fitted, how, change, options, message):
    environment = 3.5 if "length_unit" in how else None
    estimator = change(fitted(environment, n_prototypes=40))
    with pytest.raises(ValueError, match=message):
        add_uncertainty(make_model(**how), estimator, **options)


def test_models_that_are_none_or_have_it_already(model, estimator):
    for wrong in ("model.pt", torch.nn.Linear(2, 2)):
        with pytest.raises(TypeError, match="Expected a model of metatomic, as load_atomistic_mod"):
            add_uncertainty(wrong, estimator)
    rows = np.random.default_rng(0).normal(size=(60, 8))
    by_symbol = LTAUEstimator(3).fit(rows, np.ones((60, 5)), ["Au", "Cu"] * 30)
    with pytest.raises(ValueError, match=r"strata are atomic numbers, got \['Au', 'Cu'\]"):
        add_uncertainty(model, by_symbol)
    with pytest.raises(ValueError, match=r"without an uncertainty, got one with \['ltau::force_u"):
        add_uncertainty(add_uncertainty(model, estimator), estimator)


def test_an_estimator_of_another_model_is_told_by_its_notes(model, fitted, known):
    estimator, frames = fitted(n_prototypes=40), known[0]
    probe = {
        "numbers": frames[0].numbers.tolist(),
        "positions": frames[0].positions.tolist(),
        "cell": frames[0].cell.tolist(),
        "pbc": frames[0].pbc.tolist(),
        "latents": known[1][: len(frames[0])].tolist(),
    }
    estimator.notes_["probe"] = probe
    add_uncertainty(model, estimator)
    moved = probe | {"positions": (frames[0].positions * 1.02).tolist()}
    estimator.notes_["probe"] = moved
    with pytest.raises(ValueError, match="belongs to another model"):
        add_uncertainty(model, estimator)


def test_nothing_is_named_as_the_uncertainty_of_an_energy(model, estimator):
    outputs = add_uncertainty(model, estimator).capabilities().outputs
    assert not any("energy_uncertainty" in name for name in outputs)
    assert [outputs[name].unit for name in NAMES] == ["eV/A", "eV/A", ""]


def test_what_is_missing_is_named_with_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("ltau.adapters.metatomic")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "metatomic_ase", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'ltau\[metatomic\]'"):
        importlib.import_module("ltau.adapters.metatomic")
