"""Several processes that start, or write, one log at once."""

import errno

import numpy as np
import pytest

from ltau.log import ErrorLog

from .children import needs_refusals, start

STARTING = """
print("ready", flush=True)
sys.stdin.readline()
try:
    ErrorLog(sys.argv[1], int(sys.argv[2]))
    print("started")
except ValueError as error:
    print(error)
"""


def start_at_once(path, sizes):
    """Start a log in several processes at the same moment; give what each says."""
    children = [start(STARTING, path, size) for size in sizes]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    return [child.communicate(timeout=60)[0] for child in children]


def count_starts(folder, n_times):
    """Start logs of two sizes at once; count those that both believe to have started."""
    both = 0
    for number in range(n_times):
        said = start_at_once(folder / str(number), [10, 11])
        log = ErrorLog(folder / str(number))
        refused = [line for line in said if line != "started\n"]
        both += not refused
        if refused:
            assert f"Expected n_samples={log.n_samples}" in refused[0]
    return both


def test_of_two_sizes_one_is_started(tmp_path):
    assert count_starts(tmp_path, 8) == 0


@pytest.mark.long_attack
def test_of_two_sizes_one_is_started_many_times(tmp_path):
    both = count_starts(tmp_path, 150)
    print(f"\n150 logs started at once with two sizes: {both} by both")
    assert both == 0


# Where flock does nothing, and says that it did.
WRITING = """
refusing.refuse("flock", int(sys.argv[2]))
log = ErrorLog(sys.argv[1], 100, mode="resume")
for line in sys.stdin:
    epoch, value = line.split()
    log.record(range(100), np.full(100, float(value)))
    try:
        log.end_epoch(int(epoch))
        print("written", flush=True)
    except OSError as error:
        print(type(error).__name__, error, flush=True)
        break
"""


def write(child, epoch, value):
    child.stdin.write(f"{epoch} {value}\n")
    child.stdin.flush()
    return child.stdout.readline()


@needs_refusals
@pytest.mark.parametrize("error", [0, errno.ENOLCK])
def test_a_second_writer_is_found_out_where_locks_exclude_nobody(tmp_path, error):
    path = tmp_path / "log"
    with start(WRITING, path, error) as first, start(WRITING, path, error) as second:
        assert write(first, 0, 1) == "written\n"
        assert write(first, 1, 1) == "written\n"
        assert write(second, 0, 2) == "written\n"  # as a run that goes on may
        said = write(first, 2, 1)
        assert said.startswith("FileExistsError")
        assert "epoch-000002.npy: another process has begun to write the log" in said
        assert write(second, 1, 2) == "written\n"
        assert write(second, 2, 2) == "written\n"
        for child in (first, second):
            child.communicate(timeout=60)
    np.testing.assert_array_equal(ErrorLog(path)[0], [2, 2, 2])


RACING = """
refusing.refuse("flock", 0)
if sys.argv[2] == "unlinked":
    refusing.refuse("link", 1)
log = ErrorLog(sys.argv[1], 100)
print("ready", flush=True)
sys.stdin.readline()
for epoch in range(20):
    try:
        log.record(range(100), np.full(100, os.getpid()))
        log.end_epoch()
    except OSError:  # the other is there, or has cleared away what seemed left over
        break
    print(epoch, flush=True)
"""


def race(path, links):
    """Let two write at once without locks: each finds out, or is alone."""
    children = [start(RACING, path, links) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    written = [len(output.splitlines()) for output, _ in outputs]
    errors = ErrorLog(path)[0]  # all that was acknowledged, of each, and no more
    assert sum(written) <= errors.size <= sum(written) + 1
    for child, n_epochs in zip(children, written, strict=True):
        assert (errors == child.pid).sum() >= n_epochs
    return written.count(20)


@needs_refusals
@pytest.mark.parametrize("links", ["linked", "unlinked"])
def test_of_two_writers_at_once_at_most_one_goes_on(tmp_path, links):
    for number in range(5):
        assert race(tmp_path / str(number), links) <= 1


@needs_refusals
@pytest.mark.long_attack
def test_of_two_writers_at_once_at_most_one_goes_on_many_times(tmp_path):
    both = sum(race(tmp_path / str(number), "linked") > 1 for number in range(100))
    print(f"\n100 pairs of writers without locks: {both} unnoticed")
    assert both == 0
