"""The methods that train their own networks."""

import math

import numpy as np
import pytest

for module in ("torch", "mapie"):
    pytest.importorskip(module)

from benchmarks.harness.data import Rows  # noqa: E402
from benchmarks.methods.learning import METHODS  # noqa: E402
from benchmarks.regression.scoring import score  # noqa: E402


@pytest.fixture(scope="module", params=METHODS)
def fitted(request, rows):
    return METHODS[request.param](n_epochs=20, seed=0).fit(Rows(*rows))


class TestMethods:
    def test_every_method_predicts_with_calibrated_intervals(self, fitted, rows):
        prediction = fitted.predict(rows[0])
        assert prediction.y_pred.shape == (400,)
        narrow, wide = prediction.interval(0.5), prediction.interval(0.9)
        assert (wide[:, 0] <= narrow[:, 0]).all()
        assert (narrow[:, 1] <= wide[:, 1]).all()
        scores = score(prediction, rows[1], scale=1.0)
        assert 0.8 < scores["coverage_90"] <= 0.99
        assert scores["mae"] < 2.5  # the noise alone is 0.9

    def test_a_seed_fixes_everything(self, fitted, rows):
        again = type(fitted)(n_epochs=20, seed=0).fit(Rows(*rows))
        for level in (0.5, 0.9):
            np.testing.assert_allclose(
                again.predict(rows[0]).interval(level), fitted.predict(rows[0]).interval(level)
            )

    def test_the_conformal_bound_is_the_order_statistic_of_held_out_errors(self, rows):
        X, y = rows
        method = METHODS["Split conformal"](n_epochs=3, seed=0).fit(Rows(X, y))
        _, held_out = method.hold_out(Rows(X, y))
        errors = np.sort(np.abs(held_out.y - method.network.predict(held_out.X)))
        expected = errors[math.ceil(81 * 0.9) - 1]  # 80 held-out rows
        low, high = method.predict(X).interval(0.9).T
        np.testing.assert_allclose((high - low) / 2, expected, rtol=1e-6)
