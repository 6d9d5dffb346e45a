"""The scaling benchmark: its parts against closed forms, and a quick run from end to end."""

import json

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("matplotlib")

from benchmarks.speed.scaling.__main__ import main
from benchmarks.speed.scaling.report import (
    PowerLaw,
    fit_power_law,
    law,
    markdown,
    ratio,
    seconds,
)
from benchmarks.speed.scaling.run import FULL, Profile
from benchmarks.speed.scaling.samples import N_DIMENSIONS, NOISE, draw


def cell(n, **times):
    return {
        "n": n,
        "width": 16,
        "index": "ivf",
        "recall": 0.99,
        "crps": 1.02,
        "crps_exact": 1.0,
        "seconds": {name.replace("_", " "): each for name, each in times.items()},
        "peak_bytes": {"fit": 10**9},
    }


class TestPowerLaw:
    def test_an_exact_one_is_recovered(self):
        sizes = np.array([10, 30, 100, 1000])
        found = fit_power_law(sizes, 0.2 * sizes**1.5)
        assert found == pytest.approx((1.5, 0.0, 0.2), abs=1e-7)

    def test_the_error_is_that_of_a_line_through_logarithms(self):
        rng = np.random.default_rng(0)
        sizes = np.geomspace(1e3, 1e6, 7)
        times = sizes**0.7 * np.exp(0.1 * rng.standard_normal(7))
        x, y = np.log(sizes), np.log(times)
        slope, covariance = np.polyfit(x, y, 1, cov=True)
        found = fit_power_law(sizes, times)
        assert found.exponent == pytest.approx(slope[0])
        assert found.error == pytest.approx(covariance[0, 0] ** 0.5)

    def test_two_points_tell_no_error(self):
        assert fit_power_law([1, 10], [1, 100])[:2] == pytest.approx((2.0, np.nan), nan_ok=True)

    def test_it_is_of_the_largest_sizes(self):
        cells = [cell(n, predict=[max(1e-3, 1e-6 * n)]) for n in (10**2, 10**4, 10**5, 10**6)]
        sizes, found = law(cells, "predict")
        assert sizes == [10**4, 10**5, 10**6]
        assert found.exponent == pytest.approx(1.0)

    def test_it_is_of_one_kind_of_index_where_there_is_one(self):
        cells = [cell(n, predict=[1e-6 * n], exact_search=[1e-6 * n]) for n in (10, 100, 1000)]
        cells[0]["index"] = "flat"
        assert law(cells, "predict")[0] == [100, 1000]
        assert law(cells, "exact search")[0] == [10, 100, 1000]

    def test_an_error_is_printed_where_it_is_known(self):
        assert PowerLaw(0.5, 0.021, 1.0).format() == "0.50 ± 0.02"
        assert PowerLaw(0.5, np.nan, 1.0).format() == "0.50"


class TestReport:
    def test_building_is_what_fit_takes_beyond_that_of_the_exact_index(self):
        built = cell(1000, fit=[5.0, 3.0, 4.0])
        built["seconds"]["fit, exact index"] = [1.0]
        assert seconds(built, "building the index") == 3.0
        built["seconds"]["fit, exact index"] = [3.9]
        assert seconds(built, "building the index") is None

    def test_ratios_are_within_a_round(self):
        drifting = cell(1000, predict=[1.0, 2.0, 50.0], bare_search=[2.0, 4.0])
        assert ratio(drifting, "bare search", "predict") == 2.0
        assert ratio(drifting, "exact search", "predict") is None

    def test_the_loss_is_relative_to_the_exact_index(self):
        measured = cell(1000, predict=[1.0], fit=[1.0])
        measured["seconds"]["fit, exact index"] = [1.0]
        assert "+2.00" in markdown([measured])


class TestProfile:
    def test_latents_of_a_cell_are_bounded(self):
        cells = list(FULL.cells())
        assert max(4 * n * width for n, width in cells) <= 640e6
        largest = {width: max(n for n, w in cells if w == width) for width in FULL.widths}
        assert largest == {16: 10**7, 64: 10**6, 256: 3 * 10**5}

    def test_sizes_end_at_the_largest(self):
        assert list(Profile((8,), 5000).cells()) == [(1000, 8), (3000, 8)]


class TestSamples:
    def test_a_seed_fixes_them_and_seeds_differ(self):
        first, again, other = (draw(200, 16, 4, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.latents, again.latents)
        np.testing.assert_array_equal(first.errors, again.errors)
        assert (first.latents != other.latents).any(axis=1).all()

    def test_a_neighbourhood_has_few_dimensions(self):
        latents = draw(20_000, 64, 1, seed=1).latents
        nearest = np.argsort(((latents - latents[0]) ** 2).sum(axis=1))[:30]  # of its cluster
        spread = np.linalg.svd(latents[nearest] - latents[nearest].mean(axis=0))[1] / 30**0.5
        assert (spread[:N_DIMENSIONS] > 10 * NOISE).all()
        assert (spread[N_DIMENSIONS:] < 3 * NOISE).all()

    def test_errors_are_half_normal_of_a_scale_of_their_own(self):
        errors = draw(50, 16, 4000, seed=1).errors
        shares = errors / errors.mean(axis=1, keepdims=True)
        expected = stats.halfnorm(scale=1 / stats.halfnorm().mean()).cdf(1.5)
        np.testing.assert_allclose((shares <= 1.5).mean(axis=1), expected, atol=0.04)
        assert errors.mean(axis=1).max() > 3 * errors.mean(axis=1).min()


@pytest.mark.benchmark_run
def test_a_quick_run_writes_all_and_goes_on_where_it_was(tmp_path, capsys):
    main(["--quick", "--output", str(tmp_path)])
    text = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert [one["n"] for one in results["cells"]] == [1000, 3000, 10_000]
    for one in results["cells"]:
        assert 0.97 < one["recall"] <= 1
        assert one["crps"] == pytest.approx(one["crps_exact"], rel=0.05)
        peaks = one["peak_bytes"]
        assert 0 < peaks["data"] <= peaks["fit"] <= peaks["predict"]
        assert all(time > 0 for times in one["seconds"].values() for time in times)
        for search in ("predict", "bare search", "exact search", "scikit-learn kd_tree"):
            assert len(one["seconds"][search]) >= 2
    assert (tmp_path / "results.md").read_text("utf-8") in text
    assert "| 10,000 |" in text
    assert (tmp_path / "scaling.png").stat().st_size > 10_000

    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    main(["--quick", "--output", str(tmp_path)])
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert capsys.readouterr().out == text
