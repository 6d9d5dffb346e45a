"""A structure drawn as balls, coloured by a quantity of its atoms."""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii
from ase.geometry import wrap_positions
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle
from numpy.typing import NDArray

from benchmarks.is2rs.relaxing.paths import Path
from benchmarks.is2rs.sources.systems import ADSORBATE, SUBSURFACE

__all__ = ["VIEWS", "draw_structure"]

Floats = NDArray[np.float64]

# The axes to the right, upwards, and towards who looks.
VIEWS = {
    "top": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "side": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
}

_BENEATH = to_rgba("0.85")
_MARGIN = 0.3  # Å
_SHRINK = 0.8  # of the radii, so that more is seen
_IN_FRONT = 0.02  # of the cell, before the adsorbate


def draw_structure(
    ax: Axes, path: Path, step: int, values: Floats, colors: ScalarMappable, view: str
) -> None:
    """Draw one structure of a path, with its adsorbate in the middle of the cell.

    Atoms of the adsorbate have a thick rim. Those beneath the surface are grey. In the side view,
    what would hide the adsorbate is drawn where its periodic images are, behind.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    path : Path
        The path.
    step : int
        Which of its structures.
    values : ndarray of shape (n_atoms,)
        What the colours show.
    colors : matplotlib ScalarMappable
        Gives each value its colour, the same in all views.
    view : {"top", "side"}
        From the vacuum, or along the surface.

    Raises
    ------
    ValueError
        If `view` is another, or there is not a value for each atom.
    """
    if view not in VIEWS:
        raise ValueError(f"Expected a view of {', '.join(VIEWS)}, got {view!r}.")
    if values.shape != path.tags.shape:
        raise ValueError(f"Expected values of shape {path.tags.shape}, got {values.shape}.")
    right, up, near = VIEWS[view] @ _wrapped(path, step, view).T
    radii = _SHRINK * covalent_radii[path.numbers]
    faces = np.where((path.tags == SUBSURFACE)[:, None], _BENEATH, colors.to_rgba(values))
    rims = np.where(path.tags == ADSORBATE, 2.0, 0.6)
    order = np.argsort(near)  # the nearest last, over those behind
    balls = [Circle((right[i], up[i]), radii[i]) for i in order]
    ax.add_collection(
        PatchCollection(balls, facecolor=faces[order], edgecolor="black", linewidth=rims[order])
    )
    ax.set(
        xlim=((right - radii).min() - _MARGIN, (right + radii).max() + _MARGIN),
        ylim=((up - radii).min() - _MARGIN, (up + radii).max() + _MARGIN),
        aspect="equal",
        title=f"{view.capitalize()} view",
    )
    ax.axis("off")


def _wrapped(path: Path, step: int, view: str) -> Floats:
    """Move atoms by whole cells along the surface: near the adsorbate, or behind it."""
    adsorbate = path.tags == ADSORBATE

    def wrap(center: Floats) -> Floats:
        wrapped: Floats = wrap_positions(path.positions[step], path.cell, (1, 1, 0), center)
        return wrapped

    middle = np.linalg.solve(path.cell.T, path.positions[step][adsorbate][0])
    near = wrap(middle)
    if view == "side":
        front = np.linalg.solve(path.cell.T, near[adsorbate].T)[1].min()
        return wrap(np.array([middle[0], front - _IN_FRONT + 0.5, middle[2]]))
    return near
