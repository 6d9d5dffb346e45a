"""Whether an estimator was fitted on environment latents."""

from __future__ import annotations

from ltau.estimator import LTAUEstimator

__all__ = ["ENVIRONMENT", "cutoff_of"]

ENVIRONMENT = "environment"  # in the notes of an estimator: the cutoff, in Å, or None


def cutoff_of(estimator: LTAUEstimator) -> float | None:
    """Read the cutoff of the environment latents that an estimator was fitted on.

    Parameters
    ----------
    estimator : LTAUEstimator
        The estimator.

    Returns
    -------
    float or None
        The cutoff; None where its notes name none: it then knows a model's own latents.
    """
    cutoff: float | None = getattr(estimator, "notes_", {}).get(ENVIRONMENT)
    return cutoff
