"""Arrays, columns of CSV files and logs, from what the command line names."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau._inputs.csv_files import read_csv
from ltau.log import ErrorLog

__all__ = ["read_errors", "read_labels", "read_numbers", "read_vector"]

_WITH_NAMES = re.compile(r"(?P<path>.+\.(?:csv|npz)):(?P<names>[^/\\]+)", re.IGNORECASE)


def read_numbers(file: str) -> NDArray[Any]:
    """Read numbers, shape (n_samples, ...); those of a CSV file have two axes.

    Parameters
    ----------
    file : str
        ``array.npy``, ``arrays.npz:name``, ``table.csv`` or ``table.csv:column,column``.

    Returns
    -------
    ndarray
        The numbers.

    Raises
    ------
    ValueError
        If the file holds something else.
    OSError
        If it cannot be read.
    """
    path, names = _parts(file)
    if path.suffix.lower() == ".csv":
        table = read_csv(path)
        return np.column_stack([table.numbers(name) for name in names or table.names])
    return _read_array(path, names)


def read_vector(file: str) -> NDArray[Any]:
    """Read numbers; a single column as one of shape (n_samples,)."""
    numbers = read_numbers(file)
    return numbers[:, 0] if numbers.ndim == 2 and numbers.shape[1] == 1 else numbers


def read_errors(file: str) -> NDArray[Any] | ErrorLog:
    """Read error trajectories: numbers, or the folder of a log."""
    return ErrorLog(file) if Path(file).is_dir() else read_numbers(file)


def read_labels(file: str) -> NDArray[Any]:
    """Read a label of each sample, shape (n_samples,); those of a CSV file are text."""
    path, names = _parts(file)
    if path.suffix.lower() != ".csv":
        return _read_array(path, names)
    table = read_csv(path)
    names = names or table.names
    if len(names) != 1:
        raise ValueError(f"Expected one column of labels, got {len(names)}: name it, {path}:column")
    return table.text(names[0])


def _parts(file: str) -> tuple[Path, list[str]]:
    """Split the path from the names behind it, unless there is a file of the whole name."""
    match = None if Path(file).exists() else _WITH_NAMES.fullmatch(file)
    if match is None:
        return Path(file), []
    return Path(match["path"]), match["names"].split(",")


def _read_array(path: Path, names: list[str]) -> NDArray[Any]:
    """Read an array; one of objects would be a pickle, and is refused."""
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise ValueError(f"Expected a file that ends in .npy, .npz or .csv, got {path}.")
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if suffix == ".npy":
                return np.asarray(loaded)
            if len(names) != 1 or names[0] not in loaded.files:
                known = ", ".join(f"{path}:{name}" for name in loaded.files)
                raise ValueError(f"Expected the name of an array, one of {known}.")
            return np.asarray(loaded[names[0]])
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected arrays of numpy in {path}: {error}.") from error
