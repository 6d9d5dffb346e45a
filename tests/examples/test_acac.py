"""The example of acetylacetone, with a short training and short dynamics."""

import importlib.util
import lzma
import sys
from pathlib import Path

import numpy as np
import pytest

for needed in ("ase", "matplotlib", "nequip"):
    pytest.importorskip(needed)

import ase.io  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "acac" / "acac.py"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning"  # nequip's own use of it
)


@pytest.fixture(scope="module")
def acac():
    """The script as a module, beside those that it imports."""
    spec = importlib.util.spec_from_file_location("acac", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def results(acac, data_dir, tmp_path_factory):
    """What a run printed, and its folder."""
    if not (data_dir / "acac").is_dir():
        pytest.skip(f"no acac at {data_dir}")
    output, printed = tmp_path_factory.mktemp("acac") / "out", []
    read = acac.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTAU_DATA", str(data_dir))
        patch.setattr("builtins.print", lambda *text: printed.extend(map(str, text)))
        patch.setattr(sys, "argv", ["acac.py", "--epochs", "2", "--output", str(output)])
        patch.setattr(acac, "STEPS", {300: 40, 1000: 40})
        patch.setattr(acac, "read", lambda name: read(name)[:: 5 if "train" in name else 20])
        acac.main()
    return "\n".join(printed), output


def test_it_trains_tests_and_simulates(results):
    text, output = results
    assert text.count("\n  LTAU  ") == 2  # at 300 K and at 600 K
    assert "The held-out frames chose {'environment': " in text
    assert "300 K: " in text
    assert "1000 K: " in text
    rows = np.genfromtxt(output / "dynamics.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(rows["step"], np.arange(len(rows)))
    assert len(rows) > 40
    pictures = {path.stem: path.read_bytes() for path in output.glob("*.png")}
    assert set(pictures) == {"dynamics", "errors", "molecules"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())


def test_it_holds_out_every_tenth_frame(results, acac, data_dir):
    held_out = ase.io.read(results[1] / "validation.extxyz", ":")
    trained = ase.io.read(results[1] / "train.extxyz", ":")
    frames = acac.read("train_300K.xyz")[::5]
    assert (len(trained), len(held_out)) == (90, 10)
    np.testing.assert_allclose(held_out[2].positions, frames[29].positions)
    np.testing.assert_allclose(trained[9].positions, frames[10].positions)


def test_a_changed_file_is_not_taken_for_the_data_set(acac, tmp_path, monkeypatch):
    (tmp_path / "acac").mkdir()
    (tmp_path / "acac" / "train_300K.xyz.xz").write_bytes(lzma.compress(b"1\n\nH 0 0 0\n"))
    monkeypatch.setenv("LTAU_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="does not hold the published"):
        acac.read("train_300K.xyz")


def test_the_hydrogen_bond_is_measured_from_the_farther_oxygen(acac):
    atoms = ase.Atoms("OHOH", [[0, 0, 0], [1, 0, 0], [2.5, 0, 0], [0, 4, 0]])
    assert acac.hydrogen_bond(atoms) == pytest.approx(1.5)


def test_within_elements_the_rank_correlations_are_averaged(acac):
    numbers = np.repeat([1, 6, 8], [5, 10, 5])
    error = np.arange(20.0)
    score = np.where(numbers == 8, -error, error)  # 1 in H and C, -1 in O
    assert acac.within_element(error, score, numbers) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["nequip", "allegro"])
def test_the_configuration_has_both_models(name):
    """Each is built with its own parameters alone."""
    pytest.importorskip(name)
    hydra = pytest.importorskip("hydra")
    from ltau.adapters.nequip._state import nequip_state

    with hydra.initialize_config_dir(str(SCRIPT.parent), version_base=None):
        config = hydra.compose("acac", overrides=[f"model@training_module.model={name}"])
    settings = config.training_module.model
    settings.avg_num_neighbors = 10.0  # of the data, like the scales
    settings.per_type_energy_scales = dict.fromkeys(settings.type_names, 1.0)
    with nequip_state():
        model = hydra.utils.instantiate(settings, _convert_="all", _recursive_=False)
    assert model.type_names == ["H", "C", "O"]
    assert settings["_target_"].startswith(f"{name}.model.")
