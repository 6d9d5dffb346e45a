"""The space of trees: their leaves, and beside them the features, which show what lies beyond."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import binom
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from ltau.adapters.sklearn import LatentSpace, LTAURegressor, latents
from ltau.adapters.sklearn._features import Features

HGB = HistGradientBoostingRegressor


def xgb(**params):
    return pytest.importorskip("xgboost").XGBRegressor(n_estimators=30, n_jobs=1, **params)


def lgbm(**params):
    kind = pytest.importorskip("lightgbm").LGBMRegressor
    return kind(n_estimators=30, n_jobs=1, verbose=-1, **params)


TREES = {
    "default": lambda: None,
    "GradientBoosting": lambda: GradientBoostingRegressor(n_estimators=30),
    "XGBoost": xgb,
    "LightGBM": lgbm,
    "RandomForest": lambda: RandomForestRegressor(30),
    "ExtraTrees": lambda: ExtraTreesRegressor(30),
    "DecisionTree": lambda: DecisionTreeRegressor(min_samples_leaf=5),
    "stump": lambda: HGB(max_iter=1, max_leaf_nodes=2),
    "pipeline": lambda: make_pipeline(StandardScaler(), HGB(max_iter=30)),
    "target": lambda: TransformedTargetRegressor(HGB(max_iter=30), transformer=StandardScaler()),
    "search": lambda: GridSearchCV(HGB(max_iter=30), {"max_depth": [3]}, cv=2),
}
trees = pytest.mark.parametrize("make", TREES.values(), ids=TREES.keys())


def draw(n, seed=0):
    """Three features, of which the target does not depend on the last."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 3))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] + 0.1 * rng.normal(size=n)


@pytest.fixture(scope="module")
def data():
    return draw(600)


def of_features(space, X):
    """The columns that stand for the features, without the weight that they have."""
    return space.latents(X)[:, 64:]


def weight(features, model, X):
    """The weight at which features vary as much as the leaves."""
    return np.sqrt(latents(model, X).var(axis=0).sum() / features.var(axis=0).sum())


def assert_few_are_outside(model, X):
    """As many as 5 % allow, of a forest and of a training set that are themselves drawn."""
    assert model.predict_ood(X).sum() <= binom.ppf(0.9995, len(X), 0.08)


# --- what it is ---------------------------------------------------------------------


def test_beside_the_leaves_are_standardised_features_that_vary_as_much(data):
    X, y = data
    model = HGB(max_iter=30, random_state=0).fit(X, y)
    z = LatentSpace(model, X).latents(X)
    leaves, features = latents(model, X), StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(z[:, :64], leaves)
    np.testing.assert_allclose(z[:, 64:67], weight(features, model, X) * features, rtol=1e-4)
    assert z[:, 64:].var(axis=0).sum() == pytest.approx(leaves.var(axis=0).sum(), rel=1e-4)
    np.testing.assert_array_equal(z[:, 67], 0)


def test_categories_and_gaps_are_one_hot(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    rng = np.random.default_rng(0)
    gaps, site = rng.random(600) < 0.2, rng.choice(["north", "south", "west"], 600)
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(site=pd.Categorical(site))
    frame.loc[gaps, "b"] = np.nan
    model = HGB(max_iter=30, categorical_features="from_dtype", random_state=0).fit(frame, y)
    numbers = StandardScaler().fit_transform(frame[["a", "b", "c"]])
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(site[:, None])
    features = np.column_stack([np.nan_to_num(numbers), gaps, one_hot, np.zeros(600)])
    found = of_features(LatentSpace(model, frame), frame)
    expected = weight(features, model, frame) * features
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_of_other_models_it_is_their_view(data):
    X, y = data
    for model, scaling in (
        (Ridge(), "standardize"),
        (MLPRegressor(hidden_layer_sizes=(8,), max_iter=2000, random_state=0), "none"),
        (make_pipeline(StandardScaler(), Ridge()), "standardize"),
    ):
        space = LatentSpace(model.fit(X, y), X)
        np.testing.assert_array_equal(space.latents(X), latents(model, X))
        assert space.scaling == scaling
    assert LatentSpace(RandomForestRegressor(3).fit(X, y), X).scaling == "none"


@trees
def test_latents_of_a_sample_do_not_depend_on_the_others(data, make):
    X, y = data
    base = make()
    space = LatentSpace((HGB() if base is None else base).fit(X, y), X)
    together = space.latents(X)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(space.latents(X[7:9]), together[7:9])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(space)).latents(X), together)


@given(st.floats(1e-200, 1e200), st.floats(-100, 100))
def test_units_do_not_matter(unit, zero):
    X, new = draw(50)[0], draw(9, seed=1)[0] + 2
    expected = Features(X, None).encode(new)
    found = Features(unit * (X + zero), None).encode(unit * (new + zero))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_more_than_64_columns_are_hashed():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 200)), rng.normal(size=300)
    for rows in (X, csr_array(X)):
        space = LatentSpace(RandomForestRegressor(5).fit(rows, y), rows)
        z = of_features(space, rows)
        assert 64 <= z.shape[1] <= 65  # none for columns that hold nothing, if there are any
        true, found = (((m[:150] - m[150:]) ** 2).sum(axis=1) for m in (X, z))
        ratio = found / true / np.mean(found / true)
        assert ratio.std() < 1.3 * np.sqrt(2 / 64)


def test_frames_lists_and_sparse_matrices_are_the_table_that_they_hold(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    X = np.column_stack([X, np.arange(600) % 3, np.arange(600) % 2 == 0])
    model = RandomForestRegressor(5, random_state=0).fit(X, y)
    expected = LatentSpace(model, X).latents(X)
    for rows in (X.tolist(), X.astype(object), csr_array(X)):
        np.testing.assert_allclose(LatentSpace(model, rows).latents(rows), expected, rtol=1e-5)
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame = frame.astype({"d": "Int64", "e": bool})
    named = RandomForestRegressor(5, random_state=0).fit(frame, y)
    np.testing.assert_allclose(LatentSpace(named, frame).latents(frame), expected, rtol=1e-5)


def test_a_frame_of_polars_is_one_of_pandas(data):
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    X, y = data
    site = np.resize(["north", "south", "west"], 600)
    of_pandas = pd.DataFrame(X, columns=list("abc")).assign(site=pd.Categorical(site))
    of_polars = pl.DataFrame(X, schema=list("abc")).with_columns(
        pl.Series("site", site, dtype=pl.Categorical)
    )
    found = []
    for frame in (of_pandas, of_polars):
        base = HGB(max_iter=10, categorical_features="from_dtype", random_state=0)
        found.append(LatentSpace(base.fit(frame, y), frame).latents(frame))
    np.testing.assert_array_equal(*found)
    numbers = of_polars.drop("site")  # none of its columns are categories
    assert LatentSpace(HGB(max_iter=10).fit(numbers, y), numbers).latents(numbers).shape[1] == 68


# --- what lies beyond ---------------------------------------------------------------


@trees
def test_samples_far_away_are_told_whatever_feature_takes_them_there(data, make):
    model = LTAURegressor(make(), random_state=0).fit(*data)
    inside = draw(300, seed=1)[0]
    assert_few_are_outside(model, inside)
    shifts = [step * direction for step in (4, -100, 1e6) for direction in np.eye(3)]
    far = np.vstack([inside + shift for shift in shifts])
    assert model.predict_ood(far).all()
    near, beyond = model.predict_summary(inside), model.predict_summary(far)
    assert beyond.ood_score.min() > 1.5
    wider = beyond.error_bar.reshape(len(shifts), -1).mean(axis=1) / near.error_bar.mean()
    assert wider.min() > 1.4


def test_samples_in_a_gap_of_the_data_are_told():
    X, y = draw(3000)
    is_gap = np.abs(X[:, :2]).max(axis=1) < 0.5
    model = LTAURegressor(random_state=0).fit(X[~is_gap], y[~is_gap])
    assert_few_are_outside(model, X[~is_gap])
    middle = np.abs(X[:, :2]).max(axis=1) < 0.2
    assert model.predict_ood(X[middle]).mean() > 0.9


def with_site(n, sites, seed):
    """A frame whose last column is a category, and the same with codes of it."""
    pd = pytest.importorskip("pandas")
    X, y = draw(n, seed)
    site = np.random.default_rng(seed).choice(sites, n)
    names = pd.Categorical.from_codes(site, [f"site {i}" for i in range(9)])
    frame = pd.DataFrame(X, columns=list("abc")).assign(site=names)
    return frame, np.column_stack([X, site]), y + site


CATEGORICAL = {
    "frame": lambda: (HGB(categorical_features="from_dtype"), {}, 0),
    "frame of LightGBM": lambda: (lgbm(), {}, 0),
    "codes": lambda: (HGB(categorical_features=[3]), {}, 1),
    "codes of LightGBM": lambda: (lgbm(), {"categorical_feature": [3]}, 1),
}


@pytest.mark.parametrize("make", CATEGORICAL.values(), ids=CATEGORICAL.keys())
def test_a_category_that_was_never_seen_is_told(make):
    base, fit_params, kind = make()
    seen, inside, beyond = (
        with_site(n, sites, seed)
        for n, sites, seed in ((600, [0, 1, 3], 0), (400, [0, 1, 3], 1), (50, [2, 7], 2))
    )
    model = LTAURegressor(base, random_state=0).fit(seen[kind], seen[2], **fit_params)
    assert_few_are_outside(model, inside[kind])
    assert model.predict_ood(beyond[kind]).all()  # 2 lies among the codes that were seen


def test_the_categories_of_xgboost_are_told_apart():
    base = xgb(enable_categorical=True)
    frame, codes, y = with_site(600, [0, 1, 3], 0)
    by_name = of_features(LatentSpace(base.fit(frame, y), frame), frame)
    assert by_name.shape == (600, 3 + 3 + 1)
    coded = xgb(enable_categorical=True, feature_types=["q", "q", "q", "c"]).fit(codes, y)
    np.testing.assert_allclose(of_features(LatentSpace(coded, codes), codes), by_name, rtol=1e-5)


def test_categories_may_be_of_several_types():
    pd = pytest.importorskip("pandas")
    kinds = pd.Series(np.resize(np.array([1, "1", "b", np.nan], object), 400), dtype="category")
    y = np.arange(400.0) % 4
    frame = pd.DataFrame({"kind": kinds})
    space = LatentSpace(lgbm().fit(frame, y), frame)
    assert of_features(space, frame).shape == (400, 4 + 1)
    floats = pd.DataFrame({"kind": pd.Categorical([1.0, 2.0], categories=[1.0, 2.0])})
    same, new = Features(frame, None).encode(floats)
    assert same[-1] == 0
    assert new[-1] == 10


def test_thousands_of_categories_take_no_thousands_of_columns(peak_of):
    codes = np.arange(20_000) % 4000
    X, y = codes[:, None].astype(float), np.sin(codes)
    model = lgbm(cat_smooth=1).fit(X, y, categorical_feature=[0])
    z, peak = peak_of(lambda: LatentSpace(model, X).latents(X))
    assert z.shape == (20_000, 64 + 64 + 1)
    assert peak < 200e6  # one-hot they take 640 MB
    np.testing.assert_array_equal(z[:4000], z[4000:8000])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 7.0])
def test_a_value_of_a_kind_that_was_never_seen_is_told(data, value):
    X, y = data
    X = np.column_stack([X, np.full(600, 3.0)])  # as long as it is always the same
    model = LTAURegressor(HGB(max_iter=30), random_state=0).fit(X, y)
    inside = np.column_stack([draw(300, seed=1)[0], np.full(300, 3.0)])
    assert_few_are_outside(model, inside)
    inside[:, 3] = value
    assert model.predict_ood(inside).all()


def test_where_a_value_was_missing_before_it_may_be_missing_again(data):
    X, y = data[0].copy(), data[1]
    X[::5, 1] = np.nan
    X[1::5, 2] = np.inf
    model = LTAURegressor(lgbm(), random_state=0).fit(X, y)
    inside, other = draw(400, seed=1)[0], draw(400, seed=1)[0]
    inside[::5, 1] = np.nan
    inside[1::5, 2] = np.inf
    assert_few_are_outside(model, inside)
    other[::5, 2] = np.nan
    other[1::5, 2] = -np.inf
    assert model.predict_ood(other)[::5].all()
    assert model.predict_ood(other)[1::5].all()


def test_where_nothing_was_known_a_number_is_new(data):
    X, y = data[0].copy(), data[1]
    X[:, 1] = np.nan
    model = LTAURegressor(xgb(), random_state=0).fit(X, y)
    assert_few_are_outside(model, X)
    assert model.predict_ood(data[0]).all()


def test_a_target_or_features_that_never_change_leave_the_others(data):
    X, _ = data
    model = LTAURegressor(random_state=0).fit(X, np.ones(600))
    assert_few_are_outside(model, draw(300, seed=1)[0])
    assert model.predict_ood(X + 4).all()
    model = LTAURegressor(random_state=0).fit(np.ones((600, 2)), data[1])
    assert not model.predict_ood(np.ones((5, 2))).any()
    assert model.predict_ood(np.full((5, 2), 1.5)).all()


# --- real data ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["airfoil", "concrete"])
def test_on_real_data_samples_beyond_a_cut_are_told_and_trusted_less(data_dir, name):
    file = data_dir / "uci" / name / "data.csv.gz"
    if not file.is_file():
        pytest.skip(f"no file {file}")
    table = np.loadtxt(file, delimiter=",")
    X, y = table[:, :-1], table[:, -1]
    along = np.linalg.svd(StandardScaler().fit_transform(X), full_matrices=False)[0][:, 0]
    is_seen = along < np.quantile(along, 0.8)
    model = LTAURegressor(random_state=0).fit(X[is_seen], y[is_seen])
    assert model.predict_ood(X[is_seen]).mean() < 0.08
    assert model.predict_ood(X[~is_seen]).mean() > 0.5
    inside, beyond = (
        np.ptp(model.predict_interval(X[rows]), axis=1) for rows in (is_seen, ~is_seen)
    )
    assert np.median(beyond) > 1.25 * np.median(inside)


# --- what it refuses ----------------------------------------------------------------


def test_a_model_that_is_not_fitted_is_refused(data):
    for model in (HGB(), Ridge(), make_pipeline(StandardScaler(), HGB())):
        with pytest.raises(NotFittedError):
            LatentSpace(model, data[0])


def test_samples_of_other_features_are_refused(data):
    X, y = data
    model = LTAURegressor(HGB(max_iter=5), random_state=0).fit(X, y)
    for rows in (X[:, :2], np.hstack([X, X])):
        with pytest.raises(ValueError, match="features"):
            model.space_.latents(rows)
        with pytest.raises(ValueError, match="features"):
            model.predict_ood(rows)
