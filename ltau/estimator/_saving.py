"""A fitted estimator as a file, and back."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ltau._files import archive
from ltau._files.arrays import Arrays, prefixed, section
from ltau._fitted.calibration import Calibration
from ltau._fitted.densities import TrainingDensities
from ltau._prototypes.condense import Members
from ltau.neighbors import LatentIndex

__all__ = ["SavingMixin"]


class SavingMixin(BaseEstimator):
    """Writing an estimator to a file that holds arrays and numbers, and nothing to run."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, without pickle.

        Parameters
        ----------
        path : str or path-like
            Where; an existing file is replaced once the new one is complete.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        OSError
            If the file cannot be written; what was there stays.
        TypeError
            If `notes_` has something that JSON cannot hold.
        ValueError
            If a parameter was set to something invalid since.
        """
        check_is_fitted(self)
        self._validate_params()  # they may have been set since fit, and must be loaded again
        header = {
            "estimator": type(self).__name__,
            "params": {name: _plain(value) for name, value in self.get_params().items()},
            "index_report": self.index_report_,
            "errors": {"target": self.target_, "unit": self.unit_, "notes": self.notes_},
        }
        own_k, own_distances = self._own_distances
        arrays = {"own_k": np.array(own_k), "own_distances": own_distances}
        if hasattr(self, "feature_names_in_"):
            arrays["feature_names"] = self.feature_names_in_.astype(str)
        if self.calibration_ is not None:
            arrays |= prefixed("calibration.", self.calibration_.to_arrays())
        if self._members is not None:
            arrays |= prefixed("members.", self._members.to_arrays())
        if self.prototype_losses_:
            arrays["prototypes.numbers"] = np.array(list(self.prototype_losses_))
            arrays["prototypes.losses"] = np.array(list(self.prototype_losses_.values()))
        arrays |= prefixed("densities.", self._densities.to_arrays())
        arrays |= prefixed("latents.", self._index.to_arrays())
        archive.write(path, header, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = False) -> Self:
        """Read an estimator that `save` wrote. The file is checked, and nothing in it is run.

        Parameters
        ----------
        path : str or path-like
            The file.
        mmap : bool, default=False
            Whether to leave latents and densities in the file, and to read of them what
            a prediction needs: for sets that do not fit in memory, or are shared by
            several processes. The whole file is still read once, to check it. It must not
            be written to meanwhile; that `save` replaces it does no harm.

        Returns
        -------
        LTAUEstimator
            The estimator: it predicts the same bits.

        Raises
        ------
        LTAUFileError
            If the file is damaged, not ours, or newer than this version can read.
        OSError
            If the file cannot be opened.
        """
        header, arrays = archive.read(path, mmap=mmap)
        try:
            if header["estimator"] != cls.__name__:
                raise ValueError(f"expected a {cls.__name__}, got a {header['estimator']}")
            estimator = cls(**header["params"])
            estimator._validate_params()
            estimator._restore(arrays)
            estimator._describe(**header["errors"])
            estimator.index_report_ = _checked_report(header["index_report"])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise archive.LTAUFileError(
                f"{path} does not hold a whole estimator: {error}"
            ) from error
        return estimator

    def _restore(self, arrays: Arrays) -> None:
        """Take over the arrays of a file, once they are known to fit each other."""
        self._densities = TrainingDensities.from_arrays(section(arrays, "densities."))
        self._index = LatentIndex.from_arrays(section(arrays, "latents."))
        if len(self._index) != len(self._densities):
            raise ValueError("there are not as many latents as densities")
        own_k, own_distances = int(arrays["own_k"]), arrays["own_distances"]
        if own_distances.dtype != np.float64 or not (own_distances >= 0).all():
            raise ValueError("the distances are not such")
        if own_distances.shape != (len(self._densities) if own_k else 0,):
            raise ValueError("there are not as many distances as densities")
        self._own_distances = own_k, own_distances
        kept = section(arrays, "members.")
        self._members = Members.from_arrays(kept) if kept else None
        if self._members is not None and not (own_k and len(self._index) <= self.n_samples_fit_):
            raise ValueError("the prototypes do not fit their members")
        self.prototype_losses_ = _losses(section(arrays, "prototypes."))
        learnt = section(arrays, "calibration.")
        self.calibration_ = Calibration.from_arrays(learnt) if learnt else None
        self.n_features_in_ = self._index.n_features
        if "feature_names" in arrays:
            names = arrays["feature_names"]
            if names.dtype.kind != "U" or names.shape != (self.n_features_in_,):
                raise ValueError("there are not as many names as features")
            self.feature_names_in_ = names.astype(object)


def _losses(arrays: Arrays) -> dict[int, float]:
    """Make the losses of each number of prototypes again."""
    if not arrays:
        return {}
    numbers, losses = arrays["numbers"], arrays["losses"]
    if not (
        numbers.dtype.kind in "iu"
        and losses.dtype == np.float64
        and numbers.ndim == 1
        and losses.shape == numbers.shape
        and (np.isfinite(losses) & (losses >= 0) & (numbers >= 1)).all()
    ):
        raise ValueError("the losses of prototypes are not such")
    return dict(zip(numbers.tolist(), losses.tolist(), strict=True))


def _checked_report(report: Any) -> list[dict[str, Any]]:
    if not isinstance(report, list) or not all(isinstance(record, dict) for record in report):
        raise ValueError(f"expected a report on indices, got {report!r}")
    return report


def _plain(value: Any) -> Any:
    """Make a parameter one that JSON can hold."""
    return value if isinstance(value, str | None) else np.asarray(value).tolist()
