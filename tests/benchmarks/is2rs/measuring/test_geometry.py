"""Distances to the nearest image against brute force, and the atoms that are watched."""

import itertools
import re
from dataclasses import fields

import numpy as np
import pytest

pytest.importorskip("ase")

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.geometry import minimum_image_distances, watched_atoms
from benchmarks.is2rs.relaxing.paths import Path

CELLS = {
    "cubic": np.diag([4.0, 4.0, 4.0]),
    "hexagonal": np.array([[2.5, 0, 0], [1.25, 2.165, 0], [0, 0, 20.0]]),
    "skewed": np.array([[8.7, 0, 0], [-4.2, 12.2, 0], [1.0, 3.0, 33.0]]),
    "far from reduced": np.array([[4.0, 0, 0], [4.1, 1.2, 0], [0.3, 0.2, 9.0]]),
}


def brute_force(moved, cell, reach):
    images = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3))) @ cell
    return np.linalg.norm(moved[..., None, :] + images, axis=-1).min(axis=-1)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_distances_are_the_least_over_images(cell):
    rng = np.random.default_rng(0)
    start, end = rng.random((50, 3)) @ cell, rng.random((50, 3)) @ cell
    found = minimum_image_distances(start, end, cell)
    assert found == pytest.approx(brute_force(end - start, cell, 5))


def test_a_short_move_may_have_a_shorter_image():
    # Less than half of the shortest edge, but not of the shortest lattice vector, b - a.
    cell = CELLS["far from reduced"]
    moved = np.array([[-0.2, 0.45, 0.0]]) @ cell
    expected = brute_force(moved, cell, 5)
    assert expected < np.linalg.norm(moved) < 2
    assert minimum_image_distances(np.zeros((1, 3)), moved, cell) == pytest.approx(expected)


def test_27_images_do_for_a_cell_without_corners():
    cell, rng = CELLS["cubic"], np.random.default_rng(1)
    start, end = rng.random((50, 3)) @ cell, rng.random((50, 3)) @ cell
    found = minimum_image_distances(start, end, cell)
    assert found == pytest.approx(brute_force(end - start, cell, 1))


@settings(deadline=None)
@given(
    images=st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=5, max_size=5),
    name=st.sampled_from(list(CELLS)),
)
def test_wrapping_changes_nothing(images, name):
    rng, cell = np.random.default_rng(2), CELLS[name]
    start, end = rng.random((5, 3)) @ cell, rng.random((5, 3)) @ cell
    found = minimum_image_distances(start, end + np.array(images) @ cell, cell)
    assert found == pytest.approx(minimum_image_distances(start, end, cell), abs=1e-9)


def test_steps_are_compared_with_one_start():
    rng, cell = np.random.default_rng(3), CELLS["skewed"]
    steps = rng.random((4, 6, 3)) @ cell
    found = minimum_image_distances(steps[0], steps, cell)
    each = [minimum_image_distances(steps[0], step, cell) for step in steps]
    assert found.shape == (4, 6)
    assert found == pytest.approx(np.array(each))
    assert (found[0] == 0).all()


class TestWatchedAtoms:
    def path(self, tags, free):
        """Make a path whose other columns do not matter."""
        none = np.empty((0, 0))
        columns = {field.name: none for field in fields(Path)}
        return Path(**columns | {"tags": np.array(tags), "free": np.array(free, dtype=bool)})

    def test_they_are_free_and_not_beneath_the_surface(self):
        path = self.path(tags=[0, 0, 1, 1, 2, 2], free=[0, 1, 0, 1, 0, 1])
        assert watched_atoms(path).tolist() == [False, False, False, True, False, True]

    @pytest.mark.parametrize(
        ("tags", "free"), [([0, 0], [1, 1]), ([1, 2], [0, 0])], ids=["tags", "free"]
    )
    def test_none_are_refused(self, tags, free):
        with pytest.raises(
            ValueError,
            match=rf"got {sum(free)} free atoms of 2, .*tags {re.escape(str(sorted(set(tags))))}",
        ):
            watched_atoms(self.path(tags, free))
