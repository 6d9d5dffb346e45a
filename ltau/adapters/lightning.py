"""Error trajectories from Lightning trainers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader
from torch.utils.hooks import RemovableHandle

from ltau.adapters._recording.hooks import find_layer
from ltau.adapters._recording.ids import BatchIds
from ltau.adapters._recording.recorder import ErrorRecorder, Reduction
from ltau.adapters._recording.residuals import subtract
from ltau.log import ErrorLog

__all__ = ["ErrorRecorderCallback"]


def _prediction_minus_target(output: Any, batch: Any) -> torch.Tensor:
    """Residuals of a batch ``(x, y)``."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(
            f"Expected batches (x, y), got {type(batch).__name__}: "
            "give ErrorRecorderCallback a callable residuals(output, batch)."
        )
    return subtract(output, batch[1])


class ErrorRecorderCallback(Callback):
    """Record every training sample's error at each epoch of a Lightning trainer.

    The errors are those of the training step's own forward pass; the module stays as it
    is, and so do the batches that it gets. Every epoch is written under its number, so
    that a run resumed from a checkpoint goes on in the same log.

    Parameters
    ----------
    log : str, path-like or ErrorLog
        Where the errors go: the folder of a log, which is started where there is none.
    module : str, optional
        Name of the submodule that gives the predictions, as in
        ``module.named_modules()``; by default the `LightningModule` itself, whose
        `training_step` calls ``self(x)``. It must run once a training step.
    residuals : callable, optional
        Called with what the module gives and the batch, it returns prediction minus
        target, of shape (n,) or (n, ...), in the unit of the target. By default the
        batches are ``(x, y)`` and the residuals are the output minus `y`.
    reduction : {"norm", "mean", "max"} or callable, default="norm"
        What the error of a sample with several outputs is, as in `ErrorRecorder`.

    Raises
    ------
    TypeError, ValueError
        From ``Trainer.fit``: if there is not exactly one training `DataLoader`, of a
        dataset with a length; there is no such submodule; or residuals cannot be had,
        are not finite or have another length than the batch.
    RuntimeError
        From ``Trainer.fit``: if the submodule does not run once a training step.

    Notes
    -----
    The ids are those that the `DataLoader` draws, the rows of its dataset: of a
    `Subset`, the positions in it. Samples that an epoch leaves out, as the last ones
    with ``drop_last``, are NaN. In a distributed run the processes put their errors
    together at the end of each epoch, and rank 0 writes them.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from lightning.pytorch import LightningModule, Trainer
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from ltau.adapters.lightning import ErrorRecorderCallback
    >>> from ltau.log import ErrorLog
    >>> class Regressor(LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = torch.nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.net(x).flatten()
    ...     def training_step(self, batch, batch_idx):
    ...         x, y = batch
    ...         return torch.nn.functional.mse_loss(self(x), y)
    ...     def configure_optimizers(self):
    ...         return torch.optim.Adam(self.parameters())
    >>> loader = DataLoader(TensorDataset(torch.rand(20, 2), torch.rand(20)), 5, shuffle=True)
    >>> folder = tempfile.TemporaryDirectory()
    >>> trainer = Trainer(
    ...     max_epochs=3,
    ...     callbacks=ErrorRecorderCallback(folder.name),
    ...     accelerator="cpu",
    ...     logger=False,
    ...     enable_checkpointing=False,
    ...     enable_progress_bar=False,
    ...     enable_model_summary=False,
    ... )
    >>> trainer.fit(Regressor(), loader)
    >>> ErrorLog(folder.name).shape    # ready for LTAUEstimator.fit
    (20, 3)
    >>> folder.cleanup()
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | ErrorLog,
        *,
        module: str | None = None,
        residuals: Callable[[Any, Any], torch.Tensor] = _prediction_minus_target,
        reduction: Reduction = "norm",
    ) -> None:
        self.error_log = log  # the trainer puts its own function `log` into callbacks
        self.module = module
        self.residuals = residuals
        self.reduction = reduction
        self._ids = BatchIds()
        self._outputs: list[Any] = []
        self._hook: RemovableHandle | None = None
        self._open_log: ErrorLog | None = None  # of rank 0
        self._recorder: ErrorRecorder  # from the start of training

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the module, and to the training loader that is about to be made."""
        watched = pl_module if self.module is None else find_layer(pl_module, self.module)

        def keep(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
            if trainer.training:
                self._outputs.append(output)

        self._hook = watched.register_forward_hook(keep)
        process = trainer.strategy.process_dataloader

        def process_dataloader(dataloader: object) -> object:
            return process(self._ids.watch(dataloader) if trainer.training else dataloader)

        # Called when the trainer has put its own sampler into the loader, a distributed
        # one maybe, and has not begun to draw from it.
        trainer.strategy.process_dataloader = process_dataloader  # type: ignore[method-assign]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the log."""
        loader = trainer.train_dataloader
        if not isinstance(loader, DataLoader):
            raise TypeError(f"Expected one training DataLoader, got {type(loader).__name__}.")
        n_samples = len(loader.dataset)  # type: ignore[arg-type]
        if trainer.is_global_zero:
            log = self.error_log
            self._open_log = log if isinstance(log, ErrorLog) else ErrorLog(log, n_samples)
        self._recorder = ErrorRecorder(n_samples, self._open_log, reduction=self.reduction)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Forget what the module gave outside training steps."""
        self._outputs.clear()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record the batch."""
        ids = self._ids.next()
        if batch is None:  # collated so to be skipped: no training step was run
            return
        if self.module is None and trainer.strategy.model is not pl_module:
            # A wrapper, as DDP's, runs the whole training step as the module's forward:
            # the last output is the loss.
            self._outputs.pop()
        if len(self._outputs) != 1:
            name = "the LightningModule" if self.module is None else f"module {self.module!r}"
            raise RuntimeError(
                f"Expected {name} to run once a training step, it ran {len(self._outputs)} times. "
                "Give ErrorRecorderCallback the name of a module that does: one of "
                f"{[name for name, _ in pl_module.named_modules()][1:]}."
            )
        with torch.no_grad():
            residuals = self.residuals(self._outputs.pop(), batch)
        self._recorder.record(ids, residuals)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch."""
        self._recorder.end_epoch(trainer.current_epoch)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the log, and listen no more."""
        self._release(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the log, and listen no more; the epoch under way is lost."""
        self._release(trainer)

    def _release(self, trainer: Trainer) -> None:
        vars(trainer.strategy).pop("process_dataloader", None)
        if self._hook is not None:
            self._hook.remove()
        if self._open_log is not None:
            self._open_log.close()
        self._hook = self._open_log = None
        self._outputs.clear()
