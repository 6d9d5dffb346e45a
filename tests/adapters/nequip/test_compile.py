"""Compiling NequIP models. What a compiled model gives is tested with the other kinds."""

import zipfile

import pytest

from ltau.adapters.nequip import compile_model


def test_the_file(compiled):
    """Complete and alone in its folder; it says what it takes and gives."""
    assert list(compiled.parent.iterdir()) == [compiled]
    with zipfile.ZipFile(compiled) as archive:
        texts = [archive.read(name) for name in archive.namelist() if name.endswith("data.json")]
    assert any(b"pos edge_index atom_types cell edge_cell_shift" in text for text in texts)
    assert any(b"atomic_energy total_energy forces stress node_features" in text for text in texts)


def test_a_model_without_forces(forceless, tmp_path):
    """Refused before the long compilation; what was there stays."""
    output = tmp_path / "model.nequip.pt2"
    output.write_text("before")
    with pytest.raises(ValueError, match=r"gives .*, got one without forces, stress"):
        compile_model(forceless, output)
    assert output.read_text() == "before"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("name", ["model.nequip.pt2", "model.pt"])
def test_a_model_of_another_kind(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"Expected a checkpoint .* or a package .*, got model"):
        compile_model(tmp_path / name, tmp_path / "out.nequip.pt2")


def test_nothing_there(tmp_path, run):
    with pytest.raises(FileNotFoundError, match="There is no model"):
        compile_model(tmp_path / "a.ckpt", tmp_path / "out.nequip.pt2")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        compile_model(run.checkpoint, tmp_path / "folder" / "out.nequip.pt2")


def test_an_output_of_another_kind(tmp_path, run):
    with pytest.raises(ValueError, match=r"ends with .nequip.pt2, got out.pt2"):
        compile_model(run.checkpoint, tmp_path / "out.pt2")
