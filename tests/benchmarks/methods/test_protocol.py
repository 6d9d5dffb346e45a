"""Every method keeps to the protocol, and costs what it takes."""

import numpy as np

from benchmarks.methods import judging
from benchmarks.methods.costs import costs
from benchmarks.methods.domains import IN_DOMAIN
from benchmarks.methods.judging import Judge


def test_a_method_learns_keeps_its_settings_and_says_what_errors_to_expect(domain):
    for method in judging.methods(domain).values():
        assert isinstance(method, Judge)
        settings = dict(vars(method))
        assert method.fit(domain) is method
        assert {name: vars(method)[name] for name in settings} == settings
        errors = method.predict(domain.tests[IN_DOMAIN]).errors
        expected, median, wide = errors.mean(), errors.quantile(0.5), errors.quantile(0.9)
        assert np.isfinite(expected).all()
        assert len(expected) == len(errors)
        assert (median <= wide).all()
        grid = np.linspace(0, 2 * wide.max(), 20)[None]
        assert (np.diff(errors.cdf(np.broadcast_to(grid, (len(errors), 20)))) >= 0).all()


def test_costs_are_of_the_fit_and_of_the_fastest_prediction(monkeypatch):
    class Slow(Judge):
        def fit(self, given):
            now[0] += given
            return self

        def predict(self, asked):
            now[0] += asked.pop()
            return now

    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    assert costs(Slow(), 5.0, [3.0, 1.0, 2.0]) == (5.0, 1.0)
