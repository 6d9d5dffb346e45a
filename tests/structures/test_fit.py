"""Estimators of structures, and what held-out structures choose, against choices by hand."""

import numpy as np
import pytest
from ase import Atoms

from ltau import LTAUEstimator
from ltau.structures import (
    FORCE_FIELD,
    StructureSamples,
    environment_cutoff,
    environment_latents,
    fit_structures,
)

N_ATOMS = 6


def structures(n, seed, elements="CH", systems=None):
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(n):
        atoms = Atoms(rng.choice(list(elements), N_ATOMS), rng.uniform(0, 4, (N_ATOMS, 3)))
        if systems:
            atoms.info["system"] = number % systems
        frames.append(atoms)
    return frames


def made(n, seed, scale, n_epochs=20, **options):
    """Structures whose errors are as large as a function of own latents and means says."""
    rng = np.random.default_rng(seed)
    frames = structures(n, seed, **options)
    latents = rng.normal(size=(n * N_ATOMS, 2)).astype(np.float32)
    numbers = np.concatenate([atoms.numbers for atoms in frames])
    means = environment_latents(latents, frames)[:, 2:4]
    errors = rng.exponential(scale(latents, means, numbers)[:, None], (len(latents), n_epochs + 1))
    trained = StructureSamples(frames, latents, errors[:, :-1])
    return trained, StructureSamples(frames, latents, errors[:, -1])


def by_neighbors(_latents, means, _numbers):
    return np.exp(2 * means[:, 0])


def by_itself(latents, _means, _numbers):
    return np.exp(2 * latents[:, 0])


def by_element(latents, _means, numbers):
    return np.exp(np.where(numbers == 6, 2.0, -2.0) * latents[:, 0])


def fit(scale, **options):
    samples, _ = made(100, 0, scale, **options.pop("made", {}))
    _, held_out = made(60, 1, scale)
    return fit_structures(samples, held_out, **options)


@pytest.mark.parametrize(
    ("scale", "environment"), [(by_neighbors, 3.5), (by_itself, None)], ids=["environment", "own"]
)
def test_held_out_structures_choose_the_environment(scale, environment):
    fitted = fit(scale)
    assert fitted.notes_["chosen"]["environment"] == environment
    assert environment_cutoff(fitted) == environment
    assert fitted.n_features_in_ == (2 if environment is None else 6)
    assert fitted.notes_["n_held_out"] == 60


def test_held_out_structures_choose_the_strata():
    assert fit(by_element, environment=None).notes_["chosen"]["strata"] == "elements"
    same = LTAUEstimator(n_neighbors=100)  # elements leave only half of the neighbours
    found = fit(by_itself, environment=None, estimator=same).notes_["chosen"]
    assert found["strata"] is None
    assert found["n_neighbors"] == 100


def test_scores_are_those_of_estimators_fitted_by_hand():
    samples, _ = made(60, 0, by_itself)
    _, held_out = made(30, 1, by_itself)
    fitted = fit_structures(samples, held_out, environment=None)
    scores = fitted.notes_["chosen"]["scores"]
    assert len(scores) == 2 * 3
    for entry in scores:
        by_hand = LTAUEstimator(**{**FORCE_FIELD, "n_neighbors": entry["n_neighbors"]})
        strata = entry["strata"] == "elements"
        groups = np.repeat(np.arange(60), N_ATOMS)
        by_hand.fit(
            samples.latents, samples.errors, samples.elements() if strata else None, groups=groups
        )
        asked = held_out.latents, held_out.errors, held_out.elements() if strata else None
        by_hand.calibrate(*asked, stretch_fraction=1.0)
        assert entry["crps"] == pytest.approx(-by_hand.score(*asked), rel=1e-9)


def test_defaults_stay_where_nothing_is_clearly_better():
    """Latents know nothing of the errors: all candidates are equally good, but for noise."""
    fitted = fit(lambda latents, *_: np.ones(len(latents)), environment=None, strata=None)
    chosen = fitted.notes_["chosen"]
    assert chosen["n_neighbors"] == FORCE_FIELD["n_neighbors"]
    assert {entry["n_neighbors"] for entry in chosen["scores"]} == {10, 30, 100}


def test_one_group_of_held_out_structures_tells_nothing():
    samples, _ = made(60, 0, by_itself, systems=6)
    _, held_out = made(30, 1, by_itself, systems=1)
    fitted = fit_structures(samples, held_out, groups="system")
    chosen = fitted.notes_["chosen"]
    assert (chosen["environment"], chosen["strata"], chosen["n_neighbors"]) == (3.5, "elements", 30)
    assert fitted.notes_["groups"] == "system"


def test_what_is_given_is_not_chosen():
    fitted = fit(by_itself, environment=2.5, strata=None, estimator=LTAUEstimator(n_neighbors=7))
    assert fitted.notes_["chosen"] == {
        "environment": 2.5,
        "strata": None,
        "n_neighbors": 7,
        "scores": [],
    }
    assert fitted.strata_ is None


def test_without_held_out_structures_it_is_what_the_settings_say():
    samples, _ = made(60, 0, by_itself)
    fitted = fit_structures(samples)
    assert environment_cutoff(fitted) == 3.5
    assert fitted.calibration_ is None
    rows, elements = environment_latents(samples.latents, samples.frames), samples.elements()
    groups = np.repeat(np.arange(60), N_ATOMS)
    expected = LTAUEstimator(**FORCE_FIELD).fit(rows, samples.errors, elements, groups=groups)
    np.testing.assert_array_equal(fitted.predict(rows, elements), expected.predict(rows, elements))


def test_the_scale_and_the_levels_are_those_of_all_held_out_structures():
    samples, _ = made(60, 0, by_itself)
    _, held_out = made(30, 1, by_itself)
    fitted = fit_structures(samples, held_out, environment=None)
    strata = None if fitted.strata_ is None else held_out.elements()
    expected = fitted.calibration_
    fitted.calibrate(held_out.latents, held_out.errors, strata)
    assert fitted.calibration_.scale == expected.scale
    np.testing.assert_array_equal(fitted.calibration_.scores[None], expected.scores[None])
    assert len(expected.scores[None]) == len(held_out.latents)


def test_a_rare_element_makes_no_strata():
    samples, _ = made(60, 0, by_itself)
    for atoms in samples.frames[:5]:
        atoms.symbols[:2] = "O"
    for held_out in (None, made(30, 1, by_itself)[1]):
        fitted = fit_structures(samples, held_out, environment=None)
        assert fitted.strata_ is None
    assert all(entry["strata"] is None for entry in fitted.notes_["chosen"]["scores"])
    with pytest.raises(ValueError, match="10"):
        fit_structures(samples, environment=None, strata="elements")


def test_an_element_that_only_held_out_structures_have_makes_no_strata():
    samples, _ = made(60, 0, by_itself)
    _, held_out = made(30, 1, by_itself)
    held_out.frames[0].symbols[0] = "O"
    assert fit_structures(samples, held_out, environment=None).strata_ is None


def test_no_longer_environment_than_there_may_be():
    samples, _ = made(60, 0, by_neighbors)
    assert environment_cutoff(fit_structures(samples, longest_cutoff=3.4)) is None
    assert environment_cutoff(fit_structures(samples, longest_cutoff=3.5)) == 3.5


def test_own_distances_are_to_other_groups():
    """Each structure twice: a near twin is no neighbour if it is of the same system."""
    frames = structures(60, 0)
    twins = [atoms.copy() for atoms in frames]
    for number, pair in enumerate(zip(frames, twins, strict=True)):
        for atoms in pair:
            atoms.info["system"] = f"system {number}"
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(360, 2))
    rows = np.vstack([latents, latents + 1e-4 * rng.normal(size=(360, 2))]).astype(np.float32)
    samples = StructureSamples(frames + twins, rows, rng.exponential(size=(720, 5)))
    new = rng.normal(size=(500, 2))
    options = {"environment": None, "strata": None, "estimator": LTAUEstimator(n_neighbors=2)}
    apart = fit_structures(samples, groups="system", **options).ood_score(new)
    together = fit_structures(samples, **options).ood_score(new)
    assert np.median(together) > 1.5 > 1.3 > np.median(apart) > 0.7


def test_whole_structures_have_mean_latents():
    frames = [Atoms("H2O"), Atoms("He"), Atoms("CO")]
    latents = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    samples = StructureSamples(frames, latents, np.ones((3, 4)), whole=True)
    np.testing.assert_array_equal(samples.rows(None), [[2, 3], [6, 7], [9, 10]])
    assert samples.elements() is None
    np.testing.assert_array_equal(samples.groups(None), [0, 1, 2])
    atoms = StructureSamples(frames, latents, np.ones((6, 4)))
    np.testing.assert_array_equal(atoms.elements(), [1, 1, 8, 2, 6, 8])
    np.testing.assert_array_equal(atoms.groups(None), [0, 0, 0, 1, 2, 2])


@pytest.mark.parametrize(
    ("infos", "expected"), [([3, 3, 5], [3, 3, 5]), (["a", "a", 5], ["a", "a", "5"])]
)
def test_groups_by_an_entry(infos, expected):
    frames = [Atoms("H", info={"run": info}) for info in infos]
    samples = StructureSamples(frames, np.zeros((3, 1)), np.ones((3, 2)))
    assert samples.groups("run").tolist() == expected


def test_an_entry_that_is_lacking():
    samples, _ = made(3, 0, by_itself, systems=2)
    del samples.frames[1].info["system"]
    samples.frames[1].info["name"] = "x"
    message = (
        r"'system' in the info of all structures.*1 of 3 lack it.*frame 1, which has \['name'\]"
    )
    with pytest.raises(ValueError, match=message):
        fit_structures(samples, groups="system")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"strata": "species"}, ValueError, "'auto', 'elements' or None, got 'species'"),
        ({"environment": -1.0}, ValueError, r"positive, finite environment, got -1\.0"),
        ({"environment": "none"}, ValueError, "positive, finite environment, got 'none'"),
        ({"estimator": 10}, TypeError, "an LTAUEstimator, got int"),
        ({"groups": [0, 1]}, TypeError, r"entry of atoms\.info, got \[0, 1\]"),
    ],
)
def test_bad_options(options, error, message):
    samples, _ = made(3, 0, by_itself)
    with pytest.raises(error, match=message):
        fit_structures(samples, **options)
