"""Errors of atoms, recorded while MACE trains."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from mace import tools

from ltau._inputs.options import OnError, check_on_error, check_option
from ltau.adapters.mace._items import infos_of_what_is_read
from ltau.adapters.mace._recording import Options, Recording

__all__ = ["record_errors"]


@contextmanager
def record_errors(
    folder: str | os.PathLike[str],
    *,
    mode: str = "step",
    head: str | None = None,
    overwrite: bool = False,
    on_error: OnError = "warn",
    bits: Literal[16, 32] | None = None,
) -> Iterator[None]:
    """Record the error of every training atom at each epoch of a training of MACE.

    A context manager: the training that runs within it is recorded. For each atom the error
    is the length of the difference between predicted and true force, in eV/Å. The training has
    the same numbers as without, bit for bit, and the models that it saves need no ltau.

    Parameters
    ----------
    folder : str or path-like
        Where to write: the log ``forces``; ``frames.extxyz``, the training structures in the
        order of the log; ``validation.extxyz``, the structures that the training validates
        with, on which `fit_run` calibrates; and ``models.json``, which tells the epochs of the
        models that the training saves. A training with ``--restart_latest`` goes on in the
        same folder.
    mode : {"step", "eval"}, default="step"
        ``"step"`` takes the errors of the training steps' own forward passes, which
        costs next to nothing: errors of weights that change within the epoch, and are
        not averaged. ``"eval"`` passes over all structures whenever the training has
        validated, with the weights that a checkpoint holds, the averaged ones with ``--ema``.
    head : str, optional
        The head whose structures are recorded; by default the only one, apart from
        ``pt_head``, which replays what the model was trained on before.
    overwrite : bool, default=False
        Whether a training that starts removes the epochs that an earlier one has left in
        the folder. A training that goes on adds its own.
    on_error : {"warn", "raise"}, default="warn"
        Whether the training continues, with a warning, when an epoch holds residuals that
        are not finite or cannot be written, as in `ErrorRecorder`.
    bits : {32, 16}, optional
        Bits that an error takes in the log, as in `ErrorLog`; by default as in the one that is
        there, and 32 where there is none.

    Returns
    -------
    context manager
        Within which the training is called.

    Raises
    ------
    FileExistsError
        From the start of training: if it starts at the first epoch, and the log has epochs.
    TypeError
        From the start of training: if its data are not those of ``mace_run_train``.
    ValueError
        If there is no such mode or `on_error`. From the start of training: if it runs in
        several processes; in mode ``"step"``, if its optimiser is LBFGS, which calls the model
        several times a step; the model gives no forces, or its latents are not known;
        there are several heads and none is named; no structure of the head has forces, or they
        are not finite; the folder has a log of other structures, another mode or another head;
        or epochs before the first are missing from it.
    RuntimeError
        If no training has run. From the first epoch: if another process writes the log.
    OSError
        If a file cannot be written.

    Notes
    -----
    Structures without forces, whose weight MACE sets to zero, are left out, as is all that has
    the weight zero; structures that are there several times count once. Atoms that an epoch
    leaves out, as the last batch of a training set that batches do not divide, are NaN in
    mode ``"step"``; so are epochs without validation in mode ``"eval"`` (``--eval_interval``),
    and those that MACE skips when its patience ends and stage two begins.
    Structures keep the integers and strings of their ``atoms.info``, where they are read from
    files that ASE reads.

    For as long as it lasts, ``mace.tools.train`` is replaced by a function that records and
    calls it; ``mace.data.utils.config_from_atoms`` is, by one that notes ``atoms.info``.

    Examples
    --------
    >>> from mace.cli import run_train  # doctest: +SKIP
    >>> from mace.tools import build_default_arg_parser
    >>> from ltau.adapters.mace import record_errors
    >>> options = build_default_arg_parser().parse_args(["--name=acac"])  # and all others
    >>> with record_errors("ltau", mode="eval"):  # doctest: +SKIP
    ...     run_train.run(options)

    ``ltau mace train --mode eval ltau --name=acac ...`` does the same. After training, `fit_run`
    fits an estimator to what is in the folder.
    """
    check_option("mode", mode, ("step", "eval"))
    check_on_error(on_error)
    options = Options(Path(folder).absolute(), mode, head, overwrite, on_error, bits)
    with ExitStack() as stack:
        infos = stack.enter_context(infos_of_what_is_read())
        started: list[Recording] = []

        def begin(training: dict[str, Any]) -> Recording:
            started.append(Recording(options, training, infos))
            return started[-1]

        stack.enter_context(_training_replaced(begin))
        yield
        if not started:
            raise RuntimeError(
                "Expected a training of mace_run_train within record_errors, got none: nothing "
                "is recorded."
            )


@contextmanager
def _training_replaced(begin: Callable[[dict[str, Any]], Recording]) -> Iterator[None]:
    """Let MACE call, in place of its loop of epochs, one that is recorded."""
    original = tools.train
    names = inspect.signature(original)

    def train(*args: Any, **kwargs: Any) -> Any:
        training = names.bind(*args, **kwargs).arguments
        with begin(training) as watched:
            return original(**watched)

    tools.train = train
    try:
        yield
    finally:
        tools.train = original
