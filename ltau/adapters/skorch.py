"""Error trajectories from skorch nets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import ArrayLike
from skorch.callbacks import Callback
from torch.utils.data import DataLoader, Subset

from ltau._inputs.options import OnError
from ltau.adapters._recording.ids import BatchIds
from ltau.adapters._recording.logs import open_log
from ltau.adapters._recording.recorder import ErrorRecorder, Reduction
from ltau.adapters._recording.residuals import Residuals, as_pair, prediction_and_target
from ltau.log import ErrorLog

__all__ = ["ErrorRecorderCallback"]


class ErrorRecorderCallback(Callback):
    """Record every training sample's error at each epoch of a skorch net.

    Parameters
    ----------
    log : str, path-like or ErrorLog, optional
        Where the errors go: the folder of a log, which is started if there is none. An
        `ErrorLog` is closed, and opened again for writing. By default they are kept in
        memory.
    residuals : callable, optional
        Called with what the module gives and the batch, it returns a pair of tensors of the
        same shape, prediction and target; or prediction minus target, of shape (n,) or
        (n, ...). By default the batches are ``(x, y)``, and the output is compared with `y`.
    reduction : {"norm", "mean", "max"} or callable, default="norm"
        How the errors of several outputs become one, as in `ErrorRecorder`.
    scale : float or array-like of shape (n_outputs,), default=1.0
        Standard deviation of a target that was standardised, as in `ErrorRecorder`.
    overwrite : bool, default=False
        Whether a ``fit`` removes the epochs that an earlier one has left in the log.
        ``partial_fit``, ``warm_start`` and a net whose history was loaded continue after
        them.
    on_error : {"warn", "raise"}, default="warn"
        Whether the training continues, with a warning, when an epoch holds residuals that
        are not finite or cannot be written, as in `ErrorRecorder`.

    Attributes
    ----------
    recorder_ : ErrorRecorder
        That of the last training. Its ids are rows of the `X` that the net was fitted on;
        those that `train_split` holds out for validation are NaN in ``recorder_.errors``.

    Raises
    ------
    FileExistsError
        From ``fit``: if the log has epochs of an earlier training.
    ValueError
        From ``fit``: if residuals cannot be computed, have another length than the batch or,
        with ``on_error="raise"``, are not finite; or the log is of another number of rows.
        From a training that continues: if earlier epochs were not recorded.

    Notes
    -----
    In a search such as ``GridSearchCV`` every candidate is a clone with a callback of its own:
    leave `log` out, so that each keeps its errors in memory.

    Examples
    --------
    >>> import numpy as np, skorch, torch
    >>> callback = ErrorRecorderCallback()
    >>> settings = {"max_epochs": 5, "callbacks": [callback], "verbose": 0}
    >>> net = skorch.NeuralNetRegressor(torch.nn.Linear(3, 1), train_split=None, **settings)
    >>> _ = net.fit(np.ones((20, 3), np.float32), np.ones((20, 1), np.float32))
    >>> callback.recorder_.errors.shape
    (20, 5)
    """

    recorder_: ErrorRecorder

    def __init__(
        self,
        log: str | os.PathLike[str] | ErrorLog | None = None,
        *,
        residuals: Residuals = prediction_and_target,
        reduction: Reduction = "norm",
        scale: ArrayLike = 1.0,
        overwrite: bool = False,
        on_error: OnError = "warn",
    ) -> None:
        self.log = log
        self.residuals = residuals
        self.reduction = reduction
        self.scale = scale
        self.overwrite = overwrite
        self.on_error = on_error

    def on_train_begin(self, net: Any, X: Any = None, **_: Any) -> None:  # noqa: D102
        self._close()  # what a training that failed has left
        self.given_, self.begins_ = X, True
        if self not in _watching(net):  # as it is after a fit that failed
            self.loader_, net.iterator_train = net.iterator_train, self._load

    def on_epoch_begin(self, net: Any, **_: Any) -> None:  # noqa: D102
        if self.begins_:  # now the history is known that another callback may have loaded
            self._begin(_n_trained(net))
            self.begins_ = False

    def on_batch_end(self, net: Any, batch: Any, training: bool, **step: Any) -> None:  # noqa: D102
        if training:
            ids = self.rows_[self.ids_.next()]
            with torch.no_grad():
                found = self.residuals(step["y_pred"], batch)
            self.recorder_.record(ids, *as_pair(found))

    def on_epoch_end(self, net: Any, **_: Any) -> None:  # noqa: D102
        self.recorder_.record(torch.arange(0), torch.empty(0))  # there may be no batch
        try:
            self.recorder_.end_epoch(_n_trained(net) - 1)
        except Exception:  # skorch tells nobody that a training has failed
            self._close()
            raise

    def on_train_end(self, net: Any, **_: Any) -> None:  # noqa: D102
        outer = [callback for callback in _watching(net) if callback.loader_ == self._load]
        if outer:  # another callback of this kind loads by this one
            outer[0].loader_ = self.loader_
        else:
            net.iterator_train = self.loader_
        self._close()

    def _load(self, dataset: Any, **kwargs: Any) -> DataLoader[Any]:
        split = isinstance(dataset, Subset) and dataset is not self.given_  # by the net
        rows = dataset.indices if split else range(len(dataset))
        self.n_rows_ = len(dataset.dataset) if split else len(dataset)
        self.ids_, self.rows_ = BatchIds(), torch.as_tensor(rows)
        return self.ids_.watch(self.loader_(dataset, **kwargs))

    def _begin(self, epoch: int) -> None:
        """Make the recorder of a training, or go on with that of the training so far."""
        log = None
        if self.log is not None:
            log = open_log(
                self.log, self.n_rows_, epoch, goes_on=epoch > 0, overwrite=self.overwrite
            )
        elif epoch and hasattr(self, "recorder_") and self.recorder_.n_samples == self.n_rows_:
            return
        elif epoch:
            raise ValueError(
                f"Expected the errors of the epochs before number {epoch}, at which the training "
                "goes on, got none of these rows: give a log."
            )
        self.recorder_ = ErrorRecorder(
            self.n_rows_,
            log,
            reduction=self.reduction,
            scale=self.scale,
            on_error=self.on_error,
        )

    def _close(self) -> None:
        """Let another write the log, and keep no data."""
        self.given_ = None
        if hasattr(self, "recorder_") and self.recorder_.log is not None:
            self.recorder_.log.close()


def _watching(net: Any) -> Iterator[ErrorRecorderCallback]:
    """Find the callbacks that the net's loader has been put into, the outermost first."""
    load = net.iterator_train
    while isinstance(callback := getattr(load, "__self__", None), ErrorRecorderCallback):
        yield callback
        load = callback.loader_


def _n_trained(net: Any) -> int:
    """Count the epochs that were trained to their end: one that was interrupted has no count."""
    return sum("train_batch_count" in row for row in net.history)
