"""One training of MACE while it is recorded: from its arguments to the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from mace.tools.torch_geometric import Batch
from mace.tools.torch_geometric.dataloader import DataLoader
from torch.utils.data import Subset
from torch.utils.hooks import RemovableHandle

from ltau._inputs.options import OnError
from ltau.adapters._forces.frames import FRAMES, VALIDATION, fingerprint, save_frames
from ltau.adapters._forces.logs import open_log_of_frames
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters.mace._checks import check_training, recorded_head
from ltau.adapters.mace._graphs import Graphs
from ltau.adapters.mace._items import ATOM_KEY, Infos, NumberedItems, labelled_items
from ltau.adapters.mace._latents import latents_of
from ltau.adapters.mace._models import as_model
from ltau.adapters.mace._saved import SavedModels, smallest_with_neighbors

__all__ = ["Options", "Recording"]


class Options(NamedTuple):
    """The arguments of `record_errors`."""

    folder: Path
    mode: str
    head: str | None
    overwrite: bool
    on_error: OnError
    bits: Literal[16, 32] | None


class Recording:
    """Record a training, as a context manager that gives the arguments to train with.

    Parameters
    ----------
    options : Options
        What was asked for.
    training : dict
        The arguments of ``mace.tools.train``.
    infos : dict
        What is known of the structures that were read from files.
    """

    def __init__(self, options: Options, training: dict[str, Any], infos: Infos) -> None:
        self._options = options
        self._training = training
        check_training(training, options.mode)
        self._model = as_model(training["model"], "cpu")
        heads = list(training["valid_loaders"])
        self._head = recorded_head(options.head, heads)
        self._last_head = heads[-1]  # which MACE validates last
        self._dataset = training["train_loader"].dataset
        numbers, head = self._model.numbers, heads.index(self._head)
        self._items = labelled_items(self._dataset, numbers, head, infos)
        if not self._items.frames:
            raise ValueError(
                f"Expected training structures with forces for the head {self._head!r}, got none."
            )
        held_out = training["valid_loaders"][self._head].dataset
        self._held_out = labelled_items(held_out, numbers, head, infos).frames
        self._hook: RemovableHandle | None = None
        self._step: tuple[torch.Tensor, ...] = ()  # numbers, predicted and true of the last one
        self._epoch: int | None = None  # that is under way, in mode "step"
        self._next: int = training["start_epoch"]  # that is to be written

    def __enter__(self) -> dict[str, Any]:
        self._recorder = self._open()
        self._number_items()
        if self._options.mode == "step":
            self._hook = self._model.module.register_forward_hook(self._keep, with_kwargs=True)
        training = self._training
        return {
            **training,
            "logger": _Overheard(training["logger"], log=self._heard),
            "checkpoint_handler": _Overheard(training["checkpoint_handler"], save=self._saved),
        }

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._end_step_epoch()
        finally:
            if self._hook is not None:
                self._hook.remove()  # or MACE would save it with the model
            self._dataset.datasets[:] = [
                part.dataset if isinstance(part, NumberedItems) else part
                for part in self._dataset.datasets
            ]
            log = self._recorder.log
            if log is not None:
                log.close()

    def _open(self) -> ErrorRecorder:
        """Open the log, and write beside it what it is of."""
        options, training, frames = self._options, self._training, self._items.frames
        n_atoms = sum(map(len, frames))
        goes_on = training["start_epoch"] > 0 or bool(training["optimizer"].state)
        log = open_log_of_frames(
            options.folder / "forces",
            n_atoms,
            training["start_epoch"],
            goes_on=goes_on,
            overwrite=options.overwrite,
            bits=options.bits,
            unit="eV/Å",
            target="forces",
            notes={
                "frames": fingerprint(frames),
                "n_frames": len(frames),
                "mode": options.mode,
                "head": self._head,
                "tag": training["checkpoint_handler"].io.tag,
                "mace": version("mace-torch"),
            },
        )
        if not goes_on or not (options.folder / FRAMES).exists():
            save_frames(options.folder / FRAMES, frames)
        (options.folder / VALIDATION).unlink(missing_ok=True)  # of an earlier training
        if self._held_out:
            save_frames(options.folder / VALIDATION, self._held_out)
        self._models = SavedModels.read(options.folder) if goes_on else SavedModels(options.folder)
        known = np.array(
            [self._dataset[place].edge_index.shape[1] > 0 for place in self._items.places]
        )
        self._models.start(smallest_with_neighbors(frames, known), training["start_epoch"])
        return ErrorRecorder(n_atoms, log, on_error=options.on_error)

    def _number_items(self) -> None:
        ends = np.cumsum([len(part) for part in self._dataset.datasets])[:-1]
        parts = np.split(self._items.first_atoms, ends)
        self._dataset.datasets[:] = [
            NumberedItems(part, first_atoms)
            for part, first_atoms in zip(self._dataset.datasets, parts, strict=True)
        ]

    def _keep(
        self, _model: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: dict[str, Any]
    ) -> None:
        """Keep what a training step has predicted; what it belongs to is heard of later."""
        if kwargs.get("training"):
            graphs: Graphs = args[0]
            self._step = graphs[ATOM_KEY], output["forces"].detach(), graphs["forces"]

    def _heard(self, record: dict[str, Any]) -> None:
        """Take what MACE writes of a step, or of a validation, as the sign that it has ended."""
        epoch = record.get("epoch")
        if epoch is None:  # before training
            return
        if record["mode"] == "opt" and self._options.mode == "step":
            self._record_step(int(epoch))
        elif record["mode"] == "eval" and record["head"] == self._last_head:
            if self._options.mode == "eval":
                self._record_all(int(epoch))
            else:
                self._end_step_epoch()

    def _record_step(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._end_step_epoch()
            self._skip_to(epoch)
            self._epoch = epoch
        self._record(*self._step)
        self._step = ()

    def _end_step_epoch(self) -> None:
        if self._epoch is not None:
            self._end(self._epoch)
            self._epoch = None

    def _record_all(self, epoch: int) -> None:
        """Pass over all items, with the weights that MACE validates with."""
        self._skip_to(epoch)
        loader: DataLoader = self._training["train_loader"]
        items = DataLoader(
            Subset(self._dataset, self._items.places),
            batch_size=loader.batch_size or 1,
            num_workers=loader.num_workers,
            generator=torch.Generator(),  # so that it draws nothing from the global one
        )
        with _frozen(self._model.module):
            for batch in items:
                graphs = batch.to(self._training["device"]).to_dict()
                output = self._model.module(graphs, training=False, compute_force=True)
                self._record(graphs[ATOM_KEY], output["forces"].detach(), graphs["forces"])
        self._end(epoch)

    def _record(self, atoms: torch.Tensor, predicted: torch.Tensor, true: torch.Tensor) -> None:
        recorded = atoms >= 0
        self._recorder.record(atoms[recorded], predicted[recorded], true[recorded])

    def _skip_to(self, epoch: int) -> None:
        """Leave epochs out of which there is nothing."""
        for skipped in range(self._next, epoch):
            self._recorder.record(torch.arange(0), torch.empty(0))
            self._end(skipped)

    def _end(self, epoch: int) -> None:
        self._recorder.end_epoch(epoch)
        self._next = epoch + 1

    def _saved(self, state: Any, epochs: int, **_: Any) -> None:
        """Note by what a model that was saved is known again."""
        item = self._dataset[self._items.places[self._models.frame]]
        graphs = Batch.from_data_list([item]).to(self._training["device"]).to_dict()
        with _frozen(state.model):
            output = state.model(graphs, training=False, compute_force=False)
        latents = latents_of(output, graphs, self._model)
        swa = self._training.get("swa")
        first = swa.start if swa is not None and epochs >= swa.start else 0
        self._models.add(epochs, first, latents)


@contextmanager
def _frozen(model: torch.nn.Module) -> Iterator[None]:
    """Need no gradients of weights, as where MACE validates; forces are gradients all the same."""
    trained = [weights for weights in model.parameters() if weights.requires_grad]
    for weights in trained:
        weights.requires_grad_(False)
    try:
        yield
    finally:
        for weights in trained:
            weights.requires_grad_(True)


class _Overheard:
    """An object of MACE of whose methods one is followed by a call with the same arguments."""

    def __init__(self, inner: Any, **heard: Callable[..., None]) -> None:
        self._inner = inner
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._inner, name)
        if name not in self._heard:
            return own

        def followed(*args: Any, **kwargs: Any) -> Any:
            given = own(*args, **kwargs)
            self._heard[name](*args, **kwargs)
            return given

        return followed
