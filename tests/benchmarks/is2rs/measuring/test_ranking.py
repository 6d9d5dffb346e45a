"""Rows of true errors and scores, taken from paths."""

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip"):
    pytest.importorskip(module)

from dataclasses import replace  # noqa: E402

from benchmarks.is2rs.measuring.ranking import atom_rows, error_name, known_path, step_rows  # noqa: E402


def test_a_row_a_step_is_the_mean_over_free_atoms_of_surface_and_adsorbate(relax):
    relaxed = relax(3, n_steps=4)
    rows = step_rows(relaxed)
    expected = []
    for each in relaxed:
        atoms = np.flatnonzero(each.path.tags > 0)
        expected += [np.mean([row[i] for i in atoms]) for row in each.path.true_error]
    np.testing.assert_allclose(rows.truth, expected)
    assert rows.clusters.tolist() == [each.system.cluster for each in relaxed for _ in range(4)]
    assert {len(column) for column in rows.scores.values()} == {12}


def test_a_row_an_atom_is_of_ten_steps_from_first_to_last(relax):
    (each,) = relax(1, n_steps=28)
    atoms = np.flatnonzero(each.path.tags > 0)
    rows = atom_rows([each])
    steps = range(0, 28, 3)
    np.testing.assert_array_equal(rows.truth, each.path.true_error[np.ix_(steps, atoms)].ravel())
    forces = each.path.forces[steps][:, atoms]
    np.testing.assert_allclose(rows.scores["force"], np.sqrt((forces**2).sum(axis=-1)).ravel())
    np.testing.assert_array_equal(rows.scores["step"], np.repeat(steps, len(atoms)))
    assert rows.scores["displacement"][: len(atoms)].max() < 1e-9


def test_errors_on_the_own_path_come_before_those_on_that_of_the_reference(relax):
    own, other = relax(1)[0], relax(1, true_forces=False)[0]
    assert known_path(own) is own.path
    assert known_path(other) is other.reference
    assert known_path(replace(other, reference=None)) is None
    assert error_name([own]) == "true force error"
    assert error_name([other]) == "error on the DFT path"


def test_where_no_true_forces_are_known_there_are_no_rows(relax):
    unknown = [replace(each, reference=None) for each in relax(2, true_forces=False)]
    assert step_rows(unknown) is None
    assert atom_rows(unknown) is None


def test_a_score_counts_where_all_paths_have_it(relax):
    members, single = relax(2, ensemble=True), relax(2)
    assert "spread" in step_rows(members).scores
    assert "spread" in atom_rows(members).scores
    assert "spread" not in step_rows(members + single).scores
