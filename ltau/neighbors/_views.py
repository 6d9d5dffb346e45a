"""Let faiss search arrays where they lie, in memory or in a mapped file, without a copy."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_lists", "inverted_lists", "view"]


def view(array: NDArray[Any]) -> Any:
    """Show faiss the bytes of an array; the caller keeps the array alive.

    Parameters
    ----------
    array : ndarray, C-contiguous
        The array; faiss does not write to it.

    Returns
    -------
    faiss.MaybeOwnedVectorUInt8
        A vector that owns nothing.

    Raises
    ------
    RuntimeError
        If faiss would read other bytes.
    """
    vector: Any = faiss.MaybeOwnedVectorUInt8()
    if array.size:
        data = array.reshape(-1).view(np.uint8)
        vector.is_owned = False
        vector.view_data = vector.c_ptr = faiss.swig_ptr(data)
        vector.view_size = vector.c_size = data.size
        _check_view(vector, data)
    return vector


def _check_view(vector: Any, data: NDArray[np.uint8]) -> None:
    """Look where faiss will read: it documents nothing of how such a vector is set up."""
    size = vector.size()
    address = faiss.rev_swig_ptr(vector.data(), 1).ctypes.data if size else None
    if (size, address) != (data.size, data.ctypes.data):
        raise RuntimeError(
            f"Expected faiss to read {data.size} bytes at {data.ctypes.data}, got {size} at "
            f"{address}: version {faiss.__version__} behaves unlike those that ltau knows."
        )


def inverted_lists(codes: NDArray[Any], sizes: NDArray[np.int64]) -> Any:
    """Make the lists of a partition over codes as they lie, one cell after the other.

    Parameters
    ----------
    codes : ndarray of shape (n, width), C-contiguous
        The codes, which for a flat list are the vectors; the caller keeps them alive.
    sizes : ndarray of shape (n_cells,), int64
        Number of codes in each cell.

    Returns
    -------
    faiss.ArrayInvertedLists
        The lists. What a search finds is numbered by the rows of `codes`.

    Raises
    ------
    RuntimeError
        If faiss would read other bytes.
    """
    lists: Any = faiss.ArrayInvertedLists(len(sizes), 1)
    fill_lists(lists, np.zeros((len(codes), 1), np.uint8), sizes)  # for the numbers
    lists.codes.clear()
    for end, size in zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True):
        lists.codes.push_back(view(codes[end - size : end]))
    lists.code_size = codes.strides[0]
    _check_lists(lists, codes, sizes)
    return lists


def _check_lists(lists: Any, codes: NDArray[Any], sizes: NDArray[np.int64]) -> None:
    """Look at what faiss will read by: the number of codes, and the bytes of each."""
    found = np.array([lists.list_size(cell) for cell in range(len(sizes))])
    if lists.code_size != codes.strides[0] or not np.array_equal(found, sizes):
        raise RuntimeError(
            f"Expected lists of {len(codes)} codes of {codes.strides[0]} bytes, got "
            f"{found.sum()} of {lists.code_size}: faiss {faiss.__version__} does not do as "
            "the versions that ltau knows."
        )


def fill_lists(lists: Any, codes: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
    """Copy codes into empty lists of faiss, numbered as they come.

    Parameters
    ----------
    lists : faiss.InvertedLists
        The lists.
    codes : ndarray of shape (n, code_size), uint8, C-contiguous
        The codes, one cell after the other.
    sizes : ndarray of shape (n_cells,), int64
        Number of codes in each cell.
    """
    numbers = np.arange(len(codes))
    ends = np.cumsum(sizes).tolist()
    for cell, (end, size) in enumerate(zip(ends, sizes.tolist(), strict=True)):
        if size:
            part = slice(end - size, end)
            lists.add_entries(
                cell, size, faiss.swig_ptr(numbers[part]), faiss.swig_ptr(codes[part])
            )
