from dataclasses import fields

import numpy as np
import pytest

from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import DataError


def test_a_path_is_read_as_it_was_written(relax, tmp_path):
    (relaxed,) = relax(1)
    file = tmp_path / "folder" / "a.npz"
    relaxed.path.save(file)
    again = Path.load(file)
    for field in fields(Path):
        np.testing.assert_array_equal(
            getattr(again, field.name), getattr(relaxed.path, field.name), strict=True
        )


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: b"nothing"])
def test_a_damaged_file_is_refused(relax, tmp_path, damage):
    (relaxed,) = relax(1)
    file = tmp_path / "a.npz"
    relaxed.path.save(file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"a\.npz is not a whole path"):
        Path.load(file)


def test_a_file_of_other_columns_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", numbers=[1])
    with pytest.raises(DataError, match=r"a\.npz is not a whole path"):
        Path.load(tmp_path / "a.npz")


def test_a_pickle_is_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", converged=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="not a whole path"):
        Path.load(tmp_path / "a.npz")
