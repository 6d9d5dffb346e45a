"""A run of the benchmark beyond the domain, from end to end: the quick one, on less data."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

for module in ("torch", "nequip", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.methods import quantile_trees  # noqa: E402
from benchmarks.methods.domains import IN_DOMAIN  # noqa: E402
from benchmarks.methods.judging import methods  # noqa: E402
from benchmarks.ood import __main__ as command  # noqa: E402
from benchmarks.ood import emt, explore, report  # noqa: E402
from benchmarks.ood.run import FULL, QUICK, SHORT, Case, Cell, load, run  # noqa: E402
from benchmarks.ood.settings import TABLES  # noqa: E402

pytestmark = [
    pytest.mark.benchmark_run,
    # what the libraries under nequip say of each other, and matplotlib of this machine's threads
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]


[FIELD] = QUICK.fields
TINY = replace(
    QUICK,
    fields=(replace(FIELD, n_train=16, n_test=10),),
    tables=tuple(
        replace(table, n_epochs=10, max_train=200, max_test=100)
        for table in QUICK.tables
        if table.shift == "range"
    ),
    n_resamples=20,
)


@pytest.fixture(scope="module", autouse=True)
def less_of_all():
    """Heat crystals for a shorter time, and grow fewer trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emt, "_N_STEPS", 10)
        patch.setattr(quantile_trees, "_N_ROUNDS", 10)
        yield


@pytest.fixture(scope="module")
def output(data_dir, less_of_all, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("ood")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "QUICK", TINY)
        patch.setattr(sys, "argv", ["ood", "--quick", "--output", str(folder)])
        command.main()
    return folder


def test_everything_is_written(output):
    text = (output / "results.md").read_text("utf-8")
    for title in (
        "emt: in domain",
        "emt: composition",
        "emt: temperature",
        "airfoil, range: costs",
        "Tabular, range held out: range, choosing sets",
        "LTAU, calibrated",
        "Ensemble of 2",
        "MC dropout",
    ):
        assert title in text
    for name in ("emt", "airfoil-range"):
        for figure in ("calibration", "scores", "errors"):
            assert (output / f"{name}-{figure}.png").stat().st_size > 10_000


def test_every_method_is_scored_on_every_test(output):
    results = json.loads(
        (output / "results.json").read_text("utf-8"),
        parse_constant=lambda name: pytest.fail(name),
    )
    by_domain = {}
    for cell in results["cells"]:
        by_domain.setdefault(cell["domain"], set()).add(cell["method"])
        for test, scores in cell["result"]["tests"].items():
            assert ("auroc" in scores) == (test != IN_DOMAIN)
            assert scores["crps"][1] <= scores["crps"][0] <= scores["crps"][2]
    of_atoms, of_rows = by_domain["emt"], by_domain["airfoil, range"]
    assert of_atoms - of_rows == {"Class mean", "LTAU, calibrated, own latents"}
    assert of_rows - of_atoms == {"MC dropout", "LTAU, calibrated, without targets"}
    costs = {c["method"]: c["result"] for c in results["cells"] if c["domain"] == "emt"}
    assert costs["Ensemble of 2"]["training"] >= 2
    assert 1 <= costs["Rigidity"]["prediction"] < 2


def test_a_run_goes_on_where_it_was(output):
    cells = output / "cells"
    finished = {path: path.stat().st_mtime_ns for path in cells.iterdir()}
    lost = next(path for path in finished if path.suffix == ".json")
    lost.unlink()
    run(TINY, output)
    for path, time in finished.items():
        assert (path.stat().st_mtime_ns == time) == (path != lost)


def test_the_models_of_an_ensemble_are_different_and_learn_the_same(output):
    domain = load(TINY.cases()[0], output / "cells")
    assert domain.trajectories["step"].shape == (16 * 32, FIELD.n_epochs)
    assert domain.validation.spreads["Ensemble of 2"].min() > 0
    assert domain.trajectories["eval"][:, -1].mean() == pytest.approx(
        domain.train.errors.mean(), rel=1e-3
    )
    assert domain.tests["temperature"].errors.mean() > domain.tests[IN_DOMAIN].errors.mean()


def test_one_model_is_no_ensemble(output):
    alone = replace(TINY.fields[0], n_members=1)
    domain = load(Case(alone, 0), output / "cells")
    assert domain.validation.spreads == {}
    found = methods(domain).keys()
    assert not any(name.startswith("Ensemble") for name in found)
    assert set(SHORT.methods) <= found


def test_the_short_run_is_of_sets_of_the_full_one_trained_for_a_shorter_time():
    full = {field.name: field for field in FULL.fields}
    assert [field.name for field in SHORT.fields] == ["acac", "slabs"]
    assert len(set(SHORT.methods)) == len(SHORT.methods) == 9
    for field in SHORT.fields:
        whole = full[field.name]
        assert field.n_epochs < whole.n_epochs
        assert field == replace(whole, n_epochs=field.n_epochs, n_members=1)


def test_settings_are_tried_once(output, monkeypatch):
    few = replace(TABLES, grid={"disagreement_scaling": (0.0, 0.7)}, alone={})
    monkeypatch.setattr(explore, "_KINDS", (few,))
    profile = replace(TINY, fields=())
    trials = explore.explore(profile, output)
    text = explore.write(trials, output)
    assert "| chosen |" in text
    before = len(list((output / "cells").iterdir()))
    assert explore.explore(profile, output) == trials
    assert len(list((output / "cells").iterdir())) == before


def test_what_is_not_there_is_left_out_and_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LTAU_DATA", str(tmp_path))
    assert run(replace(TINY, fields=()), tmp_path / "out") == []
    assert "Left out: Expected the data at" in capsys.readouterr().out


def test_scores_are_averaged_over_seeds_and_undefined_ones_are_said():
    def cell(seed, scores):
        return Cell("a", seed, "m", {"tests": {IN_DOMAIN: scores}})

    cells = [cell(0, {"crps": (1.0, 0.0, 2.0)}), cell(1, {"crps": (3.0, 2.0, 6.0)})]
    assert report.average(cells, "m", IN_DOMAIN, "crps") == (2.0, 1.0, 4.0)
    assert report.average(cells, "m", IN_DOMAIN, "spearman") is None
    undefined = [cells[0], cell(1, {"crps": None})]
    assert report.average(undefined, "m", IN_DOMAIN, "crps") is None


def test_relative_scores_are_averaged_over_sets_in_logarithms():
    def cell(data, method, crps):
        scores = dict.fromkeys(("crps", "spearman", "ratio"), (crps, crps, crps))
        tests = {"range": scores}
        return Cell(f"{data}, range", 0, method, {"unit": "", "tests": {IN_DOMAIN: {}} | tests})

    cells = [cell("a", "m", 2.0), cell("b", "m", 16.0)]
    cells += [cell("a", "Constant", 1.0), cell("b", "Constant", 2.0)]
    row = report._over_sets(cells, "range").splitlines()[2].split(" | ")
    assert row[0] == "| m"
    assert row[1].startswith("9.000 ±")  # Spearman: the plain mean
    assert row[3].startswith("4.000 ±")  # CRPS: the geometric mean of 2 and 8
    # The scale: the root mean square of the logarithms of 2 and 16.
    assert row[4].startswith(f"{np.log(2) * np.sqrt((1 + 16) / 2):.2f}")
