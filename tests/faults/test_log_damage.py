"""Logs that are damaged: bits that flip, blocks of zeros, files that change places."""

import os
import shutil

import numpy as np
import pytest

from ltau import LTAUFileError
from ltau.log import ErrorLog

from .children import run

N, EPOCHS = 20_000, 4  # three blocks with checksums


def write(path, seed, bits=32):
    rng = np.random.default_rng(seed)
    errors = rng.exponential(size=(N, EPOCHS)).astype(np.float32)
    if bits == 16:
        errors = (errors.view(np.uint32) & 0xFFFF8000).view(np.float32)  # those that it holds
    with ErrorLog(path, N, unit="eV", notes={"seed": 7}, bits=bits) as log:
        for epoch in errors.T:
            log.record(np.arange(N), epoch)
            log.end_epoch()
    return errors


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def errors(path, request):
    return write(path, 0, getattr(request, "param", 32))


both_widths = pytest.mark.parametrize("errors", [32, 16], indirect=True)


def flip(data, rng):
    place = rng.integers(len(data))
    data[place] ^= 1 << rng.integers(8)


def zero(data, rng):
    start = rng.integers(len(data) - 1)
    data[start : start + 4096] = bytes(len(data[start : start + 4096]))


def cut(data, rng):
    del data[rng.integers(len(data)) :]


def swap(data, rng):
    """Let two sectors change places."""
    first, second = 512 * rng.choice(len(data) // 512, 2, replace=False)
    a, b = data[first : first + 512], data[second : second + 512]
    data[first : first + 512], data[second : second + 512] = b, a


def silent_reads(path, errors, n_times):
    """Damage each kind of file in each way; count what is read as if nothing were."""
    rng = np.random.default_rng(1)
    silent = named = 0
    for _ in range(n_times):
        for damage in (flip, zero, cut, swap):
            file = path / f"epoch-{rng.integers(EPOCHS):06d}.npy"
            whole = file.read_bytes()
            data = bytearray(whole)
            damage(data, rng)
            file.write_bytes(data)
            if data != whole:
                try:
                    ErrorLog(path)[:]
                    silent += 1
                except LTAUFileError as error:
                    named += file.name in str(error)
            file.write_bytes(whole)
    np.testing.assert_array_equal(ErrorLog(path)[:], errors)
    assert named > 3 * n_times  # not every damage changes a byte
    return silent


@both_widths
def test_no_damage_is_read_in_silence(path, errors):
    assert silent_reads(path, errors, 25) == 0


@both_widths
@pytest.mark.long_attack
def test_none_of_much_damage_is_read_in_silence(path, errors):
    n_times = 1000
    silent = silent_reads(path, errors, n_times)
    print(f"\n{4 * n_times} damaged epochs: {silent} read in silence")
    assert silent == 0


@both_widths
def test_only_what_is_damaged_is_refused(path, errors):
    file = path / "epoch-000001.npy"
    data = bytearray(file.read_bytes())
    data[-4 * 500] ^= 1  # in the last block
    file.write_bytes(data)
    log = ErrorLog(path)
    np.testing.assert_array_equal(log[:8192], errors[:8192])
    np.testing.assert_array_equal(log[:, [0, 2, 3]], errors[:, [0, 2, 3]])
    with pytest.raises(LTAUFileError, match=r"epoch-000001\.npy is damaged: the checksum of samp"):
        log[-1]


@both_widths
def test_a_bit_that_flips_in_what_a_log_says_of_itself_is_refused(path, errors):
    file = path / "log.json"
    whole = file.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            file.write_bytes(data)
            try:
                log = ErrorLog(path)
            except LTAUFileError:
                continue
            assert (log.shape, log.unit, log.notes) == ((N, EPOCHS), "eV", {"seed": 7})
            np.testing.assert_array_equal(log[0], errors[0])


@both_widths
def test_epochs_that_changed_places_are_refused(path, errors):
    first, second, aside = (path / f"epoch-00000{k}.npy" for k in (1, 2, 9))
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    for epoch in (1, 2):
        with pytest.raises(LTAUFileError, match=f"not epoch {epoch} of this log's run"):
            ErrorLog(path)[:, epoch]
    np.testing.assert_array_equal(ErrorLog(path)[:, [0, 3]], errors[:, [0, 3]])


def test_an_epoch_of_another_log_is_refused(path, errors, tmp_path):
    write(tmp_path / "other", 1)
    shutil.copy(tmp_path / "other" / "epoch-000001.npy", path)
    with pytest.raises(LTAUFileError, match="not epoch 1 of this log's run"):
        ErrorLog(path)[:]


def test_an_epoch_without_checksums_is_refused(path, errors):
    np.save(path / "epoch-000001.npy", errors[:, 1])
    with pytest.raises(LTAUFileError, match=r"expected 80\d+ bytes, got 80128"):
        ErrorLog(path)[:, 1]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("epoch-999999999.npy", r"epoch-000004\.npy is missing from the log, which has epoch-9999"),
        ("epoch-0000001.npy", r"names as epoch-000000\.npy in .*, got epoch-0000001\.npy"),
        ("epoch-000001 (copy).npy", r"got epoch-000001 \(copy\)\.npy"),
    ],
)
def test_a_stray_file_is_named(path, errors, name, match):
    shutil.copy(path / "epoch-000001.npy", path / name)
    log = ErrorLog(path)
    for use in (lambda: log[:], lambda: log.n_epochs, lambda: log.record([0], [1.0])):
        with pytest.raises(LTAUFileError, match=match):
            use()


# In a child, which would hang or run out of memory.
OPENING = """
try:
    log = ErrorLog(sys.argv[1], mode="resume")
    log[:]
    log.record([0], [1.0])
    log.end_epoch()
except (OSError, ValueError) as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
@pytest.mark.parametrize("name", ["epoch-000001.npy", "log.json", "lock", "writer"])
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_is_refused_and_nobody_hangs(path, errors, tmp_path, name, kind):
    if (path / name).exists():
        (path / name).rename(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    if kind == "pipe":
        os.mkfifo(path / name)
    elif kind == "link":
        (path / name).symlink_to(tmp_path / "elsewhere")
    else:
        (path / name).mkdir()
    said = run(OPENING, path, limit=30)
    if name == "writer":  # a new one takes its place, if it can
        assert said.startswith("IsADirectoryError" if kind == "folder" else "")
    else:
        assert said.startswith(f"LTAUFileError {path / name} is damaged: expected a file, got a")
        assert kind in said
    assert (tmp_path / "elsewhere").read_bytes() == before
