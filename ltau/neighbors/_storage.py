"""What fits in the memory that an index may take, and where the vectors lie."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import numpy as np

from ltau.neighbors._base import Vectors
from ltau.neighbors._partition import default_n_cells
from ltau.neighbors._quantized import PQIndex, SQ8Index, pq_code_size

__all__ = ["Storage", "needed_bytes", "plan"]

_QUANTIZED = (SQ8Index.kind, PQIndex.kind)


def needed_bytes(kind: str, shape: tuple[int, ...]) -> int:
    """Give about the bytes that an index takes in memory, with the vectors if they must be there.

    Parameters
    ----------
    kind : str
        As in `make_index`; ``"auto"`` takes as much as the larger of its kinds, IVF.
    shape : tuple of int
        Number and width of the vectors.

    Returns
    -------
    int
        The bytes.
    """
    n, width = shape
    of_each = {
        "flat": 4 * width,
        "hnsw": 4 * width + 300,  # the links
        "ivf_sq8": width + 16,
        "ivf_pq": 2 * pq_code_size(width) + 16,
    }.get(kind, 4 * width + 32)  # their numbers, their cells, and their places twice
    centroids = 0 if kind in ("flat", "hnsw") else 8 * width * default_n_cells(n)
    return n * of_each + centroids


@dataclass(frozen=True)
class Storage:
    """The kind of index to build, and whether the vectors lie in a file."""

    kind: str
    in_file: bool

    def room(self, shape: tuple[int, ...]) -> Vectors | None:
        """Make room for vectors in a temporary file; None if they are to be in memory.

        The file has no name, and is gone with the array.
        """
        if not self.in_file:
            return None
        with tempfile.TemporaryFile() as file:
            return np.asarray(np.memmap(file, np.float32, "w+", shape=shape))


def plan(kind: str, shape: tuple[int, ...], memory_limit: int | None) -> Storage:
    """Find the index that fits in the memory.

    Parameters
    ----------
    kind : str
        As in `make_index`. For ``"auto"`` the first that fits of IVF or flat, flat alone, SQ8
        and PQ.
    shape : tuple of int
        Number and width of the vectors.
    memory_limit : int or None
        Bytes that the index may take once it is built; None is without a limit.

    Returns
    -------
    Storage
        The kind, and where the vectors lie.

    Raises
    ------
    ValueError
        If it does not fit; the message says what would.

    Examples
    --------
    >>> from ltau.neighbors._storage import plan
    >>> plan("auto", (1_000_000, 64), 600_000_000)
    Storage(kind='auto', in_file=False)
    >>> plan("auto", (1_000_000, 64), 100_000_000)
    Storage(kind='ivf_sq8', in_file=True)
    """
    if memory_limit is None:
        return Storage(kind, in_file=False)
    for candidate in ("auto", "flat", *_QUANTIZED) if kind == "auto" else (kind,):
        if needed_bytes(candidate, shape) <= memory_limit:
            both = needed_bytes(candidate, shape) + needed_bytes("flat", shape)
            return Storage(candidate, candidate in _QUANTIZED and both > memory_limit)
    smallest = needed_bytes(PQIndex.kind, shape)
    raise ValueError(
        f"Expected a memory_limit of {needed_bytes(kind, shape):,} bytes for index {kind!r} of "
        f"{shape[0]:,} x {shape[1]} latents, or of {smallest:,} for the smallest, "
        f"{PQIndex.kind!r}; got {memory_limit:,}."
    )
