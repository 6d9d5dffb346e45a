"""Models that learn in stages, against what their libraries and their own parts say."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.base import clone
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ltau import LTAUEstimator
from ltau.adapters.sklearn import (
    LatentSpace,
    LTAURegressor,
    error_trajectories,
    fit_with_errors,
    latents,
)
from ltau.adapters.sklearn._trees import trees_of as wrap

HGB, GBR = HistGradientBoostingRegressor, GradientBoostingRegressor


def xgb(**params):
    return pytest.importorskip("xgboost").XGBRegressor(n_jobs=1, **params)


def lgbm(**params):
    return pytest.importorskip("lightgbm").LGBMRegressor(n_jobs=1, verbose=-1, **params)


# Each makes an untrained model of so many trees, of at most eight leaves.
BOOSTED = {
    "GradientBoosting": lambda n: GBR(n_estimators=n, max_leaf_nodes=8, random_state=0),
    "HistGradientBoosting": lambda n: HGB(max_iter=n, max_leaf_nodes=8, random_state=0),
    "XGBoost": lambda n: xgb(n_estimators=n, max_depth=3),
    "LightGBM": lambda n: lgbm(n_estimators=n, num_leaves=8),
}
boosted = pytest.mark.parametrize("make", BOOSTED.values(), ids=BOOSTED.keys())


def draw(n, seed=0):
    """Features, and targets whose noise grows along the second feature."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 3))
    y = np.sin(3 * X[:, 0]) + 0.3 * np.exp(1.5 * X[:, 1]) * rng.normal(size=n)
    return X, y


@pytest.fixture(scope="module")
def data():
    return draw(300)


@parametrize_with_checks(
    [
        LTAURegressor(),
        LTAURegressor(GBR(n_estimators=5), ltau=LTAUEstimator(3), cv=2),
        LTAURegressor(SGDRegressor(max_iter=5, tol=None), cv=2),
    ]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


# --- trajectories of boosted models -------------------------------------------------


@boosted
def test_each_stage_is_the_model_with_so_many_trees(data, make):
    X, y = data
    errors = error_trajectories(make(30).fit(X, y), X, y)
    assert errors.shape == (300, 30)
    assert errors.dtype == np.float32
    for n_trees in (1, 7, 30):
        expected = np.abs(make(n_trees).fit(X, y).predict(X) - y)
        np.testing.assert_allclose(errors[:, n_trees - 1], expected, rtol=1e-3, atol=1e-5)


@boosted
def test_of_many_stages_some_are_taken_and_the_last_is_among_them(data, make):
    X, y = data
    model = make(30).fit(X, y)
    few = error_trajectories(model, X, y, max_stages=4)
    np.testing.assert_array_equal(few, error_trajectories(model, X, y)[:, [6, 14, 21, 29]])


def test_targets_in_a_column_are_the_same_targets(data):
    X, y = data
    model = GBR(n_estimators=5).fit(X, y)
    column = error_trajectories(model, X, y[:, None])
    np.testing.assert_array_equal(column, error_trajectories(model, X, y))


def early(kind, X, y):
    """Fit a model that stops early, and give it with the number of trees that it uses."""
    held_out = draw(200, seed=1)
    if kind == "XGBoost":
        model = xgb(n_estimators=300, early_stopping_rounds=5)
        model.fit(X, y, eval_set=[held_out], verbose=False)
        return model, model.best_iteration + 1
    if kind == "LightGBM":
        model = lgbm(n_estimators=300)
        stop = pytest.importorskip("lightgbm").early_stopping(5, verbose=False)
        model.fit(X, y, eval_X=held_out[0], eval_y=held_out[1], callbacks=[stop])
        return model, model.best_iteration_
    if kind == "GradientBoosting":
        model = GBR(n_estimators=300, n_iter_no_change=5, random_state=0).fit(X, y)
        return model, len(model.estimators_)
    model = HGB(max_iter=300, early_stopping=True, random_state=0).fit(X, y)
    return model, len(model.validation_score_) - 1  # the first is that before any tree


@pytest.mark.parametrize("kind", BOOSTED)
def test_a_model_that_stopped_early_has_the_stages_that_it_predicts_with(data, kind):
    X, y = data
    model, n_trees = early(kind, X, y)
    assert 1 < n_trees < 300
    errors = error_trajectories(model, X, y, max_stages=1000)
    assert errors.shape == (300, n_trees)
    np.testing.assert_allclose(errors[:, -1], np.abs(model.predict(X) - y), rtol=1e-4, atol=1e-6)


# --- trajectories of models that learn by passes ------------------------------------


class Recording(SGDRegressor):
    """Remembers in which order it was shown the samples."""

    def partial_fit(self, X, y):
        if not hasattr(self, "seen"):
            self.seen = []
        self.seen.append(X[:, 0].copy())
        return super().partial_fit(X, y)


@pytest.mark.parametrize(
    "model", [SGDRegressor(random_state=0), MLPRegressor(hidden_layer_sizes=(8, 4), random_state=0)]
)
def test_errors_are_those_after_each_pass(data, model):
    X, y = data
    errors = fit_with_errors(model, X, y, n_epochs=4, random_state=3)
    by_hand, rng = clone(model), np.random.RandomState(3)
    for epoch in range(4):
        order = rng.permutation(300)
        by_hand.partial_fit(X[order], y[order])
        expected = np.abs(by_hand.predict(X) - y)
        np.testing.assert_allclose(errors[:, epoch], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(model.predict(X), by_hand.predict(X))


def test_every_pass_shows_all_samples_in_a_new_order(data):
    X, y = data
    model = Recording(random_state=0)
    fit_with_errors(model, X, y, n_epochs=3, random_state=0)
    assert all(set(seen) == set(X[:, 0]) for seen in model.seen)
    assert len({tuple(seen) for seen in model.seen}) == 3


def test_a_fitted_model_goes_on_learning_from_where_it_is(data):
    X, y = data
    model = SGDRegressor(random_state=0).fit(X, y)
    n_updates = model.t_
    fit_with_errors(model, X, y, n_epochs=2)
    assert model.t_ == n_updates + 2 * len(X)


def test_the_number_of_passes_is_the_models_own_if_none_is_given(data):
    assert fit_with_errors(SGDRegressor(max_iter=6), *data).shape == (300, 6)


def test_the_error_of_several_outputs_is_their_norm(data):
    X, y = data
    targets = np.stack([y, X[:, 0]], axis=1)
    model = MLPRegressor(hidden_layer_sizes=(8,), random_state=0)
    errors = fit_with_errors(model, X, targets, n_epochs=2)
    expected = np.linalg.norm(model.predict(X) - targets, axis=1)
    np.testing.assert_allclose(errors[:, -1], expected, rtol=1e-6)


def test_data_frames_keep_the_names_of_their_features(data):
    pd = pytest.importorskip("pandas")
    X, y = pd.DataFrame(data[0], columns=["a", "b", "c"]), data[1]
    model = MLPRegressor(hidden_layer_sizes=(8,), random_state=0)
    fit_with_errors(model, X, y, n_epochs=2)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert latents(model, X).shape == (300, 8)  # and no warning of missing names


# --- latents ------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("layers", [(6,), (8, 5)])
def test_the_output_layer_makes_the_prediction_of_a_networks_latents(data, activation, layers):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=layers, activation=activation, random_state=0)
    fit_with_errors(model, X, y, n_epochs=5)
    z = latents(model, X)
    assert z.shape == (300, layers[-1])
    assert z.dtype == np.float32
    prediction = z @ model.coefs_[-1] + model.intercepts_[-1]
    np.testing.assert_allclose(prediction[:, 0], model.predict(X), rtol=1e-4, atol=1e-5)


def test_the_latents_of_a_model_without_a_view_of_its_own_are_the_features(data):
    X, y = data
    for model in (SGDRegressor(random_state=0), Ridge()):
        np.testing.assert_array_equal(latents(model.fit(X, y), X), X)


def leaf_marks(model, X):
    """Numbers that are equal for two samples in one leaf, one row a tree; by other ways."""
    if isinstance(model, GBR):
        return np.array([t.tree_.apply(X.astype(np.float32)) for t in model.estimators_[:, 0]])
    if isinstance(model, HGB):  # what each tree adds
        return np.diff([*model.staged_predict(X)], axis=0, prepend=0.0)
    if type(model).__name__ == "XGBRegressor":
        alone = ((t, t + 1) for t in range(model.n_estimators))
        return np.array([model.predict(X, iteration_range=tree) for tree in alone])
    return np.diff(
        [model.predict(X, num_iteration=t) for t in range(1, model.n_estimators_ + 1)],
        axis=0,
        prepend=0.0,
    )


@boosted
def test_squared_distances_are_the_share_of_trees_with_different_leaves(data, make):
    X, y = data
    model = make(200).fit(X, y)
    X = X[:150]
    z = latents(model, X)
    assert z.shape == (150, 64)
    squared = ((z[:, None] - z) ** 2).sum(axis=2)
    marks = leaf_marks(model, X)
    share = 1 - np.isclose(marks[:, :, None], marks[:, None], atol=1e-9, rtol=1e-5).mean(axis=0)
    np.testing.assert_allclose(squared[share == 0], 0, atol=1e-6)
    apart = share > 0
    ratio = squared[apart] / share[apart]
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert ratio.std() < 1.3 * np.sqrt(2 / 64)  # as the docstring says, with some slack


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma"])
def test_leaves_of_hist_gradient_boosting_are_told_apart_in_spite_of_rounding(data, loss):
    X, y = data
    y = 1e5 + np.exp(y)  # contributions are small beside the prediction
    model = HGB(loss=loss, max_iter=50, max_leaf_nodes=8).fit(X, y)
    n_leaves = [len(np.unique(names)) for names in wrap(model).leaves(X).T]
    assert max(n_leaves) == 8
    assert np.mean(n_leaves) > 6  # nor are they merged


@boosted
def test_latents_of_a_sample_do_not_depend_on_the_others(data, make):
    X, y = data
    model = make(20).fit(X, y)
    together = latents(model, X)
    np.testing.assert_array_equal(latents(model, X[7:8]), together[7:8])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(latents(again, X), together)


# --- the regressor with error bars --------------------------------------------------


def folds_by_hand(base, X, y, seed, cv=3):
    """A model of each fold, what it has seen, and what it has not."""
    for seen, held_out in KFold(cv, shuffle=True, random_state=seed).split(X):
        yield clone(base).fit(X[seen], y[seen]), seen, held_out


def errors_by_hand(base, X, y, seed):
    errors = np.empty((len(X), base.n_estimators))
    for model, _, held_out in folds_by_hand(base, X, y, seed):
        staged = model.staged_predict(X[held_out])
        errors[held_out] = np.abs(np.array([*staged]).T - y[held_out, None])
    return errors


def test_errors_come_from_models_that_have_not_seen_the_sample(data):
    X, y = data
    base = GBR(n_estimators=30, random_state=0)
    model = LTAURegressor(base, ltau=LTAUEstimator(7), cv=3, random_state=4).fit(X, y)
    final = clone(base).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), final.predict(X))
    space = LatentSpace(final, X)
    expected = LTAUEstimator(7).fit(space.latents(X), errors_by_hand(base, X, y, 4), targets=y)
    new = draw(50, seed=1)[0]
    known = {"X": space.latents(new), "y_pred": final.predict(new)}
    pdf = model.ltau_.reset_calibration().predict_pdf(**known)
    np.testing.assert_allclose(pdf, expected.predict_pdf(**known), rtol=1e-5, atol=1e-12)


def held_out_by_hand(base, ltau, X, y, seed):
    """What each fold's estimator predicts of samples that it has not seen, and their errors."""
    errors = errors_by_hand(base, X, y, seed)
    for model, seen, held_out in folds_by_hand(base, X, y, seed):
        space = LatentSpace(model, X[seen])
        estimator = clone(ltau).fit(space.latents(X[seen]), errors[seen], targets=y[seen])
        y_pred = model.predict(X[held_out])
        predicted = estimator.predict_distribution(space.latents(X[held_out]), y_pred=y_pred)
        yield predicted, np.abs(y_pred - y[held_out])


def test_the_calibration_fits_what_models_and_estimators_have_not_seen(data):
    X, y = data
    base = GBR(n_estimators=30, random_state=0)
    ltau = LTAUEstimator(20, burn_in=0, scaling="none")
    model = LTAURegressor(base, ltau=ltau, cv=3, random_state=4).fit(X, y)
    judged = list(held_out_by_hand(base, ltau, X, y, 4))
    scales = np.geomspace(0.3, 1.2, 200)
    crps = [[p.scaled(s).crps(e[:, None]).mean() for s in scales] for p, e in judged]
    best = np.exp(np.log(scales[np.argmin(crps, axis=1)]).mean())
    calibration = model.ltau_.calibration_
    assert best < 0.9  # errors of the first stages are far too large
    assert calibration.scale == pytest.approx(best, rel=0.01)
    assert calibration.exponent == ltau.distance_scaling
    for q in (0.5, 0.9):
        (level,) = calibration.levels(q)
        stretch = calibration.scale * max(level, 1)  # above 1 it is a factor of the largest error
        covered = [(e <= p.scaled(stretch).quantile(min(level, 1))).sum() for p, e in judged]
        assert sum(covered) == pytest.approx(np.ceil(301 * q), abs=1)  # one is at the bound


def test_an_estimator_that_starts_from_the_wrong_scale_is_put_right():
    X, y = draw(2000)
    new, y_new = draw(2000, seed=1)
    y, y_new = y + 10 * X[:, 0], y_new + 10 * new[:, 0]  # off by 10 at first
    model = LTAURegressor(HGB(max_iter=60), ltau=LTAUEstimator(20, burn_in=0)).fit(X, y)
    low, high = binomial_bounds(2000, 0.9, slack=0.05)
    assert low <= inside(model, new, y_new, 0.9) <= high
    model.ltau_.reset_calibration()
    assert not low <= inside(model, new, y_new, 0.9) <= high


def test_a_prediction_far_from_the_targets_nearby_is_trusted_less_beyond_the_domain():
    X, y = draw(500)
    base = MLPRegressor(
        hidden_layer_sizes=(16,), max_iter=2000, learning_rate_init=0.01, random_state=0
    )
    model = LTAURegressor(base).fit(X, y)
    z = latents(model.estimator_, [[5.0, 0.0, 0.0]])
    assert model.ltau_.ood_score(z) > 2
    _, rows = model.ltau_.kneighbors(z)
    near = y[rows].mean(axis=1)
    few, many = (model.ltau_.predict(z, y_pred=near + shift) for shift in (0.0, 10.0))
    assert many > 2 * few
    error = model.predict_distribution([[5.0, 0.0, 0.0]]).mean()
    expected = model.ltau_.predict(z, y_pred=model.predict([[5.0, 0.0, 0.0]]))
    np.testing.assert_allclose(error, expected, rtol=1e-6)


@pytest.mark.parametrize("ltau", [None, LTAUEstimator(10), LTAUEstimator(3, n_prototypes=10)])
def test_folds_may_have_fewer_samples_than_the_estimator_asks_for(ltau):
    X, y = draw(10)
    model = LTAURegressor(SGDRegressor(max_iter=5, tol=None), ltau=ltau, cv=2).fit(X, y)
    assert model.ltau_.n_neighbors == (10 if ltau is None else ltau.n_neighbors)
    assert np.isfinite(model.predict(X, return_std=True)[1]).all()


def test_the_standard_deviation_is_the_root_of_the_expected_squared_error(data):
    X, _ = draw(20, seed=1)
    model = LTAURegressor(random_state=0).fit(*data)
    prediction, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(prediction, model.predict(X))
    levels = (np.arange(20_000) + 0.5) / 20_000
    expected = np.sqrt((model.predict_distribution(X).quantile(levels) ** 2).mean(axis=1))
    np.testing.assert_allclose(std, expected, rtol=1e-3)


def test_intervals_reach_as_far_as_the_error(data):
    X, _ = draw(20, seed=1)
    model = LTAURegressor(random_state=0).fit(*data)
    interval = model.predict_interval(X, level=0.7)
    z, y_pred = model.space_.latents(X), model.predict(X)
    half_width = model.ltau_.predict_quantile(z, 0.7, y_pred=y_pred)
    np.testing.assert_allclose(interval.mean(axis=1), model.predict(X))
    np.testing.assert_allclose(np.diff(interval, axis=1)[:, 0], 2 * half_width)
    np.testing.assert_array_equal(model.predict_interval(X), model.predict_interval(X, 0.9))


def inside(model, X, y, level):
    low, high = model.predict_interval(X, level).T
    return int(((low <= y) & (y <= high)).sum())


def binomial_bounds(n, level, slack=0.0):
    """Counts that hold with 99.9 % where the true coverage is within slack of the level."""
    return binom.ppf(0.0005, n, level - slack), binom.ppf(0.9995, n, level + slack)


BASES = {
    "default": lambda: None,
    "GradientBoosting": lambda: GBR(),
    "XGBoost": lambda: xgb(n_estimators=50),
    "LightGBM": lambda: lgbm(n_estimators=50),
    "RandomForest": lambda: RandomForestRegressor(50, min_samples_leaf=3),
    "MLP": lambda: MLPRegressor(hidden_layer_sizes=(32, 32), batch_size=50, early_stopping=True),
    "Ridge": lambda: Ridge(),
    "SGD": lambda: SGDRegressor(max_iter=20, tol=None),
}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
def test_error_bars_hold_on_new_samples_and_tell_where_the_noise_is(base):
    X, y = draw(2000)
    new, y_new = draw(2000, seed=1)
    model = LTAURegressor(base(), random_state=0).fit(X, y)
    for level in (0.5, 0.9):
        low, high = binomial_bounds(2000, level, slack=0.05)  # trees learn the noise as well
        assert low <= inside(model, new, y_new, level) <= high
    _, std = model.predict(new, return_std=True)
    noisy, quiet = std[new[:, 1] > 0.5].mean(), std[new[:, 1] < -0.5].mean()
    assert noisy > 1.5 * quiet


def test_the_errors_of_models_that_stopped_at_different_stages_end_with_the_last_one():
    X, y = draw(400)
    base = HGB(early_stopping=True, n_iter_no_change=2, learning_rate=0.3, random_state=0)
    model = LTAURegressor(base, ltau=LTAUEstimator(1), random_state=0)
    n_stages, last = [], np.empty(400)
    for seen, held_out in KFold(5, shuffle=True, random_state=0).split(X):
        fold = clone(base).fit(X[seen], y[seen])
        n_stages.append(fold.n_iter_)
        last[held_out] = np.abs(fold.predict(X[held_out]) - y[held_out])
    assert len(set(n_stages)) > 1
    model.set_params(ltau__burn_in=max(n_stages) - 1).fit(X, y)  # leaves the last one alone
    model.ltau_.reset_calibration()
    edges = model.ltau_.bin_edges_
    assert edges[-1] == pytest.approx(last.max(), rel=1e-6)
    _, nearest = model.ltau_.kneighbors(model.space_.latents(X))
    bins = np.searchsorted(edges, last[nearest[:, 0]].astype(np.float32)) - 1
    found = model.predict_distribution(X).probabilities.argmax(axis=1)
    assert (np.abs(found - bins) <= 1).all()  # in the last digit of an edge


def test_missing_values_pass_to_a_regressor_that_takes_them(data):
    X, y = data[0].copy(), data[1]
    X[::7, 2] = np.nan
    LTAURegressor(random_state=0).fit(X, y).predict(X, return_std=True)
    with pytest.raises(ValueError, match="contains NaN"):
        LTAURegressor(GBR()).fit(X, y)


def test_a_seed_makes_everything_repeatable(data):
    X, y = data

    def run(**seed):
        base = make_pipeline(StandardScaler(), RandomForestRegressor(5))
        return LTAURegressor(base, **seed).fit(X, y).predict(X, return_std=True)

    np.testing.assert_array_equal(run(), run())  # there is one by default
    assert not np.array_equal(run(), run(random_state=1))
    assert not np.array_equal(run(random_state=None), run(random_state=None))


def test_works_in_scikit_learns_machinery(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), LTAURegressor(GBR(n_estimators=10), random_state=0))
    grid = {
        "ltauregressor__estimator__n_estimators": [1, 20],
        "ltauregressor__ltau": [LTAUEstimator(5)],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["ltauregressor__estimator__n_estimators"] == 20
    _, std = search.best_estimator_.predict(X, return_std=True)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X, return_std=True)[1], std)


# --- bad input ----------------------------------------------------------------------


def test_a_model_that_keeps_no_stages_is_refused(data):
    forest = RandomForestRegressor(n_estimators=2).fit(*data)
    with pytest.raises(TypeError, match="keeps its stages, boosted trees; got RandomForestRegr"):
        error_trajectories(forest, *data)
    with pytest.raises(TypeError, match="MLPRegressor or SGDRegressor; got RandomForestRegressor"):
        fit_with_errors(forest, *data)


def test_each_kind_of_model_is_sent_to_its_own_function(data):
    with pytest.raises(TypeError, match="Train MLPRegressor and SGDRegressor with fit_with_errors"):
        error_trajectories(SGDRegressor().fit(*data), *data)
    with pytest.raises(TypeError, match="Fit boosted trees, then call error_trajectories"):
        fit_with_errors(HGB(), *data)


@pytest.mark.parametrize("model", [HGB(), GBR(), SGDRegressor(), MLPRegressor()])
def test_latents_of_a_model_that_is_not_fitted_are_refused(data, model):
    with pytest.raises(NotFittedError):
        latents(model, data[0])


@pytest.mark.parametrize("model", [HGB(), GBR()])
def test_trajectories_of_a_model_that_is_not_fitted_are_refused(data, model):
    with pytest.raises(NotFittedError):
        error_trajectories(model, *data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(299)}, "inconsistent numbers of samples"),
        ({"y": np.full(300, np.nan)}, "y contains NaN"),
        ({"y": np.zeros((300, 2))}, r"shape \(300,\), .*got \(300, 2\)"),
        ({"max_stages": 0}, "max_stages >= 1, got 0"),
    ],
)
def test_trajectories_of_what_does_not_fit_are_refused(data, change, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        error_trajectories(GBR(n_estimators=2).fit(X, y), **{"X": X, "y": y} | change)


@pytest.mark.parametrize(
    ("model", "n_epochs", "message"),
    [
        (SGDRegressor(), 0, "n_epochs >= 1, got 0"),
        (MLPRegressor(solver="lbfgs"), 2, "which learn by passes; got 'lbfgs'"),
        (MLPRegressor(early_stopping=True), 2, "does not support early_stopping=True"),
    ],
)
def test_passes_that_a_model_cannot_make_are_refused(data, model, n_epochs, message):
    with pytest.raises(ValueError, match=message):
        fit_with_errors(model, *data, n_epochs=n_epochs)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": 301}, "n_splits=301 greater than the number of samples"),
        ({"estimator": "boosting"}, "'estimator' parameter"),
        ({"ltau": GBR()}, "'ltau' parameter"),
        ({"ltau": LTAUEstimator(301)}, "300"),
    ],
)
def test_parameters_of_the_regressor_that_make_no_sense_are_refused(data, params, message):
    with pytest.raises(ValueError, match=message):
        LTAURegressor(**{"estimator": GBR(n_estimators=2)} | params).fit(*data)


def test_optional_libraries_are_not_imported():
    code = (
        "import sys, ltau.adapters.sklearn; assert not {'xgboost', 'lightgbm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- real data ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["concrete", "airfoil", "wine"])
def test_on_real_data_held_out_errors_cover_what_training_errors_do_not(data_dir, name):
    file = data_dir / "uci" / name / "data.csv.gz"
    if not file.is_file():
        pytest.skip(f"no file {file}")
    table = np.loadtxt(file, delimiter=",")
    X, new, y, y_new = train_test_split(table[:, :-1], table[:, -1], random_state=0)
    model = LTAURegressor(random_state=0).fit(X, y)
    for level in (0.5, 0.9):
        low, high = binomial_bounds(len(new), level, slack=0.05)
        assert low <= inside(model, new, y_new, level) <= high
    naive = LTAUEstimator(20, burn_in=2 / 3)
    naive.fit(latents(model.estimator_, X), error_trajectories(model.estimator_, X, y))
    interval = naive.predict_interval(latents(model.estimator_, new), model.predict(new), 0.9)
    covered = ((interval[:, 0] <= y_new) & (y_new <= interval[:, 1])).sum()
    assert covered < binomial_bounds(len(new), 0.9)[0]


def test_masked_values_are_missing(data):
    X, y = data[0][:100], data[1][:100]
    hidden = np.ma.masked_array(X, np.zeros(X.shape, bool))
    hidden[:50, 0] = np.ma.masked
    nan = np.where(hidden.mask, np.nan, X)
    settings = {"random_state": 0}
    masked = LTAURegressor(**settings).fit(hidden, y)
    np.testing.assert_array_equal(
        masked.predict_interval(hidden), LTAURegressor(**settings).fit(nan, y).predict_interval(nan)
    )
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LTAURegressor(Ridge()).fit(hidden, y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        LTAURegressor(**settings).fit(X, np.ma.masked_array(y, y > 0))
    trained = masked.estimator_
    with pytest.raises(ValueError, match="Input y contains NaN"):
        error_trajectories(trained, X, np.ma.masked_array(y, y > 0))


ARRAY_API = """
import numpy as np
import sklearn
import torch
from ltau.adapters.sklearn import LTAURegressor

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
expected = LTAURegressor(random_state=0).fit(X, y).predict(X, return_std=True)
with sklearn.config_context(array_api_dispatch=True):
    for of in (np.asarray, torch.tensor):
        model = LTAURegressor(random_state=0).fit(of(X), of(y))
        np.testing.assert_array_equal(model.predict(of(X), return_std=True), expected)
"""


def test_tensors_are_taken_where_scikit_learn_dispatches_them():
    pytest.importorskip("torch")
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}  # asked for before SciPy is imported
    run = [sys.executable, "-c", ARRAY_API]
    subprocess.run(run, check=True, env=environment, capture_output=True, text=True)
