"""A log is an array of what was recorded, and stays one whatever happens to the run."""

import hashlib
import json
import os
import pickle
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ltau import LTAUFileError
from ltau._errors.sources import open_errors
from ltau.log import ErrorLog, merge_logs

WRITER = Path(__file__).with_name("log_writer.py")

posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX")


def random_errors(n_samples, n_epochs, seed=0):
    """Errors of which some samples were not seen, some epochs not at all."""
    rng = np.random.default_rng(seed)
    errors = rng.exponential(size=(n_samples, n_epochs)).astype(np.float32)
    errors[rng.random(errors.shape) < 0.2] = np.nan
    return errors


def write(path, errors, **metadata):
    """Write an array to a log, each epoch in two shuffled batches."""
    rng = np.random.default_rng(0)
    with ErrorLog(path, len(errors), **metadata) as log:
        for epoch in errors.T:
            seen = rng.permutation(np.flatnonzero(~np.isnan(epoch)))
            for ids in np.array_split(seen, 2):
                log.record(ids, epoch[ids])
            log.end_epoch()
    return log


def assert_holds(path, errors):
    np.testing.assert_array_equal(ErrorLog(path)[:], errors, strict=True)


def assert_no_leftovers(path):
    assert not list(path.glob("*.tmp"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def errors():
    return random_errors(7, 5)


@pytest.fixture
def log(path, errors):
    """A log with five epochs that nobody writes, and that may go on."""
    write(path, errors)
    return ErrorLog(path, mode="resume")


# What is recorded is read.


def test_what_is_recorded_is_read(log, path, errors):
    assert_holds(path, errors)
    assert_holds(str(path), errors)
    assert log.shape == errors.shape
    assert log.ndim == errors.ndim
    assert log.dtype == errors.dtype
    assert len(log) == log.n_samples == 7
    assert log.n_epochs == 5
    assert repr(log) == f"ErrorLog({str(path)!r}, n_samples=7, n_epochs=5)"
    assert_no_leftovers(path)


def test_numpy_reads_the_files_without_us(log, path, errors):
    files = sorted(path.glob("epoch-*.npy"))
    assert [file.name for file in files] == [f"epoch-00000{epoch}.npy" for epoch in range(5)]
    read = np.stack([np.load(file, allow_pickle=False) for file in files], axis=1)
    np.testing.assert_array_equal(read, errors, strict=True)


def test_epochs_are_read_one_by_one(log, errors):
    read = list(log.epochs())
    assert len(read) == 5
    for epoch, expected in zip(read, errors.T, strict=True):
        assert type(epoch) is np.ndarray
        np.testing.assert_array_equal(epoch, expected, strict=True)


def test_a_log_becomes_an_array(log, errors):
    np.testing.assert_array_equal(np.asarray(log), errors, strict=True)
    np.testing.assert_array_equal(np.array(log), errors, strict=True)
    read = np.asarray(log, dtype=np.float64)
    np.testing.assert_array_equal(read, errors.astype(np.float64), strict=True)
    np.testing.assert_array_equal(np.hstack([log, log]), np.hstack([errors, errors]))
    with pytest.raises(ValueError, match="without a copy"):
        log.__array__(copy=False)


def test_what_is_read_is_no_longer_the_file(log, path, errors):
    for read in (log[:], log[:, 0], log[2:4, 1:], next(log.epochs())):
        read[:] = 77
    assert_holds(path, errors)


def test_metadata_comes_back(path):
    notes = {"model": "MLP", "seed": 3, "layers": [64, 64], "git": None, "Δ": "ü"}
    with ErrorLog(path, np.int64(4), unit="eV/Å", target="forces", notes=notes):
        pass
    log = ErrorLog(path, 4, unit="eV/Å")
    assert (log.n_samples, log.unit, log.target, log.notes) == (4, "eV/Å", "forces", notes)
    assert log.path == path
    assert log.shape == (4, 0)
    log.notes["seed"] = 4
    assert log.notes == notes
    assert json.loads((path / "log.json").read_text("utf-8"))["version"] == 2


def test_a_log_may_say_nothing_of_itself(path):
    log = ErrorLog(path, 4)
    assert (log.unit, log.target, log.notes) == (None, None, {})


def test_folders_are_made(tmp_path):
    path = tmp_path / "runs" / "today" / "log"
    ErrorLog(path, 4)
    assert ErrorLog(path).n_samples == 4
    assert ErrorLog(tmp_path / "runs" / "today" / "log").shape == (4, 0)


def test_an_epoch_may_be_of_no_sample(path):
    with ErrorLog(path, 2) as log:
        log.record([], [])
        log.end_epoch()
    assert_holds(path, np.full((2, 1), np.nan, np.float32))


def test_a_sample_recorded_several_times_has_its_last_error(path):
    with ErrorLog(path, 4) as log:
        log.record([3, 1, 3], [0.1, 0.2, 0.5])
        log.record([1], [0.4])
        log.end_epoch()
        log.record([1], [0.7])  # another epoch, another error
        log.end_epoch()
    nan = np.nan
    assert_holds(path, np.array([[nan, 0.4, nan, 0.5], [nan, 0.7, nan, nan]], np.float32).T)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.uint8])
def test_errors_of_any_real_type(path, dtype):
    with ErrorLog(path, 3) as log:
        log.record(np.arange(3, dtype=np.uint16), np.array([0, 1, 2], dtype))
        log.end_epoch()
    assert_holds(path, np.array([[0.0], [1.0], [2.0]], np.float32))


def test_a_pickled_log_is_read_in_another_folder(log, path, errors, tmp_path, monkeypatch):
    monkeypatch.chdir(path.parent)
    pickled = pickle.dumps(ErrorLog(path.name))
    monkeypatch.chdir(tmp_path.parent)
    np.testing.assert_array_equal(pickle.loads(pickled)[:], errors)


def test_a_log_that_is_being_written_can_be_read_elsewhere(path):
    with ErrorLog(path, 2) as log:
        log.record([0, 1], [1.0, 2.0])
        log.end_epoch()
        assert pickle.loads(pickle.dumps(log))[:].tolist() == [[1.0], [2.0]]


# Indices mean what they mean to numpy.

ERRORS = random_errors(6, 4)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    return write(tmp_path_factory.mktemp("indexed"), ERRORS)


def arrays_of_indices(n):
    integers = hnp.arrays(np.intp, st.integers(0, 8), elements=st.integers(-n, n - 1))
    return st.one_of(integers, integers.map(np.ndarray.tolist), hnp.arrays(bool, n))


def single_indices(n):
    return st.one_of(st.integers(-n, n - 1), st.integers(-n, n - 1).map(np.int64), st.slices(n))


def keys():
    rows, epochs = single_indices(6), single_indices(4)
    return st.one_of(
        rows,
        arrays_of_indices(6),
        st.tuples(rows),
        st.tuples(rows, epochs),
        st.tuples(arrays_of_indices(6), epochs),
        st.tuples(rows, arrays_of_indices(4)),
    )


@given(key=keys())
@settings(deadline=None, max_examples=200)
def test_an_index_means_what_it_means_to_numpy(indexed, key):
    expected = ERRORS[key]
    read = indexed[key]
    assert type(read) is type(expected)
    np.testing.assert_array_equal(read, expected, strict=True)


@pytest.mark.parametrize("key", [0, slice(None), [1, 0], (slice(2), slice(None)), (0, slice(3))])
def test_an_index_into_a_log_without_epochs(path, key):
    log = ErrorLog(path, 3)
    np.testing.assert_array_equal(log[key], np.empty((3, 0), np.float32)[key], strict=True)


@pytest.mark.parametrize(
    "key",
    [6, -7, [0, 6], (0, 4), (0, -5), (slice(None), [0, 4]), ([0], 9), [0.5], [True], (0, 0, 0)],
    ids=str,
)
def test_an_index_out_of_range_is_what_it_is_to_numpy(indexed, key):
    with pytest.raises(IndexError):
        ERRORS[key]
    with pytest.raises(IndexError):
        indexed[key]


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (([0, 1], [0, 1]), "array for the rows or for the epochs, got two"),
        (None, "got None"),
        (..., "got Ellipsis"),
        (True, "got True"),
        (0.5, r"got 0\.5"),
        ("unit", "got 'unit'"),
        ([[0, 1], [2, 3]], r"1-D array, got \[\["),
        ((0, 0, 0), "got 3 indices"),
    ],
)
def test_an_index_that_is_not_offered_is_refused(indexed, key, match):
    with pytest.raises(IndexError, match=match):
        indexed[key]


def test_reading_a_block_does_not_load_the_rest(path, peak_of):
    n_samples, n_epochs = 200_000, 10
    write(path, np.ones((n_samples, n_epochs), np.float32))
    log = ErrorLog(path)
    for rows in (slice(1000, 2000), np.arange(0, n_samples, 200)):
        block, peak = peak_of(lambda rows=rows: log[rows])
        assert block.shape == (1000, n_epochs)
        assert peak < 4 * block.nbytes  # 160 kB; one epoch is 800 kB
    shapes, peak = peak_of(lambda: {epoch.shape for epoch in log.epochs()})
    assert shapes == {(n_samples,)}
    assert peak < 2.5 * 4 * n_samples  # one epoch, and the next being read


# A run goes on, and repeats epochs.


def test_a_run_goes_on_in_the_same_log(path, errors):
    for epoch in errors.T:
        with ErrorLog(path, 7, mode="resume") as log:
            log.record(np.flatnonzero(~np.isnan(epoch)), epoch[~np.isnan(epoch)])
            log.end_epoch()
    assert_holds(path, errors)


def test_an_epoch_run_again_replaces_itself(log, path, errors):
    again = random_errors(7, 3, seed=1)
    with log:
        for number, epoch in zip((3, 4, 5), again.T, strict=True):
            log.record(np.flatnonzero(~np.isnan(epoch)), epoch[~np.isnan(epoch)])
            warns = pytest.warns(UserWarning, match="Epoch 3 .* the 1 after it")
            with warns if number == 3 else nullcontext():
                log.end_epoch(np.int64(number))
    assert_holds(path, np.hstack([errors[:, :3], again]))
    assert_no_leftovers(path)


def test_a_run_that_goes_back_to_an_epoch_removes_those_after_it(log, path, errors):
    ids = np.arange(7)
    with log:
        log.record(ids, ids)
        with pytest.warns(UserWarning, match=r"Epoch 2 .* recorded again: the 2 after it"):
            log.end_epoch(2)
        log.record(ids, 2 * ids)
        log.end_epoch()
    assert_holds(path, np.column_stack([errors[:, :2], ids, 2 * ids]).astype(np.float32))


# The folder of another run.


def test_a_second_run_in_the_same_folder_is_refused_at_its_first_batch(path, errors):
    write(path, errors)
    with pytest.raises(FileExistsError, match=r'with 5 epochs .* mode="new" removes them'):
        ErrorLog(path, 7).record([0], [1.0])
    assert_holds(path, errors)


def test_a_new_log_has_nothing_of_the_one_before(path, errors):
    write(path, errors, unit="eV")
    with ErrorLog(path, 3, unit="K", mode="new") as log:
        assert (log.shape, log.unit) == ((3, 0), "K")
        for error in (1.0, 2.0):
            log.record([1], [error])
            log.end_epoch()
        assert_holds(path, np.float32([[np.nan] * 2, [1, 2], [np.nan] * 2]))
    assert_no_leftovers(path)
    with ErrorLog(path, 3, mode="resume") as log:
        log.record([1], [3.0])
        log.end_epoch()
    assert log[1].tolist() == [1, 2, 3]


def test_what_is_no_log_or_a_damaged_one_is_not_removed(path, errors):
    write(path, errors)
    (path / "log.json").write_text('{"level": "info"}')
    before = sorted(path.iterdir())
    with pytest.raises(LTAUFileError, match="cannot be read as a log"):
        ErrorLog(path, 7, mode="new")
    assert sorted(path.iterdir()) == before


def test_a_log_that_was_closed_goes_on_after_epochs_of_its_own(path):
    log = ErrorLog(path, 2)
    for error in (1.0, 2.0):
        with log:
            log.record([0, 1], [error, error])
            log.end_epoch()
    assert log[0].tolist() == [1, 2]


def test_a_log_is_where_it_was_opened_whatever_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = ErrorLog("log", 2)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with log:
        log.record([0], [1.0])
        log.end_epoch()
    assert_holds(tmp_path / "log", np.float32([[1], [np.nan]]))


def test_both_modes_start_a_log_where_there_is_none(tmp_path):
    for mode in ("new", "resume"):
        with ErrorLog(tmp_path / mode, 2, mode=mode) as log:
            log.record([0], [1.0])
            log.end_epoch()
        assert log.shape == (2, 1)


def test_a_new_log_is_not_started_while_another_process_writes_or_without_a_size(path, errors):
    with ErrorLog(path, 7) as log:
        log.record([0], [1.0])
        log.end_epoch()
        with pytest.raises(RuntimeError, match="has another"):
            ErrorLog(path, 7, mode="new")
    with pytest.raises(ValueError, match='n_samples with mode="new", got None'):
        ErrorLog(path, mode="new")
    with pytest.raises(ValueError, match="mode None or 'new' or 'resume', got 'a'"):
        ErrorLog(path, mode="a")
    assert log.shape == (7, 1)


def test_of_two_runs_that_start_in_one_folder_only_the_last_writes(path):
    first, second = (ErrorLog(path, 2, mode="new") for _ in range(2))
    with pytest.raises(FileExistsError, match="got another, which was started in its place"):
        first.record([0], [1.0])
    with second:
        second.record([0], [2.0])
        second.end_epoch()
    assert_holds(path, np.float32([[2], [np.nan]]))


def test_a_new_log_does_not_go_on_after_epochs_that_another_has_added(path):
    new = ErrorLog(path, 2, mode="new")
    with ErrorLog(path, 2) as other:
        other.record([0], [1.0])
        other.end_epoch()
    with pytest.raises(FileExistsError, match="1 epochs of an earlier run"):
        new.record([0], [2.0])
    assert_holds(path, np.float32([[1], [np.nan]]))


def test_an_epoch_that_has_not_ended_is_dropped_on_closing(log, path, errors):
    with log:
        log.record([0], [1.0])
    with log:
        log.record([0], [2.0])
        log.end_epoch()
    assert log[0, 5] == 2.0
    assert log.n_epochs == 6


def test_closing_twice_or_without_writing_is_fine(path):
    log = ErrorLog(path, 3)
    log.close()
    log.close()
    with log:
        log.close()


def test_many_epochs_are_in_order(path):
    with ErrorLog(path, 1) as log:
        for epoch in range(12):
            log.record([0], [epoch])
            log.end_epoch()
    assert_holds(path, np.arange(12, dtype=np.float32)[None])


# Bad input.


@pytest.mark.parametrize(
    ("ids", "errors", "match"),
    [
        ([0, 3], [1.0, 1.0], r"ids from 0 to 2, got 0 to 3"),
        ([-1], [1.0], r"ids from 0 to 2, got -1 to -1"),
        ([0.0], [1.0], r"integers, got float64"),
        ([True], [1.0], r"integers, got bool"),
        ([0, 1], [1.0], r"same shape \(n,\), got \(2,\) and \(1,\)"),
        (0, 1.0, r"same shape \(n,\), got \(\) and \(\)"),
        ([[0]], [[1.0]], r"same shape \(n,\), got \(1, 1\) and \(1, 1\)"),
        ([0, 1], [1.0, -0.5], r"non-negative and finite in float32, got -0\.5 of sample 1"),
        ([2, 1], [np.nan, 1.0], r"got nan of sample 2"),
        ([1], [np.inf], r"got inf of sample 1"),
        ([1], [1e39], r"got inf of sample 1"),
        ([1], [1 + 0j], r"real numbers, got complex128"),
        ([1], ["1"], r"real numbers, got <U1"),
        ([1], [None], r"real numbers, got object"),
    ],
)
def test_a_bad_batch_is_refused_and_nothing_of_it_kept(path, ids, errors, match):
    with ErrorLog(path, 3) as log:
        log.record([0], [0.5])
        with pytest.raises(ValueError, match=match):
            log.record(ids, errors)
        log.end_epoch()
    assert_holds(path, np.array([[0.5], [np.nan], [np.nan]], np.float32))


@pytest.mark.parametrize("bad", [None, ([0], [-1.0]), ([0, 0], [1.0])])
def test_an_epoch_without_records_does_not_end(path, bad):
    with ErrorLog(path, 3) as log:
        if bad is not None:
            with pytest.raises(ValueError, match="Expected"):
                log.record(*bad)
        with pytest.raises(RuntimeError, match=r"call record\(\) first"):
            log.end_epoch()
        log.record([0], [1.0])
        log.end_epoch()
        with pytest.raises(RuntimeError, match=r"call record\(\) first"):
            log.end_epoch()
    assert log.n_epochs == 1


@pytest.mark.parametrize("epoch", [-1, 6, 100])
def test_epochs_leave_no_gap(log, epoch):
    with log:
        log.record([0], [1.0])
        with pytest.raises(ValueError, match=rf"epoch from 0 to 5, .*, got {epoch}\."):
            log.end_epoch(epoch)
        assert log.n_epochs == 5
        log.end_epoch()  # what was recorded is still there
    assert log[0, 5] == 1.0


@pytest.mark.parametrize("epoch", [1.0, "1"])
def test_an_epoch_is_an_integer(log, epoch):
    with log:
        log.record([0], [1.0])
        with pytest.raises(TypeError, match="integer"):
            log.end_epoch(epoch)


@pytest.mark.parametrize(
    ("n_samples", "metadata", "match"),
    [
        (8, {}, r"Expected n_samples=7, .* got n_samples=8"),
        (None, {"unit": "kcal"}, r"Expected unit='eV', .* got unit='kcal'"),
        (7, {"target": "y"}, r"Expected target=None, .* got target='y'"),
    ],
)
def test_a_log_of_something_else_is_not_gone_on_with(path, errors, n_samples, metadata, match):
    write(path, errors, unit="eV")
    with pytest.raises(ValueError, match=match) as caught:
        ErrorLog(path, n_samples, **metadata)
    assert str(path) in str(caught.value)
    assert_holds(path, errors)


@pytest.mark.parametrize(
    ("n_samples", "metadata", "error", "match"),
    [
        (None, {}, FileNotFoundError, "no log at .*; give n_samples"),
        (0, {}, ValueError, "n_samples of at least 1, got 0"),
        (-3, {}, ValueError, "n_samples of at least 1, got -3"),
        (3.0, {}, TypeError, "integer"),
        (3, {"unit": 1}, ValueError, "unit to be a string, got 1"),
        (3, {"target": ["y"]}, ValueError, r"target to be a string, got \['y'\]"),
        (3, {"notes": "seed 3"}, ValueError, "notes in a dict, got 'seed 3'"),
        (3, {"notes": {"w": np.zeros(1)}}, ValueError, "notes that JSON can hold"),
    ],
)
def test_what_cannot_be_started_leaves_nothing(path, n_samples, metadata, error, match):
    with pytest.raises(error, match=match):
        ErrorLog(path, n_samples, **metadata)
    assert not path.exists()


# Logs of older formats, as they were written then. The first had no checksums.

OLD = Path(__file__).with_name("log_formats") / "1"
OLD_ERRORS = np.array(
    [
        [0.25, 0.5, np.nan],
        [np.nan, 1e-30, 3.4e38],
        [0.0, np.nan, 2.5],
        [7.0, 0.125, np.nan],
        [1.5, 2.5, 3.5],
    ],
    np.float32,
)


def test_a_log_of_the_first_format_is_read_and_says_that_it_has_no_checksums(log):
    old = ErrorLog(OLD, 5, unit="eV/Å", target="forces")
    np.testing.assert_array_equal(old[:], OLD_ERRORS, strict=True)
    np.testing.assert_array_equal(old[[4, 0], 1:], OLD_ERRORS[[4, 0], 1:], strict=True)
    assert old.notes == {"seed": 3}
    assert not old.has_checksums
    assert repr(old).endswith("n_samples=5, n_epochs=3, has_checksums=False)")
    assert log.has_checksums


def test_a_log_of_the_second_format_is_read_and_goes_on_in_it(path):
    """One as it was written when 32 bits were all that there was."""
    shutil.copytree(OLD.with_name("2"), path)
    assert_holds(path, OLD_ERRORS)
    with ErrorLog(path, 5, unit="eV/Å", target="forces", mode="resume") as old:
        assert old.notes == {"seed": 3}
        assert old.has_checksums
        old.record([2, 0], [4.0, 8.0])
        old.end_epoch()
    assert (path / "epoch-000003.npy").stat().st_size == 128 + 4 * 5 + 16
    assert (path / "log.json").read_bytes() == (OLD.with_name("2") / "log.json").read_bytes()
    assert_holds(path, np.column_stack([OLD_ERRORS, np.float32([8, np.nan, 4, np.nan, np.nan])]))


def test_a_log_of_the_first_format_goes_on_in_it(path):
    shutil.copytree(OLD, path)
    with ErrorLog(path, mode="resume") as old:
        old.record([2, 0], [4.0, 8.0])
        old.end_epoch()
    new = np.load(path / "epoch-000003.npy")
    np.testing.assert_array_equal(new, np.float32([8, np.nan, 4, np.nan, np.nan]))
    assert (path / "epoch-000003.npy").stat().st_size == 128 + 4 * 5
    assert (path / "log.json").read_bytes() == (OLD / "log.json").read_bytes()
    np.testing.assert_array_equal(ErrorLog(path)[:], np.column_stack([OLD_ERRORS, new]))


def test_logs_of_both_formats_are_merged(path, tmp_path):
    write(path, np.full((5, 3), 9, np.float32), unit="eV/Å", target="forces")
    merged = merge_logs([OLD, path], tmp_path / "merged")
    np.testing.assert_array_equal(merged[:], np.full((5, 3), 9))
    assert merged.has_checksums


@pytest.mark.parametrize("length", [0, 100, 147, 149])
def test_an_epoch_of_the_first_format_that_is_damaged_is_refused(path, length):
    shutil.copytree(OLD, path)
    file = path / "epoch-000001.npy"
    file.write_bytes((file.read_bytes() + b"x")[:length])
    with pytest.raises(LTAUFileError, match=r"epoch-000001\.npy is damaged"):
        ErrorLog(path)[:]


# A run that moves to another folder; the folder of another run.


def test_a_relative_path_is_that_of_the_folder_in_which_the_log_was_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    with ErrorLog("log", 2) as log:
        monkeypatch.chdir(tmp_path / "other")
        log.record([0, 1], [1.0, 2.0])
        log.end_epoch()
    assert_holds(tmp_path / "log", np.array([[1], [2]], np.float32))


def test_a_log_in_whose_place_another_was_started_is_not_written(path, tmp_path):
    with ErrorLog(path, 2) as log:
        log.record([0], [1.0])
        log.end_epoch()
        path.rename(tmp_path / "away")
        with ErrorLog(path, 2) as other:
            other.record([0], [5.0])
            other.end_epoch()
        log.record([0], [2.0])
        with pytest.raises(
            FileExistsError, match=r"epoch-000001\.npy: another process .* another log"
        ):
            log.end_epoch()
        with pytest.raises(LTAUFileError, match="not epoch 0 of this log's run"):
            log[0]
        shutil.rmtree(path)
        (tmp_path / "away").rename(path)
        log.end_epoch()
    assert_holds(path, np.array([[1, 2], [np.nan] * 2], np.float32))


def test_what_happens_on_an_error_is_one_of_two(path):
    with ErrorLog(path, 2) as log:
        log.record([0], [1.0])
        with pytest.raises(ValueError, match="'warn' or 'raise', got 'ignore'"):
            log.end_epoch(on_error="ignore")


def test_an_epoch_that_waits_may_be_run_again(path, tmp_path):
    with ErrorLog(path, 1) as log:
        log.record([0], [0.0])
        log.end_epoch()
        path.rename(tmp_path / "away")
        for number, error in [(1, 1.0), (2, 2.0), (1, 3.0)]:
            log.record([0], [error])
            with pytest.warns(UserWarning, match=f"Epoch {number} is kept in memory"):
                log.end_epoch(number, on_error="warn")
        (tmp_path / "away").rename(path)
        log.record([0], [4.0])
        with pytest.raises(ValueError, match="epoch from 0 to 2"):
            log.end_epoch(4)
        log.end_epoch()
    assert_holds(path, np.array([[0, 3, 4]], np.float32))


# Folders that are no log, and logs that are damaged.


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(LTAUFileError, match=r"is not a log: .*no log\.json"):
        ErrorLog(tmp_path, 3)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(LTAUFileError, match="got the file"):
        ErrorLog(tmp_path / "thesis.tex", 3)


def test_an_empty_folder_becomes_a_log(tmp_path):
    with pytest.raises(FileNotFoundError, match="give n_samples"):
        ErrorLog(tmp_path)
    (tmp_path / "log.json.123.tmp").touch()  # killed while it was started
    assert ErrorLog(tmp_path, 3).shape == (3, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "zarr"},
        {"version": None},
        {"version": "1"},
        {"n_samples": None},
        {"n_samples": 0},
        {"n_samples": "7"},
        {"n_samples": 7.5},
        {"unit": 3},
        {"target": {}},
        {"notes": None},
        {"notes": []},
    ],
    ids=str,
)
def test_metadata_that_make_no_sense_are_refused(log, path, changes):
    change_metadata(path, **changes)
    with pytest.raises(LTAUFileError, match="cannot be read as a log") as caught:
        ErrorLog(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("key", ["format", "version", "n_samples", "notes"])
def test_metadata_that_lack_something_are_refused(log, path, key):
    change_metadata(path, without=key)
    with pytest.raises(LTAUFileError, match="cannot be read as a log"):
        ErrorLog(path)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", b'"ltau-log"', b"\xff\xfe", b"[" * 100_000], ids=len
)
def test_metadata_that_are_not_a_json_object_are_refused(log, path, data):
    (path / "log.json").write_bytes(data)
    with pytest.raises(LTAUFileError, match="cannot be read as a log"):
        ErrorLog(path)


def test_a_log_from_a_newer_version_says_so(log, path):
    change_metadata(path, version=4, codec="zstd")
    with pytest.raises(LTAUFileError, match=r"version 1 to 3, got 4\. Upgrade ltau"):
        ErrorLog(path, 7)


@pytest.mark.parametrize("bits", [8, "16", None, 16.0, True, [16]], ids=str)
def test_bits_that_no_version_writes_are_refused(log, path, bits):
    change_metadata(path, version=3, bits=bits)
    with pytest.raises(LTAUFileError, match=re.escape(f"Expected bits 32 or 16, got {bits!r}")):
        ErrorLog(path)


def change_metadata(path, *, without="", **changes):
    """Change what a log says of itself, with a checksum that fits."""
    file = path / "log.json"
    metadata = json.loads(file.read_text()) | changes
    del metadata["checksum"]
    metadata.pop(without, None)
    data = json.dumps(metadata, sort_keys=True).encode()
    metadata["checksum"] = hashlib.blake2b(data, digest_size=16).hexdigest()
    file.write_text(json.dumps(metadata))


def assert_damaged(log, errors):
    """Assert that epoch 1 is refused by its name, and the others are still read."""
    for read in (lambda: log[:], lambda: log[0], lambda: log[:, 1], lambda: list(log.epochs())):
        with pytest.raises(LTAUFileError, match=r"epoch-000001\.npy is (damaged|missing)"):
            read()
    np.testing.assert_array_equal(log[:, 2:], errors[:, 2:])


def test_an_epoch_cut_short_at_any_length_is_refused(log, path, errors):
    file = path / "epoch-000001.npy"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(LTAUFileError, match=r"epoch-000001\.npy is damaged"):
            log[:, 1]
    assert_damaged(log, errors)


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_a_flip_in_any_byte_of_the_header_is_refused_or_makes_no_difference(log, path, mask):
    file = path / "epoch-000001.npy"
    whole = file.read_bytes()
    n_refused = 0
    for place in range(len(whole) - 4 * 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        try:
            read = log[:, 1]
        except LTAUFileError:
            n_refused += 1
        else:
            assert read.shape == (7,)
    assert n_refused > 50


@pytest.mark.parametrize(
    "header",
    [
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 30},)}}",
        "{'descr': ('<f4',), 'fortran_order': False, 'shape': (7,)}",
        "{'descr': '<04', 'fortran_order': False, 'shape': (7,)}",
        "{[]: 1}",
        "(((",
        "\n  indented\n not",
    ],
)
def test_an_epoch_with_a_forged_header_is_refused(log, path, errors, header):
    head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    (path / "epoch-000001.npy").write_bytes(head + bytes(28))
    assert_damaged(log, errors)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(6, np.float32),
        np.zeros((7, 1), np.float32),
        np.zeros(7),
        np.zeros(7, ">f4"),
        np.zeros(7, np.int32),
        np.array(0, np.float32),
        np.array([None] * 7),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_epoch_of_another_shape_or_type_is_refused(log, path, errors, array):
    np.save(path / "epoch-000001.npy", array, allow_pickle=True)
    assert_damaged(log, errors)


def test_an_epoch_in_another_format_is_refused(log, path, errors):
    file = path / "epoch-000001.npy"
    with file.open("wb") as archive:
        np.savez(archive, np.zeros(7, np.float32))
    assert_damaged(log, errors)
    file.write_bytes(pickle.dumps(np.zeros(7, np.float32)))
    assert_damaged(log, errors)


def test_an_epoch_that_is_missing_is_named(log, path):
    (path / "epoch-000001.npy").unlink()
    for use in (lambda: log.n_epochs, lambda: log[0], lambda: log.record([0], [1.0])):
        with pytest.raises(LTAUFileError, match=r"epoch-000001\.npy is missing from the log"):
            use()


# One writer, any number of readers.


def test_a_second_writer_is_refused_and_readers_are_not(log, path, errors):
    second = ErrorLog(path, 7, mode="resume")
    with log:
        log.record([0], [1.0])
        with pytest.raises(RuntimeError, match="has another") as caught:
            second.record([0], [2.0])
        assert str(path) in str(caught.value)
        np.testing.assert_array_equal(second[:], errors)
        log.end_epoch()
        assert second.n_epochs == 6
        assert second[0, 5] == 1.0
    with second:
        second.record([0], [3.0])
        second.end_epoch()
    assert second[0, 5:].tolist() == [1.0, 3.0]


def test_opening_and_reading_take_no_lock(log, path):
    with ErrorLog(path) as first, ErrorLog(path, 7) as second:
        assert first.shape == second.shape
        assert not list(path.glob("*.tmp"))
        with log:
            log.record([0], [1.0])


def test_a_writer_that_is_gone_is_none(path):
    log = ErrorLog(path, 3)
    log.record([0], [1.0])
    with pytest.warns(ResourceWarning):
        del log
    with ErrorLog(path) as log:
        log.record([0], [1.0])


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_lock(path):
    log = ErrorLog(path, 3)
    log.record([0], [1.0])
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(to_child[1])
        try:
            log.record([1], [1.0])  # it is not the writer either
        except RuntimeError:
            os.write(to_parent[1], b"refused")
            os.read(to_child[0], 1)  # live on until the parent has finished
        os._exit(0)
    os.close(to_parent[1])
    assert os.read(to_parent[0], 7) == b"refused"
    log.end_epoch()
    log.close()
    with ErrorLog(path, mode="resume") as second:
        second.record([0], [2.0])
        second.end_epoch()
    os.close(to_child[1])
    os.waitpid(child, 0)
    os.close(to_child[0])
    os.close(to_parent[0])
    assert_holds(path, np.array([[1, 2], [np.nan] * 2, [np.nan] * 2], np.float32))


def test_a_disk_that_cannot_lock_now_is_named(log, path, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ltau._files.lock._lock_file", fail)
    with pytest.raises(OSError, match="Cannot lock the log: Input") as caught:
        log.record([0], [1.0])
    assert caught.value.filename == str(path)


def test_a_writer_that_cannot_count_the_epochs_does_not_start_at_0(log, path, errors, monkeypatch):
    def fail(_):
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", fail)
        with pytest.raises(OSError, match="Input/output error"):
            log.record([0], [1.0])
    with log:
        log.record([0], [1.0])
        log.end_epoch()
    assert log[0, 5] == 1.0
    np.testing.assert_array_equal(log[:, :5], errors)


# Whole or not at all: real processes, killed.


@contextmanager
def writer(path):
    """A process that writes the log, once it has imported what it needs."""
    process = subprocess.Popen([sys.executable, WRITER, path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def trained():
    """Yield, epoch by epoch, what the writer's log should hold."""
    namespace = runpy.run_path(str(WRITER))
    for batches in namespace["train"]():
        errors = np.full(namespace["N_SAMPLES"], np.nan, np.float32)
        for ids, batch in batches:
            errors[ids] = batch
        yield errors


def test_another_process_writes_while_this_one_reads(path):
    with writer(path) as process:
        for epoch in range(5):
            assert process.stdout.readline() == f"{epoch}\n"
            log = ErrorLog(path, mode="resume")
            assert log.n_epochs > epoch
            assert np.isfinite(log[:, epoch]).any()
        with pytest.raises(RuntimeError, match="has another"):
            log.record([0], [1.0])
        n_before = log.n_epochs
        assert process.stdout.readline() == "5\n"  # it was not disturbed
        while log.n_epochs == n_before:  # and the log that was opened before sees its epochs
            assert process.poll() is None
    with log:
        log.record([0], [1.0])
    expected = np.stack(list(islice(trained(), log.n_epochs)), axis=1)
    np.testing.assert_array_equal(log[:], expected, strict=True)


@posix
def test_a_run_killed_20_times_loses_no_finished_epoch(path):
    n_epochs = 0
    training, expected = trained(), []
    for kill, delay in enumerate(np.random.default_rng(0).uniform(0.0, 0.1, size=20)):
        with writer(path) as process:
            # Every fourth run may be killed while it starts; the others finish an epoch first.
            finished = [int(process.stdout.readline())] if kill % 4 else []
            time.sleep(delay)
            process.kill()
            finished += [int(line) for line in process.stdout.read().split()]
        assert process.returncode == -signal.SIGKILL
        n_finished = n_epochs + len(finished)
        assert finished == list(range(n_epochs, n_finished))  # it went on where it was
        if not (path / "log.json").exists():
            assert not finished  # killed before there was a log
            continue
        log = ErrorLog(path, mode="resume")
        assert n_finished <= log.n_epochs <= n_finished + 1  # the last: written, not yet told
        n_epochs = log.n_epochs
        expected += islice(training, n_epochs - len(expected))
        np.testing.assert_array_equal(log[:], np.stack(expected, axis=1), strict=True)
    with log:
        log.record([0], [1.0])
    assert_no_leftovers(path)


@posix
@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_writer_killed_at_the_worst_moment(path, errors, moment):
    """Half of the file is written; all is, on no disk; all is, under another name."""
    write(path, errors)
    code = f"""
import importlib.util, os, pathlib, signal, sys
sys.modules["ltau"] = importlib.util.module_from_spec(importlib.util.find_spec("ltau"))
from ltau.log import ErrorLog  # without the rest of ltau, which takes a second

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

log = ErrorLog({str(path)!r}, mode="resume")
log.record([0], [1.0])
if {moment!r} == "write":
    import resource
    signal.signal(signal.SIGXFSZ, die)
    resource.setrlimit(resource.RLIMIT_FSIZE, (80, -1))
elif {moment!r} == "fsync":
    os.fsync = die
else:
    pathlib.Path.replace = die
log.end_epoch(4)
"""
    process = subprocess.run([sys.executable, "-c", code], check=False)
    assert process.returncode == -signal.SIGKILL
    (leftover,) = path.glob("epoch-*.tmp")
    if moment == "write":
        assert leftover.stat().st_size == 80
    assert_holds(path, errors)
    with ErrorLog(path, mode="resume") as log:
        log.record([0], [1.0])
        assert_no_leftovers(path)
        log.end_epoch(4)
    assert log[0, 4] == 1.0


# A full disk, a lost mount.


@contextmanager
def full_disk(monkeypatch):
    """Let files grow to 100 bytes: the system refuses the rest, as a full disk does."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def no_space_for_fsync(monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield "No space left on device"


@pytest.mark.parametrize("trouble", [full_disk, no_space_for_fsync])
def test_an_epoch_that_cannot_be_written_can_be_retried(log, path, errors, trouble, monkeypatch):
    with log:
        log.record([1], [1.5])
        for number in (2, None):
            with trouble(monkeypatch) as reason, pytest.raises(OSError, match=reason) as caught:
                log.end_epoch(number)
            name = f"epoch-00000{5 if number is None else number}.npy"
            assert f"Cannot write {name}" in str(caught.value)
            assert str(path) in caught.value.filename
            assert_no_leftovers(path)
            assert_holds(path, errors)
        log.record([2], [2.5])
        log.end_epoch()
    assert log[:4, 5].tolist()[1:3] == [1.5, 2.5]
    np.testing.assert_array_equal(log[:, :5], errors)


def test_a_log_whose_disk_goes_away_and_comes_back(log, path, errors, tmp_path):
    with log:
        log.record([1], [1.5])
        path.rename(tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError, match=r"Cannot write epoch-000005\.npy") as caught:
            log.end_epoch()
        assert str(path) in caught.value.filename
        assert not path.exists()
        (tmp_path / "elsewhere").rename(path)
        log.end_epoch()
    assert log[1, 5] == 1.5
    np.testing.assert_array_equal(log[:, :5], errors)


@pytest.mark.parametrize("trouble", [full_disk, no_space_for_fsync])
def test_a_log_that_cannot_be_started_says_so_and_can_be_later(path, trouble, monkeypatch):
    with trouble(monkeypatch) as reason, pytest.raises(OSError, match=reason) as caught:
        ErrorLog(path, 3, notes={"long": "x" * 100})
    assert "Cannot write log.json" in str(caught.value)
    assert str(path) in caught.value.filename
    assert ErrorLog(path, 4).shape == (4, 0)


def test_an_interrupted_epoch_leaves_no_file(log, path, errors, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    with log:
        log.record([1], [1.5])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                log.end_epoch(0)
    assert_no_leftovers(path)
    assert_holds(path, errors)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_read(log, path, errors):
    path.chmod(0o500)
    try:
        assert_holds(path, errors)
        with pytest.raises(PermissionError):
            log.record([0], [1.0])
    finally:
        path.chmod(0o700)


# Logs of a distributed run.


def test_ranks_are_merged_and_padding_counts_once(tmp_path):
    errors = random_errors(11, 4)
    rng = np.random.default_rng(1)
    owner = rng.integers(3, size=errors.shape)
    parts = [np.where(owner == rank, errors, np.nan).astype(np.float32) for rank in range(3)]
    parts[2][[3, 5]] = errors[[3, 5]] * np.float32(1 + 1e-6)  # padding: agrees up to rounding
    last = np.where(np.isnan(parts[2]), parts[1], parts[2])
    expected = np.where(np.isnan(last), parts[0], last)
    for rank, part in enumerate(parts):
        write(tmp_path / f"{rank}", part, unit="eV", target="energy", notes={"rank": rank})
    paths = (tmp_path / f"{rank}" for rank in range(3))
    merged = merge_logs(paths, tmp_path / "merged")
    np.testing.assert_array_equal(merged[:], expected, strict=True)
    assert (merged.unit, merged.target, merged.notes) == ("eV", "energy", {"rank": 0})
    np.testing.assert_allclose(merged[:], errors, rtol=1e-5)
    for rank, part in enumerate(parts):
        assert_holds(tmp_path / f"{rank}", part)
    with ErrorLog(tmp_path / "merged", mode="resume") as log:  # it was closed
        log.record([0], [1.0])


def test_of_ranks_that_ended_at_different_epochs_the_common_epochs_are_merged(tmp_path):
    errors = random_errors(7, 5)
    for rank, n_epochs in enumerate([3, 5, 4]):
        write(tmp_path / f"{rank}", errors[:, :n_epochs])
    paths = [tmp_path / f"{rank}" for rank in range(3)]
    with pytest.warns(UserWarning, match=r"\[3, 5, 4\] epochs: the first 3"):
        merge_logs(paths, tmp_path / "merged")
    assert_holds(tmp_path / "merged", errors[:, :3])


def test_an_epoch_that_no_rank_saw_is_merged(tmp_path):
    nothing = np.full((3, 2), np.nan, np.float32)
    write(tmp_path / "a", nothing)
    write(tmp_path / "b", nothing)
    merge_logs([tmp_path / "a", tmp_path / "b"], tmp_path / "merged")
    assert_holds(tmp_path / "merged", nothing)


@pytest.mark.parametrize(
    ("other", "metadata", "match"),
    [
        (random_errors(6, 5), {"unit": "eV"}, r"same n_samples, got \[7, 6\]"),
        (random_errors(7, 5), {}, r"same unit, got \['eV', None\]"),
        (random_errors(7, 5), {"unit": "eV", "target": "y"}, r"same target, got \[None, 'y'\]"),
    ],
)
def test_logs_of_different_runs_are_not_merged(tmp_path, errors, other, metadata, match):
    write(tmp_path / "a", errors, unit="eV")
    write(tmp_path / "b", other, **metadata)
    with pytest.raises(ValueError, match=match):
        merge_logs([tmp_path / "a", tmp_path / "b"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_no_logs_are_not_merged(tmp_path):
    with pytest.raises(ValueError, match="at least one log"):
        merge_logs([], tmp_path / "merged")
    with pytest.raises(FileNotFoundError, match="no log at"):
        merge_logs([tmp_path / "missing"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_log_is_not_merged_into_one_that_has_epochs(log, path, errors):
    with pytest.raises(ValueError, match=r"Expected a new log to merge into, got ErrorLog\("):
        merge_logs([path], path)
    assert_holds(path, errors)


def test_what_is_fitted_to_a_log_that_grows_is_of_the_same_epochs_throughout(path, errors):
    errors = np.abs(np.random.default_rng(0).normal(size=(7, 5))).astype(np.float32)
    write(path, errors)
    source = open_errors(ErrorLog(path), 7, 0)
    with ErrorLog(path, mode="resume") as log:
        log.record(np.arange(7), np.full(7, 1e6))
        log.end_epoch()
    np.testing.assert_array_equal(source.read(), errors)
    np.testing.assert_array_equal(source.take(np.arange(3)).read(), errors[:3])
    assert source.find_bins("log", 10).edges[-1] < 10
