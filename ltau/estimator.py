"""The front door: an estimator of a regression model's error, sample by sample."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from ltau._validation import (
    check_observed,
    check_seen,
    check_strata,
    check_trajectories,
    n_burnt_in,
)
from ltau.binning import ErrorBins
from ltau.calibration import CalibrationMixin
from ltau.densities import TrainingDensities
from ltau.histogram import ErrorHistogram
from ltau.log import ErrorLog
from ltau.neighbors import LatentIndex
from ltau.neighbors.threads import n_threads
from ltau.saving import SavingMixin

__all__ = ["LTAUEstimator"]

Floats = NDArray[np.float64]

_BLOCK_VALUES = 1 << 24  # errors binned at once


class LTAUEstimator(CalibrationMixin, SavingMixin, BaseEstimator):
    r"""Predict how wrong a regression model is, from the errors it made while training.

    Each training sample's errors over the epochs make a density :math:`p_i(e)`. The
    density of a new sample's error is the mean of those of the `n_neighbors` training
    samples nearest to it in the model's latent space:

    .. math:: p(e \mid z) = \sum_{j \in N_k(z)} w_j \, p_j(e), \qquad \sum_j w_j = 1

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of training samples whose densities are averaged.
    burn_in : float or int, default=1/3
        First epochs that are left out: a fraction of them in [0, 1), or their number.
        Early errors are larger than those of the finished model.
    scaling : {"none", "standardize", "whiten"}, default="whiten"
        Scaling of the latents before distances are taken: none, unit variance, or unit
        variance and no correlation.
    n_bins : int, default=100
        Number of bins of error.
    bins : {"log", "linear"} or array-like of shape (n_bins + 1,), default="log"
        Spacing of the bins, found from the errors; or their edges, which must reach the
        largest error. `n_bins` is not used then.
    weights : {"uniform", "distance"}, default="uniform"
        Weights of the neighbours: equal, as in the paper, or the inverse of their
        distance.
    distance_scaling : float, default=0.5
        Exponent of the `ood_score` by which each predicted error is stretched: 0 does
        not, 1 stretches errors in proportion to the distance. Above 0, `fit` searches the
        training samples' own neighbours; with an exact index of many samples that takes
        long.
    index : {"auto", "flat", "ivf", "hnsw"}, default="auto"
        How neighbours are searched: ``"flat"`` is exact, ``"ivf"`` and ``"hnsw"`` are
        approximate and tuned to `recall`. ``"auto"`` is flat for up to 20,000 samples,
        and above that IVF where it is the faster.
    recall : float, default=0.99
        Share of the true neighbours that an approximate index must find.
    n_jobs : int or None, default=None
        Threads of the search; None leaves it to OpenMP, -1 means all cores.
    random_state : int or None, default=None
        Seed of the approximate index and of its tuning.

    Attributes
    ----------
    bin_edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins, from 0 to the largest error, in its unit.
    index_ : str or tuple of str
        The kind of index in use; one for each stratum where there are strata.
    recall_ : float
        Recall reached by the index: 1 if it is exact, the lowest one if there are strata.
    strata_ : ndarray of shape (n_strata,) or None
        The strata seen at fit.
    n_samples_fit_ : int
        Number of training samples.
    target_, unit_ : str or None
        What the errors are of, and their unit, where an `ErrorLog` said so.
    calibration_ : Calibration or None
        What `calibrate` learnt, if it was called.
    notes_ : dict
        The notes of the log, to which more may be added: what JSON can hold.
    n_features_in_ : int
        Number of latent features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where `latents` had any.

    Notes
    -----
    The defaults were chosen on four sets of data and confirmed on five others
    (``python -m benchmarks.ood --explore``). The method as the paper has it is
    ``LTAUEstimator(burn_in=0, scaling="none", distance_scaling=0)``.

    References
    ----------
    Vita, Samanta, Zhou and Lordi, "LTAU-FF: Loss Trajectory Analysis for Uncertainty in
    atomistic Force Fields", *Mach. Learn.: Sci. Technol.* 2025,
    doi:10.1088/2632-2153/adb4b9, arXiv:2402.00853.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import LTAUEstimator
    >>> rng = np.random.default_rng(0)
    >>> latents = rng.normal(size=(500, 3))
    >>> spread = np.exp(latents[:, 0])               # some regions are harder than others
    >>> errors = np.abs(rng.normal(size=(500, 40))) * spread[:, None]
    >>> estimator = LTAUEstimator().fit(latents, errors)
    >>> easy_and_hard = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    >>> estimator.predict(easy_and_hard).round(1)
    array([0.3, 2.2])
    >>> estimator.predict_quantile(easy_and_hard, 0.9).round(1)
    array([0.7, 4.3])
    >>> estimator.predict_cdf(easy_and_hard, 1.0).round(1)             # P(error <= 1)
    array([1. , 0.3])
    >>> estimator.predict_interval(easy_and_hard, [0.0, 0.0], 0.9).round(1)
    array([[-0.7,  0.7],
           [-4.3,  4.3]])
    >>> estimator.predict_pdf(easy_and_hard).shape                     # over estimator.bin_edges_
    (2, 100)
    >>> estimator.predict_distribution(easy_and_hard).std().round(1)
    array([0.3, 1.8])
    >>> distances, rows = estimator.kneighbors(easy_and_hard)
    >>> errors[rows].mean(axis=(1, 2)).round(1)                        # of the neighbours
    array([0.3, 2.1])
    >>> estimator.ood_score([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]).round()
    array([ 1., 17.])
    >>> estimator.predict_ood([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    array([False,  True])
    >>> estimator.score(latents, errors) < 0                           # minus the CRPS
    True

    On held-out samples errors turn out twice as large: the estimator learns that.

    >>> held_out = rng.normal(size=(400, 3))
    >>> observed = 2 * np.abs(rng.normal(size=400)) * np.exp(held_out[:, 0])
    >>> calibrated = estimator.calibrate(held_out, observed, stretch_fraction=1.0)
    >>> round(calibrated.calibration_.scale)
    2
    >>> calibrated.predict(easy_and_hard).round()
    array([1., 5.])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "burn_in": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="left"),
        ],
        "scaling": [StrOptions({"none", "standardize", "whiten"})],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "bins": [StrOptions({"log", "linear"}), "array-like"],
        "weights": [StrOptions({"uniform", "distance"})],
        "distance_scaling": [Interval(Real, 0, None, closed="left")],
        "index": [StrOptions({"auto", "flat", "ivf", "hnsw"})],
        "recall": [Interval(Real, 0, 1, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
    }

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        burn_in: float = 1 / 3,
        scaling: str = "whiten",
        n_bins: int = 100,
        bins: str | ArrayLike = "log",
        weights: str = "uniform",
        distance_scaling: float = 0.5,
        index: str = "auto",
        recall: float = 0.99,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.burn_in = burn_in
        self.scaling = scaling
        self.n_bins = n_bins
        self.bins = bins
        self.weights = weights
        self.distance_scaling = distance_scaling
        self.index = index
        self.recall = recall
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        tags.target_tags.two_d_labels = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False  # a trajectory, were it of one epoch
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike | ErrorLog, strata: ArrayLike | None = None) -> Self:
        """Learn from the training samples' latents and error trajectories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents of the training samples; used in float32.
        y : array-like of shape (n_samples, n_epochs), or ErrorLog
            Error of each training sample at each epoch: non-negative, in the unit of
            the target; used in float32. NaN = the sample was not seen that epoch.
            Several models trained on the same samples are simply more epochs. A log is
            read in blocks of samples, and never loaded whole.
        strata : array-like of shape (n_samples,), optional
            Class of each sample, for atoms the element. Scaling, neighbours and
            distances then stay within a class, and every prediction needs `strata`.

        Returns
        -------
        LTAUEstimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes or values are not as described, a sample was never seen, or a
            stratum has fewer samples than neighbours.
        """
        self._validate_params()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        latents = validate_data(self, X, dtype=np.float32, order="C")
        errors = check_trajectories(y, len(latents))
        classes = check_strata(strata, len(latents))
        histogram = self._count(errors)
        check_seen(histogram)
        with n_threads(self.n_jobs):
            self._index = LatentIndex.fit(
                latents,
                classes,
                kind=self.index,
                scaling=self.scaling,
                n_neighbors=self.n_neighbors,
                recall=self.recall,
                random_state=self.random_state,
            )
        self._densities = TrainingDensities.from_histogram(histogram)
        self._own_distances = (0, np.empty(0))  # for a number of neighbours; none yet
        self.calibration_ = None
        if self.distance_scaling:
            self._training_distances()
        self._describe(*((y.target, y.unit, y.notes) if isinstance(y, ErrorLog) else ()))
        return self

    def _describe(
        self, target: str | None = None, unit: str | None = None, notes: Any = None
    ) -> None:
        """Say what the errors are of, once that is known to be something that a file can hold."""
        if not isinstance(target, str | None) or not isinstance(unit, str | None):
            raise ValueError(f"Expected a target and a unit in words, got {target!r}, {unit!r}.")
        if not isinstance(notes, dict | None):
            raise ValueError(f"Expected notes in a dict, got {notes!r}.")
        self.target_, self.unit_, self.notes_ = target, unit, notes or {}

    def _count(self, errors: NDArray[np.generic] | ErrorLog) -> ErrorHistogram:
        """Bin the trajectories after the burn-in, in blocks of samples."""
        n_samples, n_epochs = errors.shape
        first = n_burnt_in(self.burn_in, n_epochs)
        size = max(1, _BLOCK_VALUES // n_epochs)
        blocks = [slice(start, start + size) for start in range(0, n_samples, size)]
        if isinstance(self.bins, str):
            # The range may be found in any order: a log is fastest by epochs.
            parts = (
                (errors[:, epoch] for epoch in range(first, n_epochs))
                if isinstance(errors, ErrorLog)
                else [errors[:, first:]]
            )
            bins = ErrorBins.from_blocks(parts, self.n_bins, self.bins)
        else:
            bins = ErrorBins(self.bins)
        histogram = ErrorHistogram(bins, n_samples)
        for rows in blocks:
            histogram.update(errors[rows, first:], rows)
        return histogram

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_index")

    @property
    def bin_edges_(self) -> Floats:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""
        return self._densities.edges

    @property
    def n_samples_fit_(self) -> int:
        """Number of training samples."""
        return len(self._densities)

    @property
    def strata_(self) -> NDArray[np.generic] | None:
        """The strata seen at fit, or None."""
        return self._index.classes

    @property
    def index_(self) -> str | tuple[str, ...]:
        """The kind of index in use; one for each stratum where there are strata."""
        kinds = self._index.kinds
        return kinds[0] if self._index.classes is None else kinds

    @property
    def recall_(self) -> float:
        """Recall reached by the index: 1 if it is exact, the lowest one if there are strata."""
        return self._index.recall

    def sample_weight(self, tolerance: float | None = None, *, favor: str = "hard") -> Floats:
        """Weigh the training samples for another training, by their own densities.

        The weights serve as `sample_weight` of a scikit-learn model, or as those of a
        `torch.utils.data.WeightedRandomSampler`. Which way helps depends on why samples
        are hard: too few of their kind, or noise in their targets. Neither helps of
        itself: on seven public regression sets, ``"hard"`` made the average error larger
        (``python -m benchmarks.regression``).

        Parameters
        ----------
        tolerance : float, optional
            Error that is small enough, in its unit; by default the median of the
            training samples' expected errors.
        favor : {"hard", "easy"}, default="hard"
            ``"hard"`` weighs each sample by P(error > tolerance) during its training:
            samples that were learnt late or never count more. ``"easy"`` weighs it by
            P(error <= tolerance): samples that look mislabelled or noisy count less.

        Returns
        -------
        ndarray of shape (n_samples_fit,)
            Non-negative weights, with a mean of 1.

        Raises
        ------
        ValueError
            If all weights would be 0, or `favor` is neither.
        """
        check_is_fitted(self)
        if favor not in ("hard", "easy"):
            raise ValueError(f"Expected favor 'hard' or 'easy', got {favor!r}.")
        limit = np.asarray(np.median(self._densities.means) if tolerance is None else tolerance)
        if limit.ndim != 0 or limit.dtype.kind not in "iuf" or np.isnan(limit):
            raise ValueError(f"Expected a number as tolerance, got {tolerance!r}.")
        weight = self._densities.cdf(np.arange(self.n_samples_fit_), float(limit))
        if favor == "hard":
            weight = 1.0 - weight
        if not weight.mean() > 0:
            side = "above" if favor == "hard" else "within"
            raise ValueError(f"No training error lies {side} the tolerance {limit:g}.")
        return weight / weight.mean()

    def score(self, X: ArrayLike, y: ArrayLike, strata: ArrayLike | None = None) -> float:
        """Score the predicted distributions against observed errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_obs)
            Observed errors, non-negative; NaN among several observations = not seen.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.

        Returns
        -------
        float
            Minus the mean continuous ranked probability score, in the unit of the
            error: higher is better.

        Raises
        ------
        ValueError
            If lengths differ, or an error is negative, infinite, or NaN for all of a
            sample's observations.
        """
        errors = check_observed(y)
        check_consistent_length(X, errors)
        total, start = 0.0, 0
        for distribution, _ in self._distributions(X, strata):
            observed = errors[start : start + len(distribution)]
            total += np.nanmean(distribution.crps(observed), axis=1).sum()
            start += len(distribution)
        return -float(total) / len(errors)
