"""Files of older formats, brought to the newest."""

from __future__ import annotations

from typing import Any

import numpy as np

from ltau._files.arrays import Arrays, prefixed, section, sections

__all__ = ["upgraded"]


def upgraded(header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Give a file's parts as they would be written today; they predict the same bits.

    Format 4 says how errors are stretched; before, it was by a power of the distance. Format 3
    counts samples that coincide together, and has floors of distances: older ones
    have none. Format 2 has its cells in order, prototypes, and a report on the index.

    Parameters
    ----------
    header : dict
        The header, with the ``version`` of the format.
    arrays : dict of str to ndarray
        The arrays.

    Returns
    -------
    header, arrays : dict
        The same in the newest format.
    """
    if header["version"] >= 4:
        return header, arrays
    header = header | {"params": {"stretch": "power"} | header["params"]}
    if header["version"] == 3:
        return header, arrays
    n_strata = len(arrays["latents.classes"]) if "latents.classes" in arrays else 1
    kept = {name: array for name, array in arrays.items() if not name.startswith("own_")}
    of_each = sections(section(arrays, "latents."))
    for number in range(n_strata):
        prefix = f"latents.{number}."
        stratum = of_each[str(number)]
        n_rows = len(stratum["rows"])
        kept |= {f"{prefix}floor": np.array(0.0), f"{prefix}n_samples": np.array(n_rows)}
        index = section(stratum, "index.")
        if "cells" in index:
            del kept[f"{prefix}index.cells"]
            kept |= prefixed(f"{prefix}index.", _in_order_of_cells(index))
    if arrays["own_k"] > 0:
        kept |= {
            "own.n_neighbors": arrays["own_k"],
            "own.values": arrays["own_distances"],
            "own.floors": np.zeros(n_strata),
        }
    return {"index_report": [], **header}, kept


def _in_order_of_cells(index: Arrays) -> Arrays:
    """Sort the vectors of format 1, which have the cell of each beside them."""
    cells, n_cells = index["cells"], len(index["centroids"])
    if cells.dtype != np.int64 or cells.shape != (len(index["vectors"]),) or not n_cells:
        raise ValueError("the cells of an IVF index are not such")
    if cells.min() < 0 or cells.max() >= n_cells:
        raise ValueError("the cells of an IVF index are not such")
    rows = np.argsort(cells, kind="stable")
    return {
        "vectors": np.ascontiguousarray(index["vectors"][rows]),
        "rows": rows,
        "sizes": np.bincount(cells, minlength=n_cells),
    }
