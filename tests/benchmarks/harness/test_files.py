"""Files and folders are there whole or not at all."""

import pytest

from benchmarks.harness.files import whole, whole_folder, write_text


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with whole(path) as partial:
        partial.write_text("text", "utf-8")
        assert not path.exists()
    assert path.read_text("utf-8") == "text"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "before")
    with pytest.raises(ZeroDivisionError), whole(path) as partial:
        partial.write_text(str(1 / 0), "utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "after \ud800")
    assert path.read_text("utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_it_is_complete_and_a_failed_one_is_begun_anew(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(ZeroDivisionError), whole_folder(path) as partial:
        (partial / "old").write_text("", "utf-8") / 0
    assert not path.exists()
    with whole_folder(path) as partial:
        (partial / "new").write_text("", "utf-8")
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]
