"""What faiss reads where it lies, and that a faiss which is another than we know is refused."""

import faiss
import numpy as np
import pytest

from ltau.neighbors import _faiss, _views
from ltau.neighbors._faiss import check_faiss

OTHER = np.zeros(48, np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_view_has_the_bytes_of_the_array(dtype):
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    seen = _views.view(array)
    for number in (5, 77):  # not a copy
        array[1, 1] = number
        read = faiss.rev_swig_ptr(seen.data(), seen.size())
        np.testing.assert_array_equal(read, array.view(np.uint8).ravel())


def test_a_view_of_nothing_is_empty():
    assert _views.view(np.empty((0, 4), np.float32)).size() == 0


@pytest.mark.parametrize(
    ("kept", "got"),
    [
        (("this", "thisown"), "got 0 at None"),
        (("this", "thisown", "is_owned", "view_size", "c_size"), "got 48 at "),
        (("this", "thisown", "is_owned", "view_data", "c_ptr"), "got 0 at None"),
    ],
)
def test_a_faiss_that_reads_other_bytes_is_refused(monkeypatch, kept, got):
    class Renamed(faiss.MaybeOwnedVectorUInt8):
        """One in which other names mean something: what is set stays as it was."""

        def __setattr__(self, name, value):
            if name in kept:
                super().__setattr__(name, value)

        def data(self):
            return faiss.swig_ptr(OTHER)

    monkeypatch.setattr(faiss, "MaybeOwnedVectorUInt8", Renamed)
    with pytest.raises(RuntimeError, match=rf"Expected faiss to read 48 bytes at \d+, {got}"):
        _views.view(np.arange(12, dtype=np.float32))


def test_lists_with_another_code_size_are_refused(monkeypatch):
    class Lists(faiss.ArrayInvertedLists):
        def __setattr__(self, attribute, value):
            if attribute != "code_size":
                super().__setattr__(attribute, value)

    monkeypatch.setattr(faiss, "ArrayInvertedLists", Lists)
    with pytest.raises(RuntimeError, match="Expected lists of 5 codes of 4 bytes, got 5 of 1"):
        _views.inverted_lists(np.zeros((5, 4), np.uint8), np.array([2, 3]))


def test_every_name_that_is_used_is_there():
    check_faiss()


@pytest.mark.parametrize("name", _faiss.NAMES)
def test_a_name_that_is_missing_is_said(monkeypatch, name):
    holder, _, attribute = name.partition(".")
    if attribute:
        monkeypatch.setattr(faiss, holder, object())
    else:
        monkeypatch.delattr(faiss, holder)
    with pytest.raises(ImportError, match=rf"which has no .*{name}"):
        check_faiss()
