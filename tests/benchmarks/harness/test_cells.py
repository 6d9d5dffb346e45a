"""The cache of finished measurements."""

import numpy as np
import pytest

import ltau
from benchmarks.harness.cells import cached, cached_arrays, code_of_ltau


class TestCells:
    def test_what_is_finished_is_not_measured_again(self, tmp_path):
        calls = []

        def measure():
            calls.append(1)
            return {"score": 0.1, "undefined": float("nan")}

        first = cached(tmp_path, {"set": "a", "fold": 0}, measure)
        again = cached(tmp_path, {"fold": 0, "set": "a"}, measure)
        assert len(calls) == 1
        np.testing.assert_equal(again, first)
        cached(tmp_path, {"set": "a", "fold": 1}, measure)
        assert len(calls) == 2

    def test_a_measurement_that_fails_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            cached(tmp_path, {}, lambda: {"score": 1 / 0})
        assert list(tmp_path.iterdir()) == []


class TestCachedArrays:
    def test_arrays_are_made_once_and_come_back_as_they_were(self, tmp_path):
        calls = []

        def make():
            calls.append(1)
            return {"a/b": np.arange(3, dtype=np.float32), "c": np.array(2.5)}

        first = cached_arrays(tmp_path, {"n": 1}, make)
        again = cached_arrays(tmp_path, {"n": 1}, make)
        assert len(calls) == 1
        assert again["a/b"].dtype == np.float32
        np.testing.assert_equal(again, first)
        cached_arrays(tmp_path, {"n": 2}, make)
        assert len(calls) == 2

    def test_what_fails_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            cached_arrays(tmp_path, {}, lambda: {"x": np.array(1 / 0)})
        with pytest.raises(TypeError):
            cached_arrays(tmp_path, {}, lambda: {3: np.array(1)})
        assert list(tmp_path.iterdir()) == []


def test_other_code_has_another_name(tmp_path, monkeypatch):
    before = code_of_ltau()
    (tmp_path / "__init__.py").write_text("", "utf-8")
    monkeypatch.setattr(ltau, "__file__", str(tmp_path / "__init__.py"))
    code_of_ltau.cache_clear()
    first = code_of_ltau()
    (tmp_path / "more.py").write_text("x = 1", "utf-8")
    code_of_ltau.cache_clear()
    assert len({before, first, code_of_ltau()}) == 3
    code_of_ltau.cache_clear()
