"""Errors of structures from the error distributions of their atoms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau.distribution import ErrorDistribution

__all__ = ["structure_max", "structure_mean", "structure_sum"]

Floats = NDArray[np.float64]


def structure_mean(distribution: ErrorDistribution, structures: ArrayLike) -> Floats:
    r"""Compute the expected mean error of the atoms of each structure.

    .. math:: E\Bigl[\frac1n \sum_{i=1}^n e_i\Bigr] = \frac1n \sum_{i=1}^n E[e_i]

    It is exact, given the distributions of the atoms, however their errors depend on
    each other.

    Parameters
    ----------
    distribution : ErrorDistribution
        One distribution per atom.
    structures : array-like of shape (n_atoms,)
        Which structure each atom belongs to, an integer or a string; in any order.

    Returns
    -------
    ndarray of shape (n_structures,)
        Expected mean errors, in the order of ``numpy.unique(structures)``.

    Raises
    ------
    ValueError
        If there is not one structure for each atom.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.structures import structure_mean
    >>> atoms = ErrorDistribution([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], edges=[0.0, 1.0, 2.0])
    >>> structure_mean(atoms, ["water", "water", "argon"])
    array([1.5, 1. ])
    """
    order, starts, sizes = _group(distribution, structures)
    return np.add.reduceat(distribution.mean()[order], starts) / sizes


def structure_max(
    distribution: ErrorDistribution, structures: ArrayLike, *, dependence: str = "independent"
) -> ErrorDistribution:
    r"""Find the distribution of the largest error among the atoms of each structure.

    For atoms whose errors are independent, it is the product of theirs; if they depend on
    each other fully, all large or all small at once, it is their minimum:

    .. math:: P(\max_i e_i \le x) = \prod_i F_i(x) \quad\text{or}\quad \min_i F_i(x)

    Whatever the dependence, the truth lies between :math:`\max(0, 1 - \sum_i (1 - F_i))`
    and :math:`\min_i F_i` (the Fréchet bounds). Where errors of a structure's atoms tend to
    be large together, it lies between the two cases here, and the independent one gives
    the larger, safer errors.

    Parameters
    ----------
    distribution : ErrorDistribution
        One distribution per atom.
    structures : array-like of shape (n_atoms,)
        As in `structure_mean`.
    dependence : {"independent", "full"}, default="independent"
        How the errors of a structure's atoms depend on each other.

    Returns
    -------
    ErrorDistribution
        One distribution per structure, in the order of ``numpy.unique(structures)``. The
        probability of each bin is exact, and spread evenly in it; bins are those of the
        atoms, stretched as those of the structure's most stretched atom.

    Raises
    ------
    ValueError
        If there is not one structure for each atom, or `dependence` is neither.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.structures import structure_max
    >>> atoms = ErrorDistribution([[0.5, 0.5], [0.5, 0.5]], edges=[0.0, 1.0, 2.0])
    >>> structure_max(atoms, [0, 0]).cdf(1.0)
    array([0.25])
    >>> structure_max(atoms, [0, 0], dependence="full").cdf(1.0)
    array([0.5])
    """
    combine = {"independent": np.multiply, "full": np.minimum}.get(dependence)
    if combine is None:
        raise ValueError(f"Expected dependence 'independent' or 'full', got {dependence!r}.")
    order, starts, sizes = _group(distribution, structures)
    scale = np.maximum.reduceat(distribution.scale[order], starts)
    points = np.repeat(scale, sizes)[:, None] * distribution.edges
    cdf = combine.reduceat(distribution[order].cdf(points), starts, axis=0)
    # Rounding may leave a little less than nothing in a bin.
    probabilities = np.maximum(np.diff(cdf, axis=1), 0.0)
    return ErrorDistribution(probabilities, distribution.edges, scale)


def structure_sum(
    distribution: ErrorDistribution, structures: ArrayLike, *, dependence: str = "independent"
) -> tuple[Floats, Floats]:
    r"""Compute mean and standard deviation of the sum of each structure's atomic errors.

    With per-atom errors of energies :math:`|\Delta E_i|`, the sum bounds the error of the
    energy: :math:`|\sum_i \Delta E_i| \le \sum_i |\Delta E_i|`. Its mean,
    :math:`\sum_i E[e_i]`, is exact, given the distributions of the atoms, however their
    errors depend on each other. Its standard deviation is

    .. math:: \sqrt{\textstyle\sum_i \sigma_i^2} \quad\text{or}\quad \sum_i \sigma_i

    for independent errors, or for full correlation, which bounds it from above whatever
    the dependence.

    Parameters
    ----------
    distribution : ErrorDistribution
        One distribution per atom.
    structures : array-like of shape (n_atoms,)
        As in `structure_mean`.
    dependence : {"independent", "full"}, default="independent"
        How the errors of a structure's atoms depend on each other.

    Returns
    -------
    mean : ndarray of shape (n_structures,)
        Expected sums, in the order of ``numpy.unique(structures)``.
    std : ndarray of shape (n_structures,)
        Standard deviations of the sums.

    Raises
    ------
    ValueError
        As `structure_max`.

    Examples
    --------
    >>> from ltau import ErrorDistribution
    >>> from ltau.structures import structure_sum
    >>> atoms = ErrorDistribution([[1.0]] * 3, edges=[0.0, 2.0])     # 1.0 ± 0.58 each
    >>> mean, std = structure_sum(atoms, [0, 0, 0])
    >>> mean, std.round(2)
    (array([3.]), array([1.]))
    >>> structure_sum(atoms, [0, 0, 0], dependence="full")[1].round(2)
    array([1.73])
    """
    if dependence not in ("independent", "full"):
        raise ValueError(f"Expected dependence 'independent' or 'full', got {dependence!r}.")
    order, starts, _ = _group(distribution, structures)
    mean = np.add.reduceat(distribution.mean()[order], starts)
    std = distribution.std()[order]
    if dependence == "full":
        return mean, np.add.reduceat(std, starts)
    return mean, np.sqrt(np.add.reduceat(std**2, starts))


def _group(
    distribution: ErrorDistribution, structures: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Order the atoms by structure, and tell where each structure starts and its size."""
    labels = np.asarray(structures)
    if labels.shape != (len(distribution),) or labels.dtype.kind not in "iuU" or not labels.size:
        raise ValueError(
            f"Expected structures of shape ({len(distribution)},), integers or strings, "
            f"got shape {labels.shape}, {labels.dtype}."
        )
    order = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    return order, starts, sizes
