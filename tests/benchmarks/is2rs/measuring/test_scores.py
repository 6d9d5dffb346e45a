"""Scores of relaxations and of steps, against loops over steps and atoms."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ase")

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.scores import (
    BASELINES,
    QUANTITIES,
    STEP_BASELINES,
    Name,
    scores,
    step_scores,
)
from benchmarks.is2rs.relaxing.paths import Path

N_STEPS, TAGS, FREE = 7, np.array([0, 0, 1, 1, 2]), np.array([False, True, True, False, True])
WATCHED = (2, 4)  # free, and on the surface or of the adsorbate
CELL = np.diag([6.0, 7.0, 30.0])


def make_path():
    """Make a path of five atoms, whose numbers are drawn at random."""
    rng = np.random.default_rng(0)
    by_atom = {
        column: rng.lognormal(size=(N_STEPS, len(TAGS)))
        for column in (*QUANTITIES.values(), "true_error")
    }
    start = rng.random((5, 3)) @ CELL
    return Path(
        numbers=np.array([29, 29, 29, 29, 8]),
        tags=TAGS,
        free=FREE,
        cell=CELL,
        positions=start + 0.2 * rng.normal(size=(N_STEPS, 5, 3)),
        forces=rng.normal(size=(N_STEPS, 5, 3)),
        energy=rng.normal(size=N_STEPS),
        converged=True,
        **by_atom,
    )


@pytest.fixture
def path():
    return make_path()


def by_hand(values, n_steps, step, atom):
    """Put a quantity together with loops, over atoms and then over steps."""
    over_atoms = []
    for row in values[:n_steps]:
        watched = [row[number] for number in WATCHED]
        over_atoms.append(max(watched) if atom == "max" else sum(watched) / len(watched))
    if step == "last":
        return over_atoms[-1]
    return max(over_atoms) if step == "max" else sum(over_atoms) / len(over_atoms)


def moved_by_hand(path, step):
    """Average how far the free atoms are from the start, over 27 images."""
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ CELL
    each = [
        np.linalg.norm(path.positions[step, number] - path.positions[0, number] + images, axis=1)
        for number in np.flatnonzero(FREE)
    ]
    return np.mean([distances.min() for distances in each])


class TestScores:
    @pytest.mark.parametrize("first", [None, 1, 3, N_STEPS, 100])
    def test_quantities_are_put_together_over_atoms_then_steps(self, path, first):
        found, n_steps = scores(path, first), min(first or N_STEPS, N_STEPS)
        for quantity, column in QUANTITIES.items():
            for step, atom in itertools.product(("max", "mean", "last"), ("max", "mean")):
                value = by_hand(getattr(path, column), n_steps, step, atom)
                name = f"{quantity}, {step} step, {atom} atom"
                assert found.pop(name) == pytest.approx(value), name
        assert tuple(found) == BASELINES

    @pytest.mark.parametrize("first", [None, 1, 3])
    def test_baselines(self, path, first):
        found, n_steps = scores(path, first), first or N_STEPS
        initial = max(np.linalg.norm(path.forces[0, n]) for n in np.flatnonzero(FREE))
        assert [found[name] for name in BASELINES] == pytest.approx(
            [5, initial, moved_by_hand(path, n_steps - 1), n_steps, 0]
        )

    def test_early_scores_do_not_know_what_comes(self, path):
        cut = {
            name: getattr(path, name)[:3]
            for name in ("positions", "forces", "energy", "true_error", *QUANTITIES.values())
        }
        assert scores(path, 3) == scores(replace(path, **cut))

    def test_true_errors_are_not_looked_at(self, path):
        assert scores(path) == scores(replace(path, true_error=np.empty((0, 0))))

    def test_without_an_ensemble_there_is_no_spread(self, path):
        alone = replace(path, spread=np.empty((0, 0)))
        lost = {Name.split(name).quantity for name in scores(path).keys() - scores(alone).keys()}
        assert lost == step_scores(path).keys() - step_scores(alone).keys() == {"spread"}

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_wrapping_changes_nothing(self, seed):
        path = make_path()
        images = np.random.default_rng(seed).integers(-2, 3, path.positions.shape)
        wrapped = replace(path, positions=path.positions + images @ CELL)
        assert scores(wrapped) == pytest.approx(scores(path))

    @pytest.mark.parametrize("first", [0, -1])
    def test_no_steps_are_refused(self, path, first):
        with pytest.raises(ValueError, match=f"first >= 1, got {first}"):
            scores(path, first)

    def test_a_slab_without_tags_is_refused(self, path):
        with pytest.raises(ValueError, match="tagged as surface"):
            scores(replace(path, tags=np.zeros_like(TAGS)))


class TestStepScores:
    def test_quantities_are_means_over_atoms(self, path):
        found = step_scores(path)
        for quantity, column in QUANTITIES.items():
            expected = getattr(path, column)[:, WATCHED].mean(axis=1)
            assert found[quantity] == pytest.approx(expected)

    def test_baselines(self, path):
        found = step_scores(path)
        assert set(found) == {*QUANTITIES, *STEP_BASELINES}
        lengths = np.sqrt((path.forces[:, FREE] ** 2).sum(axis=2))
        assert found["largest force"] == pytest.approx(lengths.max(axis=1))
        moved = [moved_by_hand(path, step) for step in range(N_STEPS)]
        assert found["displacement"] == pytest.approx(moved)
        assert found["step"].tolist() == list(range(N_STEPS))
        assert found["number of atoms"].tolist() == [5] * N_STEPS
        assert found["constant"].tolist() == [0] * N_STEPS

    def test_they_are_those_of_the_relaxation_step_by_step(self, path):
        by_step = step_scores(path)
        for quantity in QUANTITIES:
            whole = scores(path)[str(Name(quantity, "max", "mean"))]
            assert by_step[quantity].max() == pytest.approx(whole)


def test_every_name_can_be_taken_apart(path):
    for name in scores(path):
        parts = Name.split(name)
        assert str(parts) == name
        assert parts.quantity in (*QUANTITIES, *BASELINES)
        assert (parts.step is None) == (parts.quantity in BASELINES)
