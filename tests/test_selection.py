"""Selection: the uncertain, the diverse, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ltau.selection import select


def frame(latents, uncertainty):
    """What `select` knows of a structure."""
    arrays = {"latents": np.asarray(latents), "forces_uncertainty": np.asarray(uncertainty)}
    return SimpleNamespace(arrays=arrays)


@pytest.fixture
def groups():
    """Five groups far from each other, of 40 candidates each, and the group of each."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(5), 40))
    latents = 100.0 * np.eye(5)[group] + rng.normal(size=(200, 5))
    return latents, group


def test_without_oversampling_it_takes_the_most_uncertain():
    rng = np.random.default_rng(0)
    uncertainty = rng.random(50)
    chosen = select(rng.normal(size=(50, 3)), 7, uncertainty, oversampling=1)
    np.testing.assert_array_equal(chosen, np.argsort(-uncertainty)[:7])


def test_each_group_is_represented_though_one_is_the_most_uncertain(groups):
    latents, group = groups
    uncertainty = np.where(group == 0, 1.0, 0.1) + 1e-3 * np.random.default_rng(0).random(200)
    chosen = select(latents, 5, uncertainty, oversampling=40, random_state=0)
    assert set(group[chosen]) == set(range(5))
    assert set(group[select(latents, 5, uncertainty, oversampling=1)]) == {0}


def test_groups_that_the_prefilter_leaves_out_are_not_chosen(groups):
    latents, group = groups
    uncertainty = 1.0 - 0.1 * group  # groups 0 and 1 are the 80 most uncertain
    assert set(group[select(latents, 8, uncertainty, oversampling=10, random_state=0)]) == {0, 1}


def test_the_weighted_centre_decides():
    # One cluster: the weighted mean is 9, the plain one about 5.
    latents, uncertainty = [[0.0], [4.0], [6.0], [10.0]], [0.1, 0.1, 0.1, 1.7]
    assert select(latents, 1, uncertainty).tolist() == [3]
    assert select(latents, 1, [1.0, 1.0, 1.1, 1.0]).tolist() == [2]


def test_each_choice_is_the_nearest_to_the_weighted_centre_of_its_group(groups):
    latents, group = groups
    uncertainty = np.random.default_rng(1).uniform(0.5, 1.0, size=200)
    chosen = select(latents, 5, uncertainty, oversampling=40, random_state=0)
    for label in range(5):
        members = np.flatnonzero(group == label)
        centre = np.average(latents[members], axis=0, weights=uncertainty[members])
        nearest = members[np.linalg.norm(latents[members] - centre, axis=1).argmin()]
        assert nearest in chosen


def test_the_seed_decides():
    rng = np.random.default_rng(0)
    latents, uncertainty = rng.normal(size=(300, 4)), rng.random(300)
    chosen = [select(latents, 10, uncertainty, random_state=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert set(chosen[0]) != set(chosen[2])


def test_a_frame_counts_as_its_most_uncertain_atom():
    rng = np.random.default_rng(0)
    latents, uncertainty = rng.normal(size=(30, 6, 4)), rng.random((30, 6))
    frames = [frame(*of_atoms) for of_atoms in zip(latents, uncertainty, strict=True)]
    worst = uncertainty.argmax(axis=1)
    rows = np.arange(30)
    expected = select(latents[rows, worst], 5, uncertainty[rows, worst], random_state=0)
    np.testing.assert_array_equal(select(frames, 5, random_state=0), expected)
    np.testing.assert_array_equal(select(iter(frames), 5, random_state=0), expected)


def test_frames_with_one_column_of_latents_are_taken():
    frames = [frame([0.0, number], [0.1, 1.0]) for number in range(4)]
    assert set(select(frames, 4)) == {0, 1, 2, 3}


@given(
    values=hnp.arrays(
        float, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.integers(0, 3)
    ),
    data=st.data(),
)
@settings(deadline=None)
def test_choices_are_different_rows_by_falling_uncertainty(values, data):
    n = data.draw(st.integers(1, len(values)))
    uncertainty = data.draw(hnp.arrays(float, len(values), elements=st.integers(0, 3)))
    oversampling = data.draw(st.integers(1, 10))
    chosen = select(values, n, uncertainty, oversampling=oversampling, random_state=0)
    assert len(set(chosen)) == n
    assert chosen.dtype == np.intp
    assert (np.diff(uncertainty[chosen]) <= 0).all()
    n_certain = (uncertainty[chosen] == 0).sum()
    assert n_certain == max(0, n - (uncertainty > 0).sum())


def test_more_than_there_are_cannot_be_chosen():
    with pytest.raises(ValueError, match=r"at least n = 4 candidates, got 3\."):
        select(np.zeros((3, 2)), 4, np.ones(3))


@pytest.mark.parametrize("argument", ["n", "oversampling"])
@pytest.mark.parametrize("value", [0, 1.0, "1"])
def test_numbers_must_be_positive_integers(argument, value):
    arguments = {"n": 2, "oversampling": 2} | {argument: value}
    with pytest.raises(ValueError, match=f"Expected {argument} to be an integer >= 1, got"):
        select(np.zeros((3, 2)), uncertainty=np.ones(3), **arguments)


@pytest.mark.parametrize(
    ("latents", "uncertainty", "message"),
    [
        (np.zeros((3, 2)), np.ones(2), r"got \(3, 2\) and \(2,\)"),
        (np.zeros(3), np.ones(3), r"got \(3,\) and \(3,\)"),
        (np.zeros((0, 2)), np.ones(0), r"got \(0, 2\) and \(0,\)"),
        (np.full((3, 2), np.nan), np.ones(3), "finite latents"),
        (np.zeros((3, 2)), [1.0, np.inf, 1.0], "finite, non-negative uncertainty"),
        (np.zeros((3, 2)), [1.0, -1.0, 1.0], "finite, non-negative uncertainty"),
    ],
)
def test_bad_values_are_refused(latents, uncertainty, message):
    with pytest.raises(ValueError, match=message):
        select(latents, 1, uncertainty)


def test_latents_need_an_uncertainty_and_frames_have_it():
    with pytest.raises(TypeError, match="uncertainty of each row of latents, got none"):
        select(np.zeros((3, 2)), 1)
    with pytest.raises(TypeError, match="Expected no uncertainty with frames"):
        select([frame([[0.0]], [1.0])], 1, [1.0])


def test_a_single_frame_is_not_several():
    with pytest.raises(TypeError, match="Expected several frames"):
        select(frame([[0.0]], [1.0]), 1)


def test_frames_without_what_is_needed_are_named():
    frames = [frame([[0.0]], [1.0]) for _ in range(3)]
    del frames[1].arrays["latents"]
    with pytest.raises(ValueError, match="got frame 1 without latents"):
        select(frames, 1)


def test_frames_with_bad_values_are_named():
    frames = [frame([[0.0]], [1.0]), frame([[np.nan]], [1.0])]
    with pytest.raises(ValueError, match="Frame 1: Expected finite latents"):
        select(frames, 1)


def test_frames_must_agree_in_width():
    frames = [frame([[0.0]], [1.0]), frame([[0.0, 1.0]], [1.0])]
    with pytest.raises(ValueError, match=r"one width in all frames, got \[1, 2\]"):
        select(frames, 1)
