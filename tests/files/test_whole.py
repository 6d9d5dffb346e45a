"""Files that are written whole or not at all, on a disk that becomes full as well."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from ltau._files.whole import (
    append_whole,
    check_writable,
    create_whole,
    write_text_whole,
    write_whole,
)

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


posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    path.chmod(mode)

    def write(file):
        (temporary,) = tmp_path.glob("*.tmp")
        assert temporary.stat().st_mode & 0o777 == mode  # before anything can be read
        file.write(b"new")

    write_whole(path, write)
    assert path.stat().st_mode & 0o777 == mode


@posix
def test_leftovers_are_cleared_and_what_is_in_use_is_not(tmp_path):
    leftover = tmp_path / f"model.{'0' * 32}.tmp"
    others = [tmp_path / f"other.{'0' * 32}.tmp", tmp_path / "model.tmp", tmp_path / "model.1.tmp"]
    for path in (leftover, *others):
        path.touch()

    def write(file):
        assert not leftover.exists()
        file.write(b"outer ")
        write_whole(tmp_path / "model.ltau", lambda inner: inner.write(b"inner"))

    write_whole(tmp_path / "model.ltau", write)
    assert (tmp_path / "model.ltau").read_bytes() == b"outer "
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "model.ltau", *others])


def test_a_file_is_created_once(tmp_path):
    path = tmp_path / "file"
    create_whole(path, lambda file: file.write(BEFORE))
    with pytest.raises(FileExistsError, match="Cannot write file: File exists"):
        create_whole(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == BEFORE
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_whose_link_was_made_though_the_answer_was_lost_is_created(tmp_path, monkeypatch):
    link = os.link

    def link_twice(*names):
        link(*names)
        link(*names)  # as a network file system repeats what was not answered

    monkeypatch.setattr(os, "link", link_twice)
    create_whole(tmp_path / "file", lambda file: file.write(BEFORE))
    assert (tmp_path / "file").read_bytes() == BEFORE


def test_where_there_are_no_links_a_name_is_taken_first(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    path, taken = tmp_path / "file", tmp_path / "file.taken.tmp"
    taken.touch()  # by a process that was killed, or still lives
    with pytest.raises(FileExistsError, match=r"remove file\.taken\.tmp if none is alive"):
        create_whole(path, lambda file: file.write(BEFORE))
    taken.unlink()
    create_whole(path, lambda file: file.write(BEFORE))
    with pytest.raises(FileExistsError, match="File exists"):
        create_whole(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == BEFORE
    assert list(tmp_path.iterdir()) == [path]


def test_windows_tells_why_it_replaces_no_file_that_is_mapped(tmp_path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Access is denied")

    (tmp_path / "file").write_bytes(BEFORE)
    monkeypatch.setattr("ltau._files.whole.sys.platform", "win32")
    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(PermissionError, match=r"file: Access is denied\. .* with mmap=True, or"):
        write_whole(tmp_path / "file", lambda file: file.write(b"new"))
    assert (tmp_path / "file").read_bytes() == BEFORE
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("folder", IsADirectoryError), ("missing/file", FileNotFoundError), ("file", None)],
)
def test_what_cannot_be_written_is_known_before(tmp_path, name, kind):
    (tmp_path / "folder").mkdir()
    if kind is None:
        check_writable(tmp_path / name)
    else:
        with pytest.raises(kind, match=f"Cannot write {Path(name).name}"):
            check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_known_before(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="Cannot write file"):
            check_writable(tmp_path / "file")
    finally:
        tmp_path.chmod(0o700)
