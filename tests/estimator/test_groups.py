"""Samples that are not independent: their own neighbours are of other groups."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ltau import LTAUEstimator, LTAUFileError
from ltau._files import archive

K = 5


def trajectories(n_groups=60, n_each=10, seed=0):
    """Make short walks: frames of one are near twins."""
    rng = np.random.default_rng(seed)
    starts = rng.normal(size=(n_groups, 3))
    walks = starts[:, None] + 0.01 * rng.normal(size=(n_groups, n_each, 3)).cumsum(axis=1)
    return walks.reshape(-1, 3), np.repeat(np.arange(n_groups), n_each)


LATENTS, GROUPS = trajectories()
ERRORS = np.random.default_rng(1).random((len(LATENTS), 12))


def make(**settings):
    defaults = {"n_neighbors": K, "scaling": "none", "index": "flat"}
    return LTAUEstimator(**defaults | settings)


def own_by_comparison(latents, groups, k=K):
    """Give the mean distance to the nearest of other groups, by an index without them."""
    own = np.empty(len(latents))
    for group in np.unique(groups):
        others = NearestNeighbors(n_neighbors=k).fit(latents[groups != group])
        own[groups == group] = others.kneighbors(latents[groups == group])[0].mean(axis=1)
    return own


def test_own_distances_are_to_samples_of_other_groups():
    estimator = make().fit(LATENTS, ERRORS, groups=GROUPS)
    own = estimator.fitted_.own_distances(K).values
    np.testing.assert_allclose(own, own_by_comparison(LATENTS, GROUPS), rtol=1e-4)


def test_a_new_group_scores_about_1():
    new, _ = trajectories(seed=7)
    without = make().fit(LATENTS, ERRORS)
    aware = make().fit(LATENTS, ERRORS, groups=GROUPS)
    assert np.median(without.ood_score(new)) > 5  # as far as from one frame to the next
    assert 0.8 < np.median(aware.ood_score(new)) < 1.2


def test_as_many_samples_as_the_rate_says_of_new_groups_are_called_outside():
    aware = make().fit(LATENTS, ERRORS, groups=GROUPS)
    new, _ = trajectories(seed=7)
    assert 0.0 < aware.predict_ood(new, false_positive_rate=0.1).mean() < 0.25
    assert make().fit(LATENTS, ERRORS).predict_ood(new, false_positive_rate=0.1).mean() > 0.9


def test_groups_stay_within_strata():
    strata = np.arange(len(LATENTS)) % 2
    estimator = make().fit(LATENTS, ERRORS, strata, groups=GROUPS)
    own = estimator.fitted_.own_distances(K).values
    for label in (0, 1):
        rows = strata == label
        np.testing.assert_allclose(
            own[rows], own_by_comparison(LATENTS[rows], GROUPS[rows]), rtol=1e-4
        )


def test_each_sample_a_group_is_what_there_is_without_groups():
    alone = make().fit(LATENTS, ERRORS, groups=np.arange(len(LATENTS)))
    plain = make().fit(LATENTS, ERRORS)
    one, other = (each.fitted_.own_distances(K).values for each in (alone, plain))
    np.testing.assert_array_equal(one, other)
    assert alone.ood_threshold() == plain.ood_threshold()


def test_twins_of_one_group_are_one_sample_and_those_of_others_are_twins():
    places = np.array([[0.0], [0.0], [1.0], [1.0], [3.0]])
    groups = np.array([0, 0, 1, 2, 3])
    estimator = make(n_neighbors=2).fit(places, np.ones((5, 4)), groups=groups)
    # 0: to 1 and 3; 1: to its twin and to 0; 3: to 1 and 0.
    np.testing.assert_allclose(estimator.fitted_.own_distances(2).values, [2, 0.5, 2.5])


def test_the_order_of_samples_makes_no_difference():
    shuffled = np.random.default_rng(3).permutation(len(LATENTS))
    new = trajectories(seed=7)[0][:50]
    one = make().fit(LATENTS, ERRORS, groups=GROUPS)
    other = make().fit(LATENTS[shuffled], ERRORS[shuffled], groups=GROUPS[shuffled])
    np.testing.assert_allclose(one.predict(new), other.predict(new), rtol=1e-5)


def test_names_serve_as_well_as_numbers():
    names = np.array([f"run {group}" for group in GROUPS])
    one, other = (make().fit(LATENTS, ERRORS, groups=groups) for groups in (GROUPS, names))
    np.testing.assert_array_equal(one.ood_score(LATENTS), other.ood_score(LATENTS))


def test_an_estimator_with_groups_is_saved_whole(tmp_path):
    estimator = make().fit(LATENTS, ERRORS, groups=GROUPS)
    estimator.save(tmp_path / "grouped.ltau")
    loaded = LTAUEstimator.load(tmp_path / "grouped.ltau")
    for k in (K, 3):  # another number of neighbours is searched anew
        one, other = (
            each.set_params(n_neighbors=k).ood_score(LATENTS) for each in (estimator, loaded)
        )
        np.testing.assert_array_equal(one, other)


def test_new_groups_score_about_1_with_prototypes_too():
    new, _ = trajectories(seed=7)
    aware = make(n_prototypes=60).fit(LATENTS, ERRORS, groups=GROUPS)
    blind = make(n_prototypes=60).fit(LATENTS, ERRORS)
    assert 0.8 < np.median(aware.ood_score(new)) < 1.3
    assert np.median(blind.ood_score(new)) > np.median(aware.ood_score(new))


def test_the_number_of_prototypes_is_chosen_on_whole_groups():
    estimator = make(n_prototypes="auto").fit(LATENTS, ERRORS, groups=GROUPS)
    assert estimator.prototype_losses_


@pytest.mark.parametrize(
    ("groups", "strata", "message"),
    [
        (np.zeros(600, int), None, "at least 2 groups, got 600 that are all of group 0"),
        (GROUPS, (GROUPS == 3).astype(int), "at least 2 groups in stratum 1, got 10 .* group 3"),
        (GROUPS[:-1], None, r"groups of shape \(600,\), got \(599,\)"),
        (GROUPS.astype(float), None, "groups that are integers or strings, got float64"),
        ([None] * 600, None, "a label for every sample, got 600 missing"),
    ],
)
def test_groups_that_are_none_are_refused(groups, strata, message):
    with pytest.raises(ValueError, match=message):
        make().fit(LATENTS, ERRORS, strata, groups=groups)


def test_places_of_several_groups_come_back_and_single_samples_have_one(path):
    """Every place has samples of two groups; a forged file says so of single samples."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(30, 3))
    fitted = LTAUEstimator(5).fit(
        np.repeat(places, 2, axis=0), np.ones((60, 4)), groups=[0, 1] * 30
    )
    assert (fitted.fitted_.groups == -1).all()
    fitted.save(path)
    np.testing.assert_array_equal(
        LTAUEstimator.load(path).ood_score(places + 1), fitted.ood_score(places + 1)
    )
    LTAUEstimator(5).fit(places, np.ones((30, 4)), groups=np.arange(30) % 3).save(path)
    header, arrays = archive.read(path)
    for some in (slice(None), slice(0, 1)):
        forged = arrays["groups"].copy()
        forged[some] = -1
        archive.write(path, header, arrays | {"groups": forged})
        with pytest.raises(LTAUFileError, match="group of one sample"):
            LTAUEstimator.load(path)
