"""`LTAURegressor` around any regressor, given what scikit-learn's users have."""

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from ltau import LTAUEstimator
from ltau.adapters.sklearn import LTAURegressor, error_trajectories, latents

HGB, GBR = HistGradientBoostingRegressor, GradientBoostingRegressor


def draw(n, seed=0):
    """Features, and targets whose noise grows along the second feature."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 3))
    return X, np.sin(3 * X[:, 0]) + 0.3 * np.exp(1.5 * X[:, 1]) * rng.normal(size=n)


@pytest.fixture(scope="module")
def data():
    return draw(300)


def coverage(interval, y):
    return np.mean((interval[..., 0] <= y) & (y <= interval[..., 1]), axis=0)


def root_mean_square(values):
    return np.sqrt(np.mean(values**2))


@parametrize_with_checks(
    [
        LTAURegressor(Ridge()),
        LTAURegressor(HGB(max_iter=10), cv=2),
        LTAURegressor(RandomForestRegressor(5), cv=2),
        LTAURegressor(MLPRegressor(hidden_layer_sizes=10, solver="lbfgs", max_iter=50), cv=2),
        LTAURegressor(make_pipeline(StandardScaler(), Ridge()), cv=2),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


# --- samples as they came -----------------------------------------------------------


def frame(n, seed=0, n_categories=150):
    """A frame with a column of categories, each of which has an effect of its own."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    effects = 3 * np.random.default_rng(99).normal(size=n_categories)
    code, x = rng.integers(0, n_categories, n), rng.normal(size=n)
    names = [f"c{i}" for i in range(n_categories)]
    X = pd.DataFrame({"code": pd.Categorical.from_codes(code, names), "x": x})
    return X, effects[code] + x + 0.3 * rng.normal(size=n)


def with_categories(name):
    if name == "lightgbm":
        return pytest.importorskip("lightgbm").LGBMRegressor(n_jobs=1, verbose=-1)
    if name == "xgboost":
        return pytest.importorskip("xgboost").XGBRegressor(n_jobs=1, enable_categorical=True)
    return HGB(categorical_features=["code"] if name == "named" else name, random_state=0)


@pytest.mark.parametrize("name", ["from_dtype", "named", "lightgbm", "xgboost"])
def test_a_booster_sees_the_categories_of_a_frame(name):
    (X, y), (new, y_new) = frame(2000), frame(1000, seed=1)
    alone = with_categories(name).fit(X, y)
    model = LTAURegressor(with_categories(name), random_state=0).fit(X, y)
    expected = root_mean_square(alone.predict(new) - y_new)
    assert root_mean_square(model.predict(new) - y_new) == pytest.approx(expected, rel=0.05)
    # Folds see fewer samples of each category than the regressor does: intervals are wide.
    assert 0.88 < coverage(model.predict_interval(new), y_new) < 0.98


def test_options_may_name_columns(data):
    pd = pytest.importorskip("pandas")
    X, y = pd.DataFrame(data[0], columns=["a", "b", "c"]), data[1]
    base = HGB(monotonic_cst={"a": 1}, max_iter=10)
    model = LTAURegressor(base).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), clone(base).fit(X, y).predict(X))
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="same order"):
        model.predict(X[["c", "b", "a"]])


def test_a_frame_of_polars_is_passed_on(data):
    pl = pytest.importorskip("polars")
    X, y = pl.DataFrame(data[0], schema=["a", "b", "c"]), data[1]
    model = LTAURegressor(HGB(monotonic_cst={"a": 1}, max_iter=10)).fit(X, y)
    arrays = LTAURegressor(HGB(monotonic_cst=[1, 0, 0], max_iter=10)).fit(*data)
    np.testing.assert_array_equal(model.predict_interval(X), arrays.predict_interval(data[0]))


class TakesText(RegressorMixin, BaseEstimator):
    """The mean of the targets, whatever the samples are."""

    def fit(self, X, y):
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def test_features_that_are_no_numbers_are_refused_where_they_would_be_the_latents():
    X = np.array([["a"], ["b"]] * 20, object)
    with pytest.raises(ValueError, match="numbers, which stand for the latents of TakesText"):
        LTAURegressor(TakesText()).fit(X, np.arange(40.0))


def test_text_and_sparse_matrices_go_through_a_pipeline():
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(100)])
    counts = rng.integers(0, 100, size=(400, 5))
    texts, y = [" ".join(words[row]) for row in counts], rng.normal(size=400)
    model = LTAURegressor(make_pipeline(CountVectorizer(), Ridge())).fit(texts, y)
    assert model.predict_interval(texts[:7]).shape == (7, 2)
    sparse = model.estimator_[0].transform(texts)
    z, dense = latents(model.estimator_, texts)[:200], sparse[:200].toarray().astype(float)
    assert z.shape == (200, 64)
    rows, columns = np.triu_indices(200, 1)
    true = ((dense[rows] - dense[columns]) ** 2).sum(axis=1)
    found = ((z[rows] - z[columns]) ** 2).sum(axis=1)
    assert np.mean(found / true) == pytest.approx(1, abs=0.05)


def test_a_few_sparse_features_are_their_own_latents(data):
    X, y = data
    model = Ridge().fit(csr_array(X), y)
    np.testing.assert_array_equal(latents(model, csr_array(X)), X)


# --- any regressor ------------------------------------------------------------------


def test_a_regressor_without_stages_has_one_error_for_each_sample_out_of_fold(data):
    X, y = data
    folds = KFold(4, shuffle=True, random_state=1)
    model = LTAURegressor(Ridge(), ltau=LTAUEstimator(1, scaling="none"), cv=folds).fit(X, y)
    expected = np.abs(cross_val_predict(Ridge(), X, y, cv=folds) - y).astype(np.float32)
    model.ltau_.reset_calibration()
    found = model.predict_distribution(X).probabilities.argmax(axis=1)  # of itself alone
    edges = model.ltau_.bin_edges_
    assert np.all((edges[found] <= expected * 1.00001) & (expected <= edges[found + 1] * 1.00001))


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(200, max_leaf_nodes=8, random_state=0),
        ExtraTreesRegressor(200, max_leaf_nodes=8, random_state=0),
    ],
)
def test_squared_distances_in_a_forest_are_the_share_of_trees_with_different_leaves(data, model):
    X, y = data
    z, leaves = latents(model.fit(X, y), X[:100]), model.apply(X[:100])
    share = (leaves[:, None] != leaves).mean(axis=2)
    squared = ((z[:, None] - z) ** 2).sum(axis=2)
    assert (squared[share > 0] / share[share > 0]).mean() == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(squared[share == 0], 0, atol=1e-6)


def test_a_single_tree_tells_its_leaves(data):
    X, y = data
    tree = DecisionTreeRegressor(max_leaf_nodes=4, random_state=0).fit(X, y)
    assert len(np.unique(latents(tree, X), axis=0)) == 4


WRAPPED = {
    "pipeline": lambda base: make_pipeline(StandardScaler(), base),
    "target": lambda base: TransformedTargetRegressor(base, func=np.arcsinh, inverse_func=np.sinh),
    "search": lambda base: GridSearchCV(base, {"max_depth": [2]}, cv=2),
    "target of a pipeline": lambda base: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), base), transformer=StandardScaler()
    ),
    "pipeline of a target": lambda base: make_pipeline(
        StandardScaler(), TransformedTargetRegressor(base, transformer=StandardScaler())
    ),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_stages_and_latents_are_those_of_the_regressor_inside(data, wrap):
    X, y = data
    model = wrap(GBR(n_estimators=12, max_depth=2, random_state=0)).fit(X, y)
    errors = error_trajectories(model, X, y)
    assert errors.shape == (300, 12)
    for n_trees in (1, 5, 12):
        shorter = wrap(GBR(n_estimators=n_trees, max_depth=2, random_state=0)).fit(X, y)
        expected = np.abs(shorter.predict(X) - y)
        np.testing.assert_allclose(errors[:, n_trees - 1], expected, rtol=1e-5, atol=1e-6)
    assert latents(model, X).shape == (300, 64)
    fitted = LTAURegressor(wrap(GBR(n_estimators=12, max_depth=2)), random_state=0).fit(X, y)
    assert np.isfinite(fitted.predict_interval(X)).all()


def test_a_pipeline_of_columns_and_a_network_covers():
    X, y = frame(3000, n_categories=5)
    columns = make_column_transformer((OneHotEncoder(), ["code"]), (StandardScaler(), ["x"]))
    network = MLPRegressor(hidden_layer_sizes=(32,), early_stopping=True)
    model = LTAURegressor(make_pipeline(columns, network), random_state=0).fit(X[:1500], y[:1500])
    assert 0.85 < coverage(model.predict_interval(X[1500:]), y[1500:]) < 0.96


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "scikit-learn"])
def test_a_booster_of_one_tree_has_error_bars(name):
    X, y = draw(600)
    if name == "xgboost":
        base = pytest.importorskip("xgboost").XGBRegressor(n_estimators=1, n_jobs=1)
    elif name == "lightgbm":
        base = pytest.importorskip("lightgbm").LGBMRegressor(n_estimators=1, n_jobs=1, verbose=-1)
    else:
        base = HGB(max_iter=1)
    last = np.abs(clone(base).fit(X, y).predict(X) - y)
    errors = error_trajectories(clone(base).fit(X, y), X, y)
    np.testing.assert_allclose(errors, last[:, None], rtol=1e-4, atol=1e-6)
    model = LTAURegressor(base, random_state=0).fit(X, y)
    new, y_new = draw(1000, seed=1)
    assert coverage(model.predict_interval(new), y_new) == pytest.approx(0.9, abs=0.05)


def test_xgboost_of_linear_models_has_its_features_for_latents(data):
    X, y = data
    linear = pytest.importorskip("xgboost").XGBRegressor(booster="gblinear", n_estimators=5)
    np.testing.assert_array_equal(latents(linear.fit(X, y), X), X)
    with pytest.raises(TypeError, match="keeps its stages"):
        error_trajectories(linear, X, y)


# --- folds, groups, and what fit is given besides ------------------------------------


def repeated(n_subjects, seed):
    """Ten measurements of each subject, whose effect no feature tells."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), 10)
    X, effect = rng.normal(size=(n_subjects, 4)), 2 * rng.normal(size=n_subjects)
    y = X[subject, 0] + effect[subject] + 0.1 * rng.normal(size=len(subject))
    return X[subject], y, subject


@pytest.mark.parametrize("cv", [5, GroupKFold(5)])
def test_intervals_cover_new_groups(cv):
    X, y, groups = repeated(150, 0)
    new, y_new, _ = repeated(150, 1)
    model = LTAURegressor(cv=cv, random_state=0).fit(X, y, groups=groups)
    assert 0.8 < coverage(model.predict_interval(new), y_new) < 0.97
    blind = LTAURegressor(random_state=0).fit(X, y)
    assert coverage(blind.predict_interval(new), y_new) < 0.3  # samples of a subject are told apart


def test_folds_may_be_given_as_rows(data):
    X, y = data
    folds = KFold(3, shuffle=True, random_state=5)
    expected = LTAURegressor(Ridge(), cv=folds).fit(X, y).predict_interval(X)
    given = LTAURegressor(Ridge(), cv=list(folds.split(X))).fit(X, y).predict_interval(X)
    np.testing.assert_array_equal(given, expected)


EVEN, ODD = np.arange(0, 300, 2), np.arange(1, 300, 2)


@pytest.mark.parametrize(
    ("cv", "groups", "message"),
    [
        ([(EVEN, ODD)], None, "of 300 samples, 150 are never held out and 0 more than once"),
        ([(EVEN, ODD), (ODD, EVEN), (ODD, EVEN)], None, "0 are never held out and 150 more"),
        ([(EVEN, ODD), (np.arange(300), EVEN)], None, "do not train on what they hold out"),
        (ShuffleSplit(3, random_state=0), None, "hold each sample out once"),
        (KFold(3, shuffle=True, random_state=0), np.arange(300) // 10, "keep groups together"),
        (GroupKFold(3), None, "'groups' parameter should not be None"),
        (5, np.arange(299), r"groups of shape \(300,\)"),
        (5, np.zeros(300, int), "greater than the number of groups"),
    ],
)
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
def test_folds_that_would_not_be_honest_are_refused(data, cv, groups, message):
    with pytest.raises(ValueError, match=message):
        LTAURegressor(Ridge(), cv=cv).fit(*data, groups=groups)


class Recorder(RegressorMixin, BaseEstimator):
    """Remembers what each training was given."""

    calls: list = []  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, eval_X=None, note=None):
        self.calls.append((X[:, 0].copy(), sample_weight, eval_X, note))
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def test_each_fold_gets_its_rows_of_the_weights_and_all_of_what_is_for_validation(data):
    X, y = data
    Recorder.calls.clear()
    validation, note = X[::-1].copy(), ["whole"]
    LTAURegressor(Recorder(), cv=3).fit(X, y, sample_weight=X[:, 0], eval_X=validation, note=note)
    assert [len(rows) for rows, *_ in Recorder.calls] == [300, 200, 200, 200]
    for rows, weights, given, told in Recorder.calls:
        np.testing.assert_array_equal(weights, rows)
        assert given is validation
        assert told is note


def test_weights_are_those_of_the_regressor_alone(data):
    X, y = data
    weights = np.random.default_rng(0).uniform(0, 5, 300)
    model = LTAURegressor(Ridge()).fit(X, y, sample_weight=weights)
    expected = Ridge().fit(X, y, sample_weight=weights).predict(X)
    np.testing.assert_array_equal(model.predict(X), expected)
    pipeline = LTAURegressor(make_pipeline(Ridge())).fit(X, y, ridge__sample_weight=weights)
    np.testing.assert_array_equal(pipeline.predict(X), expected)


def test_a_booster_that_stops_early_is_given_its_validation_set():
    X, y = draw(600)
    held_out = draw(300, seed=1)
    xgboost = pytest.importorskip("xgboost")
    base = xgboost.XGBRegressor(n_estimators=300, early_stopping_rounds=5, n_jobs=1)
    given = {"eval_set": [held_out], "verbose": False}
    model = LTAURegressor(base, random_state=0).fit(X, y, **given)
    alone = clone(base).set_params(random_state=0).fit(X, y, **given)
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))
    assert model.estimator_.best_iteration < 200
    new, y_new = draw(2000, seed=2)
    assert coverage(model.predict_interval(new), y_new) == pytest.approx(0.9, abs=0.04)


def test_metadata_is_routed(data):
    X, y = data
    weights = np.random.default_rng(0).uniform(0, 5, 300)
    groups = np.arange(300) // 10
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = make_pipeline(PCA(), Ridge().set_fit_request(sample_weight=True))
        model = LTAURegressor(weighted).set_fit_request(groups=True)
        fitted = clone(model).fit(X, y, sample_weight=weights, groups=groups)
        alone = clone(weighted).fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))
        given = {"sample_weight": weights, "groups": groups}
        model.set_score_request(sample_weight=True)
        folds = list(GroupKFold(3).split(X, y, groups))
        scores = cross_validate(model, X, y, params=given, cv=GroupKFold(3))["test_score"]
        expected = [
            r2_score(
                y[new],
                clone(weighted).fit(X[a], y[a], sample_weight=weights[a]).predict(X[new]),
                sample_weight=weights[new],
            )
            for a, new in folds
        ]
        np.testing.assert_allclose(scores, expected)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            LTAURegressor(Ridge()).fit(X, y, sample_weight=weights)


# --- what it tells ------------------------------------------------------------------


def test_at_the_end_of_a_pipeline_intervals_come_with_the_prediction(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), LTAURegressor(HGB(max_iter=20))).fit(X, y)
    y_pred, y_std, interval = pipeline.predict(X, return_std=True, level=0.8)
    scaled, last = pipeline[0].transform(X), pipeline[-1]
    np.testing.assert_array_equal(y_pred, last.predict(scaled))
    np.testing.assert_array_equal(y_std, last.predict(scaled, return_std=True)[1])
    np.testing.assert_array_equal(interval, last.predict_interval(scaled, 0.8))
    np.testing.assert_array_equal(pipeline.predict(X, level=0.8)[1], interval)


def test_a_search_over_the_estimator_of_errors_looks_at_the_error_bars():
    X, y = draw(400)
    model = LTAURegressor(HGB(max_iter=20), ltau=LTAUEstimator(20, scaling="none"), cv=3)
    folds, grid = KFold(3), {"ltau__n_neighbors": np.array([2, 40])}
    search = GridSearchCV(model, grid, scoring=LTAURegressor.score_errors, cv=folds).fit(X, y)
    expected = []
    for k in (2, 40):
        scores = []
        for seen, new in folds.split(X):
            fitted = clone(model).set_params(ltau__n_neighbors=k).fit(X[seen], y[seen])
            errors = np.abs(fitted.predict(X[new]) - y[new])
            scores.append(-fitted.predict_distribution(X[new]).crps(errors[:, None]).mean())
        expected.append(np.mean(scores))
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)
    assert expected[0] != expected[1]
    assert search.best_params_["ltau__n_neighbors"] == (2, 40)[np.argmax(expected)]


def test_samples_from_outside_are_told():
    X, y = draw(500)
    model = LTAURegressor(Ridge()).fit(X, y)
    inside, outside = draw(500, seed=1)[0], draw(50, seed=2)[0] + 4
    assert np.median(model.ood_score(inside)) == pytest.approx(1, abs=0.2)
    assert model.ood_score(outside).min() > 3
    assert model.predict_ood(outside).all()
    assert model.predict_ood(inside, false_positive_rate=0.1).mean() == pytest.approx(0.1, abs=0.06)


def test_a_calibration_on_other_samples_takes_the_place_of_that_on_folds():
    X, y = draw(600)
    model = LTAURegressor(HGB(max_iter=40)).fit(X, y)
    there, new = draw(400, seed=1), draw(1000, seed=2)
    noisier = [y + np.random.default_rng(3).normal(size=len(y)) for _, y in (there, new)]
    assert coverage(model.predict_interval(new[0]), noisier[1]) < 0.8
    assert model.calibrate(there[0], noisier[0]) is model
    assert coverage(model.predict_interval(new[0]), noisier[1]) == pytest.approx(0.9, abs=0.05)


def test_each_output_has_the_error_bars_that_it_would_have_alone(data):
    X, first = data
    y = np.stack([first, 100 * X[:, 2] + 30 * first**2], axis=1)
    model = LTAURegressor(LinearRegression()).fit(X, y)
    _, std, interval = model.predict(X, return_std=True, level=0.9)
    assert std.shape == (300, 2)
    assert interval.shape == (300, 2, 2)
    for i in (0, 1):
        alone = LTAURegressor(LinearRegression()).fit(X, y[:, i])
        np.testing.assert_allclose(interval[:, i], alone.predict_interval(X), rtol=1e-4)
        np.testing.assert_allclose(std[:, i], alone.predict(X, return_std=True)[1], rtol=1e-4)
        mean = model.predict_distribution(X)[i].mean()
        np.testing.assert_allclose(mean, alone.predict_distribution(X).mean(), rtol=1e-4)
    np.testing.assert_allclose(model.ood_score(X), alone.ood_score(X), rtol=1e-6)
    recalibrated = model.calibrate(X, y).predict_interval(X)
    np.testing.assert_allclose(
        recalibrated[:, 1], alone.calibrate(X, y[:, 1]).predict_interval(X), rtol=1e-4
    )
    one_by_one = [
        -LTAURegressor(LinearRegression()).fit(X, y[:, i]).score_errors(X, y[:, i]) for i in (0, 1)
    ]
    fresh = LTAURegressor(LinearRegression()).fit(X, y)
    assert -fresh.score_errors(X, y) == pytest.approx(np.mean(one_by_one), rel=1e-4)


def test_a_summary_has_the_numbers_of_each_output_and_the_index_of_the_frame(data):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(data[0], columns=["a", "b", "c"]).rename("sample {}".format)
    model = LTAURegressor(LinearRegression()).fit(X, np.stack([data[1], 9 * data[1]], axis=1))
    for i, summary in enumerate(model.predict_summary(X, level=0.8)):
        pd.testing.assert_index_equal(summary.to_frame().index, X.index)
        errors = model.predict_distribution(X)[i]
        np.testing.assert_allclose(summary.expected_error, errors.mean(), rtol=1e-5)
        half_width = np.ptp(model.predict_interval(X, 0.8)[:, i], axis=1) / 2
        np.testing.assert_allclose(summary.error_bar, half_width, rtol=1e-5)
        np.testing.assert_allclose(summary.ood_score, model.ood_score(X), rtol=1e-5)
    alone = LTAURegressor(LinearRegression()).fit(X, data[1]).predict_summary(X)
    assert alone.to_frame().shape == (300, 3)


def test_two_outputs_of_trees_are_covered():
    X, y = draw(1500)
    y = np.stack([y, np.random.default_rng(5).normal(size=1500)], axis=1)
    model = LTAURegressor(RandomForestRegressor(30, min_samples_leaf=3)).fit(X[:700], y[:700])
    np.testing.assert_allclose(coverage(model.predict_interval(X[700:]), y[700:]), 0.9, atol=0.04)


def test_targets_in_a_column_are_one_output(data):
    X, y = data
    with pytest.warns(sklearn.exceptions.DataConversionWarning):
        model = LTAURegressor(Ridge()).fit(X, y[:, None])
    np.testing.assert_array_equal(
        model.predict_interval(X), LTAURegressor(Ridge()).fit(X, y).predict_interval(X)
    )
