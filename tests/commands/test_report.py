"""``ltau report``, on files."""

import numpy as np
import pytest

pytest.importorskip("ase")

import ase.io
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with predicted structures, and the same ones labelled."""
    rng = np.random.default_rng(0)
    predicted, labelled = [], []
    for name in ("H2O", "CH4"):
        for frames in (predicted, labelled):
            atoms = molecule(name)
            forces = rng.normal(size=(len(atoms), 3))
            atoms.calc = SinglePointCalculator(atoms, forces=forces)
            frames.append(atoms)
        predicted[-1].arrays["forces_uncertainty"] = rng.uniform(size=len(predicted[-1]))
        predicted[-1].arrays["ood_score"] = rng.uniform(size=len(predicted[-1]))
    ase.io.write(tmp_path / "a <b>.extxyz.gz", predicted)
    ase.io.write(tmp_path / "labelled.extxyz", labelled)
    (tmp_path / "empty.xyz").touch()
    (tmp_path / "other.bin").write_bytes(bytes(range(256)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_becomes_a_page(folder, capsys):
    main(["report", "a <b>.extxyz.gz", "--truth", "labelled.extxyz", "-o", "report.html"])
    assert capsys.readouterr().out == "report.html. Drawn: 8 atoms of 2 frames, all.\n"
    text = (folder / "report.html").read_text("utf-8")
    assert "<h1>Expected errors of forces: a &lt;b&gt;.extxyz.gz</h1>" in text
    assert "True error" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty.xyz"], "got an empty file"),
        (["nowhere.xyz"], "nowhere.xyz"),
        (["other.bin"], "Expected structures in other.bin, got a file of type"),
        (["labelled.extxyz"], "none with forces_uncertainty or ood_score. `ltau nequip predict`"),
        (["a <b>.extxyz.gz", "--table", "nowhere.csv"], "nowhere.csv"),
        (["nowhere.xyz", "-o", "."], "Cannot write"),
    ],
)
def test_what_cannot_be_shown_ends_with_one_line(arguments, message, folder, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["report", "-o", "report.html", *arguments])
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert not (folder / "report.html").exists()
