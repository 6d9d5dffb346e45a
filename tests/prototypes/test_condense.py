"""Prototypes against sums over their members, written out."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from ltau import LTAUEstimator
from ltau._prototypes.condense import condense
from ltau.log import ErrorLog
from ltau.metrics import auroc, spearman
from ltau.neighbors import scale_strata

STRATA = np.repeat(["C", "H", "O"], [150, 110, 40])


@parametrize_with_checks([LTAUEstimator(n_neighbors=1, n_prototypes=4)])
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


# --- against the formula ------------------------------------------------------------


def prototypes_of(latents, strata, n, k, scaling="whiten"):
    """Prototypes in the scaled space, their members, and the members' scaled latents."""
    scaled = scale_strata(latents, strata, scaling)
    condensed, owners = condense(scaled, n, k, random_state=0)
    vectors = np.concatenate([stratum.vectors for stratum in condensed]).astype(float)
    members = np.empty(latents.shape)
    for stratum in scaled:
        members[stratum.rows] = stratum.vectors
    return vectors, owners, members, scaled


def own_distances(vectors, owners, members, classes, k):
    """Of each prototype: the mean over its members, each left out of it."""
    distances = [[] for _ in vectors]
    class_of = dict(zip(owners, classes, strict=True))
    for row, owner in enumerate(owners):
        others = []
        for number, vector in enumerate(vectors):
            if class_of[number] != classes[row]:
                continue
            group = np.flatnonzero(owners == number)
            if number == owner:
                group = group[group != row]
                if not len(group):
                    continue
                vector = members[group].mean(axis=0)
            others.append(np.linalg.norm(members[row] - vector))
        distances[owner].append(np.sort(others)[:k].mean())
    return np.array([np.mean(each) for each in distances])


@pytest.mark.parametrize("scaling", ["none", "whiten"])
@pytest.mark.parametrize("n", [12, 40, 200])
def test_prototypes_are_the_means_of_their_members(trajectories, n, scaling):
    latents, _ = trajectories
    vectors, owners, members, _ = prototypes_of(latents, None, n, 5, scaling)
    np.testing.assert_array_equal(np.unique(owners), np.arange(len(vectors)))
    assert 0.9 * n <= len(vectors) <= n
    expected = [members[owners == number].mean(axis=0) for number in range(len(vectors))]
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strata", [None, STRATA])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_predictions_follow_from_the_formula(trajectories, strata, weights, exponent):
    latents, errors = trajectories
    errors[np.random.default_rng(0).random(errors.shape) < 0.3] = np.nan
    n, k = 60, 4
    estimator = LTAUEstimator(
        k,
        n_prototypes=n,
        weights=weights,
        distance_scaling=exponent,
        stretch="power",
        burn_in=0,
        n_bins=30,
        random_state=0,
    ).fit(latents, errors, strata)
    vectors, owners, members, scaled = prototypes_of(latents, strata, n, k)
    edges = estimator.bin_edges_
    single = np.array([np.histogram(e[~np.isnan(e)], edges)[0] for e in errors])
    counts = np.array([single[owners == number].sum(axis=0) for number in range(len(vectors))])
    densities = counts / counts.sum(axis=1, keepdims=True)
    classes = np.zeros(300, int) if strata is None else strata
    own = own_distances(vectors, owners, members, classes, k)

    queries = latents[::7] + 0.1
    asked = None if strata is None else strata[::7]
    probabilities, scores = np.empty((len(queries), 30)), np.empty(len(queries))
    for stratum in scaled:
        mine = classes[::7] == (0 if stratum.label is None else stratum.label)
        numbers = np.unique(owners[stratum.rows])
        nearest = NearestNeighbors(n_neighbors=k).fit(vectors[numbers])
        distances, found = nearest.kneighbors(stratum.scaler.transform(queries[mine]))
        found = numbers[found]
        w = np.ones_like(distances) if weights == "uniform" else 1 / distances
        w /= w.sum(axis=1, keepdims=True)
        probabilities[mine] = (w[:, :, None] * densities[found]).sum(axis=1)
        scores[mine] = distances.mean(axis=1) / own[found].mean(axis=1)

    np.testing.assert_allclose(estimator.ood_score(queries, asked), scores, rtol=1e-4)
    distribution = estimator.predict_distribution(queries, asked)
    np.testing.assert_allclose(distribution.probabilities, probabilities, atol=1e-6)
    expected = probabilities @ ((edges[1:] + edges[:-1]) / 2) * scores**exponent
    np.testing.assert_allclose(estimator.predict(queries, asked), expected, rtol=1e-4)


PREDICTIONS = {
    "predict": lambda e, z, s: e.predict(z, s),
    "predict_pdf": lambda e, z, s: e.predict_pdf(z, s),
    "predict_cdf": lambda e, z, s: e.predict_cdf(z, [0.1, 1.0], s),
    "predict_quantile": lambda e, z, s: e.predict_quantile(z, [0.5, 0.9], s),
    "predict_interval": lambda e, z, s: e.predict_interval(z, np.ones(len(z)), 0.9, s),
    "predict_summary": lambda e, z, s: np.stack(e.predict_summary(z, 0.9, s)),
    "ood_score": lambda e, z, s: e.ood_score(z, s),
    "predict_ood": lambda e, z, s: e.predict_ood(z, s),
    "kneighbors": lambda e, z, s: e.kneighbors(z, strata=s)[0],
    "score": lambda e, z, s: e.score(z, np.ones(len(z)), s),
}


@pytest.mark.parametrize("strata", [None, STRATA])
def test_as_many_prototypes_as_samples_are_the_samples(trajectories, strata):
    latents, errors = trajectories
    full = LTAUEstimator(5).fit(latents, errors, strata)
    same = LTAUEstimator(5, n_prototypes=300).fit(latents, errors, strata)
    assert same.n_prototypes_ == same.n_samples_fit_ == 300
    for name, predict in PREDICTIONS.items():
        got, expected = predict(same, latents + 0.1, strata), predict(full, latents + 0.1, strata)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9, err_msg=name)
    assert same.ood_threshold(0.1) == pytest.approx(full.ood_threshold(0.1), rel=1e-6)


def test_calibration_is_learnt_as_of_all_samples(trajectories):
    latents, errors = trajectories
    estimator = LTAUEstimator(5, n_prototypes=40, random_state=0).fit(latents, errors)
    before = estimator.predict(latents)
    estimator.calibrate(latents, 3 * errors[:, -1], stretch_fraction=1.0)
    assert 2 < estimator.calibration_.scale < 4
    np.testing.assert_allclose(estimator.predict(latents), estimator.calibration_.scale * before)


# --- distances from the domain ------------------------------------------------------


@pytest.mark.parametrize("n", [20, 100, 1500])
def test_new_samples_of_the_domain_score_about_1(n):
    rng = np.random.default_rng(0)
    latents, inside = rng.normal(size=(2, 2000, 3))
    estimator = LTAUEstimator(3, n_prototypes=n, random_state=0).fit(latents, np.ones((2000, 2)))
    assert np.median(estimator.ood_score(inside)) == pytest.approx(1, abs=0.12)
    assert estimator.predict_ood(inside).mean() == pytest.approx(0.05, abs=0.03)
    assert estimator.predict_ood(inside[:50] + 20).all()


def test_no_more_training_scores_are_kept_than_the_threshold_needs(monkeypatch, trajectories):
    latents, errors = trajectories
    everything = LTAUEstimator(5, n_prototypes=50, random_state=0).fit(latents, errors)
    monkeypatch.setattr("ltau._fitted.training_scores._MOST_RANKED", 200)
    some = LTAUEstimator(5, n_prototypes=50, random_state=0).fit(latents, errors)
    assert some.fitted_.members.scores.shape == (200,)
    assert set(some.fitted_.members.scores) <= set(everything.fitted_.members.scores)
    assert some.ood_threshold(0.2) == pytest.approx(everything.ood_threshold(0.2), rel=0.1)


def test_small_batches_change_nothing(monkeypatch, trajectories):
    latents, errors = trajectories
    whole = LTAUEstimator(5, n_prototypes=50, random_state=0).fit(latents, errors, STRATA)
    monkeypatch.setattr("ltau._prototypes.measure._BATCH_VALUES", 500)
    parts = LTAUEstimator(5, n_prototypes=50, random_state=0).fit(latents, errors, STRATA)
    np.testing.assert_allclose(parts.fitted_.own.values, whole.fitted_.own.values, rtol=1e-6)
    np.testing.assert_allclose(
        parts.fitted_.members.scores, whole.fitted_.members.scores, rtol=1e-5
    )


def test_duplicates_have_no_distance_from_each_other():
    latents = np.repeat([[0.0], [5.0], [9.0]], 20, axis=0)
    estimator = LTAUEstimator(1, n_prototypes=10, scaling="none", distance_scaling=0)
    estimator.fit(latents, np.ones((60, 2)))
    assert estimator.n_prototypes_ == 3  # no more differ
    here, elsewhere = estimator.ood_score([[5.0], [6.0]])
    assert here == 1
    assert elsewhere > 1000  # of distances that are rounding


def test_another_k_has_no_distances_of_the_members(trajectories):
    latents, errors = trajectories
    estimator = LTAUEstimator(5, n_prototypes=50).fit(latents, errors)
    assert estimator.kneighbors(latents, 7)[1].shape == (300, 7)
    estimator.set_params(n_neighbors=3)
    for ask in (estimator.ood_score, estimator.predict, estimator.predict_ood):
        with pytest.raises(ValueError, match=r"n_neighbors = 5 as at fit, got 3"):
            ask(latents)
    estimator.set_params(distance_scaling=0.0)
    assert estimator.predict(latents).shape == (300,)


# --- fitting ------------------------------------------------------------------------


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
def test_prototypes_have_an_index_of_the_kind_asked_for(trajectories, index):
    latents, errors = trajectories
    estimator = LTAUEstimator(5, n_prototypes=100, index=index, recall=0.95, random_state=0)
    estimator.fit(latents, errors)
    flat = clone(estimator).set_params(index="flat").fit(latents, errors)
    assert estimator.index_ == index
    assert estimator.recall_ >= 0.95
    same = estimator.kneighbors(latents)[1] == flat.kneighbors(latents)[1]
    assert same.mean() > 0.9


def test_a_log_is_fitted_as_its_errors_are(trajectories, monkeypatch, tmp_path):
    monkeypatch.setattr("ltau._errors.sources._BLOCK_VALUES", 1000)
    latents, errors = trajectories
    with ErrorLog(tmp_path / "log", n_samples=300) as log:
        for epoch in errors.T:
            log.record(np.arange(300), epoch)
            log.end_epoch()
        logged = LTAUEstimator(n_prototypes=30, random_state=0).fit(latents, log)
    whole = LTAUEstimator(n_prototypes=30, random_state=0).fit(latents, errors)
    np.testing.assert_array_equal(logged.predict_pdf(latents), whole.predict_pdf(latents))


def test_the_seed_decides(trajectories):
    latents, errors = trajectories
    one, same, other = (
        LTAUEstimator(n_prototypes=30, random_state=seed).fit(latents, errors).predict(latents)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_strata_share_the_prototypes(trajectories):
    latents, errors = trajectories
    estimator = LTAUEstimator(10, n_prototypes=100).fit(latents, errors, STRATA)
    _, rows = estimator.kneighbors(latents, 10, STRATA)
    seen = [np.unique(rows[np.equal(STRATA, label)]) for label in "CHO"]
    assert seen[0][-1] < seen[1][0] <= seen[1][-1] < seen[2][0]
    assert estimator.n_prototypes_ == 100


def test_a_fit_without_prototypes_forgets_those_before(trajectories):
    latents, errors = trajectories
    estimator = LTAUEstimator(n_prototypes=30).fit(latents, errors)
    estimator.set_params(n_prototypes=None).fit(latents, errors)
    assert estimator.n_prototypes_ is None
    full = LTAUEstimator().fit(latents, errors)
    np.testing.assert_array_equal(estimator.predict_pdf(latents), full.predict_pdf(latents))
    assert estimator.ood_threshold() == full.ood_threshold()


def test_the_number_can_be_searched(trajectories):
    latents, errors = trajectories
    numbers = [None, "auto", 20, 100]
    search = GridSearchCV(LTAUEstimator(3, random_state=0), {"n_prototypes": numbers}, cv=3)
    search.fit(latents, errors)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --- bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "k", "strata", "message"),
    [
        (9, 10, None, r"n_prototypes from 10 .* to n_samples = 300, got 9"),
        (29, 10, STRATA, r"from 30 \(n_neighbors = 10 in each stratum\).*got 29"),
        (301, 10, None, r"to n_samples = 300, got 301"),
        (90, 41, STRATA, r"n_neighbors = 41 training samples in stratum O, got n_samples = 40"),
        (
            30,
            1,
            np.repeat(["C", "H"], [299, 1]),
            r"at least 2 training samples in stratum H to make prototypes of",
        ),
    ],
)
def test_numbers_that_do_not_fit_the_samples(trajectories, n, k, strata, message):
    with pytest.raises(ValueError, match=message):
        LTAUEstimator(k, n_prototypes=n).fit(*trajectories, strata)


def test_too_few_samples_that_differ_are_refused():
    latents = np.repeat(np.eye(3), 20, axis=0)
    with pytest.raises(ValueError, match="5 training samples that differ, got n_samples = 3"):
        LTAUEstimator(5, n_prototypes=10).fit(latents, np.ones((60, 2)))


@pytest.mark.parametrize(
    "options",
    [
        {"n_prototypes": 0},
        {"n_prototypes": 2.5},
        {"n_prototypes": "few"},
        {"prototype_tolerance": -0.1},
        {"prototype_tolerance": "auto"},
    ],
    ids=repr,
)
def test_invalid_parameters_are_refused(trajectories, options):
    with pytest.raises(InvalidParameterError, match=f"'{next(iter(options))}' parameter"):
        LTAUEstimator(**options).fit(*trajectories)


def test_bad_errors_are_refused_before_clusters_are_made(trajectories, monkeypatch):
    monkeypatch.setattr(
        "ltau.estimator._learning.condense", None
    )  # calling it would fail otherwise
    latents, errors = trajectories
    errors[7] = np.nan
    with pytest.raises(ValueError, match="1 samples have none: 7"):
        LTAUEstimator(n_prototypes=30).fit(latents, errors)
    with pytest.raises(ValueError, match="above the last bin edge 1"):
        LTAUEstimator(n_prototypes=30, bins=[0.0, 1.0]).fit(latents, 1 + errors)


def test_prototypes_weigh_no_samples(trajectories):
    estimator = LTAUEstimator(n_prototypes=30).fit(*trajectories)
    with pytest.raises(ValueError, match="holds prototypes: fit one with n_prototypes=None"):
        estimator.sample_weight()


def test_more_neighbours_than_prototypes_are_refused(trajectories):
    latents, errors = trajectories
    estimator = LTAUEstimator(n_prototypes=30).fit(latents, errors)
    with pytest.raises(ValueError, match=r"n_neighbors = 31 training samples or prototypes"):
        estimator.kneighbors(latents, 31)


# --- on real errors -----------------------------------------------------------------


@pytest.mark.parametrize(("k", "n", "loss"), [(3, 100, 0.03), (10, 400, 0.02)])
@pytest.mark.parametrize("by_element", [False, True])
def test_acac_loses_little(acac, by_element, k, n, loss):
    train = acac["train"]
    elements = train["atomic_numbers"] if by_element else None
    full = LTAUEstimator().fit(train["latents"], train["errors"], elements)
    few = LTAUEstimator(k, n_prototypes=n)
    few.fit(train["latents"], train["errors"], elements)
    frames = []
    for name in ("MD_300K", "MD_600K"):
        test = acac[name]
        asked = (test["latents"], test["atomic_numbers"] if by_element else None)
        by_full, by_few = (spearman(test["errors"], e.predict(*asked)) for e in (full, few))
        assert by_few >= by_full - loss
        assert few.score(asked[0], test["errors"], asked[1]) >= 1.02 * full.score(
            asked[0], test["errors"], asked[1]
        )
        frames.append([e.ood_score(*asked).reshape(-1, 15).mean(axis=1) for e in (full, few)])
    hot = np.repeat([0, 1], [len(frames[0][0]), len(frames[1][0])])
    cold_hot = np.concatenate(frames, axis=1)
    assert auroc(hot, cold_hot[1]) >= auroc(hot, cold_hot[0]) - 0.015


def test_acac_chooses_few_prototypes_that_rank_as_well(acac):
    train, test = acac["train"], acac["MD_600K"]
    full = LTAUEstimator().fit(train["latents"], train["errors"])
    few = clone(full).set_params(n_prototypes="auto").fit(train["latents"], train["errors"])
    assert few.n_prototypes_ <= 640
    by_full, by_few = (spearman(test["errors"], e.predict(test["latents"])) for e in (full, few))
    assert by_few >= by_full - 0.01


@pytest.mark.parametrize("noise", [0.0, 1e-7])
@pytest.mark.parametrize("n_prototypes", [300, 299, 60])
def test_prototypes_that_coincide_are_one(noise, n_prototypes):
    rng = np.random.default_rng(0)
    places = np.repeat(rng.normal(size=(60, 3)), 5, axis=0)
    latents = places + noise * rng.normal(size=places.shape)
    errors = rng.random((300, 20)) * np.exp(places[:, :1])
    queries = rng.normal(size=(50, 3))
    few = LTAUEstimator(5, n_prototypes=n_prototypes).fit(latents, errors)
    assert 40 < few.n_prototypes_ <= 60
    assert few.predict_ood(latents).mean() < 0.1
    assert 0.5 < np.median(few.ood_score(queries)) < 2
    if n_prototypes == 300:  # one for each place
        places_alone = LTAUEstimator(5, distance_scaling=0).fit(
            places[::5], errors.reshape(60, -1)[:, :100]
        )
        few.set_params(distance_scaling=0)
        assert spearman(few.predict(queries), places_alone.predict(queries)) > 0.99
