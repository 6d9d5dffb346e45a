"""Error trajectories from skorch nets."""

from typing import Any

import torch
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch.utils.data import DataLoader, Subset

from ltau.adapters._recording.ids import BatchIds
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters._recording.residuals import subtract

__all__ = ["ErrorRecorderCallback"]


class ErrorRecorderCallback(Callback):
    """Record every training sample's error at each epoch of a skorch net.

    Parameters
    ----------
    recorder : ErrorRecorder
        Where the errors go. Ids are rows of the `X` that the net is fitted on; those
        that `train_split` holds out for validation are NaN.

    Examples
    --------
    >>> import numpy as np, skorch, torch
    >>> from ltau.adapters.torch import ErrorRecorder
    >>> recorder = ErrorRecorder(n_samples=20)
    >>> settings = {"max_epochs": 5, "callbacks": [ErrorRecorderCallback(recorder)], "verbose": 0}
    >>> net = skorch.NeuralNetRegressor(torch.nn.Linear(3, 1), train_split=None, **settings)
    >>> _ = net.fit(np.ones((20, 3), np.float32), np.ones((20, 1), np.float32))
    >>> recorder.errors.shape
    (20, 5)
    """

    def __init__(self, recorder: ErrorRecorder) -> None:
        self.recorder = recorder

    def on_train_begin(self, net: Any, **_: Any) -> None:  # noqa: D102
        if net.iterator_train != self._load:  # as it is after a fit that failed
            self.loader_, net.iterator_train = net.iterator_train, self._load

    def on_batch_end(self, net: Any, batch: Any, training: bool, **step: Any) -> None:  # noqa: D102
        if training:
            ids = self.rows_[self.ids_.next()]
            self.recorder.record(ids, subtract(step["y_pred"], unpack_data(batch)[1]))

    def on_epoch_end(self, net: Any, **_: Any) -> None:  # noqa: D102
        self.recorder.end_epoch()

    def on_train_end(self, net: Any, **_: Any) -> None:  # noqa: D102
        net.iterator_train = self.loader_

    def _load(self, dataset: Any, **kwargs: Any) -> DataLoader[Any]:
        rows = dataset.indices if isinstance(dataset, Subset) else range(len(dataset))
        self.ids_, self.rows_ = BatchIds(), torch.as_tensor(rows)
        return self.ids_.watch(self.loader_(dataset, **kwargs))
