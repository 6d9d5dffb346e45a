"""The run over its steps, from tables and from frames."""

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

from ltau import LTAUEstimator
from ltau.adapters.ase import UncertainCalculator, UncertaintyMonitor
from ltau.plotting._structures.timeline import steps_of, timeline_of_frames, timeline_of_table


def latents(atoms, calculator=None):
    return atoms.get_all_distances().sum(axis=1, keepdims=True)


def test_the_table_of_a_monitor_is_read(tmp_path):
    known = np.vstack([latents(molecule("H2O"))] * 20)
    known += 0.001 * np.random.default_rng(0).normal(size=known.shape)
    estimator = LTAUEstimator().fit(known, np.full((60, 5), 0.1), np.tile([8, 1, 1], 20))
    atoms = molecule("H2O")
    atoms.calc = UncertainCalculator(EMT(), estimator, latents, every=2)
    dynamics = VelocityVerlet(atoms, timestep=0.01)
    dynamics.attach(UncertaintyMonitor(dynamics, tmp_path / "run.csv"))
    dynamics.run(6)
    found = timeline_of_table(tmp_path / "run.csv")
    assert (found["label"], found["first"], found["last"]) == ("Step", 0, 6)
    labels = [panel["label"] for panel in found["panels"]]
    assert labels == ["Expected error (eV/Å)", "ood_score", "Temperature (K)"]
    table = np.genfromtxt(tmp_path / "run.csv", delimiter=",", names=True)
    known = ~np.isnan(table["ood_score_max"])
    assert 0 < known.sum() < 7  # cells of steps without uncertainty are empty
    (line,) = found["panels"][1]["lines"]
    np.testing.assert_array_equal(line["at"], table["step"][known])
    np.testing.assert_array_equal(line["values"], table["ood_score_max"][known])
    assert len(found["panels"][2]["lines"][0]["at"]) == 7


def test_a_long_table_is_thinned_to_its_extremes(tmp_path):
    values = np.random.default_rng(0).uniform(1, 2, 20_000)
    values[12_345] = 9.0
    rows = [f"{i},{value},{value}" for i, value in enumerate(values)]
    path = tmp_path / "run.csv"
    path.write_text("\n".join(["step,forces_uncertainty_max,ood_score_max", *rows]), "utf-8")
    (line,) = timeline_of_table(path)["panels"][0]["lines"]
    assert len(line["at"]) <= 2000
    assert line["at"][line["values"].argmax()] == 12_345


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,energy\n0,1\n", "to be the table of a monitor, with columns forces_uncertainty_max"),
        ("step,forces_uncertainty_max,ood_score_max\n0,x,1\n", "Expected numbers in column"),
        ("", "got no rows"),
    ],
)
def test_other_tables_are_refused(text, message, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        timeline_of_table(path)


def test_frames_are_their_own_time_line():
    columns = {
        "forces_uncertainty": [np.array([0.1, 0.3]), np.array([np.nan, 0.2]), np.array([0.5])],
        "ood_score": [np.array([1.0, 2.0]), np.array([np.nan, 1.0]), np.array([3.0])],
    }
    found = timeline_of_frames(columns, [0, 10, 30])
    largest, mean = found["panels"][0]["lines"]
    assert largest["at"].tolist() == [0, 30]  # the frame between is not known
    assert largest["values"].tolist() == [0.3, 0.5]
    assert mean["values"].tolist() == pytest.approx([0.2, 0.5])
    assert timeline_of_frames(columns, None)["label"] == "Frame"


@pytest.mark.parametrize("name", ["step", "timestep"])  # of monitors, and of LAMMPS
@pytest.mark.parametrize(
    ("steps", "known"), [([0, 5, 9], True), ([0, 5, 5], False), ([0, None, 2], False)]
)
def test_frames_have_steps_where_all_do_and_they_rise(steps, known, name):
    frames = [Atoms(info={} if step is None else {name: step}) for step in steps]
    assert steps_of(frames) == (steps if known else None)
