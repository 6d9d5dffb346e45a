"""Whether an estimator was fitted on environment latents."""

from __future__ import annotations

from ltau.estimator import LTAUEstimator

__all__ = ["ENVIRONMENT", "environment_cutoff"]

ENVIRONMENT = "environment"  # in the notes of an estimator: the cutoff, in Å, or None


def environment_cutoff(estimator: LTAUEstimator) -> float | None:
    """Read the cutoff of the environment latents that an estimator was fitted on.

    Parameters
    ----------
    estimator : LTAUEstimator
        The estimator.

    Returns
    -------
    float or None
        The cutoff, in Å; None where its notes name none: it was then fitted on a model's own
        latents.

    Examples
    --------
    >>> from ltau import LTAUEstimator
    >>> from ltau.structures import environment_cutoff
    >>> estimator = LTAUEstimator().fit([[float(i)] for i in range(20)], [[0.1]] * 20)
    >>> environment_cutoff(estimator) is None
    True
    """
    cutoff: float | None = getattr(estimator, "notes_", {}).get(ENVIRONMENT)
    return cutoff
