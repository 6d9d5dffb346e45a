"""The quick run of the benchmark, on fewer systems, from end to end."""

import json
import re
import shutil

import pytest

from benchmarks.is2rs.run import STAGES, Benchmark, Given
from benchmarks.is2rs.sources.systems import SPLITS

pytestmark = [
    pytest.mark.benchmark_run,
    # what the libraries under nequip say of each other
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]


def times(folder):
    """When each file but the report was last written."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.parent != folder
    }


@pytest.fixture
def copy(quick, tmp_path):
    """A finished run that a test may change."""
    return shutil.copytree(quick, tmp_path / "copy", copy_function=shutil.copy2)


def test_everything_is_reported(quick, tiny):
    text = (quick / "results.md").read_text("utf-8")
    for word in (*SPLITS, "L1", "L2 0.3", "L3 0.5", "L4", "number of atoms", "constant", "spread"):
        assert word in text
    results = json.loads(
        (quick / "results.json").read_text("utf-8"), parse_constant=lambda name: pytest.fail(name)
    )
    assert len(results["systems"]) == 4 * tiny.emt.n_each
    assert {system["split"] for system in results["systems"].values()} == set(SPLITS)
    assert set(results["about"]["seconds"]) == set(STAGES)
    assert len(list(quick.glob("*.png"))) >= 3


def test_started_again_it_redoes_nothing(quick, command):
    before = times(quick)
    command("--quick", "--jobs", 2, "--output", quick)
    assert times(quick) == before


def test_interrupted_it_redoes_only_what_is_missing(copy, tiny, workers):
    sid = "val_ood_ads-0000"
    missing = copy / "model" / "relaxed" / f"{sid}.npz", copy / "model" / "judged" / f"{sid}.npz"
    for path in missing:
        path.unlink()
    before = times(copy)
    Benchmark(tiny, copy, workers=workers).run()
    after = times(copy)
    changed = {path for path in after if before.get(path) != after[path]}
    assert set(missing) <= changed
    assert all(path.name.startswith(sid) for path in changed)


def test_a_system_that_cannot_be_read_is_lost_and_the_report_says_so(copy, tiny, workers, command):
    sid = "val_id-0000"
    for path in (copy / "model").rglob(f"{sid}*"):
        path.unlink()
    data = next((copy / "data").rglob(f"{sid}.extxyz.xz"))
    data.write_bytes(data.read_bytes()[:100])
    Benchmark(tiny, copy, workers=workers).run()
    command("--quick", "--jobs", 2, "--output", copy)
    text = (copy / "results.md").read_text("utf-8")
    assert re.search(rf"{sid}.*DataError", text)


def test_a_folder_of_other_settings_is_refused(quick, tiny):
    with pytest.raises(ValueError, match="choose another output folder"):
        Benchmark(tiny, quick, optimizer="FIRE")


def test_stages_can_be_run_one_by_one(copy, command, capsys):
    for stage in ("relaxed", "judged"):
        shutil.rmtree(copy / "model" / stage)
    command("--quick", "--until", "fit", "--output", copy)
    assert not (copy / "model" / "relaxed").is_dir()
    assert "Results are in" in capsys.readouterr().out


def given(quick):
    return Given(quick / "model" / "model-0" / "last.ckpt", quick / "model" / "estimator.ltau")


def test_a_given_model_relaxes_other_data(quick, tiny, workers, tmp_path):
    benchmark = Benchmark(
        tiny, tmp_path, data=quick / "data", limit=1, given=given(quick), workers=workers
    )
    benchmark.run()
    relaxed, lost = benchmark.results()
    assert {each.system.split for each in relaxed} == set(SPLITS)
    assert not lost
    # The data are the same, but nobody says that the reference method can be asked.
    assert all(each.path.true_error.size == 0 for each in relaxed)
    assert all(each.reference.true_error.size for each in relaxed)


def test_elements_that_the_model_does_not_know_lose_the_system(
    quick, tiny, workers, tmp_path, data_dir
):
    benchmark = Benchmark(
        tiny, tmp_path, data=data_dir / "oc20", limit=2, given=given(quick), workers=workers
    )
    benchmark.run()
    relaxed, lost = benchmark.results()
    assert not relaxed
    assert len(lost) == 2
    assert all("know" in reason for reason in lost.values())


def test_model_and_estimator_go_together(command, capsys):
    with pytest.raises(SystemExit):
        command("--model", "last.ckpt")
    assert "--model and --estimator go together" in capsys.readouterr().err
