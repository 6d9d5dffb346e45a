import os
import signal
from functools import partial

import pytest

from benchmarks.is2rs.relaxing.each_system import for_each, lost


def write_name(name, path):
    path.write_text(name)


def fail_on(bad, name, path):
    if name == bad:
        raise ValueError("too hard")
    path.write_text(name)


def die_on(bad, name, path):
    if name == bad:
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_text(name)


def append(name, path):
    with path.with_suffix(".count").open("a") as file:
        file.write("x")
    path.write_text(name)


NAMES = ["a", "b", "c", "d", "e"]


def results(folder):
    return {path.stem for path in folder.glob("*.npz")}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_system_gets_its_result(tmp_path, n_jobs):
    for_each(write_name, NAMES, tmp_path, n_jobs, "work")
    assert results(tmp_path) == set(NAMES)
    assert not lost(NAMES, tmp_path)
    assert (tmp_path / "c.npz").read_text() == "c"


def test_a_failure_loses_one_system_and_says_why(tmp_path, capsys):
    for_each(partial(fail_on, "c"), NAMES, tmp_path, 2, "work")
    assert results(tmp_path) == set(NAMES) - {"c"}
    assert lost(NAMES, tmp_path) == {"c": "ValueError: too hard"}
    assert "c is lost: ValueError: too hard" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_death_of_a_process_loses_one_system(tmp_path, n_jobs):
    for_each(partial(die_on, "b"), NAMES, tmp_path, n_jobs, "work")
    assert results(tmp_path) == set(NAMES) - {"b"}
    assert lost(NAMES, tmp_path) == {"b": "The process that worked on it died."}


def test_what_is_finished_is_not_done_again(tmp_path):
    for_each(append, NAMES[:3], tmp_path, 1, "work")
    for_each(append, NAMES, tmp_path, 1, "work")
    assert {path.read_text() for path in tmp_path.glob("*.count")} == {"x"}


def test_what_was_lost_is_not_tried_again(tmp_path):
    for_each(partial(fail_on, "c"), NAMES, tmp_path, 1, "work")
    for_each(append, NAMES, tmp_path, 1, "work")
    assert "c" not in results(tmp_path)


def test_what_was_interrupted_is_done_again(tmp_path):
    (tmp_path / "a.started").touch()
    for_each(write_name, NAMES, tmp_path, 1, "work")
    assert results(tmp_path) == set(NAMES)
    assert not list(tmp_path.glob("*.started"))


@pytest.mark.filterwarnings("ignore")  # of a cluster that loses workers
def test_the_workers_of_a_cluster_do_the_same(tmp_path):
    dask, distributed = map(pytest.importorskip, ("dask", "distributed"))
    # Else a worker that starts again too slowly is given up, and the tasks wait for ever.
    patience = {"distributed.deploy.lost-worker-timeout": "1 hour"}
    with (
        dask.config.set(patience),
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        for_each(partial(die_on, "b"), NAMES, tmp_path, client, "work")
        for_each(append, [*NAMES, "f"], tmp_path, client, "work")
    assert results(tmp_path) == {*NAMES, "f"} - {"b"}
    assert lost(NAMES, tmp_path) == {"b": "The process that worked on it died."}
    assert {path.stem for path in tmp_path.glob("*.count")} == {"f"}
