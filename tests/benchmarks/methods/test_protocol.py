"""Every method keeps to the protocol, whichever benchmark calls it."""

import numpy as np
import pytest

for module in ("torch", "mapie"):
    pytest.importorskip(module)

from benchmarks.harness.data import Rows  # noqa: E402
from benchmarks.methods import Method, costs, judging  # noqa: E402
from benchmarks.methods.domains import IN_DOMAIN  # noqa: E402
from benchmarks.methods.learning import METHODS  # noqa: E402


@pytest.fixture(params=[*METHODS, "judging"])
def cases(request, rows, domain):
    """Methods with what they are given and asked."""
    if request.param == "judging":
        return [
            (method, domain, domain.tests[IN_DOMAIN]) for method in judging.methods(domain).values()
        ]
    return [(METHODS[request.param](n_epochs=2, seed=0), Rows(*rows), rows[0][:50])]


def test_a_method_learns_keeps_its_settings_and_says_what_errors_to_expect(cases):
    for method, given, asked in cases:
        assert isinstance(method, Method)
        settings = dict(vars(method))
        assert method.fit(given) is method
        assert {name: vars(method)[name] for name in settings} == settings
        errors = method.predict(asked).errors
        expected, median, wide = errors.mean(), errors.quantile(0.5), errors.quantile(0.9)
        assert np.isfinite(expected).all()
        assert len(expected) == len(errors)
        assert (median <= wide).all()
        grid = np.linspace(0, 2 * wide.max(), 20)[None]
        assert (np.diff(errors.cdf(np.broadcast_to(grid, (len(errors), 20)))) >= 0).all()


def test_costs_are_of_the_fit_and_of_the_fastest_prediction(monkeypatch):
    class Slow(Method):
        def fit(self, given):
            now[0] += given
            return self

        def predict(self, asked):
            now[0] += asked.pop()
            return now

    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    assert costs(Slow(), 5.0, [3.0, 1.0, 2.0]) == (5.0, 1.0)
