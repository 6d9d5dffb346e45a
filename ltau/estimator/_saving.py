"""A fitted estimator as a file, and back."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ltau._files import archive
from ltau._files.arrays import Arrays, prefixed, section
from ltau._fitted.calibration import Calibration
from ltau._fitted.state import Fitted
from ltau.estimator._checks import check_bins
from ltau.estimator._held_out import HeldOutSamples
from ltau.estimator._old_formats import upgraded

__all__ = ["Saving", "describe"]

# Of what becomes Python objects, many times as large as in the file.
_MOST_NAMES = 1 << 19
_MOST_LOSSES = 1 << 10  # of numbers that are doubled


class Saving(HeldOutSamples):
    """An estimator that is saved in a file, and loaded from it."""

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
            If a parameter was set to something invalid since, or to something else since
            `calibrate`.
        """
        check_is_fitted(self)
        self._validate_params()  # they may have been set since fit, and must be loaded again
        self.settings()  # refuses a calibration that belongs to others
        check_bins(self.bins)
        archive.write(path, *_parts_of(self))

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
        MemoryError
            If there is too little memory: loading takes at most 4 times the file and 64 MiB.
        OSError
            If the file cannot be opened or read.

        Notes
        -----
        Time and memory are linear in the size of the file, whatever it holds.
        """
        try:
            header, arrays = archive.read(path, mmap=mmap)
            header, arrays = upgraded(header, arrays)
            if header["estimator"] != cls.__name__:
                raise ValueError(f"expected a {cls.__name__}, got a {header['estimator']}")
            estimator = cls(**header["params"])
            estimator.settings()  # refuses parameters that are invalid
            _restore(estimator, header, arrays)
        except archive.LTAUFileError:
            raise
        except MemoryError as error:
            size = os.stat(path).st_size
            raise MemoryError(f"Too little memory to load {path}, of {size:,} bytes.") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise archive.LTAUFileError(
                f"{path} does not hold a whole estimator: {error}"
            ) from error
        return estimator


def describe(
    estimator: Any,
    target: str | None = None,
    unit: str | None = None,
    notes: dict[str, Any] | None = None,
) -> None:
    """Say what the errors are of, once that is known to be something that a file can hold."""
    if not isinstance(target, str | None) or not isinstance(unit, str | None):
        raise ValueError(f"Expected a target and a unit in words, got {target!r}, {unit!r}.")
    if not isinstance(notes, dict | None):
        raise ValueError(f"Expected notes in a dict, got {notes!r}.")
    estimator.target_, estimator.unit_, estimator.notes_ = target, unit, notes or {}


def _parts_of(estimator: Any) -> tuple[dict[str, Any], Arrays]:
    """Give the header and the arrays that an estimator is saved as."""
    params = estimator.get_params()
    del params["verbose"]  # of who calls, not of what was learnt
    header = {
        "estimator": type(estimator).__name__,
        "params": {name: _plain(value) for name, value in params.items()},
        "index_report": estimator.index_report_,
        "errors": {
            "target": estimator.target_,
            "unit": estimator.unit_,
            "notes": estimator.notes_,
        },
    }
    arrays = estimator.fitted_.to_arrays()
    if hasattr(estimator, "feature_names_in_"):
        arrays["feature_names"] = estimator.feature_names_in_.astype(str)
    if estimator.calibration_ is not None:
        arrays |= prefixed("calibration.", estimator.calibration_.to_arrays())
    if estimator.prototype_losses_:
        arrays["prototypes.numbers"] = np.array(list(estimator.prototype_losses_))
        arrays["prototypes.losses"] = np.array(list(estimator.prototype_losses_.values()))
    return header, arrays


def _restore(estimator: Any, header: dict[str, Any], arrays: Arrays) -> None:
    """Take over the parts of a file; raises ValueError where they do not fit each other."""
    estimator.fitted_ = Fitted.from_arrays(arrays)
    learnt = section(arrays, "calibration.")
    estimator.calibration_ = Calibration.from_arrays(learnt) if learnt else None
    estimator.prototype_losses_ = _losses(section(arrays, "prototypes."))
    estimator.n_features_in_ = estimator.fitted_.index.n_features
    if "feature_names" in arrays:
        names = arrays["feature_names"]
        if names.dtype.kind != "U" or not names.size <= _MOST_NAMES:
            raise ValueError(f"expected at most {_MOST_NAMES:,} names, got {names.size:,}")
        if names.shape != (estimator.n_features_in_,):
            raise ValueError("there are not as many names as features")
        estimator.feature_names_in_ = names.astype(object)
    describe(estimator, **header["errors"])
    report = header["index_report"]
    if not isinstance(report, list) or not all(isinstance(record, dict) for record in report):
        raise ValueError(f"expected a report on indices, got {report!r}")
    estimator.index_report_ = report


def _losses(arrays: Arrays) -> dict[int, float]:
    """Make the losses of each number of prototypes again."""
    if not arrays:
        return {}
    numbers, losses = arrays["numbers"], arrays["losses"]
    if not (
        numbers.dtype.kind in "iu"
        and losses.dtype == np.float64
        and numbers.ndim == 1
        and len(numbers) <= _MOST_LOSSES
        and losses.shape == numbers.shape
        and (np.isfinite(losses) & (losses >= 0) & (numbers >= 1)).all()
    ):
        raise ValueError("the losses of prototypes are not such")
    return dict(zip(numbers.tolist(), losses.tolist(), strict=True))


def _plain(value: Any) -> Any:
    """Make a parameter one that JSON can hold."""
    return value if isinstance(value, str | None) else np.asarray(value).tolist()
