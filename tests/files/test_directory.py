"""The parts of a zip archive are where Python's own reader finds them, or refused."""

import struct
import zipfile

import pytest

from ltau._files.directory import DirectoryError, parts_of

PARTS = {"a": b"first", "Δ/b": b"", "c.npy": bytes(1000)}


@pytest.fixture
def data(path):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in PARTS.items():
            with packed.open(name, "w", force_zip64=name == "c.npy") as file:
                file.write(content)
    return path.read_bytes()


def content_of(data, most=10):
    parts = parts_of(memoryview(data), most)
    return {name: data[start : start + size] for name, start, size in parts}


def test_parts_are_found(data):
    assert content_of(data) == PARTS


def test_a_directory_with_numbers_of_8_bytes(data, path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)  # as for files of 4 GiB
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in PARTS.items():
            packed.writestr(name, content)
    assert b"PK\x06\x06" in path.read_bytes()
    assert content_of(path.read_bytes()) == PARTS


def test_more_parts_than_there_may_be_are_refused(data):
    assert len(parts_of(memoryview(data), 3)) == 3
    with pytest.raises(DirectoryError, match="at most 2 parts, got 3"):
        parts_of(memoryview(data), 2)


def test_a_file_cut_anywhere_or_with_more_at_its_end_is_refused(data):
    for cut in [*(data[:end] for end in range(0, len(data), 7)), data + b"\0"]:
        with pytest.raises(DirectoryError):
            parts_of(memoryview(cut), 10)


def test_a_count_that_is_not_the_number_of_entries_is_refused(data):
    for count in (0, 2, 4, 65535):
        forged = data[:-14] + struct.pack("<HH", count, count) + data[-10:]
        with pytest.raises((DirectoryError, struct.error)):
            parts_of(memoryview(forged), 10**6)
