"""The regression benchmark: a tiny run from end to end."""

import json

import pytest

for module in ("torch", "mapie", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.regression import report  # noqa: E402
from benchmarks.regression.run import (  # noqa: E402
    METHODS,
    REFERENCE,
    REWEIGHTING,
    Cell,
    Profile,
    run,
)

SCORES = ["coverage_50", "coverage_90", "width_90", "crps", "miscalibration", "spearman", "mae"]

TINY = Profile(sets=("yacht", "esol"), n_folds=1, n_epochs=2, max_train=150, max_test=40)


@pytest.mark.benchmark_run
def test_a_tiny_run_writes_all_and_goes_on_where_it_was(data_dir, tmp_path):
    cells = run(TINY, tmp_path)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert len(cells) == len(finished) == 2 * (len(METHODS) + 1)

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


def test_a_single_set_and_fold_show_what_is_known_of_them():
    cells = [
        Cell("a", method, 0, dict.fromkeys(["fit_seconds", "predict_seconds", *SCORES], 1.0))
        for method in METHODS
    ]
    errors = ("mae_weighted", "mae_unweighted", "rmse_weighted", "rmse_unweighted")
    cells.append(Cell("a", REWEIGHTING, 0, dict.fromkeys(errors, 1.0)))
    text = report.markdown(cells)
    assert "nan" not in text
    assert "ll sets" not in text
    assert "| Constant | +0.0 |" in text


def test_costs_are_those_of_one_network_on_the_same_fold():
    costs = {REFERENCE: (2.0, 4.0), "LTAU": (4.0, 12.0)}
    cells = [
        Cell("a", method, fold, {"fit_seconds": seconds})
        for method, by_fold in costs.items()
        for fold, seconds in enumerate(by_fold)
    ]
    assert report.summarize(cells, ["a"], "LTAU", "training").value == 2.5
