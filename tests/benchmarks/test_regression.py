"""The regression benchmark: its parts against closed forms, and a tiny run from end to end."""

import json
import math

import numpy as np
import pytest
from scipy import integrate, stats

for module in ("torch", "mapie", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks import data  # noqa: E402
from benchmarks.cells import cached  # noqa: E402
from benchmarks.methods import METHODS, REFERENCE  # noqa: E402
from benchmarks.network import Network  # noqa: E402
from benchmarks.predictions import (  # noqa: E402
    HalfNormal,
    QuantilePrediction,
    SymmetricPrediction,
    constant_distribution,
)
from benchmarks.regression import report  # noqa: E402
from benchmarks.regression.run import REWEIGHTING, Cell, Profile, run  # noqa: E402
from benchmarks.report import Mean, markdown_table  # noqa: E402
from benchmarks.scores import score  # noqa: E402

TINY = Profile(sets=("yacht", "esol"), n_folds=2, n_epochs=3, max_train=300, max_test=40)


@pytest.fixture(scope="module")
def rows():
    """Features, and a target whose noise grows along the first of them."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 3))
    return X, 10 * X[:, 1] + np.exp(X[:, 0]) * rng.normal(size=400)


class TestPredictions:
    def test_the_half_normal_is_that_of_scipy(self):
        sigma = np.array([0.5, 2.0])
        errors = np.array([[0.1, 0.7], [0.0, 5.0]])
        ours, theirs = HalfNormal(sigma), stats.halfnorm(scale=sigma)
        np.testing.assert_allclose(ours.cdf(errors), theirs.cdf(errors.T).T)
        np.testing.assert_allclose(ours.pdf(errors), theirs.pdf(errors.T).T)
        np.testing.assert_allclose(ours.quantile(0.9), theirs.ppf(0.9))
        np.testing.assert_allclose(ours.mean(), theirs.mean())
        np.testing.assert_allclose(ours.std(), theirs.std())

    @pytest.mark.parametrize("error", [0.0, 0.3, 4.0])
    def test_the_crps_of_the_half_normal_is_its_integral(self, error):
        cdf = stats.halfnorm(scale=1.5).cdf
        below = integrate.quad(lambda x: cdf(x) ** 2, 0, error)[0]
        above = integrate.quad(lambda x: (1 - cdf(x)) ** 2, error, np.inf)[0]
        crps = HalfNormal(np.array([1.5])).crps(np.array([[error]]))
        assert crps[0, 0] == pytest.approx(below + above, abs=1e-8)

    def test_folded_quantiles_of_a_gaussian_are_those_of_a_half_normal(self):
        levels = np.linspace(0.005, 0.995, 199)
        quantiles = stats.norm(loc=[[1.0], [-5.0]], scale=[[1.0], [3.0]]).ppf(levels)
        prediction = QuantilePrediction(quantiles, levels)
        np.testing.assert_allclose(prediction.y_pred, [1, -5])
        for level in (0.5, 0.9):
            expected = stats.halfnorm(scale=[1, 3]).ppf(level)
            np.testing.assert_allclose(prediction.errors.quantile(level), expected, rtol=0.01)

    def test_central_intervals_of_skewed_quantiles_are_those_quantiles(self):
        levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
        quantiles = np.array([[0.0, 1.0, 2.0, 5.0, 10.0], [10.0, 5.0, 2.0, 1.0, 0.0]])  # crossed
        prediction = QuantilePrediction(quantiles, levels)
        np.testing.assert_allclose(prediction.interval(0.9), [[0, 10], [0, 10]], atol=1e-9)
        np.testing.assert_allclose(prediction.interval(0.5), [[1, 5], [1, 5]], atol=1e-9)
        # |y - 2| <= 1 holds from 1 to 3: 0.25 to the median, a third of 0.25 above it.
        np.testing.assert_allclose(prediction.errors.cdf(1.0), 0.25 + 0.25 / 3, atol=0.01)

    def test_equal_quantiles_are_no_error(self):
        prediction = QuantilePrediction(np.full((3, 3), 7.0), np.array([0.1, 0.5, 0.9]))
        assert (prediction.errors.mean() < 1e-30).all()

    def test_a_constant_distribution_has_its_quantiles_and_merges_ties(self):
        distribution = constant_distribution([0.0, 1.0, 2.0, 2.0, 4.0], n_samples=3)
        assert len(distribution) == 3
        np.testing.assert_allclose(distribution.quantile([0.25, 0.75, 1.0])[2], [1, 2, 4])


class TestScores:
    def test_the_crps_is_that_of_a_gaussian_around_the_prediction(self):
        rng = np.random.default_rng(0)
        y_pred, y, sigma = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.5, 2, 50)

        def crps(mean, deviation, observed):
            cdf = stats.norm(mean, deviation).cdf
            below = integrate.quad(lambda x: cdf(x) ** 2, -np.inf, observed)[0]
            return below + integrate.quad(lambda x: (1 - cdf(x)) ** 2, observed, np.inf)[0]

        expected = np.mean([crps(*row) for row in zip(y_pred, sigma, y, strict=True)])
        scores = score(SymmetricPrediction(y_pred, HalfNormal(sigma)), y, scale=4.0)
        assert scores["crps"] == pytest.approx(expected / 4)
        assert scores["mae"] == pytest.approx(np.abs(y - y_pred).mean() / 4)

    def test_coverage_is_the_share_inside_even_of_skewed_intervals(self):
        rng = np.random.default_rng(0)
        levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
        quantiles = np.sort(rng.exponential(size=(200, 5)), axis=1)
        y = rng.exponential(size=200)
        scores = score(QuantilePrediction(quantiles, levels), y, scale=1.0)
        inside = (quantiles[:, 0] <= y) & (y <= quantiles[:, -1])
        assert scores["coverage_90"] == pytest.approx(inside.mean())
        assert scores["width_90"] == pytest.approx((quantiles[:, -1] - quantiles[:, 0]).mean())

    def test_a_constant_ranks_nothing(self):
        prediction = SymmetricPrediction(np.zeros(5), constant_distribution([0, 1, 3], 5))
        assert math.isnan(score(prediction, np.arange(5.0), 1.0)["spearman"])


class TestNetwork:
    def test_held_out_rows_are_watched_and_teach_nothing(self, rows):
        X, y = rows
        watched = Network(4).fit(X[:300], y[:300], held_out=(X[300:], y[300:]))
        alone = Network(4).fit(X[:300], y[:300])
        np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
        final = np.abs(alone.predict(X[300:]) - y[300:])
        assert watched.held_out_errors_.shape == (100, 4)
        np.testing.assert_allclose(watched.held_out_errors_[:, -1], final, rtol=1e-5)

    def test_the_readout_of_the_latents_is_the_prediction(self, rows):
        network = Network(2, dropout=0.5).fit(*rows)
        np.testing.assert_allclose(
            network.readout(network.latents(rows[0])), network.predict(rows[0]), rtol=1e-6
        )

    def test_a_feature_that_was_constant_is_not_blown_up(self, rows):
        X = np.column_stack([rows[0], np.full(400, 0.1)])  # whose deviation is rounding
        network = Network(2).fit(X, rows[1])
        X[:, -1] = 0.2
        assert np.abs(network.latents(X)).max() < 100

    def test_rows_of_weight_zero_teach_nothing(self, rows):
        X, y = rows
        wrong = np.arange(400) < 100
        spoilt = np.where(wrong, y[::-1], y)
        plain, weighted = (Network(30).fit(X, spoilt, w) for w in (None, 1.0 - wrong))
        error, weighted_error = (np.abs(m.predict(X) - y)[~wrong].mean() for m in (plain, weighted))
        assert weighted_error < 0.7 * error

    def test_it_learns_and_logs_that_it_does(self, rows):
        network = Network(30).fit(*rows)
        assert network.errors_.shape == (400, 30)
        assert network.errors_[:, -1].mean() < 0.5 * network.errors_[:, 0].mean()


@pytest.fixture(scope="module", params=METHODS)
def fitted(request, rows):
    return METHODS[request.param](n_epochs=20, seed=0).fit(*rows)


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
        again = type(fitted)(n_epochs=20, seed=0).fit(*rows)
        for level in (0.5, 0.9):
            np.testing.assert_allclose(
                again.predict(rows[0]).interval(level), fitted.predict(rows[0]).interval(level)
            )

    def test_the_conformal_bound_is_the_order_statistic_of_held_out_errors(self, rows):
        X, y = rows
        method = METHODS["Split conformal"](n_epochs=3, seed=0).fit(X, y)
        _, held_out = method._hold_out(400)
        errors = np.sort(np.abs(y[held_out] - method.network.predict(X[held_out])))
        expected = errors[math.ceil(81 * 0.9) - 1]  # 80 held-out rows
        low, high = method.predict(X).interval(0.9).T
        np.testing.assert_allclose((high - low) / 2, expected, rtol=1e-6)


class TestCells:
    def test_what_is_finished_is_not_measured_again(self, tmp_path):
        calls = []

        def measure():
            calls.append(1)
            return {"score": 0.1, "undefined": float("nan")}

        first = cached(tmp_path, {"set": "a", "fold": 0}, measure)
        again = cached(tmp_path, {"fold": 0, "set": "a"}, measure)
        assert len(calls) == 1
        np.testing.assert_equal(again, first)
        cached(tmp_path, {"set": "a", "fold": 1}, measure)
        assert len(calls) == 2

    def test_a_measurement_that_fails_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            cached(tmp_path, {}, lambda: {"score": 1 / 0})
        assert list(tmp_path.iterdir()) == []


class TestData:
    @pytest.mark.parametrize("name", data.SETS)
    def test_folds_test_every_row_once(self, data_dir, name):
        dataset = data.load(name)
        assert (dataset.folds.sum(axis=1) == 1).all()
        assert np.isfinite(dataset.X).all()
        assert np.isfinite(dataset.y).all()

    def test_a_split_shares_no_row_and_keeps_to_its_limits(self):
        y = np.arange(100.0)
        folds = (np.arange(100) % 10)[:, None] == np.arange(10)
        split = data.Dataset(y[:, None], y, folds).split(3, max_train=50, max_test=5)
        assert (len(split.y_train), len(split.y_test)) == (50, 5)
        assert (split.y_test % 10 == 3).all()
        assert not np.isin(split.y_train % 10, 3).any()

    def test_a_changed_file_is_refused(self, monkeypatch, tmp_path):
        (tmp_path / "esol").mkdir()
        (tmp_path / "esol" / "delaney-processed.csv").write_text("nothing", "utf-8")
        monkeypatch.setenv("LTAU_DATA", str(tmp_path))
        with pytest.raises(ValueError, match="sha256"):
            data.load("esol")

    def test_a_missing_file_is_named_with_its_source(self, monkeypatch, tmp_path):
        monkeypatch.setenv("LTAU_DATA", str(tmp_path))
        with pytest.raises(FileNotFoundError, match=r"uci_datasets.* LTAU_DATA"):
            data.load("yacht")

    def test_an_unknown_set_is_refused(self):
        with pytest.raises(ValueError, match="Expected one of airfoil"):
            data.load("boston")


class TestReport:
    def test_a_mean_has_the_error_and_interval_of_scipy(self):
        values = [1.0, 2.0, 4.0, 8.0]
        mean = Mean.of(values)
        assert (mean.value, mean.error) == pytest.approx((3.75, stats.sem(values)))
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert mean.interval() == pytest.approx(tuple(expected))

    def test_sets_count_the_same_and_their_errors_add_up(self):
        mean = Mean.over_sets([Mean(1.0, 0.3, 5), Mean(3.0, 0.4, 5)])
        assert mean == pytest.approx((2.0, 0.25, 10))

    def test_costs_are_those_of_one_network_on_the_same_fold(self):
        costs = {REFERENCE: (2.0, 4.0), "LTAU": (4.0, 12.0)}
        cells = [
            Cell("a", method, fold, {"fit_seconds": seconds})
            for method, by_fold in costs.items()
            for fold, seconds in enumerate(by_fold)
        ]
        assert report.summarize(cells, ["a"], "LTAU", "training").value == 2.5

    def test_a_table_in_markdown(self):
        table = markdown_table(["Set", "x"], [["a", "1"]])
        assert table == "| Set | x |\n| :-- | --: |\n| a | 1 |"


@pytest.mark.benchmark_run
def test_a_tiny_run_writes_all_and_goes_on_where_it_was(data_dir, tmp_path):
    cells = run(TINY, tmp_path)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert len(cells) == len(finished) == 2 * 2 * (len(METHODS) + 1)

    lost = next(iter(finished))
    lost.unlink()
    again = run(TINY, tmp_path)
    for path, time in finished.items():
        assert (path.stat().st_mtime_ns == time) == (path != lost)
    assert [(c.dataset, c.method, c.fold) for c in again] == [
        (c.dataset, c.method, c.fold) for c in cells
    ]

    text = report.write(again, TINY, tmp_path)
    for title in (*TINY.sets, "All sets", "Re-weighting", *METHODS):
        assert title in text
    assert (tmp_path / "results.md").read_text("utf-8") == text
    assert (tmp_path / "regression.png").stat().st_size > 10_000
    results = json.loads(
        (tmp_path / "results.json").read_text("utf-8"),
        parse_constant=lambda name: pytest.fail(name),
    )
    assert {cell["method"] for cell in results["cells"]} == {*METHODS, REWEIGHTING}
