"""Errors of atoms and frames, recorded while nequip trains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from ase import Atoms
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from nequip.data import AtomicDataDict
from nequip.data.datamodule import NequIPDataModule
from nequip.train import EMALightningModule, NequIPLightningModule, ScheduleFreeLightningModule
from torch.utils.data import DataLoader, Subset
from torch.utils.hooks import RemovableHandle

from ltau._inputs.options import OnError, check_option
from ltau.adapters._forces.frames import (
    FRAMES,
    VALIDATION,
    fingerprint,
    has_labels,
    save_frames,
)
from ltau.adapters._forces.logs import open_log_of_frames
from ltau.adapters._recording.passes import evaluation_mode
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters.nequip._frames import ATOM_KEY, FRAME_KEY, NumberedFrames, read_frames
from ltau.log import ErrorLog

__all__ = ["ErrorRecorderCallback"]

_MODEL = "sole_model"  # as nequip names the model, where it trains one
_KEYS = {"forces": AtomicDataDict.FORCE_KEY, "energy": AtomicDataDict.TOTAL_ENERGY_KEY}
_ERRORS = {
    "forces": {"unit": "eV/Å", "target": "forces"},
    "energy": {"unit": "eV", "target": "energy per atom"},
}

Data = dict[str, torch.Tensor]


class ErrorRecorderCallback(Callback):
    """Record the error of every training atom and frame at each epoch of ``nequip-train``.

    For each atom it is the length of the difference between predicted and true force, in
    eV/Å; for each frame, the absolute error of the energy per atom, in eV. Data, model
    and training module stay as they are.

    Parameters
    ----------
    folder : str or path-like
        Where to write: the logs ``forces`` and ``energy``, of what the data have and the
        model gives; ``frames.extxyz``, the training structures in the order of the logs;
        and ``validation.extxyz``, the structures that the training validates with, on which
        `fit_run` calibrates. A run resumed from a checkpoint continues in the same folder.
    mode : {"step", "eval"}, default="step"
        ``"step"`` takes the errors of the training steps' own forward passes, which
        costs next to nothing: errors of weights that change within the epoch, and are
        not averaged. ``"eval"`` passes over all frames at the end of each epoch, with
        the weights that a checkpoint gives for inference, the averaged ones if there are
        any; that adds about a third of an epoch.
    overwrite : bool, default=False
        Whether a training that starts removes the epochs that an earlier one has left in
        the folder. A training resumed from a checkpoint continues after them.
    on_error : {"warn", "raise"}, default="warn"
        Whether the training continues, with a warning, when an epoch holds residuals that
        are not finite or cannot be written, as in `ErrorRecorder`.
    bits : {32, 16}, optional
        Bits that an error takes in the logs, as in `ErrorLog`; by default those of existing
        logs, and 32 if there are none.

    Raises
    ------
    FileExistsError
        From the start of training: if it starts at the first epoch, and the logs have epochs.
    TypeError
        From the start of training: if data or training module are not nequip's.
    ValueError
        If there is no such mode or `on_error`. From the start of training: if the data have
        neither energies nor forces that the model gives, or lack some of them; several models
        are trained at once; the folder has logs of other frames or another mode; or
        epochs before the first are missing from them. From the end of an epoch, with
        ``on_error="raise"``: if an error is not finite.
    RuntimeError
        From the first batch: if another process writes the logs.
    OSError
        From the first batch: if a log cannot be opened to be written. From the end of an
        epoch, with ``on_error="raise"``: if it cannot be written.

    Notes
    -----
    Atoms are numbered frame by frame, frames by their place in the training set; after
    ``split_dataset`` in the part that is trained on. Samples that an epoch leaves out, such
    as the last ones with ``drop_last``, are NaN in mode ``"step"``. In a distributed run
    the errors of all processes are collected at the end of each epoch, and rank 0 writes
    them. Structures keep the integers and strings of their ``atoms.info``, where the data
    are files that ASE reads.

    In a configuration of ``nequip-train``, with the other callbacks::

        trainer:
          callbacks:
            - _target_: ltau.adapters.nequip.ErrorRecorderCallback
              folder: ${hydra:runtime.output_dir}/ltau
            - _target_: lightning.pytorch.callbacks.ModelCheckpoint
              dirpath: ${hydra:runtime.output_dir}
              save_last: true

    Where a ``ModelCheckpoint`` monitors something, ``save_last`` copies the last file that
    it saved, not the last epoch: use one that does not, as here, to fit an estimator of the
    model that all epochs led to.

    Examples
    --------
    >>> from ltau.adapters.nequip import ErrorRecorderCallback
    >>> callback = ErrorRecorderCallback("results/ltau")    # Trainer(callbacks=[callback])
    >>> callback.mode
    'step'

    After training, `fit_run` fits an estimator to what is in the folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        mode: str = "step",
        overwrite: bool = False,
        on_error: OnError = "warn",
        bits: Literal[16, 32] | None = None,
    ) -> None:
        check_option("mode", mode, ("step", "eval"))
        self.folder = Path(folder).absolute()
        self.mode = mode
        self.overwrite = overwrite
        self.on_error = on_error
        self.bits = bits
        self._frames: list[Atoms] = []
        self._recorders: dict[str, ErrorRecorder] = {}
        self._hook: RemovableHandle | None = None
        self._output: Data = {}  # of the last training step
        self._loader: DataLoader[Data] | None = None  # of the passes in mode "eval"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the training frames numbers, before they are loaded."""
        if stage != "fit":
            return
        data, model = _check(trainer, pl_module, self.mode)
        (dataset,) = data.train_dataset
        if isinstance(dataset, NumberedFrames):  # by another callback of this kind
            dataset = dataset.dataset
        frames = read_frames(dataset)
        targets = [name for name in _given_by(model) if has_labels(frames, name)]
        if not targets:
            raise ValueError(
                "Expected training frames with energies or forces that the model gives, got "
                f"frames without; it gives {' and '.join(_given_by(model)) or 'neither'}."
            )
        data.train_dataset = [NumberedFrames(dataset, [len(frame) for frame in frames])]
        self._frames, self._targets = frames, targets

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the logs, and listen to the model or prepare the passes over all frames."""
        sizes = {"forces": sum(map(len, self._frames)), "energy": len(self._frames)}
        logs = {}
        if trainer.is_global_zero:
            logs = self._open_logs(trainer, sizes)
            self._keep_validation(trainer.datamodule)  # type: ignore[attr-defined]
        self._recorders = {
            name: ErrorRecorder(sizes[name], logs.get(name), on_error=self.on_error)
            for name in self._targets
        }
        if self.mode == "step":
            model: Any = pl_module.model
            self._hook = model[_MODEL].register_forward_hook(self._keep)
        else:
            self._loader = _share_of_frames(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the batch."""
        if self.mode == "step":
            self._record(self._output, batch)
            self._output = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch."""
        if self._loader is not None:
            with _evaluation_weights(pl_module), evaluation_mode(pl_module):
                for batch in self._loader:
                    moved = trainer.strategy.batch_to_device(batch)
                    self._record(pl_module(moved), moved)
        for recorder in self._recorders.values():
            # There may be no batch, where all were skipped.
            recorder.record(torch.arange(0), torch.empty(0, device=pl_module.device))
            recorder.end_epoch(trainer.current_epoch)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the logs, and stop listening."""
        self._release()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the logs, and stop listening; the epoch under way is lost."""
        self._release()

    def _open_logs(self, trainer: Trainer, sizes: dict[str, int]) -> dict[str, ErrorLog]:
        frames, goes_on = self._frames, trainer.current_epoch > 0 or trainer.global_step > 0
        notes = {
            "frames": fingerprint(frames),
            "n_frames": len(frames),
            "mode": self.mode,
            "nequip": version("nequip"),
        }
        logs = {
            name: open_log_of_frames(
                self.folder / name,
                sizes[name],
                trainer.current_epoch,
                goes_on=goes_on,
                overwrite=self.overwrite,
                bits=self.bits,
                notes=notes,
                **_ERRORS[name],
            )
            for name in self._targets
        }
        if not goes_on or not (self.folder / FRAMES).exists():
            save_frames(self.folder / FRAMES, frames)
        return logs

    def _keep_validation(self, data: NequIPDataModule) -> None:
        """Write the structures of all validation sets; a run that goes on may have others."""
        held_out = [frame for dataset in data.val_dataset for frame in read_frames(dataset)]
        if held_out:
            save_frames(self.folder / VALIDATION, held_out)

    def _keep(self, _model: torch.nn.Module, _inputs: Any, output: Data) -> None:
        self._output = {_KEYS[name]: output[_KEYS[name]].detach() for name in self._recorders}

    def _record(self, output: Data, batch: Data) -> None:
        for name, recorder in self._recorders.items():
            predicted, known = output[_KEYS[name]].detach(), batch[_KEYS[name]]
            if name == "forces":
                recorder.record(batch[ATOM_KEY].flatten(), predicted, known)
            else:
                residuals = (predicted - known).flatten() / batch[AtomicDataDict.NUM_NODES_KEY]
                recorder.record(batch[FRAME_KEY].flatten(), residuals)

    def _release(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        for recorder in self._recorders.values():
            if recorder.log is not None:
                recorder.log.close()
        self._hook = self._loader = None
        self._recorders, self._output, self._frames = {}, {}, []


def _check(trainer: Trainer, module: LightningModule, mode: str) -> tuple[NequIPDataModule, Any]:
    """Check that this is a training of nequip, of one model; give its data and the model."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, NequIPDataModule):
        raise TypeError(f"Expected a NequIPDataModule, got {type(data).__name__}.")
    if not isinstance(module, NequIPLightningModule):
        raise TypeError(f"Expected a NequIPLightningModule, got {type(module).__name__}.")
    if mode == "eval" and isinstance(module, ScheduleFreeLightningModule):
        raise TypeError(
            f"Expected mode='step' with {type(module).__name__}, whose weights for inference "
            "are known to its optimiser only, got mode='eval'."
        )
    if _MODEL not in module.model:
        raise ValueError(f"Expected one model, {_MODEL!r}, got {list(module.model)}.")
    return data, module.model[_MODEL]


def _given_by(model: Any) -> list[str]:
    """Name what a model gives of what can be recorded."""
    parts = model.modules()
    derives = all(getattr(part, "do_derivatives", True) for part in parts)  # the forces
    return [
        name
        for name, key in _KEYS.items()
        if key in model.irreps_out and (derives or name != "forces")
    ]


def _share_of_frames(trainer: Trainer) -> DataLoader[Data]:
    """Load this process's share of the frames, in batches as large as those of training."""
    training: Any = trainer.train_dataloader
    # A distributed sampler would repeat frames, so that all processes have as many.
    numbers = range(trainer.global_rank, len(training.dataset), trainer.world_size)
    return DataLoader(
        Subset(training.dataset, numbers),
        batch_size=training.batch_size or 1,
        collate_fn=training.collate_fn,
        num_workers=training.num_workers,
        multiprocessing_context=training.multiprocessing_context,
        persistent_workers=training.num_workers > 0,
        generator=torch.Generator(),  # so that it draws nothing from the global one
    )


@contextmanager
def _evaluation_weights(module: LightningModule) -> Iterator[None]:
    """Give the model its averaged weights, if there are any, for as long as it is evaluated."""
    if not isinstance(module, EMALightningModule):
        yield
        return
    module.ema.swap_parameters(module.model)
    try:
        yield
    finally:
        module.ema.swap_parameters(module.model)
