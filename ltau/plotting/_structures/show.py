"""Structures in a notebook, by chemiscope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ltau.plotting._structures.columns import COLUMNS, NEEDED, as_frames, columns_of, with_truth

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["show_structures"]


def show_structures(frames: Iterable[Atoms], *, truth: Iterable[Atoms] | None = None) -> Any:
    """Show structures in a notebook, their atoms coloured by their expected errors.

    A map shows the expected error of each atom against its `ood_score`; an atom that is
    clicked is shown in its structure. It needs chemiscope [1]_: ``pip install
    ltau[chemiscope]``.

    Parameters
    ----------
    frames : iterable of ase.Atoms
        Structures with the columns that `write_report` describes. Atoms of which nothing is
        known, NaN, are in the structures, and not on the map.
    truth : iterable of ase.Atoms, optional
        The same structures in the same order, with true forces; true errors are then shown.

    Returns
    -------
    chemiscope widget
        It is shown where it is the last line of a cell; its method ``save`` writes a data set
        that chemiscope.org opens.

    Raises
    ------
    ImportError
        If chemiscope is not installed.
    TypeError
        If `frames` are not structures.
    ValueError
        If there are no structures; no frame has a column that is needed; a number is
        negative or all are NaN; or `truth` does not fit.

    Warns
    -----
    UserWarning
        By chemiscope: outside a notebook, or where some atoms have no true error or error bar.

    See Also
    --------
    write_report : A page of HTML, which needs neither a notebook nor chemiscope.

    References
    ----------
    .. [1] G. Fraux, R. K. Cersonsky and M. Ceriotti, "Chemiscope: interactive
       structure-property explorer for materials and molecules", Journal of Open Source
       Software 5, 2117 (2020), https://doi.org/10.21105/joss.02117.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from ltau.plotting import show_structures
    >>> atoms = molecule("H2O")
    >>> atoms.arrays["forces_uncertainty"] = [0.3, 0.1, 0.1]
    >>> atoms.arrays["ood_score"] = [1.9, 1.0, 1.1]
    >>> widget = show_structures([atoms])  # doctest: +SKIP
    """
    try:
        import chemiscope
    except ImportError as error:
        raise ImportError("Structures need chemiscope: pip install ltau[chemiscope]") from error
    structures = as_frames(frames)
    columns = columns_of(structures)
    if truth is not None:
        columns["forces_error"] = with_truth(structures, truth)
    known = np.logical_and(*(np.isfinite(np.concatenate(columns[name])) for name in NEEDED))
    if not known.any():
        raise ValueError("Expected atoms whose expected errors are known, got NaN for all.")
    environments = chemiscope.all_atomic_environments(structures)
    return chemiscope.show(
        structures=[_bare(atoms) for atoms in structures],
        properties={
            name: {
                "target": "atom",
                "values": np.concatenate(of_frames)[known],
                "description": COLUMNS[name].label,
                **({"units": COLUMNS[name].unit} if COLUMNS[name].unit else {}),
            }
            for name, of_frames in columns.items()
        },
        environments=[each for each, use in zip(environments, known, strict=True) if use],
        settings={
            "map": {
                "x": {"property": "ood_score", "scale": "log"},
                "y": {"property": "forces_uncertainty", "scale": "log"},
                "color": {"property": "forces_uncertainty"},
                "palette": "viridis",
            },
            "structure": [
                {
                    "color": {"property": "forces_uncertainty", "palette": "viridis"},
                    "environments": {"activated": False},
                }
            ],
        },
    )


def _bare(atoms: Atoms) -> Atoms:
    from ase import Atoms

    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
