"""Latents and error trajectories from PyTorch models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

__all__ = ["ErrorRecorder", "latents"]


class ErrorRecorder:
    """Record every training sample's error, epoch by epoch, inside a training loop.

    Errors are kept on the device where they arise, and copied off it once an epoch.

    Parameters
    ----------
    n_samples : int
        Number of training samples, whose ids are 0 to `n_samples` - 1.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import ErrorRecorder
    >>> recorder = ErrorRecorder(n_samples=3)
    >>> prediction, target = torch.tensor([1.0, 2.0]), torch.tensor([1.5, 2.0])
    >>> recorder.record(torch.tensor([2, 0]), prediction - target)
    >>> recorder.end_epoch()
    >>> recorder.errors
    array([[0. ],
           [nan],
           [0.5]], dtype=float32)
    """

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples
        self._epoch: torch.Tensor | None = None  # this epoch's errors, on their device
        self._epochs: list[NDArray[np.float32]] = []

    def record(self, ids: torch.Tensor, residuals: torch.Tensor) -> None:
        """Record the errors of one batch.

        Parameters
        ----------
        ids : tensor of shape (n,), integer
            The samples of the batch. A sample recorded again in the same epoch keeps
            its last error.
        residuals : tensor of shape (n,) or (n, ...)
            Prediction minus target, of any floating type, in the unit of the target.
            The error is its absolute value, or its Euclidean norm over all axes but
            the first.

        Raises
        ------
        ValueError
            If lengths differ or an id has no sample.
        """
        if ids.ndim != 1 or len(ids) != len(residuals):
            raise ValueError(
                f"Expected as many ids as residuals, got shapes {tuple(ids.shape)} "
                f"and {tuple(residuals.shape)}."
            )
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.n_samples:
            raise ValueError(
                f"Expected ids from 0 to {self.n_samples - 1}, "
                f"got {int(ids.min())} to {int(ids.max())}."
            )
        errors = residuals.detach().float().reshape(len(ids), -1).norm(dim=1)
        if self._epoch is None:
            self._epoch = errors.new_full((self.n_samples,), torch.nan)
        self._epoch[ids.to(errors.device)] = errors

    def end_epoch(self) -> None:
        """Close the epoch: copy its errors off the device. Samples not seen are NaN.

        Raises
        ------
        RuntimeError
            If nothing was recorded since the last epoch.
        """
        if self._epoch is None:
            raise RuntimeError("Nothing was recorded in this epoch: call record() first.")
        self._epochs.append(self._epoch.cpu().numpy())
        self._epoch = None

    @property
    def errors(self) -> NDArray[np.float32]:
        """Error trajectories of the closed epochs, shape (n_samples, n_epochs)."""
        if not self._epochs:
            return np.empty((self.n_samples, 0), np.float32)
        return np.stack(self._epochs, axis=1)


def latents(
    model: torch.nn.Module,
    batches: Iterable[torch.Tensor | Sequence[torch.Tensor]],
    layer: str,
    *,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Compute the latents of samples: the output of one layer of the model.

    The model runs in evaluation mode, without gradients, on the device where it is;
    afterwards every module is in the mode it was in.

    Parameters
    ----------
    model : torch.nn.Module
        The trained model.
    batches : iterable of tensors, or of sequences of tensors
        What the model takes, such as a `DataLoader` that does not shuffle; of a
        sequence, the first item.
    layer : str
        Name of the layer in ``model.named_modules()``; for the last hidden layer, the
        activation before the output.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32
        The latents, in the order of the batches.

    Raises
    ------
    ValueError
        If there is no such layer, it does not run or gives no tensor with a row a
        sample, or there are no batches.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import latents
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> latents(model, torch.zeros(10, 4).split(5), layer="1").shape
    (10, 8)
    """
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(f"Expected layer to be one of {list(modules)[1:]}, got {layer!r}.")
    outputs: list[object] = []
    hook = modules[layer].register_forward_hook(lambda _m, _i, output: outputs.append(output))
    first_parameter = next(model.parameters(), None)
    rows = []
    try:
        with torch.no_grad(), _evaluation_mode(model):
            for batch in tqdm(batches, desc="latents", disable=not progress):
                inputs = batch if isinstance(batch, torch.Tensor) else batch[0]
                outputs.clear()
                model(inputs if first_parameter is None else inputs.to(first_parameter.device))
                rows.append(_rows(outputs, layer, len(inputs)))
    finally:
        hook.remove()
    if not rows:
        raise ValueError("Expected at least one batch, got none.")
    return np.concatenate(rows)


def _rows(outputs: list[object], layer: str, n: int) -> NDArray[np.float32]:
    """Check that a layer ran once and gave a row a sample; copy the rows off the device."""
    if len(outputs) != 1:
        raise ValueError(
            f"Expected layer {layer!r} to run once a batch, it ran {len(outputs)} times."
        )
    output = outputs[0]
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != n:
        got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ValueError(f"Expected layer {layer!r} to give shape ({n}, n_features), got {got}.")
    return output.float().cpu().numpy()


@contextmanager
def _evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and every module back to its own mode afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
