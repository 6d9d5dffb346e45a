"""The errors of samples that are held out: of the last pass over them, or why there are none."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader

from ltau._files.whole import write_whole
from ltau.adapters._recording.ids import BatchIds
from ltau.adapters._recording.recorder import ErrorRecorder, Reduction
from ltau.adapters._recording.residuals import as_pair

__all__ = ["HeldOutErrors"]


class _Loader(NamedTuple):
    """A loader of held-out samples, and what gives the ids of its batches."""

    n_samples: int
    ids: BatchIds
    refused: str = ""  # why it has no ids


class HeldOutErrors:
    """Record the errors of each pass over held-out samples, in place of the pass before.

    Whatever is missing, it is the recording that ends, and never the pass: the first time
    there is a warning, and asking for the errors raises one that says why there are none.

    Parameters
    ----------
    path : Path
        The file of the errors, ``.npz``: `ids` and `errors`.
    reduction : {"norm", "mean", "max"} or callable
        As of `ErrorRecorder`.
    scale : float or array-like of shape (n_outputs,)
        As of `ErrorRecorder`.
    """

    def __init__(self, path: Path, reduction: Reduction, scale: ArrayLike) -> None:
        self._path = path
        self._reduction = reduction
        self._scale = scale
        self._loaders: list[_Loader] = []  # in the order in which they were made
        self._starts: list[int] = []  # of the loaders' ids, in a pass
        self._recorder: ErrorRecorder | None = None  # of a pass to which nothing is missing
        self._errors: NDArray[np.float32] | None = None
        self._missing = "no pass over validation samples has ended"
        self._warned = False

    def errors(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Give the ids and the errors of the samples that the last pass saw."""
        if self._errors is None:
            raise RuntimeError(f"There are no errors of validation samples: {self._missing}.")
        ids = np.flatnonzero(~np.isnan(self._errors))
        return ids, self._errors[ids]

    def forget(self) -> None:
        """Remove what an earlier training has left."""
        self._drop("no pass over validation samples has ended")

    def watch(self, loader: object) -> object:
        """Copy a loader, so that the ids of its batches are known, where they can be."""
        ids = BatchIds()
        try:
            watched: DataLoader[object] = ids.watch(loader)
            self._loaders.append(_Loader(len(watched.dataset), ids))  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            self._loaders.append(_Loader(0, ids, str(error)))
            return loader
        return watched

    def begin(self, n_loaders: int) -> None:
        """Begin a pass over the loaders that were watched last."""
        del self._loaders[:-n_loaders]
        *self._starts, n_samples = accumulate((x.n_samples for x in self._loaders), initial=0)
        self._missing = "no batch was recorded"
        self._recorder = ErrorRecorder(
            n_samples, reduction=self._reduction, scale=self._scale, on_error="raise"
        )
        for loader in self._loaders:
            if loader.refused:
                self._lack(loader.refused)

    def record(
        self,
        loader: int,
        residuals: Callable[[], torch.Tensor | tuple[torch.Tensor, torch.Tensor] | None],
    ) -> None:
        """Record the next batch of a loader; without residuals, of a batch that was skipped."""
        if self._recorder is None:
            return
        try:  # the residuals come from code of the user's, which may fail in any way
            ids = self._loaders[loader].ids.next() + self._starts[loader]
            found = residuals()
            if found is not None:
                self._recorder.record(ids, *as_pair(found))
                self._missing = ""
        except Exception as error:
            self._lack(f"{type(error).__name__}: {error}")

    def end(self, everywhere: Callable[[bool], bool]) -> None:
        """End the pass, and keep its errors: in the process of rank 0, where there are several.

        Parameters
        ----------
        everywhere : callable
            Tells whether something is true in all processes. They put their errors
            together, for which none may be missing.
        """
        if not everywhere(not self._missing):
            self._lack(self._missing or "another process lacks some")
        if self._recorder is not None:
            try:
                self._recorder.end_epoch()
                self._keep(self._recorder.errors)
            except (OSError, ValueError) as error:
                self._lack(str(error))
        self._recorder = None

    def _keep(self, epochs: NDArray[np.float32]) -> None:
        if not epochs.shape[1]:
            self._missing = "the process of rank 0 has them"
            return
        self._errors = epochs[:, 0]
        ids, errors = self.errors()
        write_whole(self._path, lambda file: np.savez(file, ids=ids, errors=errors))

    def _lack(self, what: str) -> None:
        """Record no more of this pass, keep nothing of one before, and say so once."""
        self._recorder = None
        what = what.rstrip(".")
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"The errors of validation samples are not recorded: {what}.",
                UserWarning,
                stacklevel=2,
            )
        self._drop(what)

    def _drop(self, why: str) -> None:
        self._errors, self._missing = None, why
        self._path.unlink(missing_ok=True)
