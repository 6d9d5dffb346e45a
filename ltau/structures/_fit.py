"""An estimator of the errors of a force field, or of any model of structures of atoms."""

from __future__ import annotations

import math

from ltau._inputs.numbers import check_positive
from ltau._progress import progress
from ltau.estimator import LTAUEstimator
from ltau.structures._choosing import Options, choose, learn
from ltau.structures._samples import StructureSamples
from ltau.structures._settings import FORCE_FIELD

__all__ = ["check_options", "fit_structures"]


def fit_structures(
    samples: StructureSamples,
    held_out: StructureSamples | None = None,
    *,
    estimator: LTAUEstimator | None = None,
    strata: str | None = "auto",
    environment: float | str | None = "auto",
    groups: str | None = None,
    longest_cutoff: float = math.inf,
) -> LTAUEstimator:
    """Fit an estimator to the structures that a force field was trained on.

    Structures that it was not trained on choose what is not given, by the mean CRPS of their
    errors: the best choice replaces the defaults if it is better by more than the standard
    error of the difference, over their groups. Then they calibrate. Without them the
    defaults are used, and nothing is calibrated.

    Parameters
    ----------
    samples : StructureSamples
        What the model was trained on, with error trajectories.
    held_out : StructureSamples, optional
        What it was not trained on, with the errors of the finished model.
    estimator : LTAUEstimator, optional
        A copy of it, with its parameters, is fitted; by default
        ``LTAUEstimator(**FORCE_FIELD)``, with 10, 30 or 100 neighbours.
    strata : {"auto", "elements", None}, default="auto"
        Whether the atomic numbers are strata: neighbours are then atoms of the same element,
        and every prediction needs the atomic numbers. ``"auto"`` chooses; without held-out
        structures they are, if there are enough atoms of each element. A structure as a whole
        has no stratum.
    environment : float, "auto" or None, default="auto"
        Cutoff of environment latents in Å, see `environment_latents`. None takes the model's own
        latents alone. ``"auto"`` chooses between 3.5 Å and none; without held-out structures
        it is 3.5 Å. A structure as a whole has no environment.
    groups : str, optional
        An entry of the structures' ``atoms.info``, an integer or a string: structures that
        have it in common, such as those of one trajectory, are not independent, see
        `LTAUEstimator.fit`; held-out ones have it too. By default each structure is a group
        of its own.
    longest_cutoff : float, default=inf
        The longest cutoff that ``"auto"`` may take, in Å: that of the model, where environments
        are to be made from its own edges.

    Returns
    -------
    LTAUEstimator
        The fitted estimator. Its `notes_` hold

        - ``environment``, the cutoff, or None: latents for predictions must be made in the
          same way;
        - ``chosen``: the ``environment``, ``strata`` and ``n_neighbors`` in use, and as
          ``scores`` those of all candidates, each with its ``crps``; empty where nothing
          was tried;
        - ``groups``: their key, or None for structures;
        - ``n_held_out``: with how many structures it was calibrated.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, a structure lacks the entry to group by, or the
        estimator cannot be fitted, as for an element with fewer atoms than neighbours are asked
        for.

    Examples
    --------
    >>> import numpy as np
    >>> from ase.build import bulk
    >>> from ltau.structures import StructureSamples, environment_latents, fit_structures
    >>> rng = np.random.default_rng(0)
    >>> frames = [bulk("Cu", cubic=True) for _ in range(40)]
    >>> for frame in frames:
    ...     frame.rattle(0.1, rng=rng)
    >>> latents = np.concatenate([frame.positions for frame in frames])    # a poor model
    >>> errors = rng.random((160, 30)) * np.exp(latents[:, :1])
    >>> estimator = fit_structures(
    ...     StructureSamples(frames[:30], latents[:120], errors[:120]),
    ...     StructureSamples(frames[30:], latents[120:], errors[120:, -1]),
    ... )
    >>> chosen = estimator.notes_["chosen"]
    >>> sorted(chosen)
    ['environment', 'n_neighbors', 'scores', 'strata']
    >>> estimator.calibration_.scale > 0
    True
    """
    check_options(estimator, strata, environment, groups)
    if held_out is not None and held_out.whole != samples.whole:
        raise ValueError("Expected atoms trained on and held out, or structures both; got each.")
    given = LTAUEstimator(**FORCE_FIELD) if estimator is None else estimator
    options = Options.of(
        None if samples.whole else environment,
        None if samples.whole else strata,
        None if estimator is None else int(estimator.n_neighbors),
        reach=longest_cutoff,
    )
    labels = samples.groups(groups)
    units = None if held_out is None else held_out.groups(groups)
    with progress("fit_structures", given.verbose) as tell:
        choice, scores = choose(given, samples, labels, held_out, units, options, tell)
        tell("the best" if scores else "errors of the samples")
        fitted = learn(given, samples, labels, choice)
    if held_out is not None:
        elements = None if choice.strata is None else held_out.elements()
        fitted.calibrate(held_out.rows(choice.environment), held_out.errors, elements)
    fitted.notes_ = {
        **fitted.notes_,
        "chosen": {**choice._asdict(), "scores": scores},
        "groups": groups,
        "n_held_out": 0 if held_out is None else len(held_out.frames),
    }
    return fitted


def check_options(
    estimator: object, strata: str | None, environment: object, groups: object
) -> None:
    """Refuse what is wrong before anything is read."""
    if strata not in ("auto", "elements", None):
        raise ValueError(f"Expected strata 'auto', 'elements' or None, got {strata!r}.")
    if environment not in ("auto", None):
        check_positive(environment, "environment")
    if not isinstance(estimator, LTAUEstimator | None):
        raise TypeError(f"Expected an LTAUEstimator, got {type(estimator).__name__}.")
    if not isinstance(groups, str | None):
        raise TypeError(f"Expected groups to be an entry of atoms.info, got {groups!r}.")
