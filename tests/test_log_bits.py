"""Logs of 16 bits: half as large, and each error rounded to the nearest that they hold."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltau import ErrorLog, LTAUEstimator, LTAUFileError, merge_logs
from ltau.log._bits import pack, unpack

LARGEST = np.finfo(np.float32).max
NORMAL = np.finfo(np.float32).smallest_normal


def write(path, errors, **described):
    """Write an array to a log."""
    with ErrorLog(path, len(errors), **described) as log:
        for epoch in errors.T:
            seen = np.flatnonzero(~np.isnan(epoch))
            log.record(seen, epoch[seen])
            log.end_epoch()
    return log


def float_of(bits):
    """The float32 whose sign is 0, whose next 16 bits are these, and whose others are 0."""
    return struct.unpack(">f", struct.pack(">I", bits << 15))[0]


def nearest(error):
    """The 16 bits of the nearest finite number that they hold, of two the even one."""
    if np.isnan(error):
        return 0xFF80
    below = struct.unpack(">I", struct.pack(">f", error))[0] >> 15
    around = [bits for bits in (below, below + 1) if np.isfinite(float_of(bits))]
    return min(around, key=lambda bits: (abs(float_of(bits) - float(error)), bits & 1))


def random_errors(n_samples, n_epochs, seed=0):
    """Errors of all sizes, some not seen."""
    rng = np.random.default_rng(seed)
    errors = np.exp(rng.uniform(-95, 88, (n_samples, n_epochs))).astype(np.float32)
    errors[rng.random(errors.shape) < 0.2] = np.nan
    return errors


def rounded(errors):
    return np.vectorize(lambda error: float_of(nearest(error)), otypes=[np.float32])(errors)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


# Values.


def test_what_is_on_the_disk_is_the_nearest_that_16_bits_hold(path):
    errors = random_errors(500, 3)
    log = write(path, errors, bits=16)
    np.testing.assert_array_equal(log[:], rounded(errors), strict=True)
    for number, epoch in enumerate(errors.T):
        data = (path / f"epoch-{number:06d}.npy").read_bytes()
        stored = np.frombuffer(data, "<u2", 500, offset=128)
        assert stored.tolist() == [nearest(error) for error in epoch]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (1 + 2**-8, 1 + 2**-8),
        (1 + 2**-9, 1.0),  # a tie: the even one below
        (1 + 3 * 2**-9, 1 + 2**-7),  # and above
        (1 + 2**-9 + 2**-23, 1 + 2**-8),
        (2 - 2**-23, 2.0),
        (LARGEST, (2 - 2**-8) * 2.0**127),  # not infinity
        (2.0**-134, 2.0**-134),  # the smallest that is kept
        (2.0**-149, 0.0),
    ],
)
def test_rounding_by_hand(path, error, expected):
    log = write(path, np.array([[error]], np.float32), bits=16)
    assert log[0, 0] == expected


def test_nothing_has_a_sign(path):
    log = write(path, np.array([[-0.0]], np.float32), bits=16)
    assert not np.signbit(log[0, 0])
    assert not np.signbit(write(path.with_name("nan"), np.float32([[np.nan]]), bits=16)[0, 0])


def round_trip(*errors):
    return unpack(pack(np.array(errors, np.float32), 16))


magnitudes = st.floats(0, float(LARGEST), width=32)


@given(magnitudes)
@settings(max_examples=1000)
def test_rounding_changes_no_error_by_much_and_none_twice(error):
    (read,) = round_trip(error)
    assert abs(float(read) - error) <= max(2.0**-9 * error, 2.0**-135)
    assert round_trip(read) == read
    assert pack(np.float32([error]), 16).tolist() == [nearest(error)]


@given(magnitudes, magnitudes)
@settings(max_examples=1000)
def test_rounding_keeps_the_order(a, b):
    low, high = round_trip(*sorted([a, b]))
    assert low <= high


def test_every_bit_pattern_comes_back():
    stored = np.arange(0xFF00, dtype="<u2")  # of all that is finite
    errors = unpack(stored)
    assert np.isfinite(errors).all()
    assert (np.diff(errors) > 0).all()
    np.testing.assert_array_equal(pack(errors, 16), stored, strict=True)


# The log.


def test_the_files_are_half_as_large(path, tmp_path):
    errors = random_errors(20_000, 2)
    for bits in (16, 32):
        write(tmp_path / str(bits), errors, bits=bits)
    n_checksums = 3  # of 16 bytes, after a header of 128
    for number in range(2):
        sizes = [
            (tmp_path / str(bits) / f"epoch-{number:06d}.npy").stat().st_size for bits in (16, 32)
        ]
        assert sizes == [128 + 20_000 * size + 16 * n_checksums for size in (2, 4)]


def test_numpy_reads_the_files_as_the_documentation_says(path):
    log = write(path, random_errors(50, 1), bits=16)
    file = path / "epoch-000000.npy"
    assert np.load(file).dtype == np.uint16
    errors = (np.load(file).astype("u4") << 15).view("f4")
    np.testing.assert_array_equal(errors, log[:, 0])


def test_a_log_is_read_like_any_other(path):
    errors = random_errors(20_000, 4)
    log = write(path, errors, unit="eV", bits=16)
    expected = rounded(errors)
    assert log.dtype == np.float32
    assert log.shape == errors.shape
    for key in (slice(None), 5, -1, (8192, 3), slice(8190, 8195), ([3, 19_999, 3], slice(1, 3))):
        np.testing.assert_array_equal(log[key], expected[key], strict=True)
    np.testing.assert_array_equal(np.asarray(log), expected, strict=True)
    np.testing.assert_array_equal(np.stack(list(log.epochs()), axis=1), expected, strict=True)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(log))[:], expected)
    assert log.has_checksums


def test_a_log_says_of_how_many_bits_it_is(path, tmp_path):
    write(path, random_errors(7, 2), bits=np.int64(16))
    log = ErrorLog(path)
    assert log.bits == 16
    assert repr(log) == f"ErrorLog({str(path)!r}, n_samples=7, n_epochs=2, bits=16)"
    said = json.loads((path / "log.json").read_text())
    assert (said["version"], said["bits"]) == (3, 16)  # a version that older ones refuse
    for number, said_so in enumerate([{}, {"bits": 32}]):
        log = write(tmp_path / str(number), random_errors(7, 2), **said_so)
        assert log.bits == 32
        assert "bits" not in repr(log)
        said = json.loads((tmp_path / str(number) / "log.json").read_text())
        assert said["version"] == 2  # which they read
        assert "bits" not in said


def test_a_log_goes_on_in_its_bits(path):
    errors = random_errors(9, 3)
    write(path, errors[:, :1], bits=16)
    for epoch, said_so in zip(errors.T[1:], [{}, {"bits": 16}], strict=True):
        write(path, epoch[:, None], mode="resume", **said_so)
    np.testing.assert_array_equal(ErrorLog(path)[:], rounded(errors))


def test_an_epoch_that_waits_in_memory_is_written_in_the_bits_of_the_log(path, tmp_path):
    errors = random_errors(7, 2)
    with ErrorLog(path, 7, bits=16) as log:
        for number, epoch in enumerate(errors.T):
            seen = np.flatnonzero(~np.isnan(epoch))
            log.record(seen, epoch[seen])
            path.rename(tmp_path / "away")
            with pytest.warns(UserWarning, match=f"Epoch {number} is kept in memory"):
                log.end_epoch(on_error="warn")
            (tmp_path / "away").rename(path)
    np.testing.assert_array_equal(ErrorLog(path)[:], rounded(errors))


@pytest.mark.parametrize(("there", "other"), [(16, 32), (32, 16), (16, 8)])
def test_a_log_of_other_bits_is_not_gone_on_with(path, there, other):
    write(path, random_errors(7, 2), bits=there)
    for mode in (None, "resume"):
        with pytest.raises(ValueError, match=rf"Expected bits={there}, .*, got bits={other}"):
            ErrorLog(path, 7, bits=other, mode=mode)
    assert ErrorLog(path, 7, bits=there).shape == (7, 2)


@pytest.mark.parametrize(
    ("bits", "error", "match"),
    [
        (8, ValueError, "Expected bits 32 or 16, got 8"),
        (True, ValueError, "Expected bits 32 or 16, got 1"),
        (16.0, TypeError, "integer"),
        ("16", TypeError, "integer"),
    ],
)
def test_a_log_has_32_bits_or_16(path, bits, error, match):
    with pytest.raises(error, match=match):
        ErrorLog(path, 7, bits=bits)
    assert not path.exists()
    log = write(path, random_errors(7, 2))
    with pytest.raises(error, match=match):
        ErrorLog(path, 7, bits=bits, mode="new")
    assert log.shape == (7, 2)


def test_a_new_log_is_of_the_bits_that_are_given(path):
    errors = random_errors(7, 2)
    earlier = write(path, errors)
    new = write(path, errors, bits=16, mode="new")
    np.testing.assert_array_equal(new[:], rounded(errors))
    with pytest.raises(FileExistsError, match="got another, which was started in its place"):
        earlier.record([0], [1.0])
    assert write(path, errors, mode="new").bits == 32
    np.testing.assert_array_equal(ErrorLog(path)[:], errors)


def test_an_epoch_of_another_width_is_refused(path, tmp_path):
    errors = random_errors(7, 2)
    for bits, other in ((16, 32), (32, 16)):
        folder = tmp_path / str(bits)
        write(folder, errors, bits=bits)
        write(tmp_path / f"other-{bits}", errors, bits=other)
        shutil.copy(tmp_path / f"other-{bits}" / "epoch-000001.npy", folder)
        with pytest.raises(LTAUFileError, match=f"expected the header of 7 errors of {bits} bits"):
            ErrorLog(folder)[:, 1]


# Merged.


def test_logs_of_16_bits_are_merged_to_one_without_rounding_again(tmp_path):
    errors = random_errors(9, 3)
    parts = errors.copy(), errors.copy()
    parts[0][4:], parts[1][:4] = np.nan, np.nan
    for number, part in enumerate(parts):
        write(tmp_path / str(number), part, bits=16)
    merged = merge_logs([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    assert merged.bits == 16
    np.testing.assert_array_equal(merged[:], rounded(errors))


@pytest.mark.parametrize("bits", [(16, 32), (32, 16)])
def test_of_logs_of_both_widths_the_wider_comes_out(tmp_path, bits):
    errors = random_errors(9, 3)
    expected = errors.copy()
    for number, width in enumerate(bits):
        part = np.full_like(errors, np.nan)
        part[number::2] = errors[number::2]
        write(tmp_path / str(number), part, bits=width)
        if width == 16:
            expected[number::2] = rounded(errors[number::2])
    merged = merge_logs([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    assert merged.bits == 32
    np.testing.assert_array_equal(merged[:], expected)


# As it was written when there came to be 16 bits.

OLD = Path(__file__).with_name("log_formats") / "3"


def test_a_log_of_the_third_format_is_read_and_goes_on_in_it(path):
    errors = np.array(
        [
            [0.25, 0.5, np.nan],
            [np.nan, 1e-30, 3.4e38],
            [0.0, np.nan, 2.5],
            [7.0, 0.125, np.nan],
            [1.5, 2.5, 3.5],
        ],
        np.float32,
    )
    shutil.copytree(OLD, path)
    log = ErrorLog(path, 5, unit="eV/Å", target="forces", bits=16)
    assert (log.notes, log.has_checksums) == ({"seed": 3}, True)
    np.testing.assert_array_equal(log[:], rounded(errors), strict=True)
    write(path, errors[:, :1], mode="resume")
    assert (path / "epoch-000003.npy").stat().st_size == 128 + 2 * 5 + 16
    assert (path / "log.json").read_bytes() == (OLD / "log.json").read_bytes()
    np.testing.assert_array_equal(ErrorLog(path)[:], rounded(np.hstack([errors, errors[:, :1]])))


# What an estimator loses.


def rms_changes(latents, errors, new, folder):
    """Root mean squares of the relative changes of expected errors and of error bars."""
    said = []
    for bits in (32, 16):
        log = write(folder / str(bits), errors, bits=bits)
        estimator = LTAUEstimator().fit(latents, log)
        said.append((estimator.predict(new), estimator.predict_quantile(new, 0.9)))
    (expected, bars), (expected_16, bars_16) = said
    return [
        np.sqrt(np.mean((changed / as_it_was - 1) ** 2))
        for changed, as_it_was in ((expected_16, expected), (bars_16, bars))
    ]


def test_an_estimator_hardly_changes(tmp_path):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(2000, 4))
    scale = np.exp(latents[:, :1])
    errors = (scale * np.abs(rng.normal(size=(2000, 60)))).astype(np.float32)
    expected, bars = rms_changes(latents, errors, rng.normal(size=(500, 4)), tmp_path)
    assert 0 < expected < 0.002
    assert 0 < bars < 0.01


def test_an_estimator_of_a_force_field_hardly_changes(tmp_path, acac):
    train, new = acac["train"], acac["MD_300K"]["latents"][:2000]
    expected, bars = rms_changes(train["latents"], train["errors"], new, tmp_path)
    assert 0 < expected < 0.001
    assert 0 < bars < 0.01
