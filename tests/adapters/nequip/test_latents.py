"""Latents of NequIP models, against nequip's own forward pass."""

import numpy as np
import pytest
import torch
from ase import Atoms
from nequip.data.datamodule import ASEDataModule
from nequip.data.transforms import NeighborListTransform
from nequip.integrations.ase import NequIPCalculator
from nequip.utils import torch_default_dtype
from torch.utils.data import Subset

from ltau.adapters._forces.edges import check_reach
from ltau.adapters.nequip import latents, load_model
from ltau.adapters.nequip._environment import reach_of
from ltau.structures import environment_latents

WIDTH = 8
CUTOFF = 4.0
TYPES = ["Cu", "Au"]


def of_nequip(model, frames):
    """The latents that nequip gives with energy and forces, a frame at a time."""
    calculator = NequIPCalculator(model.module, model.device, transforms=model.transforms)
    with torch_default_dtype(torch.float64):
        outputs = [calculator.call_model(calculator.atoms_to_data(atoms)) for atoms in frames]
    return np.concatenate([output["node_features"].detach().numpy() for output in outputs])


def test_values(model_path, loaded, frames):
    """Those of the whole forward pass, in the order of the frames and their atoms."""
    found = latents(model_path, frames)
    assert found.shape == (sum(map(len, frames)), WIDTH)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    expected = of_nequip(loaded, frames)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 1e-3  # there is something to compare


def test_all_kinds_of_files_agree(run, package, compiled, frames):
    expected = latents(run.checkpoint, frames)
    np.testing.assert_array_equal(latents(package, frames), expected)
    np.testing.assert_allclose(latents(compiled, frames), expected, rtol=0, atol=2e-6)


def test_a_model_in_float64(run64, frames):
    found = latents(run64, frames[:4])
    assert found.dtype == np.float32
    expected = of_nequip(load_model(run64), frames[:4])
    assert expected.dtype == np.float64
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_batches(model, frames, batch_size):
    expected = np.concatenate([latents(model, [atoms]) for atoms in frames])
    found = latents(model, iter(frames), batch_size=batch_size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("types", [["Cu", "Au"], ["Au", "Cu"]])
def test_a_dataset_of_nequip(model, run, frames, types):
    """Types and neighbours are made anew: those of the dataset may be another model's."""
    transforms = [
        {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": 2.0},
        {
            "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
            "model_type_names": types,
        },
    ]
    data = ASEDataModule(
        seed=0,
        predict_file_path=str(run.folder / "data.extxyz"),
        transforms=transforms,
        predict_dataloader={"batch_size": 1},
    )
    data.prepare_data()
    data.setup("predict")
    dataset = data.predict_dataset[0]
    np.testing.assert_allclose(latents(model, dataset), latents(model, frames), rtol=0, atol=1e-6)
    chosen = [5, 2]
    np.testing.assert_allclose(
        latents(model, Subset(dataset, chosen)),
        latents(model, [frames[number] for number in chosen]),
        rtol=0,
        atol=1e-6,
    )


def test_symmetries(model, frames):
    """Rotated, shifted and renumbered, the atoms keep their latents."""
    rng = np.random.default_rng(0)
    for atoms in frames[:6]:
        other = atoms.copy()
        order = rng.permutation(len(atoms))
        other = other[order]
        other.rotate(rng.uniform(0, 360), rng.normal(size=3), rotate_cell=True)
        other.translate(rng.normal(size=3))
        expected = latents(model, [atoms])[order]
        np.testing.assert_allclose(latents(model, [other]), expected, rtol=0, atol=1e-6)


def test_labels_do_not_matter(model, frames):
    """Even such as nequip would refuse."""
    atoms = frames[0].copy()
    atoms.info["stress"] = np.zeros(5)
    np.testing.assert_array_equal(latents(model, [atoms]), latents(model, [frames[0]]))


def test_an_isolated_atom_has_none(model, frames):
    atoms = frames[1] + Atoms("Cu", [[100.0, 0.0, 0.0]])
    found = latents(model, [atoms])
    np.testing.assert_allclose(found[:-1], latents(model, [frames[1]]), atol=1e-6)
    np.testing.assert_array_equal(found[-1], 0.0)


def test_the_model_still_gives_forces(run, package, frames):
    for path in (run.checkpoint, package):
        model = load_model(path)
        latents(model, frames[:1])
        with pytest.raises(ValueError, match="The model knows"):
            latents(model, [Atoms("H2", [[0, 0, 0], [0, 0, 1]])])
        calculator = NequIPCalculator(model.module, "cpu", transforms=model.transforms)
        with torch_default_dtype(torch.float64):
            assert "forces" in calculator.call_model(calculator.atoms_to_data(frames[0]))


def test_a_model_without_forces(forceless, package, frames):
    np.testing.assert_allclose(
        latents(forceless, frames), latents(package, frames), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("environment", [2.0, 3.0, CUTOFF])
def test_an_environment_is_that_of_any_latents(loaded, frames, environment):
    """Periodic crystals and clusters, on the model's own edges."""
    expected = environment_latents(latents(loaded, frames), frames, environment)
    found = latents(loaded, frames, environment=environment, batch_size=5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_environment_beyond_the_models_edges_is_refused(model, frames):
    message = r"environment within the model's cutoff, 4, got one of 4\.1"
    with pytest.raises(ValueError, match=message):
        latents(model, frames, environment=4.1)
    with pytest.raises(ValueError, match="positive, finite environment, got 0"):
        latents(model, frames, environment=0)


def test_edges_between_some_types_may_be_shorter(frames):
    shorter = {"Cu": 3.5, "Au": {"Cu": 3.0, "Au": 4.0}}
    transforms = [NeighborListTransform(4.0, per_edge_type_cutoff=shorter, type_names=TYPES)]
    check_reach(3.0, reach_of(transforms))
    with pytest.raises(ValueError, match=r"model's cutoff, 3, got one of 3\.2"):
        check_reach(3.2, reach_of(transforms))


def test_progress(model, frames, capsys):
    latents(model, frames)
    assert "latents" not in capsys.readouterr().err
    latents(model, frames, progress=True)
    assert f"{len(frames)}/{len(frames)}" in capsys.readouterr().err


def broken(atoms, where, value):
    atoms = atoms.copy()
    getattr(atoms, where)[0] = value
    return atoms


def test_bad_frames(model, frames):
    """The error names the frame."""
    good = frames[0]
    cases = {
        "got NaN or infinity in frame 1": broken(good, "positions", np.nan),
        "in frame 1": broken(good, "cell", np.inf),
        "The model knows Cu, Au, got H in frame 1": broken(good, "numbers", 1),
        "Expected atoms in frame 1, got none": Atoms(),
    }
    for message, bad in cases.items():
        with pytest.raises(ValueError, match=message):
            latents(model, [good, bad])
    with pytest.raises(TypeError, match=r"Expected frame 1 to be an ase.Atoms, got str"):
        latents(model, [good, "H2O"])


def test_bad_frames_are_found_before_the_model_runs(model, frames):
    runs = []
    hook = model.module.register_forward_hook(lambda *_: runs.append(1))
    try:
        latents(model, frames[:2], batch_size=1)
        assert len(runs) == 2
        with pytest.raises(ValueError, match="frame 1"):
            latents(model, [frames[0], broken(frames[1], "positions", np.nan)], batch_size=1)
        assert len(runs) == 2
    finally:
        hook.remove()


@pytest.mark.parametrize("nothing", [[], (), iter([])])
def test_no_frames(model, nothing):
    with pytest.raises(ValueError, match="Expected at least one structure, got none"):
        latents(model, nothing)


def test_a_single_structure_is_not_a_list(model, frames):
    for single in (frames[0], 3):
        with pytest.raises(TypeError, match=r"Expected a list of ase.Atoms or a dataset"):
            latents(model, single)


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_bad_batch_size(model, frames, size):
    with pytest.raises(ValueError, match="Expected a batch_size >= 1, got"):
        latents(model, frames, batch_size=size)


class Positions(torch.utils.data.Dataset):
    """A dataset that does not say which elements there are."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return {"pos": torch.zeros(2, 3)}


def test_a_dataset_without_elements(model):
    with pytest.raises(ValueError, match="frame 0 to have atomic numbers, got pos"):
        latents(model, Positions())
