"""The data sets of the benchmarks: their folds, and that they are the right ones."""

import numpy as np
import pytest

for module in ("pandas", "pooch"):
    pytest.importorskip(module)

from benchmarks.harness import data  # noqa: E402


@pytest.mark.parametrize("name", data.SETS)
def test_folds_test_every_row_once(data_dir, name):
    dataset = data.load(name)
    assert (dataset.folds.sum(axis=1) == 1).all()
    assert np.isfinite(dataset.X).all()
    assert np.isfinite(dataset.y).all()


def test_a_split_shares_no_row_and_keeps_to_its_limits():
    y = np.arange(100.0)
    folds = (np.arange(100) % 10)[:, None] == np.arange(10)
    train, test = data.Dataset(y[:, None], y, folds).split(3, max_train=50, max_test=5)
    assert (len(train), len(test)) == (50, 5)
    assert (test % 10 == 3).all()
    assert not (train % 10 == 3).any()


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "esol").mkdir()
    (tmp_path / "esol" / "delaney-processed.csv").write_text("nothing", "utf-8")
    monkeypatch.setenv("LTAU_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="sha256"):
        data.load("esol")


def test_a_missing_file_is_named_with_its_source(monkeypatch, tmp_path):
    monkeypatch.setenv("LTAU_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"uci_datasets.* LTAU_DATA"):
        data.load("yacht")


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="Expected one of airfoil"):
        data.load("boston")
