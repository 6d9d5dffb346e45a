"""The methods that come with ltau."""

import math

import numpy as np
import pytest

for module in ("torch", "mapie", "crepes"):
    pytest.importorskip(module)

from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: E402

from ltau.comparison import Rows  # noqa: E402
from ltau.comparison._finding import find_methods  # noqa: E402
from ltau.comparison._observed import observe  # noqa: E402
from ltau.comparison._scores import score  # noqa: E402
from ltau.comparison.network import Network  # noqa: E402

TREES = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5)
METHODS = {
    (kind, name): (method, model)
    for kind, model in (("network", Network(25)), ("trees", TREES))
    for name, method in find_methods("all", model)[0].items()
}
del METHODS["network", "Quantile regression"]  # the same whatever the model is


@pytest.fixture(scope="module", params=METHODS, ids=lambda case: ", ".join(case))
def fitted(request, rows):
    method, model = METHODS[request.param]
    return method(model, seed=0).fit(rows)


def test_every_method_keeps_to_the_protocol_and_its_intervals_hold(fitted, rows):
    prediction = fitted.predict(rows.X)
    narrow, wide = prediction.interval(0.5), prediction.interval(0.9)
    assert (wide[:, 0] <= narrow[:, 0]).all()
    assert (narrow[:, 1] <= wide[:, 1]).all()
    errors = prediction.errors
    grid = np.broadcast_to(np.linspace(0, 2 * np.ptp(wide), 20), (200, 20))
    assert (np.diff(errors.cdf(grid)) >= 0).all()
    assert (errors.quantile(0.5) <= errors.quantile(0.9)).all()
    scores = score(observe(prediction, rows.y))
    assert 0.8 < scores["coverage_90"] <= 1.0
    assert scores["mae"] < 2.5  # the noise alone is 0.9


@pytest.mark.parametrize("name", ["MC dropout", "LTAU, out-of-fold", "Deep ensemble"])
def test_a_seed_fixes_everything(name, rows):
    method, _ = METHODS["network", name]
    few = rows.take(np.arange(100))
    first, again = (method(Network(2), seed=3).fit(few).predict(few.X) for _ in range(2))
    np.testing.assert_array_equal(first.interval(0.9), again.interval(0.9))


@pytest.mark.parametrize("n", [200, 100])  # which hold out 40 and 20: too few for 50 levels
def test_the_conformal_bound_is_the_order_statistic_of_held_out_errors(n, rows):
    rows = rows.take(np.arange(n))
    method = METHODS["trees", "Split conformal"][0](TREES, seed=0).fit(rows)
    _, held_out = method.hold_out(rows)
    errors = np.sort(np.abs(held_out.y - method.regressor.predict(held_out.X)))
    level = 36 / 39 if n == 200 else 16 / 19  # one of the evenly spaced levels
    expected = errors[math.ceil((len(errors) + 1) * level) - 1]
    low, high = method.predict(rows.X).interval(level).T
    np.testing.assert_allclose((high - low) / 2, expected, rtol=1e-6)


@pytest.mark.parametrize("fitted", [("trees", "Conformal quantiles")], indirect=True)
def test_conformal_quantiles_hold_their_share_of_the_held_out_rows(fitted, rows):
    _, held_out = fitted.hold_out(rows)
    low, high = fitted.predict(held_out.X).interval(0.9).T
    n_inside = np.count_nonzero((low <= held_out.y) & (held_out.y <= high))
    assert n_inside >= math.ceil(41 * 0.9)


def test_groups_are_held_out_whole(rows):
    groups = np.arange(200) // 8
    method = METHODS["trees", "Constant"][0](TREES, seed=0)
    train, held_out = method.hold_out(Rows(rows.X, rows.y, groups))
    assert not set(train.groups) & set(held_out.groups)
    assert len(held_out.y) == 40


def test_members_differ_by_their_seeds():
    method = METHODS["network", "LTAU"][0](Network(3), seed=7)
    assert method.make_model().random_state == 7
    second = method.make_model(1, dropout=0.1)
    assert (second.random_state, second.dropout) == (1007, 0.1)
    assert method.model.random_state == 0
