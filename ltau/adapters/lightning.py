"""Error trajectories from Lightning trainers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader
from torch.utils.hooks import RemovableHandle

from ltau._inputs.options import OnError
from ltau.adapters._recording.held_out import HeldOutErrors
from ltau.adapters._recording.hooks import find_layer
from ltau.adapters._recording.ids import BatchIds
from ltau.adapters._recording.logs import open_log
from ltau.adapters._recording.recorder import ErrorRecorder, Reduction
from ltau.adapters._recording.residuals import Residuals, as_pair, prediction_and_target
from ltau.log import ErrorLog

__all__ = ["ErrorRecorderCallback"]


class ErrorRecorderCallback(Callback):
    """Record every training sample's error at each epoch of a Lightning trainer.

    The errors are those of the training step's own forward pass. The module and its batches
    stay as they are. Every epoch is written under its number, so that a run resumed from a
    checkpoint continues in the same log.

    Where the trainer validates, the errors of the validation samples are recorded as
    well, for ``LTAUEstimator.calibrate``: those of the last pass, in `held_out`.

    Parameters
    ----------
    log : str, path-like or ErrorLog
        Where the errors go: the folder of a log, which is started if there is none. An
        `ErrorLog` is closed, and opened again for writing.
    module : str, optional
        Name of the submodule that gives the predictions, as in
        ``module.named_modules()``; by default the ``LightningModule`` itself, whose
        `training_step` calls ``self(x)``. It must run once per training step.
    residuals : callable, optional
        Called with what the module gives and the batch, it returns a pair of tensors of the
        same shape, prediction and target; or prediction minus target, of shape (n,) or
        (n, ...). By default the batches are ``(x, y)``, and the output is compared with
        `y`. Batches of validation are given to it too.
    reduction : {"norm", "mean", "max"} or callable, default="norm"
        How the errors of several outputs become one, as in `ErrorRecorder`.
    scale : float or array-like of shape (n_outputs,), default=1.0
        Standard deviation of a target that was standardised, as in `ErrorRecorder`.
    overwrite : bool, default=False
        Whether a training that starts removes the epochs that an earlier one has left in
        the log. A training resumed from a checkpoint continues after them.
    on_error : {"warn", "raise"}, default="warn"
        Whether the training continues, with a warning, when an epoch holds residuals that
        are not finite or cannot be written, as in `ErrorRecorder`.

    Raises
    ------
    FileExistsError
        From ``Trainer.fit``: if a training starts at the first epoch, and the log has epochs.
    TypeError, ValueError
        From ``Trainer.fit``: if there is not exactly one training ``DataLoader``, of a
        dataset with a length; there is no such submodule; the log lacks epochs before the
        one at which a training continues; or residuals cannot be computed, have another
        length than the batch or, with ``on_error="raise"``, are not finite.
    RuntimeError
        From ``Trainer.fit``: if the submodule does not run once per training step, or
        another process writes the log.
    OSError
        From ``Trainer.fit``: if the log cannot be opened to be written or, with
        ``on_error="raise"``, an epoch cannot be written.
    FileNotFoundError
        From ``Trainer.validate``: if there is no log.

    Warns
    -----
    UserWarning
        Once, if validation lacks what would end a training with one of these errors.
        The training continues, and `held_out` says what was missing.

    Notes
    -----
    The ids are those that the ``DataLoader`` draws: the rows of its dataset, or for a
    ``Subset`` the positions in it. Samples that an epoch leaves out, such as the last ones
    with ``drop_last``, are NaN. In a distributed run the errors of all processes are
    collected at the end of each epoch, and rank 0 writes them.

    Errors of validation samples are those of the weights that the pass ran with, or of
    averaged weights if a callback such as ``WeightAveraging`` averages them. For others, such
    as those of the best checkpoint, call ``Trainer.validate(..., ckpt_path="best")`` after
    training. The passes of the sanity check, before training, do not count.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from lightning.pytorch import LightningModule, Trainer
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from ltau import ErrorLog
    >>> from ltau.adapters.lightning import ErrorRecorderCallback
    >>> class Regressor(LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = torch.nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.net(x).flatten()
    ...     def training_step(self, batch, batch_idx):
    ...         x, y = batch
    ...         return torch.nn.functional.mse_loss(self(x), y)
    ...     def validation_step(self, batch, batch_idx):
    ...         self.log("loss", self.training_step(batch, batch_idx))
    ...     def configure_optimizers(self):
    ...         return torch.optim.Adam(self.parameters())
    >>> data = TensorDataset(torch.rand(26, 2), torch.rand(26))
    >>> training, validation = torch.utils.data.random_split(data, [20, 6])
    >>> folder = tempfile.TemporaryDirectory()
    >>> callback = ErrorRecorderCallback(folder.name)
    >>> trainer = Trainer(
    ...     max_epochs=3,
    ...     callbacks=callback,
    ...     accelerator="cpu",
    ...     logger=False,
    ...     enable_checkpointing=False,
    ...     enable_progress_bar=False,
    ...     enable_model_summary=False,
    ... )
    >>> trainer.fit(Regressor(), DataLoader(training, 5, shuffle=True), DataLoader(validation, 5))
    >>> ErrorLog(folder.name).shape    # ready for LTAUEstimator.fit
    (20, 3)
    >>> ids, errors = callback.held_out    # ready for LTAUEstimator.calibrate
    >>> ids
    array([0, 1, 2, 3, 4, 5])
    >>> folder.cleanup()
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | ErrorLog,
        *,
        module: str | None = None,
        residuals: Residuals = prediction_and_target,
        reduction: Reduction = "norm",
        scale: ArrayLike = 1.0,
        overwrite: bool = False,
        on_error: OnError = "warn",
    ) -> None:
        folder = log.path if isinstance(log, ErrorLog) else Path(log).absolute()
        # Not `log`: the trainer puts its own function of that name into callbacks.
        self.error_log = log if isinstance(log, ErrorLog) else folder
        self.module = module
        self.residuals = residuals
        self.reduction = reduction
        self.scale = scale
        self.overwrite = overwrite
        self.on_error = on_error
        self._listens = False  # a step is under way whose batch is recorded
        self._ids = BatchIds()
        self._outputs: list[Any] = []
        self._hook: RemovableHandle | None = None
        self._open_log: ErrorLog | None = None  # of rank 0
        self._recorder: ErrorRecorder  # from the start of training
        self._held_out = HeldOutErrors(folder / "held-out.npz", reduction, scale)

    @property
    def held_out(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Ids and errors of the validation samples, by the weights of the last pass over them.

        Two arrays of shape (n,), the errors in the unit of the target. Ids are the rows of
        the validation loader's dataset; of several loaders, those of their datasets one
        after the other, as in a ``ConcatDataset``. Samples that the pass left out are left
        out. Beside the log they are kept as ``held-out.npz``, for `numpy.load`. In a
        distributed run rank 0 has them.

        Raises
        ------
        RuntimeError
            If there are none: no pass has ended, or something was missing in the last.
        """
        return self._held_out.errors()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Listen to the loaders that are about to be made."""
        if stage not in ("fit", "validate"):
            return
        process = trainer.strategy.process_dataloader

        def process_dataloader(dataloader: object) -> object:
            watch = self._ids.watch if trainer.training else self._held_out.watch
            return process(watch(dataloader))

        # Called when the trainer has put its own sampler into the loader, a distributed
        # one maybe, and has not begun to draw from it.
        trainer.strategy.process_dataloader = process_dataloader  # type: ignore[method-assign]
        if stage == "fit":  # what was loaded before was not listened to: it is loaded again
            trainer.fit_loop._combined_loader = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the module."""
        watched = pl_module if self.module is None else find_layer(pl_module, self.module)

        def keep(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
            if self._listens:
                self._outputs.append(output)

        self._hook = watched.register_forward_hook(keep)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the log."""
        loader = trainer.train_dataloader
        if not isinstance(loader, DataLoader):
            raise TypeError(f"Expected one training DataLoader, got {type(loader).__name__}.")
        n_samples = len(loader.dataset)  # type: ignore[arg-type]
        if trainer.is_global_zero:
            self._open_log = open_log(
                self.error_log,
                n_samples,
                trainer.current_epoch,
                goes_on=trainer.current_epoch > 0 or trainer.global_step > 0,
                overwrite=self.overwrite,
            )
            self._held_out.forget()
        self._recorder = ErrorRecorder(
            n_samples,
            self._open_log,
            reduction=self.reduction,
            scale=self.scale,
            on_error=self.on_error,
        )

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Listen to the step."""
        self._listens = True

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
            self._listens = False
            return
        output = self._output_of_step(trainer, pl_module)
        with torch.no_grad():
            self._recorder.record(ids, *as_pair(self.residuals(output, batch)))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch."""
        # There may be no batch, where all were skipped.
        self._recorder.record(torch.arange(0), torch.empty(0, device=pl_module.device))
        self._recorder.end_epoch(trainer.current_epoch)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a pass over the validation samples."""
        if trainer.sanity_checking:
            return
        if self._hook is None:  # in Trainer.validate, where no training has started
            if not isinstance(self.error_log, ErrorLog):
                ErrorLog(self.error_log)  # refuse what is none
            self.on_fit_start(trainer, pl_module)
        self._held_out.begin(len(trainer.num_val_batches))

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Listen to the step."""
        self._listens = not trainer.sanity_checking

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Record the batch."""
        if trainer.sanity_checking:
            return

        def residuals() -> torch.Tensor | tuple[torch.Tensor, torch.Tensor] | None:
            if batch is None:
                return None
            return self.residuals(self._output_of_step(trainer, pl_module), batch)

        self._held_out.record(dataloader_idx, residuals)
        self._listens = False
        self._outputs.clear()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the errors of the pass."""
        if not trainer.sanity_checking:
            self._held_out.end(trainer.strategy.reduce_boolean_decision)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the log, and stop listening."""
        self._release(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the log, and stop listening; the epoch under way is lost."""
        self._release(trainer)

    def _output_of_step(self, trainer: Trainer, pl_module: LightningModule) -> Any:
        """Take what the module gave in the step that has ended, and listen no more."""
        self._listens = False
        outputs, self._outputs = self._outputs, []
        if self.module is None and trainer.strategy.model is not pl_module:
            # A wrapper, as DDP's, runs the whole step as the module's forward: the last
            # output is that of the step.
            outputs.pop()
        if len(outputs) != 1:
            name = "the LightningModule" if self.module is None else f"module {self.module!r}"
            step = "training" if trainer.training else "validation"
            raise RuntimeError(
                f"Expected {name} to run once per {step} step, it ran {len(outputs)} times. "
                "Give ErrorRecorderCallback the name of a module that does: one of "
                f"{[name for name, _ in pl_module.named_modules()][1:]}."
            )
        return outputs.pop()

    def _release(self, trainer: Trainer) -> None:
        vars(trainer.strategy).pop("process_dataloader", None)
        if self._hook is not None:
            self._hook.remove()
        if self._open_log is not None:
            self._open_log.close()
        self._hook = self._open_log = None
        self._outputs, self._listens = [], False
