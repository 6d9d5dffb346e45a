"""Files that are written whole or not at all, on a disk that becomes full as well."""

from contextlib import contextmanager

import pytest

from ltau._files.whole import append_whole, write_text_whole, write_whole

BEFORE = b"what was there\n"


@contextmanager
def full_disk():
    """Let files grow to 100 bytes: the system refuses the rest, as a full disk does."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


WRITERS = {
    "write_whole": lambda path, data: write_whole(path, lambda file: file.write(data)),
    "write_text_whole": lambda path, data: write_text_whole(
        path, lambda file: file.write(data.decode())
    ),
    "append_whole": append_whole,
}
writers = pytest.mark.parametrize("name", WRITERS)


@writers
def test_a_file_is_started_where_there_is_none(name, tmp_path):
    WRITERS[name](tmp_path / "file", "0.1 eV/Å\n".encode())
    assert (tmp_path / "file").read_bytes() == "0.1 eV/Å\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@writers
def test_what_is_there_is_replaced_or_added_to(name, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    WRITERS[name](path, b"new")
    assert path.read_bytes() == (BEFORE if name == "append_whole" else b"") + b"new"


@writers
@pytest.mark.parametrize("size", [101, 100_000])
@pytest.mark.parametrize("before", [None, BEFORE])
def test_what_cannot_be_written_leaves_all_as_it_was(name, size, before, tmp_path):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    with full_disk(), pytest.raises(OSError, match="Cannot write file: File too large") as caught:
        WRITERS[name](path, b"x" * size)
    assert caught.value.filename == str(path)
    assert (path.read_bytes() if path.exists() else b"") == (before or b"")
    assert all(other == path for other in tmp_path.iterdir())


@writers
def test_a_folder_that_is_not_there_is_said(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="Cannot write file"):
        WRITERS[name](tmp_path / "no" / "file", b"x")


@pytest.mark.parametrize("name", ["write_whole", "write_text_whole"])
def test_what_the_writer_raises_leaves_all_as_it_was(name, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    write = {"write_whole": write_whole, "write_text_whole": write_text_whole}[name]

    def fail(file):
        file.write(b"x" if name == "write_whole" else "x")
        raise KeyError("of the writer")

    with pytest.raises(KeyError, match="of the writer"):
        write(path, fail)
    assert path.read_bytes() == BEFORE
    assert list(tmp_path.iterdir()) == [path]
