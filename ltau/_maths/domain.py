"""How far a sample lies from the training domain, and how that stretches its errors."""

from __future__ import annotations

from typing import Any

__all__ = ["FARTHEST", "error_factor", "excess", "local_ratio", "outside_share", "stretch"]

FARTHEST = 1000.0  # ratio of distances, either way, beyond which nothing is told apart

_NEAREST = 0.5  # ratio of distances below which nearness makes errors no smaller


def local_ratio(xp: Any, distance: Any, reference: Any) -> Any:
    """Divide the distance to the neighbours by the neighbours' own: the `ood_score`.

    Parameters
    ----------
    xp : module
        numpy or torch.
    distance, reference : array of shape (n,), float64
        Distances to the neighbours, and of the neighbours to theirs: both sums or means.

    Returns
    -------
    array of shape (n,), float64
        The ratio; nothing over nothing is 1.
    """
    return xp.where(distance == reference, 1.0, distance / reference)


def outside_share(ood_score: Any) -> Any:
    """Tell which share of the distance lies outside the domain: 0 inside, 1 infinitely far away.

    Of a distance that is r times what is usual among the neighbours, ``r - 1`` lies outside:
    the share is ``max(0, 1 - 1 / r)``.
    """
    return 1.0 - 1.0 / ood_score.clip(1.0)


def stretch(form: str, exponent: float, ood_score: Any) -> Any:
    """Give the factor by which distance stretches each sample's errors.

    Parameters
    ----------
    form : {"bounded", "power"}
        With the exponent a, ``"power"`` is r^a. ``"bounded"`` is r inside the domain, but at
        least 1/2; beyond, it grows by a times the outside share, to ``1 + a`` at infinite
        distance. With a = 0 both are 1.
    exponent : float
        The exponent, not negative.
    ood_score : array of shape (n,), float64
        The ratio r. By ``"power"`` it is taken to be from 1 / 1,000 to 1,000: it may be infinite
        or 0 where training samples coincide.

    Returns
    -------
    array of shape (n,), float64
        The factors.
    """
    if form == "power" or not exponent:
        return ood_score.clip(1 / FARTHEST, FARTHEST) ** exponent
    return ood_score.clip(_NEAREST, 1.0) + exponent * outside_share(ood_score)


def excess(
    xp: Any, y_pred: Any, targets: Any, usual: Any, weights: Any, error: Any, ood_score: Any
) -> Any:
    """Tell how far predictions lie from the neighbours' targets, more than is usual.

    Inside the domain the model knows better than its neighbours' mean, and nothing is told.

    Parameters
    ----------
    xp : module
        numpy or torch.
    y_pred : array of shape (n, n_outputs), float64
        Predictions.
    targets : array of shape (n, m, n_outputs), float64
        Targets of the neighbours.
    usual : array of shape (n, m), float64
        How far the neighbours' targets lie from the mean target of their own neighbours.
    weights : array of shape (n, m), float64
        Weights of the neighbours, which sum to 1 in every row.
    error : array of shape (n,), float64
        Mean errors of the neighbours, positive.
    ood_score : array of shape (n,), float64
        Ratios of distances.

    Returns
    -------
    array of shape (n,), float64
        The outside share of the disagreement, which is the distance of the prediction from
        the mean target, less what is usual, and not negative; in units of `error`.
    """
    mean = xp.sum(weights[:, :, None] * targets, 1)
    disagreement = xp.sum((y_pred - mean) ** 2, 1) ** 0.5
    beyond = outside_share(ood_score) * disagreement - xp.sum(weights * usual, 1)
    return beyond.clip(0.0) / error


def error_factor(settings: Any, ood_score: Any, surplus: Any = None) -> Any:
    """Give the factor of each sample's errors, by distance and by disagreement.

    Parameters
    ----------
    settings : ltau._fitted.settings.Settings
        By what neighbours become a prediction.
    ood_score : array of shape (n,), float64
        Ratios of distances.
    surplus : array of shape (n,), float64, optional
        As `excess` gives it, where targets are known.

    Returns
    -------
    array of shape (n,), float64
        The factors.
    """
    factor = stretch(settings.stretch, settings.calibration.exponent, ood_score)
    if surplus is not None:
        factor = factor + settings.disagreement_scaling * surplus
    return settings.calibration.scale * factor
