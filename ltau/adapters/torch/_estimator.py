"""A fitted estimator that predicts on tensors, where the model left them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import quantile_levels
from ltau.adapters.torch._checks import (
    check_labels,
    check_latents,
    check_n_neighbors,
    check_predictions,
    check_tolerances,
)
from ltau.adapters.torch._densities import TorchDensities
from ltau.adapters.torch._index import TorchFound, TorchIndex
from ltau.adapters.torch._keeping import KeepsTypes
from ltau.adapters.torch._neighborhood import Neighborhood, TorchKnown
from ltau.adapters.torch._summary import TorchErrorSummary
from ltau.estimator import LTAUEstimator
from ltau.neighbors import TooManyEquallyNear

__all__ = ["TorchEstimator"]


class TorchEstimator(KeepsTypes):
    """A fitted estimator on tensors: it predicts on their device, and nothing leaves it.

    It predicts the numbers of the estimator that it is made from, as far as that one's
    index finds the nearest neighbours: the search here is exact, whatever the index. It
    is a copy, and knows nothing of what happens to the estimator later.

    Parameters
    ----------
    estimator : LTAUEstimator
        A fitted estimator. Its strata, if it has any, are integers; if it is calibrated,
        then without groups. The training samples' own distances are searched now, on the
        CPU, where it has not needed them yet.

    Attributes
    ----------
    n_neighbors : int
        Number of neighbours whose densities are averaged.
    strata_ : tensor of shape (n_strata,), int64, or None
        The strata seen at fit.
    n_outputs_ : int or None
        Number of outputs of the targets seen at fit; None where there were none.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    ValueError
        If the strata are not integers, the calibration has groups, a parameter was set to
        something invalid, or there is a single training sample, in all or in a stratum.

    See Also
    --------
    UncertainModule : Predictions and error bars in one pass, with this or an `LTAUEstimator`.

    Notes
    -----
    It starts on the CPU; ``.to("cuda")`` moves it. The device must know float64. The
    types of its numbers stay what they are, whatever a model around it is converted to.
    It is no part of a ``state_dict``: save the estimator with its own `save`.

    Latents may have any floating type; they are scaled in float64. Results are float32, and
    have no gradients. What is held at once grows by the neighbours of each row, and no
    further.

    The neighbours are exact whatever ``torch.set_float32_matmul_precision`` says: each
    candidate's distance is measured by differences, and a query for which the rounding of
    matrix products leaves a doubt is searched again without them. Products in TF32 leave
    more doubts, and where latents lie in clusters, unscaled, nearly always one: that is
    slow.

    The host waits for the device twice in each prediction, to learn whether there are doubts
    or latents that are not finite, and whether neighbours are equally near; with strata once
    more, and twice for each of them; with targets once more, for predictions that are not finite.

    Examples
    --------
    >>> import torch
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.torch import TorchEstimator
    >>> _ = torch.manual_seed(0)
    >>> z = torch.randn(500, 3)
    >>> errors = torch.randn(500, 100).abs() * z[:, :1].exp()    # some regions are harder
    >>> estimator = LTAUEstimator().fit(z.numpy(), errors.numpy())
    >>> on_device = TorchEstimator(estimator)    # and .to("cuda"), where there is one
    >>> easy_and_hard = torch.tensor([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> on_device.predict(easy_and_hard).round()
    tensor([0., 2.])
    >>> on_device.predict_quantile(easy_and_hard, 0.9).round()
    tensor([1., 4.])
    >>> distances, rows = on_device.kneighbors(easy_and_hard)
    >>> errors[rows].mean(dim=(1, 2)).round()    # of the neighbours
    tensor([0., 2.])
    """

    def __init__(self, estimator: LTAUEstimator) -> None:
        super().__init__()
        check_is_fitted(estimator)
        settings, fitted = estimator.settings(), estimator.fitted_
        if settings.calibration.grouped:
            groups = ", ".join(map(str, settings.calibration.scores))
            raise ValueError(
                f"Expected an estimator calibrated without groups, got one with {groups}."
            )
        self.n_neighbors = settings.n_neighbors
        self._settings = settings
        self._index = TorchIndex(fitted)
        self._densities = TorchDensities(fitted.densities)
        self._known = TorchKnown(fitted, settings.n_neighbors)
        self._rows_of = fitted.rows_of
        self.eval()

    @property
    def strata_(self) -> torch.Tensor | None:
        """The strata seen at fit, or None."""
        return self._index.classes

    @property
    def n_outputs_(self) -> int | None:
        """Number of outputs of the targets seen at fit, or None."""
        return None if self._known.targets is None else self._known.targets.shape[1]

    def predict(
        self,
        latents: torch.Tensor,
        strata: torch.Tensor | None = None,
        *,
        y_pred: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict the expected error of each sample.

        Parameters
        ----------
        latents : tensor of shape (n_samples, n_features)
            Latents from the model that the estimator was fitted on, on the device where
            this estimator is.
        strata : tensor of shape (n_samples,), integers, optional
            Class of each sample, if the estimator was fitted with classes.
        y_pred : tensor of shape (n_samples,) or (n_samples, n_outputs), optional
            The model's predictions, of any floating type, in the unit of the errors, if the
            estimator was fitted with targets. They are compared in float64.

        Returns
        -------
        tensor of shape (n_samples,), float32
            Expected errors, in the unit of the error.

        Raises
        ------
        TypeError
            If latents, strata or predictions are not tensors of such types.
        ValueError
            If latents have another shape, are on another device, hold NaN or are too
            large to measure; strata are missing or unknown; or predictions are missing, not
            asked for, of another shape, on another device, NaN or infinite.
        """
        return self._predict_errors(latents, strata, y_pred, self._expected)

    def predict_cdf(
        self,
        latents: torch.Tensor,
        tolerance: ArrayLike,
        strata: torch.Tensor | None = None,
        *,
        y_pred: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict the probability that each sample's error stays within a tolerance.

        Parameters
        ----------
        latents : tensor of shape (n_samples, n_features)
            As in `predict`.
        tolerance : float or array-like of shape (m,)
            Errors, in their unit; on the CPU.
        strata, y_pred
            As in `predict`.

        Returns
        -------
        tensor of shape (n_samples,) for a scalar, else (n_samples, m), float32
            P(error <= tolerance).

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if there is no tolerance, or one is NaN.
        """
        tolerances = check_tolerances(tolerance)

        def within(near: Neighborhood) -> torch.Tensor:
            limits = [(t / near.factor)[:, None] for t in tolerances]
            cdfs = [near.weights * self._densities.cdf(near.rows, limit) for limit in limits]
            return torch.stack([cdf.sum(dim=1) for cdf in cdfs], dim=1)

        cdf = self._predict_errors(latents, strata, y_pred, within)
        return cdf[:, 0] if np.ndim(tolerance) == 0 else cdf

    def predict_quantile(
        self,
        latents: torch.Tensor,
        q: ArrayLike,
        strata: torch.Tensor | None = None,
        *,
        y_pred: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict the error that each sample does not exceed with probability `q`.

        Parameters
        ----------
        latents : tensor of shape (n_samples, n_features)
            As in `predict`.
        q : float or array-like of shape (m,)
            Probabilities from 0 to 1; on the CPU. If the estimator was calibrated, they
            are those that held on the calibration samples, and the error may be infinite
            where these were too few.
        strata, y_pred
            As in `predict`.

        Returns
        -------
        tensor of shape (n_samples,) for a scalar, else (n_samples, m), float32
            Quantiles of the error, in its unit.

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if a probability lies outside [0, 1].
        """
        levels = self._levels(q)
        bounds = partial(self._bound, levels=levels)
        quantile = self._predict_errors(latents, strata, y_pred, bounds)
        return quantile[:, 0] if np.ndim(q) == 0 else quantile

    def predict_summary(
        self,
        latents: torch.Tensor,
        level: float = 0.9,
        strata: torch.Tensor | None = None,
        *,
        y_pred: torch.Tensor | None = None,
    ) -> TorchErrorSummary:
        """Predict the expected error, an error bar and the `ood_score`, by one search.

        Parameters
        ----------
        latents : tensor of shape (n_samples, n_features)
            As in `predict`.
        level : float, default=0.9
            Probability, from 0 to 1, that the error stays within the error bar.
        strata, y_pred
            As in `predict`.

        Returns
        -------
        TorchErrorSummary
            What `predict`, `predict_quantile` and `ood_score` give.

        Raises
        ------
        TypeError, ValueError
            As these.
        """
        if np.ndim(level) != 0:
            raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
        levels = self._levels(level)

        def columns(near: Neighborhood) -> torch.Tensor:
            bar = self._bound(near, levels)[:, 0]
            return torch.stack([self._expected(near), bar, near.ood_score], dim=1)

        summary = self._predict_errors(latents, strata, y_pred, columns)
        return TorchErrorSummary(*summary.unbind(dim=1))

    def ood_score(self, latents: torch.Tensor, strata: torch.Tensor | None = None) -> torch.Tensor:
        """Measure how far each sample lies from the training domain.

        Parameters
        ----------
        latents, strata
            As in `predict`.

        Returns
        -------
        tensor of shape (n_samples,), float32
            Ratios of distances, about 1 inside, as `LTAUEstimator.ood_score` gives them.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        return self._predict(latents, strata, None, lambda near: near.ood_score)

    def kneighbors(
        self,
        latents: torch.Tensor,
        n_neighbors: int | None = None,
        strata: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the nearest training samples.

        Parameters
        ----------
        latents : tensor of shape (n_samples, n_features)
            As in `predict`.
        n_neighbors : int, optional
            How many; by default as many as the estimator was fitted with.
        strata : tensor of shape (n_samples,), integers, optional
            As in `predict`.

        Returns
        -------
        distances : tensor of shape (n_samples, n_neighbors), float32
            Euclidean distances in the scaled latent space, ascending.
        indices : tensor of shape (n_samples, n_neighbors), int64
            Rows of the training set; of equally near ones the first.

        Raises
        ------
        TypeError, ValueError
            As `predict`; and if there are fewer training samples than neighbours asked for.
        """
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_n_neighbors(k)
        found = self._search(latents, int(k), strata)
        near = found.distances.cpu().numpy(), found.numbers.cpu().numpy()
        distances, rows = map(torch.from_numpy, self._rows_of(*near, int(k)))
        return distances.float().to(latents.device), rows.to(latents.device)

    def _search(self, latents: torch.Tensor, k: int, strata: torch.Tensor | None) -> TorchFound:
        """Check what comes in, and search."""
        device = self._densities.edges.device
        check_latents(latents, self._index.n_features, device)
        if strata is not None:
            check_labels(strata, len(latents), device)
        precise = latents.dtype == torch.float64
        queries = latents.detach() if precise else latents.detach().float()
        found: TorchFound = self._index(queries, k, strata)
        return found

    def _predict_errors(
        self,
        latents: torch.Tensor,
        strata: torch.Tensor | None,
        y_pred: torch.Tensor | None,
        compute: Callable[[Neighborhood], torch.Tensor],
    ) -> torch.Tensor:
        """Compute something of the neighbours and of the predictions, which are checked."""
        device = self._densities.edges.device
        check_latents(latents, self._index.n_features, device)
        checked = check_predictions(y_pred, len(latents), self.n_outputs_, device)
        return self._predict(latents, strata, checked, compute)

    def _predict(
        self,
        latents: torch.Tensor,
        strata: torch.Tensor | None,
        y_pred: torch.Tensor | None,
        compute: Callable[[Neighborhood], torch.Tensor],
    ) -> torch.Tensor:
        """Compute something of the neighbours, in halves where a search finds too many."""
        try:
            found = self._search(latents, self.n_neighbors, strata)
        except TooManyEquallyNear:
            middle = len(latents) // 2
            parts = [
                self._predict(latents[half], _cut(strata, half), _cut(y_pred, half), compute)
                for half in (slice(middle), slice(middle, None))
            ]
            return torch.cat(parts)
        return compute(self._known(found, self._settings, y_pred)).float()

    def _expected(self, near: Neighborhood) -> torch.Tensor:
        return near.factor * (near.weights * self._densities.means[near.rows]).sum(dim=1)

    def _levels(self, q: ArrayLike) -> torch.Tensor:
        """Levels of the predicted quantiles, shape (m,)."""
        levels = quantile_levels(self._settings.calibration, q, 1, None)[0]
        return torch.tensor(levels, device=self._densities.edges.device)

    def _bound(self, near: Neighborhood, levels: torch.Tensor) -> torch.Tensor:
        """Find the errors at levels, which go on above 1: twice the largest error has 2."""
        inside = self._densities.quantile(near.rows, near.weights, levels.clamp(max=1.0))
        return near.factor[:, None] * inside * levels.clamp(min=1.0)


def _cut(rows: torch.Tensor | None, part: slice) -> torch.Tensor | None:
    return None if rows is None else rows[part]
