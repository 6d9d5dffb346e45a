"""From the folder of a finished training to a fitted estimator."""

from __future__ import annotations

import os

import torch

from ltau.adapters._forces.edges import check_reach
from ltau.adapters._forces.leaving_out import with_neighbors
from ltau.adapters._forces.probe import note_training
from ltau.adapters.mace._held_out import held_out_samples
from ltau.adapters.mace._latents import own_latents
from ltau.adapters.mace._run import Training, read_training
from ltau.estimator import LTAUEstimator
from ltau.structures import StructureSamples, check_options, fit_structures

__all__ = ["fit_run"]


def fit_run(
    run: str | os.PathLike[str],
    *,
    estimator: LTAUEstimator | None = None,
    model: str | os.PathLike[str] | None = None,
    strata: str | None = "auto",
    environment: float | str | None = "auto",
    groups: str | None = None,
    calibrate: bool | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> LTAUEstimator:
    """Fit an estimator to what a recorded training of MACE left in its folder.

    The latents are those of the recorded training structures, by the saved model. MACE saves
    the best epoch, which need not be the last: the errors are those of the epochs up to it,
    and of the second stage alone where the model is of that. The structures that the training
    validated with choose what is not given, as in `ltau.structures.fit_structures`; then
    they calibrate. Nothing of the training's arguments or data is needed.

    Parameters
    ----------
    run : str or path-like
        A folder in which, or somewhere below, there is one folder that `record_errors` wrote.
    estimator : LTAUEstimator, optional
        A copy of it, with its parameters, is fitted; by default
        ``LTAUEstimator(**FORCE_FIELD)``, see `ltau.structures`, with 10, 30 or 100
        neighbours.
    model : str or path-like, optional
        The model that the training has saved. By default the one in `run` or below that has
        the training's name and seed, as ``checkpoints/acac_run-0.model``, or
        ``..._stagetwo.model`` where there is one. Loading one runs code that it holds, so `run`
        too must be a folder that you trust.
    strata : {"auto", "elements", None}, default="auto"
        Whether the atomic numbers are strata: neighbours are then atoms of the same
        element, and every prediction needs the atomic numbers. ``"auto"`` chooses; without
        validation structures they are, if there are enough atoms of each element.
    environment : float, "auto" or None, default="auto"
        Cutoff of environment latents, no larger than the model's (see
        `ltau.structures.environment_latents`): an atom is then compared with its
        neighbours, and theirs. None takes the model's own latents alone. ``"auto"`` chooses
        between 3.5 Å and none; without validation structures it is 3.5 Å.
    groups : str, optional
        An entry of the structures' ``atoms.info``, an integer or a string, which is recorded
        from files that ASE reads: structures that have it in common, such as those of one
        trajectory, are not independent, and their atoms are not taken for each other's
        neighbours where the distances between training atoms are measured. By default each
        structure is a group of its own.
    calibrate : bool, optional
        Whether validation structures choose and calibrate; by default where there are some
        with forces.
    device : str or torch.device, default="cpu"
        Where to run the model.
    progress : bool, default=False
        Whether to show progress bars.

    Returns
    -------
    LTAUEstimator
        The fitted estimator. Its `notes_` hold those of the log and

        - ``epoch``, that of the model;
        - ``head``, that of the structures;
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
        If there is no log, or no model.
    LTAUFileError
        If the log is damaged.
    ValueError
        If there are several logs or models to choose from; the log is of another framework;
        structures and log do not belong together; the model cannot be loaded, or is none that
        the training has saved, such as one that is older than the log; a structure lacks the
        entry to group by; there are no validation structures to calibrate with, and they are
        asked for; an argument is not as described; or the estimator cannot be fitted, as for
        an element with fewer atoms than neighbours are asked for.

    Warns
    -----
    UserWarning
        Before a model is loaded that was found below `run`, and not in its folder
        ``checkpoints``. If structures have no atoms within the model's cutoff of each
        other, or validation structures were trained on: how many are left out.

    Examples
    --------
    >>> from ltau.adapters.mace import fit_run
    >>> estimator = fit_run("acac")  # doctest: +SKIP
    >>> estimator.notes_["epoch"]  # doctest: +SKIP
    37
    >>> estimator.save("forces.ltau")  # doctest: +SKIP
    """
    check_options(estimator, strata, environment, groups)
    training = read_training(run, model, device)
    if environment not in ("auto", None):
        check_reach(float(environment), training.model.cutoff)
    samples, held_out = _samples(training, calibrate, progress)
    fitted = fit_structures(
        samples,
        held_out,
        estimator=estimator,
        strata=strata,
        environment=environment,
        groups=groups,
        longest_cutoff=training.model.cutoff,
    )
    note_training(fitted, training.log, training.epoch, samples)
    return fitted


def _samples(
    training: Training, calibrate: bool | None, progress: bool
) -> tuple[StructureSamples, StructureSamples | None]:
    """Give what was trained on its latents, and what was not its errors too."""
    held_out = None
    if calibrate is not False:
        held_out = held_out_samples(training, progress)
        held_out = None if held_out is None else with_neighbors(held_out, "validation")
        if held_out is None and calibrate:
            raise ValueError(
                f"Expected validation structures with forces in {training.folder} to calibrate "
                "with, got none: call calibrate() with latents and errors."
            )
    own = own_latents(training.model, training.frames, progress=progress)
    recorded = StructureSamples(training.frames, own, training.errors)
    samples = with_neighbors(recorded, "training")
    if samples is None:
        raise ValueError(
            "Expected a training structure with atoms within the model's cutoff of each other, "
            f"got none in {training.folder}."
        )
    return samples, held_out
