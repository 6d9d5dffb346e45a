"""OC20's measures of many relaxations: the share within a threshold, averaged over thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["average_distance_within_threshold", "average_force_within_threshold"]


def average_distance_within_threshold(distances: ArrayLike) -> float:
    """Average over thresholds the share of relaxations that end near the reference: ADwT.

    The thresholds are 0.010, 0.011, ... 0.499 Å; a relaxation counts if it is strictly below.

    Parameters
    ----------
    distances : array-like of shape (n_systems,)
        Mean distance, in Å, between the free atoms of the relaxed structures by the force field
        and by the reference method, to the nearest periodic image.

    Returns
    -------
    float
        A share, in [0, 1]; OC20 gives it in percent.

    Raises
    ------
    ValueError
        If there are none, or any is negative or NaN.

    References
    ----------
    .. [1] L. Chanussot et al., "Open Catalyst 2020 (OC20) Dataset and Community Challenges",
       ACS Catal. 11, 6059-6072 (2021). doi:10.1021/acscatal.0c04525
    .. [2] ``Evaluator`` in https://github.com/facebookresearch/fairchem, for the ends of the
       range.
    """
    return _average_share_below(distances, 0.01, 0.5, "distances")


def average_force_within_threshold(forces: ArrayLike) -> float:
    """Average over thresholds the share of relaxations that end with small true forces: AFbT.

    The thresholds are 0.010, 0.011, ... 0.399 eV/Å; a relaxation counts if it is strictly below.

    Parameters
    ----------
    forces : array-like of shape (n_systems,)
        Largest length of the force by the reference method, in eV/Å, on a free atom of the
        structure that was relaxed by the force field.

    Returns
    -------
    float
        A share, in [0, 1]; OC20 gives it in percent.

    Raises
    ------
    ValueError
        If there are none, or any is negative or NaN.

    References
    ----------
    .. [1] L. Chanussot et al., "Open Catalyst 2020 (OC20) Dataset and Community Challenges",
       ACS Catal. 11, 6059-6072 (2021). doi:10.1021/acscatal.0c04525. The range is the paper's;
       its end is left out as for distances.
    """
    return _average_share_below(forces, 0.01, 0.4, "forces")


def _average_share_below(values: ArrayLike, first: float, end: float, name: str) -> float:
    """Average over thresholds from `first` to before `end`, in steps of a thousandth."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not (array >= 0).all():
        raise ValueError(f"Expected {name} of at least one relaxation, none negative, got {array}.")
    thresholds = np.arange(round(1000 * first), round(1000 * end)) / 1000
    return float((array[:, None] < thresholds).mean())
