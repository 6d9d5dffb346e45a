"""Environment latents against loops over all periodic images, and what must leave them alone."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau import LTAUEstimator
from ltau.structures import FORCE_FIELD, environment_latents

CUTOFF = 3.0


def molecule(rng, n=8, width=4.0):
    return Atoms("C" * n, rng.uniform(0, width, (n, 3)))


def crystal(rng):
    """A small skew cell, periodic along two of its vectors: atoms are neighbours of images."""
    atoms = Atoms(
        "Cu3",
        rng.uniform(0, 2, (3, 3)),
        cell=[[2.5, 0.0, 0.0], [0.6, 2.2, 0.0], [0.0, 0.3, 9.0]],
        pbc=[True, True, False],
    )
    atoms.positions += rng.normal(size=3) * 5  # outside of the cell
    return atoms


def by_loops(latents, atoms, cutoff, n_images=4):
    """The definition, atom by atom, image by image."""
    shifts = itertools.product(*(range(-n_images, n_images + 1) if p else [0] for p in atoms.pbc))
    moves = [np.array(shift) @ atoms.cell.array for shift in shifts]

    def mean(rows):
        means = []
        for i, here in enumerate(atoms.positions):
            total, weight = 0.01 * rows[i], 0.01
            for j, there in enumerate(atoms.positions):
                for move in moves:
                    r = np.linalg.norm(there + move - here)
                    if 0 < r < cutoff:
                        f = 0.5 * (1 + np.cos(np.pi * r / cutoff))
                        total, weight = total + f * rows[j], weight + f
            means.append(total / weight)
        return np.array(means)

    first = mean(latents)
    return np.hstack([latents, first, mean(first)])


@pytest.mark.parametrize("cutoff", [1.5, 3.0, 4.7])
def test_it_is_what_loops_over_all_images_give(cutoff):
    rng = np.random.default_rng(0)
    frames = [molecule(rng), crystal(rng), Atoms("H"), crystal(rng), molecule(rng, 3)]
    parts = [rng.normal(size=(len(atoms), 5)) for atoms in frames]
    expected = [by_loops(z, atoms, cutoff) for z, atoms in zip(parts, frames, strict=True)]
    found = environment_latents(np.concatenate(parts), iter(frames), cutoff)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-6, atol=1e-6)
    assert (np.abs(expected[1][:, 5:10] - expected[1][:, :5]) > 0.01).any()


def test_a_cell_that_is_not_periodic_does_not_matter():
    rng = np.random.default_rng(0)
    atoms, latents = molecule(rng), rng.normal(size=(8, 2))
    expected = environment_latents(latents, [atoms])
    atoms.cell = [50.0, 0.0, 2.0]
    np.testing.assert_allclose(environment_latents(latents, [atoms]), expected, rtol=1e-6)
    atoms.pbc = [False, True, False]  # without a cell vector
    np.testing.assert_allclose(environment_latents(latents, [atoms]), expected, rtol=1e-6)


def test_a_frame_without_atoms_has_no_rows():
    rng = np.random.default_rng(0)
    atoms, latents = molecule(rng), rng.normal(size=(8, 2))
    found = environment_latents(latents, [Atoms(), atoms, Atoms()])
    np.testing.assert_array_equal(found, environment_latents(latents, [atoms]))
    assert environment_latents(latents[:0], [Atoms()]).shape == (0, 6)


def test_the_cutoff_has_a_default():
    rng = np.random.default_rng(0)
    atoms, latents = molecule(rng), rng.normal(size=(8, 2))
    np.testing.assert_array_equal(
        environment_latents(latents, [atoms]), environment_latents(latents, [atoms], 3.5)
    )


def test_an_atom_without_neighbours_keeps_its_own():
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 3.0]])  # at the cutoff itself
    found = environment_latents([[1.0, 2.0], [3.0, 4.0]], [atoms], cutoff=3.0)
    np.testing.assert_allclose(found, [[1, 2, 1, 2, 1, 2], [3, 4, 3, 4, 3, 4]], rtol=1e-7)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_order_and_place_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    atoms = [molecule, crystal][seed % 2](rng)
    latents = rng.normal(size=(len(atoms), 3))
    expected = environment_latents(latents, [atoms])
    order = rng.permutation(len(atoms))
    moved = atoms[order]
    moved.rotate(rng.uniform(0, 360), rng.normal(size=3) + np.array([0, 0, 3]), rotate_cell=True)
    moved.translate(rng.normal(size=3))
    found = environment_latents(latents[order], [moved])
    np.testing.assert_allclose(found, expected[order], rtol=1e-5, atol=1e-5)


def test_a_supercell_has_those_of_its_cell():
    rng = np.random.default_rng(0)
    cell = bulk("Cu", a=3.6, cubic=True)
    cell.rattle(0.1, rng=rng)
    latents = rng.normal(size=(4, 3))
    expected = environment_latents(latents, [cell])
    large = make_supercell(cell, [[2, 1, 0], [0, 2, 0], [0, 0, 1]])
    copies = len(large) // len(cell)
    found = environment_latents(np.tile(latents, (copies, 1)), [large])
    np.testing.assert_allclose(found, np.tile(expected, (copies, 1)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alone", [True, False], ids=["the last neighbour", "one of two"])
def test_nothing_jumps_where_a_neighbour_leaves(alone):
    def at(z):
        places = [[0, 0, 0], [0, 0, z], [0, 1.2, 0]]
        n = 2 if alone else 3
        atoms = Atoms("H" * n, places[:n])
        return environment_latents(np.array([[0.0], [1.0], [5.0]])[:n], [atoms], 3.0)[0]

    before, after = at(3.0 - 1e-5), at(3.0 + 1e-5)
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert abs(at(2.9) - after).max() > 1e-3  # it did count


def test_frames_do_not_know_of_each_other():
    rng = np.random.default_rng(0)
    atoms, latents = molecule(rng), rng.normal(size=(8, 2))
    once = environment_latents(latents, [atoms])
    found = environment_latents(np.vstack([latents, -latents]), [atoms, atoms])
    np.testing.assert_allclose(found, np.vstack([once, -once]), rtol=1e-6)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((3, 2)), r"shape \(2, n_features\), .* got shape \(3, 2\)"),
        (np.zeros(2), r"got shape \(2,\)"),
        ([[0.0], [np.nan]], "finite latents"),
        ([[0.0], [np.inf]], "finite latents"),
    ],
)
def test_bad_latents(latents, message):
    with pytest.raises(ValueError, match=message):
        environment_latents(latents, [Atoms("H2", [[0, 0, 0], [0, 0, 1]])])


@pytest.mark.parametrize("cutoff", [0, -1.0, np.inf, np.nan, "3"])
def test_bad_cutoffs(cutoff):
    with pytest.raises(ValueError, match="positive, finite cutoff, got"):
        environment_latents([[0.0]], [Atoms("H")], cutoff)


@pytest.mark.parametrize("frames", [[], Atoms("H"), ["H"]])
def test_bad_frames(frames):
    with pytest.raises(TypeError, match=r"list of ase.Atoms, at least one, got"):
        environment_latents([[0.0]], frames)


def test_positions_that_are_none():
    frames = [Atoms("H"), Atoms("H", [[np.nan, 0, 0]])]
    with pytest.raises(ValueError, match=r"finite positions and cell, .* in frame 1"):
        environment_latents([[0.0], [0.0]], frames)


def test_the_settings_are_parameters_of_an_estimator():
    assert LTAUEstimator(**FORCE_FIELD).get_params()["n_neighbors"] == 30
