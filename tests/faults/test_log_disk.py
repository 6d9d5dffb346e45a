"""Logs on disks that are full, fail, or know neither locks nor links."""

import errno

import numpy as np
import pytest

from ltau.log import ErrorLog

from .children import needs_refusals, run, run_on_small_disk

# Log epochs until the disk is full, and then some more; say what was acknowledged.
FILLING = """
n = int(sys.argv[2])
log = ErrorLog(sys.argv[1] + "/log", n)
acknowledged, failed = [], 0
for epoch in range(200):
    log.record(np.arange(n), np.full(n, len(acknowledged) + 0.5))
    try:
        log.end_epoch()
    except OSError as error:
        assert error.errno == 28 and "epoch-" in error.filename, error
        assert "No space left on device" in str(error)
        failed += 1
        if failed == 5:
            break
    else:
        acknowledged.append(epoch)
again = ErrorLog(sys.argv[1] + "/log")
assert again.n_epochs == len(acknowledged)
assert all((errors == k + 0.5).all() for k, errors in enumerate(again.epochs()))
print(len(acknowledged), failed)
"""


@pytest.mark.parametrize("n_samples", [100, 1000, 1024, 5000])
def test_no_error_of_a_full_disk_is_swallowed(n_samples):
    acknowledged, failed = map(int, run_on_small_disk(FILLING, n_samples, kilobytes=200).split())
    assert failed == 5
    assert acknowledged >= 3


@pytest.mark.long_attack
def test_no_error_of_many_full_disks_is_swallowed():
    total = 0
    for kilobytes in range(40, 240, 8):
        for n_samples in (100, 1000, 3000):
            output = run_on_small_disk(FILLING, n_samples, kilobytes=kilobytes)
            total += int(output.split()[0])
    print(f"\n75 full disks: {total} epochs acknowledged, 0 lost")


# The disk is full for some epochs of a training, and has space again.
SURVIVING = """
import resource, warnings
log = ErrorLog(sys.argv[1], 1000)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for epoch in range(10):
        if epoch in (3, 8):
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        log.record(np.arange(1000), np.full(1000, epoch))
        log.end_epoch(epoch, on_error="warn")
        if epoch == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if sys.argv[2] == "space":
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.close()
for warning in caught:
    print(warning.message)
"""


def test_a_training_survives_a_disk_that_is_full_for_some_epochs(tmp_path):
    pytest.importorskip("resource")
    warned = run(SURVIVING, tmp_path / "log", "space").splitlines()
    assert [line.split(" is kept in memory")[0] for line in warned] == [
        f"Epoch {epoch}" for epoch in (3, 4, 5, 8, 9)
    ]
    assert all("File too large" in line and str(tmp_path) in line for line in warned)
    np.testing.assert_array_equal(ErrorLog(tmp_path / "log")[:], [range(10)] * 1000)


def test_epochs_for_which_there_was_never_space_are_lost_with_one_warning(tmp_path):
    pytest.importorskip("resource")
    *_, lost = run(SURVIVING, tmp_path / "log", "full").splitlines()
    assert lost.startswith("Lost: epoch-000008.npy, epoch-000009.npy of the log at")
    assert "File too large" in lost
    np.testing.assert_array_equal(ErrorLog(tmp_path / "log")[:], [range(8)] * 1000)


# One epoch with what a file system may refuse, and what came of it.
REFUSED = """
import warnings
log = ErrorLog(sys.argv[1], 10)
early = sys.argv[4] == "early"
if early:
    refusing.refuse(sys.argv[2], int(sys.argv[3]))
log.record(range(10), np.ones(10))
if not early:
    refusing.refuse(sys.argv[2], int(sys.argv[3]))
try:
    log.end_epoch()
except OSError as error:
    print(error.errno, error)
else:
    print("written", log[:].sum())
"""


@needs_refusals
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_does_not_end_the_training(tmp_path, error):
    assert run(REFUSED, tmp_path / "log", "flock", error, "early") == "written 10.0\n"


@needs_refusals
@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_links_does_not_end_the_training(tmp_path, error):
    assert run(REFUSED, tmp_path / "log", "link", error, "early") == "written 10.0\n"
    assert not list((tmp_path / "log").glob("*.tmp"))


@needs_refusals
@pytest.mark.parametrize(
    ("call", "error"),
    [("fsync", errno.EIO), ("fsync", errno.EDQUOT), ("link", errno.ENOSPC), ("link", errno.EROFS)],
)
def test_what_the_disk_refuses_is_said_and_leaves_nothing(tmp_path, call, error):
    said = run(REFUSED, tmp_path / "log", call, error, "late")
    assert said.startswith(f"{error} [Errno {error}] Cannot write epoch-000000.npy: ")
    assert ErrorLog(tmp_path / "log").n_epochs == 0
    assert not list((tmp_path / "log").glob("*.tmp"))
