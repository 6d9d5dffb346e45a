"""Error trajectories, recorded where the model runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.options import OnError, check_on_error
from ltau.adapters._recording.residuals import check_tensor, subtract
from ltau.adapters._recording.scale import check_scale, of_outputs
from ltau.log import ErrorLog

__all__ = ["ErrorRecorder", "Reduction"]

Reduction = str | Callable[[torch.Tensor], torch.Tensor]

_NOT_SEEN = -1.0  # NaN would be lost among the processes' maxima

# Right after an optimiser's step the caches are cold, and an operation on a small tensor
# takes many times as long as in a loop of its own: so batches wait, and go in together.
_BATCHES_THAT_WAIT = 256

_INTEGERS = {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8}

# Of residuals of shape (n, n_outputs).
_REDUCTIONS = MappingProxyType(
    {
        "norm": lambda residuals: torch.linalg.vector_norm(residuals, dim=1),
        "mean": lambda residuals: residuals.abs().mean(dim=1),
        "max": lambda residuals: residuals.abs().amax(dim=1),
    }
)


class ErrorRecorder:
    """Record every training sample's error, epoch by epoch, inside a training loop.

    Errors stay on their device, and are copied off it hundreds of batches at a time.

    Parameters
    ----------
    n_samples : int
        Number of training samples, whose ids are 0 to `n_samples` - 1.
    log : ErrorLog, optional
        Where finished epochs go; by default they are kept in memory.
    reduction : {"norm", "mean", "max"} or callable, default="norm"
        How the errors of several outputs become one: the Euclidean norm of the residuals,
        or their mean or largest absolute value, over all axes but the first. A callable
        takes the residuals, in float32, and gives a tensor of shape (n,), whose absolute
        value is the error.
    scale : float or array-like of shape (n_outputs,), default=1.0
        What residuals are multiplied by to be in the unit of the target: the standard
        deviation of a target that was standardised, of each output where they differ.
    on_error : {"warn", "raise"}, default="warn"
        What happens at the end of an epoch that cannot be recorded as it is. With ``"warn"``
        the training continues. A residual that is NaN or infinite, as in a step that was
        skipped, counts as not seen. An epoch that cannot be written to the log waits in
        memory, and is written with the next or when the log is closed. Each time there is a
        warning: if `end_epoch` gives none, the epoch is on the disk. With ``"raise"`` both
        are errors.

    Attributes
    ----------
    errors : ndarray of shape (n_samples, n_epochs), float32
        Error trajectories of the finished epochs; of those in the log, where there is one.

    Raises
    ------
    ValueError
        If there is no such reduction or `on_error`, `scale` is not positive and finite, or
        the log is of another number of samples.

    Notes
    -----
    In a distributed run every process has a recorder and calls `end_epoch`. The first
    process, rank 0, gets the errors of all, and only it needs the log. A sample that is
    recorded several times in an epoch counts once: see `ErrorLog`.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import ErrorRecorder
    >>> recorder = ErrorRecorder(n_samples=3)
    >>> prediction, target = torch.tensor([1.0, 2.0]), torch.tensor([1.5, 2.0])
    >>> recorder.record(torch.tensor([2, 0]), prediction, target)
    >>> recorder.end_epoch()
    >>> recorder.errors
    array([[0. ],
           [nan],
           [0.5]], dtype=float32)
    """

    def __init__(
        self,
        n_samples: int,
        log: ErrorLog | None = None,
        *,
        reduction: Reduction = "norm",
        scale: ArrayLike = 1.0,
        on_error: OnError = "warn",
    ) -> None:
        if not callable(reduction) and reduction not in _REDUCTIONS:
            raise ValueError(
                f"Expected reduction to be one of {list(_REDUCTIONS)} or callable, "
                f"got {reduction!r}."
            )
        check_on_error(on_error)
        if log is not None and log.n_samples != n_samples:
            raise ValueError(f"Expected a log of {n_samples} samples, got one of {log.n_samples}.")
        self.n_samples = n_samples
        self.log = log
        self.reduction = reduction
        self.scale = scale
        self.on_error = on_error
        self._scale = check_scale(scale)
        self._is_scaled = bool((self._scale != 1).any())
        self._may_be_square = False  # once residuals were seen that no broadcasting has made
        self._epoch: NDArray[np.float32] | None = None  # this epoch's errors
        self._infinite: NDArray[np.bool_]  # of this epoch: samples with such a residual
        self._device: torch.device  # of this epoch's first residuals
        self._waiting: list[tuple[torch.Tensor, torch.Tensor]] = []  # ids and errors of batches
        self._epochs: list[NDArray[np.float32]] = []  # finished, where there is no log

    def __repr__(self) -> str:
        if self.log is not None:
            return f"ErrorRecorder(n_samples={self.n_samples}, log={self.log!r})"
        return f"ErrorRecorder(n_samples={self.n_samples}, n_epochs={len(self._epochs)})"

    def record(
        self, ids: torch.Tensor, residuals: torch.Tensor, /, target: torch.Tensor | None = None
    ) -> None:
        """Record the errors of one batch: ``(ids, prediction, target)``, or ``(ids, residuals)``.

        Parameters
        ----------
        ids : tensor of shape (n,), integer
            The samples of the batch; best left on the CPU, where they are checked
            without waiting for the device.
        residuals : tensor of shape (n,) or (n, ...)
            The prediction; without `target`, prediction minus target. Of any floating type.
        target : tensor, optional
            The target, of the prediction's shape. Axes of length one may be missing in
            either: a prediction of shape (n, 1) is compared with a target of shape (n,).

        Raises
        ------
        ValueError
            If what is given is no tensor, lengths or shapes differ, ids are no integers or
            residuals of no floating type, or a callable reduction gives another shape. If
            residuals are square from the first batch on, as prediction of shape (n, 1) minus
            target of shape (n,) is: give the two instead. If an id has no sample: the epoch is
            dropped then. Ids of the first batch are checked at once, later ones hundreds of
            batches at a time, or at `end_epoch`.
        FileExistsError, RuntimeError, OSError, LTAUFileError
            From the log, at the first batch of an epoch: if it has epochs of an earlier run,
            has another writer, cannot be written to or is damaged.
        """
        check_tensor("ids", ids)
        if target is None:
            check_tensor("residuals", residuals)
            if not self._may_be_square:
                self._check_broadcast(residuals)
        else:
            residuals = subtract(residuals, target)
        if not residuals.is_floating_point():
            raise ValueError(f"Expected residuals of a floating type, got {residuals.dtype}.")
        n, *others = ids.shape or (0, 0)
        if others or (n,) != residuals.shape[:1]:
            raise ValueError(
                f"Expected as many ids as residuals, got shapes {tuple(ids.shape)} "
                f"and {tuple(residuals.shape)}."
            )
        if n and ids.dtype not in _INTEGERS:
            raise ValueError(f"Expected ids that are integers, got {ids.dtype}.")
        if self._epoch is None and not self._waiting:
            self._device = residuals.device
            if self.log is not None:
                self.log.record([], [])  # its one writer from now on, or an error before it costs
        if not n:
            self._begin()
            return
        # Copies: what the caller goes on to do with the tensors must not matter.
        self._waiting.append((ids.clone(), self._reduce(residuals.detach())))
        if self._epoch is None or len(self._waiting) == _BATCHES_THAT_WAIT:
            self._put_in()

    def end_epoch(self, epoch: int | None = None) -> None:
        """Finish the epoch: copy its errors off the device. Samples not seen are NaN.

        Parameters
        ----------
        epoch : int, optional
            Number of the epoch, from 0. An existing epoch is replaced, and later ones are
            removed, as for a run resumed from a checkpoint. By default it is the next.

        Raises
        ------
        RuntimeError
            If nothing was recorded since the last epoch.
        ValueError
            If an id has no sample: the epoch is dropped then. If epochs before this one are
            missing. With ``on_error="raise"``, if a residual was NaN or infinite: the
            epoch is dropped too.
        OSError
            With ``on_error="raise"``, if the epoch cannot be written to the log. It is
            kept: call `end_epoch` again to retry.

        Warns
        -----
        UserWarning
            If epochs after this one are removed. With ``on_error="warn"``, instead of the
            last two errors.
        """
        if self._epoch is None:
            raise RuntimeError("Nothing was recorded in this epoch: call record() first.")
        self._put_in()
        errors, flags = self._of_all_processes(self._epoch, self._infinite)
        infinite = np.flatnonzero(flags)
        if infinite.size and self.on_error == "raise":
            self._epoch = None
            raise ValueError(f"Expected finite residuals, {_named(infinite)}.")
        is_first = not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0
        if is_first:
            self._keep(errors, epoch)
        self._epoch = None
        if is_first and infinite.size:
            warnings.warn(
                f"Expected finite residuals, {_named(infinite)}. They count as not seen.",
                UserWarning,
                stacklevel=2,
            )

    @property
    def errors(self) -> NDArray[np.float32]:
        """Error trajectories of the finished epochs, shape (n_samples, n_epochs)."""
        if self.log is not None:
            return self.log[:]
        if not self._epochs:
            return np.empty((self.n_samples, 0), np.float32)
        return np.stack(self._epochs, axis=1)

    def _reduce(self, residuals: torch.Tensor) -> torch.Tensor:
        """Make one error of each sample's residuals, in memory of its own."""
        if self._is_scaled:
            residuals = self._in_unit_of_target(residuals.float())
        if not callable(self.reduction):
            if residuals.ndim == 1:
                return residuals.clone()
            return _REDUCTIONS[self.reduction](residuals.float().flatten(1))
        errors = self.reduction(residuals.float()).clone()
        if errors.shape != residuals.shape[:1]:
            raise ValueError(
                f"Expected the reduction to give shape {tuple(residuals.shape[:1])}, "
                f"got {tuple(errors.shape)}."
            )
        return errors

    def _put_in(self) -> None:
        """Put the batches that wait into the epoch."""
        if not self._waiting:
            return
        batch_ids, batch_errors = zip(*self._waiting, strict=True)
        self._waiting.clear()
        ids = torch.cat(batch_ids).cpu().numpy()
        errors = torch.cat(batch_errors).float().abs()
        if ids.size and not 0 <= ids.min() <= ids.max() < self.n_samples:
            self._epoch = None
            raise ValueError(
                f"Expected ids from 0 to {self.n_samples - 1}, got {ids.min()} to {ids.max()}."
            )
        epoch = self._begin()
        values = errors.cpu().numpy()
        finite = np.isfinite(values)
        if not finite.all():
            self._infinite[ids[~finite]] = True
            ids, values = ids[finite], values[finite]
        epoch[ids] = values

    def _begin(self) -> NDArray[np.float32]:
        """Give this epoch's errors; of none, where it begins."""
        if self._epoch is None:
            self._epoch = np.full(self.n_samples, _NOT_SEEN, np.float32)
            self._infinite = np.zeros(self.n_samples, bool)
        return self._epoch

    def _of_all_processes(
        self, errors: NDArray[np.float32], infinite: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Put the errors of all processes together; of several, that of the highest rank."""
        if not (dist.is_available() and dist.is_initialized()):
            return errors, infinite

        def largest(values: NDArray[np.generic]) -> NDArray[np.generic]:
            shared = torch.from_numpy(values).to(self._device)  # where the backend works
            dist.all_reduce(shared, dist.ReduceOp.MAX)
            return shared.cpu().numpy()

        rank = dist.get_rank()
        owners = np.where(errors == _NOT_SEEN, -1, rank)
        owner, flags = largest(np.stack([owners, infinite]).astype(np.int32))
        own = largest(np.where(owner == rank, errors, np.float32(_NOT_SEEN)))
        return own.astype(np.float32, copy=False), flags.astype(bool)

    def _check_broadcast(self, residuals: torch.Tensor) -> None:
        """Refuse what (n, 1) minus (n,) gives: n again among the other axes, in every batch."""
        n, *others = residuals.shape or (0,)
        if n < 2:
            return
        if n in others:
            raise ValueError(
                f"Expected residuals with one row per sample, got shape {tuple(residuals.shape)}: "
                f"a prediction of shape ({n}, 1) minus a target of shape ({n},)? Call "
                "record(ids, prediction, target), which compares the shapes."
            )
        self._may_be_square = True

    def _in_unit_of_target(self, residuals: torch.Tensor) -> torch.Tensor:
        self._scale = of_outputs(self._scale, residuals, "residuals")  # moved once
        return residuals * self._scale

    def _keep(self, errors: NDArray[np.float32], epoch: int | None) -> None:
        seen = np.flatnonzero(errors != _NOT_SEEN)
        if self.log is not None:
            self.log.record(seen, errors[seen])
            self.log.end_epoch(epoch, on_error=self.on_error)
            return
        number = len(self._epochs) if epoch is None else epoch
        if not 0 <= number <= len(self._epochs):
            raise ValueError(f"Expected an epoch from 0 to {len(self._epochs)}, got {number}.")
        row = np.full(self.n_samples, np.nan, np.float32)
        row[seen] = errors[seen]
        n_later = len(self._epochs) - number - 1
        self._epochs[number:] = [row]
        if n_later > 0:
            warnings.warn(
                f"Epoch {number} was recorded again: the {n_later} after it, of a run that did "
                "not go on, are removed.",
                UserWarning,
                stacklevel=3,
            )


def _named(infinite: NDArray[np.intp]) -> str:
    first = ", ".join(map(str, infinite[:5])) + (", ..." if infinite.size > 5 else "")
    return f"got NaN or infinite ones of {infinite.size} samples: {first}"
