"""From the folder of a finished training to a fitted estimator."""

from __future__ import annotations

import os
from typing import Any

import torch

from ltau.adapters._forces.edges import check_reach
from ltau.adapters._forces.leaving_out import with_neighbors
from ltau.adapters._forces.probe import note_training
from ltau.adapters.nequip._environment import reach_of
from ltau.adapters.nequip._held_out import held_out_samples
from ltau.adapters.nequip._latents import own_latents
from ltau.adapters.nequip._models import NequIPModel
from ltau.adapters.nequip._run import Training, read_training
from ltau.estimator import LTAUEstimator
from ltau.structures import StructureSamples, check_options, fit_structures

__all__ = ["fit_run"]


def fit_run(
    run: str | os.PathLike[str],
    *,
    estimator: LTAUEstimator | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    target: str = "forces",
    strata: str | None = "auto",
    environment: float | str | None = "auto",
    groups: str | None = None,
    calibrate: bool | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> LTAUEstimator:
    """Fit an estimator to the folder of a NequIP training.

    The latents are those of the recorded training structures, by the model of the
    checkpoint; the errors are those of the epochs up to it. The structures that the training
    validated with, where they were recorded, choose what is not given, as in
    `ltau.structures.fit_structures`; then they calibrate. The training's configuration and
    data are not needed.

    Parameters
    ----------
    run : str or path-like
        A folder in which, or somewhere below, there is one folder that an
        `ErrorRecorderCallback` wrote.
    estimator : LTAUEstimator, optional
        A copy of it, with its parameters, is fitted; by default
        ``LTAUEstimator(**FORCE_FIELD)``, see `ltau.structures`, with 10, 30 or 100
        neighbours.
    checkpoint : str or path-like, optional
        Checkpoint of the training; by default the one named ``last.ckpt``, or with a
        version as in ``last-v1.ckpt``, in `run` or below. Loading one runs code that it
        holds, so `run` too must be a folder that you trust.
    target : {"forces", "energy"}, default="forces"
        Whether the estimator is to predict errors of the force on an atom, in eV/Å, or
        of a structure's energy per atom, in eV. The latents of a structure are the mean
        of those of its atoms.
    strata : {"auto", "elements", None}, default="auto"
        Whether the atomic numbers are strata: neighbours are then atoms of the same
        element, and every prediction needs the atomic numbers. ``"auto"`` chooses; without
        validation structures they are, if there are enough atoms of each element. A
        structure as a whole has no stratum.
    environment : float, "auto" or None, default="auto"
        Cutoff of environment latents, no larger than the model's (see
        `ltau.structures.environment_latents`): an atom is then compared with its
        neighbours, and theirs. None takes the model's own latents alone. ``"auto"`` chooses
        between 3.5 Å and none; without validation structures it is 3.5 Å. A structure as a
        whole has no environment.
    groups : str, optional
        An entry of the structures' ``atoms.info``, an integer or a string, which the
        callback records from data files that ASE reads: structures that
        have it in common, such as those of one trajectory, are not independent, and their
        atoms are not taken for each other's neighbours where the distances between
        training atoms are measured. By default each structure is a group of its own.
    calibrate : bool, optional
        Whether validation structures choose and calibrate; by default where they were
        recorded.
    device : str or torch.device, default="cpu"
        Where to run the model.
    progress : bool, default=False
        Whether to show progress bars.

    Returns
    -------
    LTAUEstimator
        The fitted estimator. Its `notes_` hold those of the log and

        - ``epoch``, that of the checkpoint;
        - ``environment``, the cutoff, or None, which calculators follow;
        - ``chosen``: the ``environment``, ``strata`` and ``n_neighbors`` in use, and as
          ``scores`` those of all candidates, each with its ``crps``; empty where nothing
          was tried;
        - ``groups``: their key, or None for structures;
        - ``n_held_out``: with how many validation structures it was calibrated;
        - ``probe``: the smallest training structure with its latents, by which a calculator
          knows whether it was given the same model.

    Raises
    ------
    FileNotFoundError
        If there is no log of the target, or no checkpoint.
    LTAUFileError
        If the log is damaged.
    ValueError
        If there are several logs or checkpoints to choose from; structures and log do not
        belong together; the log ends before the checkpoint's epoch; the checkpoint
        cannot be loaded; a structure lacks the entry to group by; there are no validation
        structures to calibrate with, and they are asked for; an argument is not as
        described; or the estimator cannot be fitted, as for an element with fewer atoms
        than neighbours are asked for.

    Warns
    -----
    UserWarning
        Before a checkpoint is loaded that was found below `run`, not in it, with its name.
        If the log has epochs after the checkpoint's: they are left out. If structures have
        no atoms within the model's cutoff of each other, or validation structures lack the
        target, or were trained on: how many are left out.

    Examples
    --------
    >>> from ltau.adapters.nequip import fit_run
    >>> estimator = fit_run("outputs/2025-01-01/12-00-00")  # doctest: +SKIP
    >>> estimator.notes_["chosen"]["environment"]  # doctest: +SKIP
    3.5
    >>> estimator.save("forces.ltau")  # doctest: +SKIP
    """
    _check_arguments(estimator, target, strata, environment, groups)
    training = read_training(run, checkpoint, target, device)
    samples, held_out = _samples(training, target, calibrate, progress)
    fitted = fit_structures(
        samples,
        held_out,
        estimator=estimator,
        strata=strata,
        environment=environment,
        groups=groups,
        longest_cutoff=_reach(training.model, environment),
    )
    note_training(fitted, training.log, training.epoch, samples)
    return fitted


def _check_arguments(
    estimator: object, target: str, strata: str | None, environment: object, groups: object
) -> None:
    """Refuse what is wrong before anything is read."""
    if target not in ("forces", "energy"):
        raise ValueError(f"Expected target 'forces' or 'energy', got {target!r}.")
    check_options(estimator, strata, environment, groups)
    if target == "energy" and not (strata in ("auto", None) and environment in ("auto", None)):
        raise ValueError(
            "Expected neither strata nor an environment of whole structures, got "
            f"strata={strata!r} and environment={environment!r} with target='energy'."
        )


def _samples(
    training: Training, target: str, calibrate: bool | None, progress: bool
) -> tuple[StructureSamples, StructureSamples | None]:
    """Give what was trained on its latents, and what was not its errors too."""
    held_out = None
    if calibrate is not False:
        held_out = held_out_samples(training, target, progress)
        held_out = None if held_out is None else with_neighbors(held_out, "validation")
        if held_out is None and calibrate:
            raise ValueError(
                f"Expected validation structures with labels of {target} in {training.folder} "
                "to calibrate with, got none: train with this version's "
                "ErrorRecorderCallback, or call calibrate() with latents and errors."
            )
    own = own_latents(training.model, training.frames, progress=progress)
    recorded = StructureSamples(training.frames, own, training.errors, target == "energy")
    samples = with_neighbors(recorded, "training")
    if samples is None:
        raise ValueError(
            "Expected a training structure with atoms within the model's cutoff of each other, "
            f"got none in {training.folder}."
        )
    return samples, held_out


def _reach(model: NequIPModel, environment: Any) -> float:
    """Find the longest cutoff that an environment may have; refuse a longer one."""
    reach = reach_of(model.transforms)
    if environment not in ("auto", None):
        check_reach(environment, reach)
    return reach
