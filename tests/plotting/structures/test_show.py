"""Structures in a notebook."""

import json

import numpy as np
import pytest

pytest.importorskip("ase")

from ltau.plotting import show_structures


def shown(frames, tmp_path, **options):
    with pytest.warns(UserWarning, match="only displays a widget in an interactive notebook"):
        widget = show_structures(frames, **options)
    widget.save(str(tmp_path / "structures.json"))
    return json.loads((tmp_path / "structures.json").read_text("utf-8"))


def test_atoms_that_are_known_are_on_the_map(frames, tmp_path):
    pytest.importorskip("chemiscope")
    data = shown(frames, tmp_path)
    expected = np.concatenate([atoms.arrays["forces_uncertainty"] for atoms in frames])
    assert data["properties"]["forces_uncertainty"]["values"] == expected[:-1].tolist()
    assert [structure["size"] for structure in data["structures"]] == [4, 8, 1]
    assert len(data["environments"]) == 12
    assert data["settings"]["map"]["x"]["property"] == "ood_score"


def test_true_errors_are_shown(frames, tmp_path):
    pytest.importorskip("chemiscope")
    data = shown(frames, tmp_path, truth=frames)
    assert data["properties"]["forces_error"]["values"] == [0.0] * 12


def test_without_any_number_there_is_nothing_to_show(frames):
    pytest.importorskip("chemiscope")
    with pytest.raises(ValueError, match="got NaN for all"):
        show_structures(frames[2:])


def test_without_chemiscope_it_says_what_to_install(frames):
    try:
        import chemiscope  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match=r"pip install ltau\[chemiscope\]"):
            show_structures(frames)
    else:
        pytest.skip("chemiscope is installed")
