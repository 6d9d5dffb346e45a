"""Loading NequIP models from each kind of file."""

import random
import re
import zipfile

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.data import atomic_numbers

from ltau.adapters.nequip import (
    UncertainNequIPCalculator,
    compile_model,
    fit_run,
    latents,
    load_model,
)
from ltau.adapters.nequip._models import as_model


def test_each_kind_of_file(model_path, loaded):
    """The model is ready, and says what it takes."""
    assert not loaded.module.training
    assert loaded.compiled == (model_path.suffix == ".pt2")
    assert loaded.device == torch.device("cpu")
    assert np.flatnonzero(loaded.known).tolist() == [atomic_numbers["Cu"], atomic_numbers["Au"]]


@pytest.mark.parametrize(
    "function",
    [load_model, latents, compile_model, fit_run, UncertainNequIPCalculator.from_model],
)
def test_who_loads_a_model_says_that_it_is_code(function):
    assert re.search(r"runs?\s+code\s+that", function.__doc__)


def test_nothing_else_changes(model_path, frames):
    """The default dtype and the random generators are as they were."""
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    expected = torch.rand(1), np.random.random(), random.random()  # noqa: NPY002, S311
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    assert torch.get_default_dtype() == torch.float32
    latents(load_model(model_path), frames[:2])
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert (torch.rand(1), np.random.random(), random.random()) == expected  # noqa: NPY002, S311


def test_loaded_models_are_taken_as_they_are(package, run):
    """Of this library, and of nequip, whose packages have classes of their own."""
    model = load_model(run.checkpoint)
    assert as_model(model, "cpu") is model
    for path in (run.checkpoint, package):
        module = load_model(path).module
        again = as_model(module, "cpu")
        assert again.module is module
        assert not again.compiled
        assert again.known.sum() == 2


def test_other_species_for_the_types_of_a_model(run):
    """Nickel may be called copper; the model cannot tell."""
    model = load_model(run.checkpoint, chemical_species_to_atom_type_map={"Ni": "Cu"})
    positions = [[0, 0, 0], [0, 0, 2.5]]
    nickel, copper = Atoms("Ni2", positions), Atoms("Cu2", positions)
    np.testing.assert_array_equal(latents(model, [nickel]), latents(run.checkpoint, [copper]))
    with pytest.raises(ValueError, match="The model knows Ni, got Cu in frame 0"):
        latents(model, [copper])


@pytest.mark.parametrize("species", [{"Ni": "Ni"}, {"my_Cu": "Cu"}])
def test_a_map_that_does_not_fit(run, species):
    with pytest.raises(ValueError, match=r"type_map from chemical symbols to .'Cu', 'Au'.*, got"):
        load_model(run.checkpoint, chemical_species_to_atom_type_map=species)


def test_no_such_file(tmp_path):
    for name in ("a.ckpt", "a.nequip.zip", "a.nequip.pt2"):
        with pytest.raises(FileNotFoundError, match=name):
            load_model(tmp_path / name)


@pytest.mark.parametrize("name", ["a.pth", "a.nequip.pth", "a.zip", "model"])
def test_another_kind_of_file(tmp_path, name):
    with pytest.raises(ValueError, match=rf"Expected a checkpoint \(.ckpt\), .*, got {name}"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("name", ["a.ckpt", "a.nequip.zip", "a.nequip.pt2"])
@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_without_a_model(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} cannot be loaded as a NequIP"):
        load_model(path)


def test_a_checkpoint_of_something_else(tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"cannot be loaded as a NequIP checkpoint.*hyper_param"):
        load_model(path)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ((b" node_features", b""), "gives latents .node_features., .*ltau nequip compile"),
        ((b"edge_cell_shift", b"edge_cell_shift batch num_atoms"), "one structure at a time"),
    ],
)
def test_a_compiled_model_of_another_kind(compiled, tmp_path, replaced, message):
    """As nequip-compile makes them by itself: without latents, or for batches."""
    path = tmp_path / "model.nequip.pt2"
    with zipfile.ZipFile(compiled) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("metadata.json"):
                content = content.replace(*replaced)
            target.writestr(name, content)
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_other_objects_are_refused(run):
    for other in (torch.nn.Linear(1, 1), torch.nn.ModuleDict(), None):
        with pytest.raises(TypeError, match="eager GraphModel of nequip"):
            as_model(other, "cpu")
    module = load_model(run.checkpoint).module.train()
    with pytest.raises(ValueError, match="evaluation mode"):
        as_model(module, "cpu")
