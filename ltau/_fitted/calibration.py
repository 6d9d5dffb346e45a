"""What a calibration holds: a scale, an exponent of distance, and conformal scores."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau._inputs.labels import refuse_uncalibrated

__all__ = ["Calibration"]

Floats = NDArray[np.float64]

_MOST_GROUPS = 1 << 16  # in a file: each takes some 300 bytes of memory, and few in the file


@dataclass(frozen=True)
class Calibration:
    """What `LTAUEstimator.calibrate` learnt.

    Parameters
    ----------
    scale : float
        Factor of all predicted errors.
    exponent : float
        Power of the `ood_score` by which each predicted error is also stretched.
    scores : mapping of label to ndarray of shape (n,), float64
        Conformal scores of the calibration samples, ascending, of each group; the label
        is None where there are no groups. Empty where no levels were learnt.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import Calibration
    >>> calibration = Calibration(1.0, 0.0, {None: np.linspace(0.02, 1.0, 50)})
    >>> calibration
    Calibration(scale=1, exponent=0, conformal by 50 samples)
    >>> calibration.levels(0.9)    # the 46th of 50 scores
    array([0.92])
    """

    scale: float
    exponent: float
    scores: Mapping[Any, Floats]

    @property
    def grouped(self) -> bool:
        """Whether levels were learnt within groups."""
        return bool(self.scores) and None not in self.scores

    def __repr__(self) -> str:
        n_samples = sum(map(len, self.scores.values()))
        by = f", conformal by {n_samples:,} samples" if n_samples else ""
        groups = f" in {len(self.scores):,} groups" if self.grouped else ""
        return f"Calibration(scale={self.scale:.3g}, exponent={self.exponent:.3g}{by}{groups})"

    def levels(self, q: float, groups: NDArray[np.generic] | None = None) -> Floats:
        r"""Find the quantile levels at which a probability really holds.

        Parameters
        ----------
        q : float
            The probability, from 0 to 1.
        groups : ndarray of shape (n,), optional
            Group of each sample.

        Returns
        -------
        ndarray of shape (n,), or (1,) without groups
            Of the n scores of the group, the :math:`\lceil (n + 1) q \rceil`-th; infinite
            where there is none, with a warning.

        Raises
        ------
        ValueError
            If a group has no scores.
        """
        if groups is None:
            return np.array([self._level(q, None)])
        labels, codes = np.unique(groups, return_inverse=True)
        return np.array([self._level(q, label) for label in labels.tolist()])[codes]

    def _level(self, q: float, label: Any) -> float:
        if label not in self.scores:
            refuse_uncalibrated(label, self.scores)
        scores = self.scores[label]
        rank = math.ceil(round((len(scores) + 1) * q, 9))  # 100 * 0.9 must not become 91
        if rank > len(scores):
            where = "" if label is None else f" in group {label}"
            needs = f"{math.ceil(round(q / (1 - q), 9))}" if q < 1 else "infinitely many"
            warnings.warn(
                f"A level of {q:g} needs {needs} calibration samples{where}, there are "
                f"{len(scores)}: its bound is infinite.",
                UserWarning,
                stacklevel=2,
            )
            return math.inf
        return float(scores[rank - 1]) if rank else 0.0

    def to_arrays(self) -> Arrays:
        """Give the arrays that the calibration is saved as.

        Returns
        -------
        dict of str to ndarray
            The arrays.

        Raises
        ------
        ValueError
            If there are more groups than a file may have.
        """
        if len(self.scores) > _MOST_GROUPS:
            raise ValueError(f"Expected at most {_MOST_GROUPS:,} groups, got {len(self.scores):,}.")
        arrays: Arrays = {"stretch": np.array([self.scale, self.exponent])}
        if self.scores:
            arrays["scores"] = np.concatenate(list(self.scores.values()))
            arrays["sizes"] = np.array([len(scores) for scores in self.scores.values()])
            if None not in self.scores:
                arrays["groups"] = np.array(list(self.scores))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a calibration of what `to_arrays` gave.

        Parameters
        ----------
        arrays : dict of str to ndarray
            The arrays.

        Returns
        -------
        Calibration
            The calibration.

        Raises
        ------
        KeyError, ValueError
            If the arrays do not fit each other.
        """
        scale, exponent = map(float, arrays["stretch"])
        if not (0 < scale < np.inf and 0 <= exponent < np.inf):
            raise ValueError("Expected a positive scale and a non-negative exponent.")
        if "scores" not in arrays:
            return cls(scale, exponent, {})
        scores, sizes = arrays["scores"], arrays["sizes"]
        if scores.dtype != np.float64 or scores.ndim != 1 or sizes.dtype.kind not in "iu":
            raise ValueError("Expected scores and sizes of groups.")
        if sizes.ndim != 1 or not 1 <= len(sizes) <= _MOST_GROUPS:
            raise ValueError(f"Expected from 1 to {_MOST_GROUPS:,} groups, got {sizes.size:,}.")
        groups = arrays.get("groups")
        if len(sizes) > 1 if groups is None else groups.shape != sizes.shape:
            raise ValueError("Expected a label of each group.")
        labels = [None] if groups is None else groups.tolist()
        fits = ((sizes >= 1) & (sizes <= len(scores))).all() and sizes.sum() == len(scores)
        if not fits or len(set(labels)) != len(sizes):
            raise ValueError("Expected scores of each group.")
        ends = np.cumsum(sizes, dtype=np.intp)
        begins = np.zeros(len(scores), bool)
        begins[0] = begins[ends[:-1]] = True
        if not (scores[begins] >= 0).all() or not (begins[1:] | (np.diff(scores) >= 0)).all():
            raise ValueError("Expected non-negative scores that rise.")
        parts = np.split(scores, ends[:-1])
        return cls(scale, exponent, dict(zip(labels, parts, strict=True)))
