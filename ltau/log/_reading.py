"""What is read of a log: what is asked for, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau.log._epochs import Epochs
from ltau.log._indexing import rows_and_epochs, shares
from ltau.log._layout import BLOCK

__all__ = ["DTYPE", "read"]

DTYPE = np.dtype(np.float32)  # in memory


def read(files: Epochs, key: Any) -> NDArray[np.float32]:
    """Read ``log[rows]`` or ``log[rows, epochs]`` from the files of the epochs."""
    rows, epochs = rows_and_epochs(key)
    shape = files.layout.n_samples, files.count()
    # An array without memory: numpy says what shape comes out, or what is out of range.
    asked = np.broadcast_to(DTYPE.type(0), shape)[rows, epochs].shape
    errors = np.empty(asked[::-1], DTYPE).T  # an epoch's errors lie together, as on disk
    numbers = np.arange(shape[1])[epochs]
    columns = errors if numbers.ndim else errors[..., np.newaxis]
    parts = shares(rows, shape[0], BLOCK)
    for column, number in enumerate(np.atleast_1d(numbers)):
        blocks = files.read(int(number), [part.block for part in parts])
        for part, block in zip(parts, blocks, strict=True):
            columns[..., column][part.into] = block[part.within]
    return errors[()]  # a scalar, where one error was asked for
