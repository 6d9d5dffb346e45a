"""The estimator against the method's formula, written out."""

import copy
import pickle
import warnings
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from ltau import ErrorBins, ErrorDistribution, ErrorHistogram, LTAUEstimator
from ltau.log import ErrorLog
from ltau.metrics import spearman


def paper(*args, **settings):
    """Make an estimator as in the paper: every epoch, latents as they are, no stretching."""
    defaults = {"burn_in": 0.0, "scaling": "none", "distance_scaling": 0.0}
    return LTAUEstimator(*args, **defaults | settings)


PREDICTIONS = {
    "predict": lambda e, z, **s: e.predict(z, **s),
    "predict_pdf": lambda e, z, **s: e.predict_pdf(z, **s),
    "predict_cdf": lambda e, z, **s: e.predict_cdf(z, [0.1, 1.0], **s),
    "predict_quantile": lambda e, z, **s: e.predict_quantile(z, [0.5, 0.9], **s),
    "predict_interval": lambda e, z, **s: e.predict_interval(z, np.ones(len(z)), 0.9, **s),
    "predict_distribution": lambda e, z, **s: e.predict_distribution(z, **s).probabilities,
    "kneighbors": lambda e, z, **s: np.stack(e.kneighbors(z, **s)),
    "ood_score": lambda e, z, **s: e.ood_score(z, **s),
    "predict_summary": lambda e, z, **s: np.stack(e.predict_summary(z, **s)),
    "score": lambda e, z, **s: e.score(z, np.ones(len(z)), **s),
}


@parametrize_with_checks([LTAUEstimator()])
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


# --- against the formula ------------------------------------------------------------


def formula(latents, errors, queries, edges, k, weights):
    """Average the neighbours' histograms, without a shortcut: (n, k, n_bins) and all."""
    distances, rows = NearestNeighbors(n_neighbors=k).fit(latents).kneighbors(queries)
    w = np.ones_like(distances) if weights == "uniform" else 1 / distances
    w /= w.sum(axis=1, keepdims=True)
    histograms = np.array([np.histogram(e[~np.isnan(e)], edges)[0] for e in errors])
    densities = histograms / histograms.sum(axis=1, keepdims=True)
    return (w[:, :, None] * densities[rows]).sum(axis=1)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("bins", ["log", "linear", np.linspace(0, 100, 30)])
def test_predictions_follow_from_the_formula(trajectories, weights, bins):
    latents, errors = trajectories
    errors[np.random.default_rng(0).random(errors.shape) < 0.3] = np.nan
    queries = latents[:100] + 0.1
    estimator = paper(7, bins=bins, n_bins=30, weights=weights).fit(latents, errors)
    edges = estimator.bin_edges_
    oracle = ErrorDistribution(formula(latents, errors, queries, edges, 7, weights), edges)

    distribution = estimator.predict_distribution(queries)
    np.testing.assert_allclose(distribution.probabilities, oracle.probabilities, atol=1e-6)
    np.testing.assert_allclose(
        estimator.predict_pdf(queries), oracle.probabilities / np.diff(edges), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(estimator.predict(queries), oracle.mean(), rtol=1e-5)
    tolerances = [0.0, 0.3, edges[5], edges[-1], 1e6]
    np.testing.assert_allclose(
        estimator.predict_cdf(queries, tolerances), oracle.cdf(tolerances), atol=1e-6
    )
    levels = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(
        estimator.predict_quantile(queries, levels), oracle.quantile(levels), rtol=1e-4
    )
    observed = errors[:100, -1:]
    observed = np.where(np.isnan(observed), 1.0, observed)
    assert estimator.score(queries, observed) == pytest.approx(-oracle.crps(observed).mean())


def test_shapes_for_one_and_for_several_levels(trajectories):
    latents, errors = trajectories
    estimator = paper().fit(latents, errors)
    assert estimator.predict_cdf(latents, 0.5).shape == (300,)
    assert estimator.predict_cdf(latents, [0.5]).shape == (300, 1)
    assert estimator.predict_quantile(latents, 0.5).shape == (300,)
    assert estimator.predict_quantile(latents, [0.5, 0.9]).shape == (300, 2)


def test_interval_is_the_prediction_and_the_quantile_of_its_error(trajectories):
    latents, errors = trajectories
    estimator = paper().fit(latents, errors)
    interval = estimator.predict_interval(latents, np.arange(300.0), 0.9)
    np.testing.assert_allclose(interval.mean(axis=1), np.arange(300), atol=1e-9)
    np.testing.assert_allclose(
        np.diff(interval)[:, 0] / 2, estimator.predict_quantile(latents, 0.9)
    )


def test_ood_score_is_the_ratio_of_distances(trajectories):
    latents, errors = trajectories
    queries = np.concatenate([latents[:50] + 0.01, latents[:50] + 10])
    nearest = NearestNeighbors(n_neighbors=5).fit(latents)
    own = nearest.kneighbors()[0].mean(axis=1)
    distances, rows = nearest.kneighbors(queries)
    score = paper(5).fit(latents, errors).ood_score(queries)
    np.testing.assert_allclose(score, distances.mean(axis=1) / own[rows].mean(axis=1), rtol=1e-4)
    assert score[50:].min() > 2 > np.median(score[:50])


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_one_search_gives_the_distribution_and_the_ood_score(trajectories, weights):
    latents, errors = trajectories
    strata = np.arange(len(latents)) % 3
    estimator = paper(5, weights=weights).fit(latents, errors, strata)
    distribution, score = estimator.predict_distribution(latents, strata, return_ood_score=True)
    alone = estimator.predict_distribution(latents, strata)
    np.testing.assert_array_equal(distribution.probabilities, alone.probabilities)
    np.testing.assert_array_equal(score, estimator.ood_score(latents, strata))


@pytest.mark.parametrize("calibrated", [None, 0.0, 0.5])
@pytest.mark.parametrize("level", [0.0, 0.5, 0.9, 1.0])
def test_a_summary_is_what_its_parts_are(trajectories, level, calibrated):
    latents, errors = trajectories
    strata = np.arange(len(latents)) % 3
    estimator = paper(5, distance_scaling=0.5, random_state=0)
    estimator.fit(latents, errors, strata)
    if calibrated is not None:
        estimator.calibrate(latents, 3 * errors[:, 0], strata, stretch_fraction=calibrated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the level 1, which no sample can keep
        summary = estimator.predict_summary(latents, level, strata)
        bar = estimator.predict_quantile(latents, level, strata)
    np.testing.assert_allclose(summary.expected_error, estimator.predict(latents, strata))
    np.testing.assert_allclose(summary.error_bar, bar, rtol=1e-9, atol=1e-30)
    np.testing.assert_array_equal(summary.ood_score, estimator.ood_score(latents, strata))


def test_a_summary_has_one_level(trajectories):
    latents, errors = trajectories
    estimator = paper(5).fit(latents, errors)
    with pytest.raises(ValueError, match="one level from 0 to 1"):
        estimator.predict_summary(latents, [0.5, 0.9])
    with pytest.raises(ValueError, match="from 0 to 1"):
        estimator.predict_summary(latents, 1.1)


@pytest.mark.parametrize(
    "same", [np.ndarray.tolist, np.asfortranarray, lambda x: x.astype(np.float64), lambda x: x[:]]
)
def test_queries_of_any_kind_give_the_same_bits(trajectories, same):
    latents, errors = trajectories
    queries = latents.astype(np.float32)
    estimator = paper(5).fit(latents, errors)
    np.testing.assert_array_equal(estimator.predict(same(queries)), estimator.predict(queries))


def test_ood_score_among_duplicates():
    latents = np.repeat([[0.0], [5.0]], 20, axis=0)
    estimator = paper(3).fit(latents, np.ones((40, 2)))
    # Two places, each with a twin: a sample's own distance is the mean of 0 and 5.
    found = estimator.ood_score([[0.0], [1.0], [10.0]])
    np.testing.assert_allclose(found, [1, 1, 3], rtol=1e-6)


def test_a_change_of_k_after_fit_is_followed(trajectories):
    latents, errors = trajectories
    estimator = paper(10).fit(latents, errors)
    estimator.ood_score(latents)
    estimator.set_params(n_neighbors=3)
    fresh = paper(3).fit(latents, errors)
    for predict in PREDICTIONS.values():
        np.testing.assert_array_equal(predict(estimator, latents), predict(fresh, latents))


def test_a_duplicate_takes_all_the_weight(trajectories):
    latents, errors = trajectories
    estimator = paper(weights="distance").fit(latents, errors)
    alone = paper(1).fit(latents, errors)
    np.testing.assert_allclose(estimator.predict_pdf(latents), alone.predict_pdf(latents))


@pytest.mark.parametrize(
    ("burn_in", "n_left"),
    [(0, 20), (0.0, 20), (5, 15), (1 / 3, 13), (19, 1), (np.int64(5), 15), (np.float32(0.5), 10)],
)
def test_burn_in_leaves_the_first_epochs_out(trajectories, burn_in, n_left):
    latents, errors = trajectories
    burnt = paper(burn_in=burn_in).fit(latents, errors)
    cut = paper().fit(latents, errors[:, -n_left:])
    np.testing.assert_array_equal(burnt.predict_pdf(latents), cut.predict_pdf(latents))


def test_several_models_are_more_epochs(trajectories):
    latents, errors = trajectories
    both = paper(bins="linear").fit(latents, np.hstack([errors, errors[:, ::-1]]))
    one = paper(bins="linear").fit(latents, errors)
    np.testing.assert_allclose(both.predict_pdf(latents), one.predict_pdf(latents))


def test_sample_weight_is_the_chance_to_exceed_the_tolerance(trajectories):
    latents, errors = trajectories
    edges = np.array([0, 0.5, 1, 2, errors.max()])
    weight = paper(bins=edges).fit(latents, errors).sample_weight(1.0)
    exceeded = (errors >= 1).mean(axis=1)
    np.testing.assert_allclose(weight, exceeded / exceeded.mean())
    weight = paper(bins=edges).fit(latents, errors).sample_weight(1.0, favor="easy")
    np.testing.assert_allclose(weight, (1 - exceeded) / (1 - exceeded).mean())
    assert paper().fit(latents, errors).sample_weight().mean() == pytest.approx(1)


def test_sample_weight_needs_a_tolerance_that_is_exceeded(trajectories):
    estimator = paper().fit(*trajectories)
    with pytest.raises(ValueError, match="No training error lies above the tolerance 1000"):
        estimator.sample_weight(1000)
    with pytest.raises(ValueError, match="No training error lies within the tolerance 0"):
        estimator.sample_weight(0, favor="easy")
    with pytest.raises(ValueError, match="got 'noisy'"):
        estimator.sample_weight(favor="noisy")
    for tolerance in (np.nan, "a", [1.0]):
        with pytest.raises(ValueError, match="a number as tolerance"):
            estimator.sample_weight(tolerance)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_small_batches_change_nothing(trajectories, monkeypatch, name):
    latents, errors = trajectories
    estimator = paper().fit(latents, errors)
    whole = PREDICTIONS[name](estimator, latents)
    monkeypatch.setattr("ltau._fitted.search._BATCH_VALUES", 1000)
    np.testing.assert_allclose(PREDICTIONS[name](estimator, latents), whole, rtol=1e-12)


@pytest.mark.parametrize("n_values", [1, 1000, 1 << 24])
def test_binning_in_blocks_changes_nothing(trajectories, monkeypatch, n_values):
    latents, errors = trajectories
    whole = paper(burn_in=3).fit(latents, errors)
    monkeypatch.setattr("ltau._errors.sources._BLOCK_VALUES", n_values)
    blocks = paper(burn_in=3).fit(latents, errors)
    np.testing.assert_array_equal(blocks.predict_pdf(latents), whole.predict_pdf(latents))


def test_a_log_is_fitted_as_its_errors_are(trajectories, monkeypatch, tmp_path):
    monkeypatch.setattr("ltau._errors.sources._BLOCK_VALUES", 1000)
    latents, errors = trajectories
    errors[np.random.default_rng(0).random(errors.shape) < 0.3] = np.nan
    with ErrorLog(tmp_path / "log", n_samples=300) as log:
        for epoch in errors.T:
            (seen,) = np.nonzero(~np.isnan(epoch))
            log.record(seen, epoch[seen])
            log.end_epoch()
        logged = paper(burn_in=0.25).fit(latents, log)
    whole = paper(burn_in=0.25).fit(latents, errors)
    np.testing.assert_array_equal(logged.predict_pdf(latents), whole.predict_pdf(latents))


def test_counts_are_fitted_as_the_errors_are(trajectories):
    latents, errors = trajectories
    whole = paper().fit(latents, errors)
    histogram = ErrorHistogram(ErrorBins(whole.bin_edges_), n_samples=300)
    for epoch in errors.T:
        histogram.update(epoch)
    counts = histogram.counts.copy()
    for _ in range(2):  # the counts are not used up
        counted = paper().fit(latents, histogram)
        np.testing.assert_array_equal(counted.predict_pdf(latents), whole.predict_pdf(latents))
    np.testing.assert_array_equal(histogram.counts, counts)


def test_prototypes_of_counts_are_those_of_the_errors(trajectories):
    latents, errors = trajectories
    settings = {"n_prototypes": 30, "random_state": 0}
    whole = paper(**settings).fit(latents, errors)
    histogram = ErrorHistogram(ErrorBins(whole.bin_edges_), n_samples=300)
    histogram.update(errors, slice(None))
    counted = paper(**settings).fit(latents, histogram)
    np.testing.assert_array_equal(counted.predict_pdf(latents), whole.predict_pdf(latents))
    with pytest.raises(ValueError, match="got counts: give a number"):
        paper(n_prototypes="auto").fit(latents, histogram)


def test_counts_of_other_samples_or_of_none_are_refused(trajectories):
    latents, _ = trajectories
    with pytest.raises(ValueError, match=r"Expected counts of 300 samples.* got those of 299"):
        paper().fit(latents, ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples=299))
    with pytest.raises(ValueError, match="300 samples have none"):
        paper().fit(latents, ErrorHistogram(ErrorBins([0.0, 1.0]), n_samples=300))


def test_a_log_of_other_samples_or_without_epochs_is_refused(trajectories, tmp_path):
    latents, _ = trajectories
    with pytest.raises(ValueError, match="at least one epoch"):
        paper().fit(latents, ErrorLog(tmp_path / "empty", n_samples=300))
    with pytest.raises(ValueError, match="300 samples"):
        paper().fit(latents, ErrorLog(tmp_path / "other", n_samples=299))


def test_memory_stays_within_batches(monkeypatch, peak_of):
    monkeypatch.setattr("ltau._fitted.search._BATCH_VALUES", 1 << 17)
    rng = np.random.default_rng(0)
    n, k, n_bins = 5_000, 50, 100
    latents = rng.normal(size=(n, 2)).astype(np.float32)
    estimator = paper(k, n_bins=n_bins).fit(latents, rng.exponential(size=(n, 3)))
    _, peak = peak_of(estimator.predict_pdf, latents)
    result = n * n_bins * np.dtype(np.float64).itemsize
    assert peak < 2.5 * result  # the result in pieces and put together; (n, k, n_bins) is 50 times


# --- invariants ---------------------------------------------------------------------

ERRORS = npst.arrays(
    np.float32,
    st.tuples(st.integers(8, 20), st.integers(1, 12)),
    elements=st.floats(0, 1e6, width=32) | st.just(np.float32(np.nan)),
)


@st.composite
def fitted(draw):
    errors = draw(ERRORS)
    errors[:, 0] = np.nan_to_num(errors[:, 0])  # every sample was seen
    latents = draw(npst.arrays(np.float32, (len(errors), 2), elements=st.integers(-9, 9)))
    options = {
        "n_neighbors": draw(st.integers(1, 7)),
        "bins": draw(st.sampled_from(["log", "linear"])),
        "n_bins": draw(st.integers(2, 60)),
        "weights": draw(st.sampled_from(["uniform", "distance"])),
        "scaling": draw(st.sampled_from(["none", "standardize", "whiten"])),
    }
    return paper(**options), latents, errors


@settings(deadline=None)
@given(fitted())
def test_densities_integrate_to_one_and_cdfs_rise_to_one(case):
    estimator, latents, errors = case
    estimator.fit(latents, errors)
    pdf, edges = estimator.predict_pdf(latents), estimator.bin_edges_
    assert (pdf >= 0).all()
    np.testing.assert_allclose((pdf * np.diff(edges)).sum(axis=1), 1)
    cdf = estimator.predict_cdf(latents, np.concatenate([edges, [2 * edges[-1]]]))
    assert (np.diff(cdf, axis=1) >= -1e-12).all()
    np.testing.assert_allclose(cdf[:, 0], 0)
    np.testing.assert_allclose(cdf[:, -2:], 1)
    assert edges[-1] >= np.nanmax(errors)


@settings(deadline=None)
@given(fitted(), st.floats(0.01, 1))
def test_quantile_inverts_cdf(case, level):
    estimator, latents, errors = case
    distribution = estimator.fit(latents, errors).predict_distribution(latents)
    quantile = estimator.predict_quantile(latents, level)
    np.testing.assert_allclose(distribution.cdf(quantile[:, None])[:, 0], level, rtol=1e-6)


@settings(deadline=None)
@given(fitted(), st.randoms(use_true_random=False))
def test_order_of_epochs_and_samples_does_not_matter(case, random):
    estimator, latents, errors = case
    # Queries off the lattice of the latents: neighbours at one distance would be a tie.
    queries = np.array([[0.137, 0.294], [3.713, -5.119]], np.float32)
    expected = estimator.fit(latents, errors).predict_pdf(queries)
    rows = random.sample(range(len(errors)), len(errors))
    epochs = random.sample(range(errors.shape[1]), errors.shape[1])
    if len(np.unique(latents, axis=0)) < len(latents):
        rows = range(len(errors))  # duplicates are tied
    shuffled = estimator.fit(latents[rows], errors[rows][:, epochs]).predict_pdf(queries)
    np.testing.assert_allclose(shuffled, expected, rtol=1e-5, atol=1e-7 * expected.max())


@settings(deadline=None, max_examples=30)
@given(fitted(), st.sampled_from(["flat", "ivf", "hnsw"]))
def test_what_is_saved_and_loaded_predicts_the_same_bits(case, index):
    estimator, latents, errors = case
    estimator.set_params(index=index, recall=0.5, random_state=0).fit(latents, errors)
    with TemporaryDirectory() as folder:
        estimator.save(f"{folder}/model.ltau")
        twin = LTAUEstimator.load(f"{folder}/model.ltau")
    for name in ("predict", "predict_pdf", "predict_cdf", "predict_quantile"):
        predict = PREDICTIONS[name]
        np.testing.assert_array_equal(predict(twin, latents), predict(estimator, latents), name)


@settings(deadline=None)
@given(fitted())
def test_binning_epoch_by_epoch_equals_the_whole(case):
    _, _, errors = case
    bins = ErrorBins.from_errors(errors)
    whole, streamed = ErrorHistogram(bins, len(errors)), ErrorHistogram(bins, len(errors))
    whole.update(errors)
    for epoch in errors.T:
        streamed.update(epoch)
    np.testing.assert_array_equal(streamed.counts, whole.counts)


# --- in scikit-learn ----------------------------------------------------------------


def test_grid_search_over_k_within_groups(trajectories):
    latents, errors = trajectories
    search = GridSearchCV(paper(), {"n_neighbors": [1, 5, 20]}, cv=GroupKFold(3))
    search.fit(latents, errors, groups=np.arange(300) // 10)
    assert search.best_params_["n_neighbors"] > 1  # one neighbour is known to be worst
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert (search.cv_results_["mean_test_score"] < 0).all()


def test_pipeline(trajectories):
    latents, errors = trajectories
    pipeline = make_pipeline(PCA(2, random_state=0), paper()).fit(latents, errors)
    reduced = pipeline[:-1].transform(latents)
    np.testing.assert_array_equal(
        pipeline.predict(latents), paper().fit(reduced, errors).predict(reduced)
    )
    assert pipeline.score(latents, errors) < 0


def test_strata_are_routed(trajectories):
    latents, errors = trajectories
    strata = np.arange(300) % 2
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = paper().set_fit_request(strata=True)
        estimator.set_score_request(strata=True).set_predict_request(strata=True)
        search = GridSearchCV(estimator, {"n_neighbors": [5, 10]}, cv=3)
        search.fit(latents, errors, strata=strata)
        assert list(search.best_estimator_.strata_) == [0, 1]
        pipeline = make_pipeline(estimator).fit(latents, errors, strata=strata)
        routed = pipeline.predict(latents, strata=strata)
    direct = paper().fit(latents, errors, strata=strata)
    np.testing.assert_array_equal(routed, direct.predict(latents, strata))


def test_data_frames_name_their_features(trajectories):
    pandas = pytest.importorskip("pandas")
    latents, errors = trajectories
    frame = pandas.DataFrame(latents, columns=list("abcd"))
    strata = pandas.Series(["H", "C"] * 150)
    estimator = paper().fit(frame, pandas.DataFrame(errors), strata)
    assert list(estimator.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[list("dcba")], strata)


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
@pytest.mark.parametrize("strata", [None, np.arange(300) % 3])
def test_copies_predict_the_same_bits(trajectories, tmp_path, index, strata):
    latents, errors = trajectories
    options = {"n_bins": 50, "index": index, "random_state": 0, "scaling": "whiten"}
    estimator = paper(**options).fit(latents, errors, strata)
    joblib.dump(estimator, tmp_path / "joblib")
    estimator.save(tmp_path / "ltau")
    copies = [
        pickle.loads(pickle.dumps(estimator)),
        copy.deepcopy(estimator),
        joblib.load(tmp_path / "joblib"),
        LTAUEstimator.load(tmp_path / "ltau"),
    ]
    asked = {} if strata is None else {"strata": strata}
    for twin in copies:
        assert twin.get_params() == estimator.get_params()
        assert (twin.recall_, twin.index_) == (estimator.recall_, estimator.index_)
        for name, predict in PREDICTIONS.items():
            np.testing.assert_array_equal(
                predict(twin, latents, **asked), predict(estimator, latents, **asked), name
            )


def test_a_clone_is_not_fitted(trajectories):
    twin = clone(paper(3, burn_in=0.5).fit(*trajectories))
    assert twin.get_params()["n_neighbors"] == 3
    with pytest.raises(NotFittedError):
        twin.predict(trajectories[0])


def test_threads_change_nothing(trajectories):
    latents, errors = trajectories
    one, all_ = (paper(n_jobs=n).fit(latents, errors) for n in (1, -1))
    np.testing.assert_array_equal(one.predict_pdf(latents), all_.predict_pdf(latents))


# --- bad input ----------------------------------------------------------------------


def spoilt(errors, value):
    errors = errors.copy()
    errors[3, 4] = value
    return errors


BAD_TRAINING = {
    "one epoch as a vector": (lambda z, e: (z, e[:, 0]), r"got a 1D array .*reshape\(-1, 1\)"),
    "transposed": (lambda z, e: (z, e.T), r"\(20, 300\)\. They look transposed: pass errors\.T"),
    "too few errors": (lambda z, e: (z, e[:-1]), "trajectories of 300 samples"),
    "no epochs": (lambda z, e: (z, e[:, :0]), "at least one epoch"),
    "negative": (lambda z, e: (z, spoilt(e, -1)), "non-negative magnitudes, got -1"),
    "infinite": (lambda z, e: (z, spoilt(e, np.inf)), "finite in float32"),
    "beyond float32": (lambda z, e: (z, spoilt(e.astype(float), 1e300)), "finite in float32"),
    "text": (lambda z, e: (z, np.full(e.shape, "x")), "real numbers"),
    "complex": (lambda z, e: (z, e + 0j), "real numbers"),
    "missing": (lambda z, e: (z, np.where(e > 1, e, "x")), "real numbers, got <U32"),
    "objects": (lambda z, e: (z, np.full(e.shape, {})), "with NaN for what is missing"),
    "no errors": (lambda z, e: (z, None), "requires y to be passed"),
    "huge latents": (lambda z, e: (np.float64(1e160) * z, e), r"Expected latents below 1e\+140"),
    "NaN latents": (lambda z, e: (_nan(z), e), "NaN"),
    "latents as a vector": (lambda z, e: (z[:, 0], e), "Expected 2D array, got 1D array"),
    "empty": (lambda z, e: (z[:0], e[:0]), r"0 sample\(s\)"),
    "fewer samples than k": (
        lambda z, e: (z[:5], e[:5]),
        r"n_neighbors = 10 training samples, got n_samples = 5",
    ),
}


def _nan(latents):
    latents = latents.copy()
    latents[3, 1] = np.nan
    return latents


@pytest.mark.parametrize("case", BAD_TRAINING)
def test_bad_training_data_is_refused(trajectories, case):
    spoil, message = BAD_TRAINING[case]
    with pytest.raises(ValueError, match=message):
        paper().fit(*spoil(*trajectories))


def test_samples_never_seen_are_counted_and_named(trajectories):
    latents, errors = trajectories
    errors[[7, 9]] = np.nan
    with pytest.raises(ValueError, match=r"2 samples have none: 7, 9\. Leave them out"):
        paper().fit(latents, errors)
    errors[[7, 9], 0] = 1.0
    paper().fit(latents, errors)
    with pytest.raises(ValueError, match="2 samples have none"):
        paper(burn_in=1).fit(latents, errors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"burn_in": 20}, "burn_in=20 leaves none of the 20 epochs"),
        ({"burn_in": 0.99}, "burn_in=0.99 leaves none of the 20 epochs"),
        ({"bins": [0, 1, 2]}, "above the last bin edge 2"),
        ({"bins": [0, 2, 1]}, "strictly increasing"),
    ],
)
def test_options_that_do_not_fit_the_data(trajectories, options, message):
    with pytest.raises(ValueError, match=message):
        paper(**options).fit(*trajectories)


@pytest.mark.parametrize(
    "options",
    [
        {"n_neighbors": 0},
        {"n_neighbors": 2.5},
        {"burn_in": 1.5},
        {"burn_in": -1},
        {"n_bins": 1},
        {"bins": "quadratic"},
        {"weights": "gaussian"},
        {"scaling": "minmax"},
        {"index": "annoy"},
        {"recall": 1.1},
        {"random_state": np.random.default_rng(0)},
    ],
    ids=lambda options: repr(options).split(" at ")[0],  # an address differs in each process
)
def test_invalid_parameters_are_refused(trajectories, options):
    with pytest.raises(InvalidParameterError, match=f"'{next(iter(options))}' parameter"):
        paper(**options).fit(*trajectories)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_every_prediction_checks_its_latents(trajectories, name):
    latents, errors = trajectories
    predict = PREDICTIONS[name]
    with pytest.raises(NotFittedError):
        predict(paper(), latents)
    estimator = paper().fit(latents, errors)
    with pytest.raises(ValueError, match="NaN"):  # never somebody else's density
        predict(estimator, _nan(latents))
    with pytest.raises(ValueError, match="has 3 features, but LTAUEstimator is expecting 4"):
        predict(estimator, latents[:, :3])
    with pytest.raises(ValueError, match="fitted without strata"):
        predict(estimator, latents, strata=np.zeros(300, int))


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
@pytest.mark.parametrize("name", PREDICTIONS)
def test_every_prediction_refuses_latents_too_far_to_measure(trajectories, name, index):
    estimator = paper(index=index, random_state=0).fit(*trajectories)
    with pytest.raises(ValueError, match="squared distances fit in float32"):
        PREDICTIONS[name](estimator, np.full((300, 4), 1e19, np.float32))


def test_masked_errors_were_not_seen(trajectories):
    latents, errors = trajectories
    unseen = errors > np.median(errors)
    unseen[:, 0] = False
    masked = paper().fit(latents, np.ma.masked_array(errors, unseen))
    nan = paper().fit(latents, np.where(unseen, np.nan, errors))
    np.testing.assert_array_equal(masked.predict_pdf(latents), nan.predict_pdf(latents))


@pytest.mark.parametrize("labels", [["H", "C", None], ["H", "C", np.nan], [1, "H"]])
def test_strata_of_mixed_kinds_are_refused(trajectories, labels):
    latents, errors = trajectories
    strata = np.array(labels * 150, dtype=object)[:300]
    with pytest.raises(
        ValueError, match=r"strata (with a label for every sample|that are all of one kind)"
    ):
        paper().fit(latents, errors, strata)


def test_parameters_set_after_fit_are_checked(trajectories, path):
    estimator = paper().fit(*trajectories)
    estimator.save(path)
    before = path.read_bytes()
    estimator.set_params(weights="gaussian")
    with pytest.raises(ValueError, match="Got 'gaussian'"):
        estimator.predict(trajectories[0])
    with pytest.raises(InvalidParameterError):
        estimator.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", PREDICTIONS)
def test_every_prediction_checks_its_strata(trajectories, name):
    latents, errors = trajectories
    predict = PREDICTIONS[name]
    estimator = paper().fit(latents, errors, np.resize([1, 6], 300))
    with pytest.raises(ValueError, match="fitted with strata"):
        predict(estimator, latents)
    with pytest.raises(ValueError, match="Stratum 8 was not seen at fit, which saw 1, 6"):
        predict(estimator, latents, strata=np.resize([1, 8], 300))
    with pytest.raises(ValueError, match="integers or strings"):
        predict(estimator, latents, strata=np.resize([1.0, 6.0], 300))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e, z: e.predict_quantile(z, 1.5), "from 0 to 1"),
        (lambda e, z: e.predict_cdf(z, np.nan), "a tolerance"),
        (lambda e, z: e.predict_cdf(z, [[1.0]]), "a tolerance"),
        (lambda e, z: e.predict_cdf(z, []), "a tolerance"),
        (lambda e, z: e.predict_interval(z, np.ones(3), 0.9), r"y_pred of shape \(300,\)"),
        (lambda e, z: e.predict_interval(z, np.ones(300), 1.5), "from 0 to 1"),
        (lambda e, z: e.predict_interval(z, np.ones(300), [0.5]), "one level"),
        (lambda e, z: e.predict_interval(z, np.full(300, np.nan), 0.5), "got 300"),
        (lambda e, z: e.kneighbors(z, n_neighbors=0), "n_neighbors >= 1"),
        (lambda e, z: e.kneighbors(z, n_neighbors=301), "n_neighbors = 301 training samples"),
        (lambda e, z: e.score(z, np.ones(299)), "inconsistent numbers of samples"),
        (lambda e, z: e.score(z, -np.ones(300)), "non-negative"),
        (lambda e, z: e.score(z, np.full(300, np.nan)), "not NaN"),
        (lambda e, z: e.score(z, np.ones((300, 1, 1))), r"\(n_samples, n_obs\)"),
    ],
)
def test_questions_without_an_answer(trajectories, ask, message):
    latents, errors = trajectories
    estimator = paper().fit(latents, errors)
    with pytest.raises(ValueError, match=message):
        ask(estimator, latents)


def test_an_unwritable_path_is_named(trajectories, tmp_path):
    estimator = paper().fit(*trajectories)
    with pytest.raises(FileNotFoundError, match=r"Cannot write.*missing"):
        estimator.save(tmp_path / "missing" / "model.ltau")
    with pytest.raises(NotFittedError):
        paper().save(tmp_path / "model.ltau")
    assert not list(tmp_path.iterdir())


# --- on real errors -----------------------------------------------------------------


def test_acac_ranks_and_scales(acac):
    train = acac["train"]
    all_epochs = paper(10).fit(train["latents"], train["errors"])
    late_epochs = paper(10, burn_in=1 / 3).fit(train["latents"], train["errors"])
    for name, least in (("MD_300K", 0.58), ("MD_600K", 0.57)):
        test = acac[name]
        assert spearman(test["errors"], all_epochs.predict(test["latents"])) >= least
        assert spearman(test["errors"], late_epochs.predict(test["latents"])) >= least
    test = acac["MD_300K"]
    assert 0.9 < test["errors"].mean() / late_epochs.predict(test["latents"]).mean() < 1.1


def test_acac_within_elements(acac):
    train, test = acac["train"], acac["MD_300K"]
    estimator = paper(30, scaling="whiten", burn_in=1 / 3)
    estimator.fit(train["latents"], train["errors"], strata=train["atomic_numbers"])
    predicted = estimator.predict(test["latents"], strata=test["atomic_numbers"])
    assert spearman(test["errors"], predicted) >= 0.61


@pytest.mark.parametrize("name", ["val", "MD_300K", "MD_600K"])
def test_acac_neighbours_are_those_of_scikit_learn(acac, name):
    train, queries = acac["train"]["latents"], acac[name]["latents"]
    estimator = paper(10, index="flat").fit(train, acac["train"]["errors"])
    distances, indices = estimator.kneighbors(queries)
    expected_distances, expected = NearestNeighbors(n_neighbors=10).fit(train).kneighbors(queries)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, expected_distances, atol=1e-6)


@pytest.mark.parametrize("strata", [None, np.resize(["C", "O"], 3000)])
def test_a_memory_limit_quantises_and_keeps_the_recall(strata, tmp_path):
    rng = np.random.default_rng(0)
    latents = (rng.normal(size=(3000, 8)) @ rng.normal(size=(8, 32))).astype(np.float32)
    errors = rng.random((3000, 4))
    full = LTAUEstimator(index="flat").fit(latents, errors, strata)
    small = LTAUEstimator(memory_limit=3000 * 80, random_state=0).fit(latents, errors, strata)
    assert set(np.atleast_1d(small.index_)) == {"ivf_sq8"}
    _, true = full.kneighbors(latents[:500], strata=None if strata is None else strata[:500])
    _, found = small.kneighbors(latents[:500], strata=None if strata is None else strata[:500])
    assert np.mean([np.isin(f, t).mean() for f, t in zip(found, true, strict=True)]) > 0.98
    small.save(tmp_path / "model")
    mapped = LTAUEstimator.load(tmp_path / "model", mmap=True)
    again = mapped.kneighbors(latents[:500], strata=None if strata is None else strata[:500])[1]
    np.testing.assert_array_equal(again, found)


def test_a_memory_limit_that_is_too_small_says_what_would_do():
    latents = np.random.default_rng(0).normal(size=(500, 4))
    with pytest.raises(ValueError, match=r"Expected a memory_limit of [\d,]+ bytes .* got 100\."):
        LTAUEstimator(memory_limit=100).fit(latents, np.ones((500, 2)))
