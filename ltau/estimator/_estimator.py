"""The front door: an estimator of a regression model's error, sample by sample."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, validate_data

from ltau._errors.checks import check_observed, check_strata, check_trajectories
from ltau._errors.counted import CountedErrors
from ltau._errors.histogram import ErrorHistogram
from ltau._errors.trajectories import Trajectories
from ltau._fitted.calibration import CalibrationMixin
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.domain import rows_to_rank
from ltau._fitted.samples import TrainingSamples
from ltau._prototypes.condense import condense, measure_members
from ltau._prototypes.number import choose_number
from ltau.estimator._saving import SavingMixin
from ltau.estimator._weighting import WeightingMixin
from ltau.log import ErrorLog
from ltau.neighbors import INDEX_CLASSES, LatentIndex, ScaledStratum, n_threads, scale_strata

__all__ = ["LTAUEstimator"]

Floats = NDArray[np.float64]


class LTAUEstimator(CalibrationMixin, WeightingMixin, SavingMixin, BaseEstimator):
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
    index : {"auto", "flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"}, default="auto"
        How neighbours are searched: ``"flat"`` is exact, the others are approximate and
        tuned to `recall`. ``"auto"`` is flat below 2,000 samples, and above that the
        fastest of flat, IVF and HNSW as measured at fit: which one may depend on the
        machine and its load, the recall does not. ``"ivf_sq8"`` and ``"ivf_pq"`` search
        quantised latents, and measure the best of them again in full.
    recall : float, default=0.99
        Share of the true neighbours that an approximate index must find.
    n_prototypes : int, "auto" or None, default=None
        Number of prototypes that the training set is condensed to, by k-means within each
        stratum; None keeps every sample. Neighbours, and what is said of training samples,
        are then prototypes, each with the errors of all its members: memory and time fall
        with their number. ``"auto"`` finds the fewest, by doubling, that lose no more than
        `prototype_tolerance`; it keeps every sample where half as many prototypes as
        samples lose more. That takes a fit for each number.
    prototype_tolerance : float, default=0.01
        Loss of `score` that ``n_prototypes="auto"`` allows, relative to the best that
        all samples or any number of prototypes reach on held-out training samples.
    memory_limit : int or None, default=None
        Bytes that the latents and their index may take in memory; None is without a
        limit. Where the latents do not fit, they are kept in a temporary file and
        ``"auto"`` takes a quantised index of them, ``"ivf_sq8"`` or else ``"ivf_pq"``.
    n_jobs : int or None, default=None
        Threads of the search; None leaves it to OpenMP, -1 means all cores.
    random_state : int or None, default=None
        Seed of the approximate index and of its tuning, and of the prototypes.

    Attributes
    ----------
    bin_edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins, from 0 to the largest error, in its unit.
    index_ : str or tuple of str
        The kind of index in use; one for each stratum where there are strata.
    recall_ : float
        Recall reached by the index: 1 if it is exact, the lowest one if there are strata.
    index_report_ : list of dict
        What ``index="auto"`` measured, empty if nothing: of each index its ``kind``,
        ``parameters``, ``recall``, ``microseconds_few`` and ``microseconds_many`` a query
        in batches of 16 and of 1,000, ``build_seconds``, ``nbytes`` in memory, and whether
        it was ``chosen``.
    strata_ : ndarray of shape (n_strata,) or None
        The strata seen at fit.
    n_samples_fit_ : int
        Number of training samples.
    n_prototypes_ : int or None
        Number of prototypes; None where all training samples are kept. Fewer than asked
        for where training latents are equal.
    prototype_losses_ : dict of int to float
        The loss of each number of prototypes that ``n_prototypes="auto"`` tried.
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
        "index": [StrOptions({"auto", *INDEX_CLASSES})],
        "recall": [Interval(Real, 0, 1, closed="right")],
        "n_prototypes": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "prototype_tolerance": [Interval(Real, 0, None, closed="left")],
        "memory_limit": [Interval(Integral, 1, None, closed="left"), None],
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
        n_prototypes: int | Literal["auto"] | None = None,
        prototype_tolerance: float = 0.01,
        memory_limit: int | None = None,
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
        self.n_prototypes = n_prototypes
        self.prototype_tolerance = prototype_tolerance
        self.memory_limit = memory_limit
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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | ErrorLog | ErrorHistogram,
        strata: ArrayLike | None = None,
    ) -> Self:
        """Learn from the training samples' latents and error trajectories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents of the training samples; used in float32.
        y : array-like of shape (n_samples, n_epochs), ErrorLog or ErrorHistogram
            Error of each training sample at each epoch: non-negative, in the unit of
            the target; used in float32. NaN = the sample was not seen that epoch.
            Several models trained on the same samples are simply more epochs. A log is
            read in blocks of samples, and never loaded whole. Of a histogram the counts are
            taken as they are: `burn_in`, `bins` and `n_bins` do not apply.
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
            stratum has fewer samples than neighbours; or if there are more prototypes than
            samples, or fewer than neighbours in each stratum.
        """
        self._validate_params()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        latents = validate_data(self, X, dtype=np.float32, order="C")
        trajectories = (
            CountedErrors(y, len(latents))
            if isinstance(y, ErrorHistogram)
            else Trajectories(check_trajectories(y, len(latents)), self.burn_in)
        )
        classes = check_strata(strata, len(latents))
        bins = trajectories.find_bins(self.bins, self.n_bins)
        samples = TrainingSamples(latents, trajectories, classes, bins)
        if self.n_prototypes is not None:
            trajectories.check(bins)  # or it would be the last to be known
        if self.n_prototypes == "auto":
            n_prototypes, self.prototype_losses_ = choose_number(self, samples)
        else:
            n_prototypes, self.prototype_losses_ = self.n_prototypes, {}
        self._learn(samples, n_prototypes)
        self._describe(*((y.target, y.unit, y.notes) if isinstance(y, ErrorLog) else ()))
        return self

    def _learn(self, samples: TrainingSamples, n_prototypes: int | None) -> None:
        """Learn from all samples, or from prototypes of them."""
        self.calibration_ = None
        with n_threads(self.n_jobs):
            if n_prototypes is None:
                self._learn_all(samples)
            else:
                self._learn_prototypes(samples, n_prototypes)
        if self.distance_scaling:
            self._training_distances()

    def _learn_all(self, samples: TrainingSamples) -> None:
        histogram = samples.trajectories.count(samples.bins)
        self._index = self._make_index(self._scaled(samples))
        self._densities = TrainingDensities.from_histogram(histogram)
        self._own_distances = (0, np.empty(0))  # for a number of neighbours; none yet
        self._members = None

    def _learn_prototypes(self, samples: TrainingSamples, n_prototypes: int) -> None:
        strata, owners = condense(
            self._scaled(samples), n_prototypes, self.n_neighbors, self.random_state
        )
        self._index = self._make_index(strata)
        histogram = samples.trajectories.count_together(samples.bins, owners, len(self._index))
        self._densities = TrainingDensities.from_histogram(histogram)
        own_distances, self._members = measure_members(
            self._index,
            samples.latents,
            samples.strata,
            owners,
            self.n_neighbors,
            rows_to_rank(len(owners), self.random_state),
        )
        self._own_distances = self.n_neighbors, own_distances

    def _scaled(self, samples: TrainingSamples) -> list[ScaledStratum]:
        return scale_strata(
            samples.latents,
            samples.strata,
            self.scaling,
            kind=self.index,
            memory_limit=self.memory_limit,
        )

    def _make_index(self, strata: list[ScaledStratum]) -> LatentIndex:
        index = LatentIndex.build(
            strata,
            kind=self.index,
            n_neighbors=self.n_neighbors,
            recall=self.recall,
            memory_limit=self.memory_limit,
            random_state=self.random_state,
        )
        self.index_report_ = index.report
        return index

    def _describe(
        self, target: str | None = None, unit: str | None = None, notes: Any = None
    ) -> None:
        """Say what the errors are of, once that is known to be something that a file can hold."""
        if not isinstance(target, str | None) or not isinstance(unit, str | None):
            raise ValueError(f"Expected a target and a unit in words, got {target!r}, {unit!r}.")
        if not isinstance(notes, dict | None):
            raise ValueError(f"Expected notes in a dict, got {notes!r}.")
        self.target_, self.unit_, self.notes_ = target, unit, notes or {}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_index")

    @property
    def bin_edges_(self) -> Floats:
        """Edges of the bins, shape (n_bins + 1,), in the unit of the error."""
        return self._densities.edges

    @property
    def n_samples_fit_(self) -> int:
        """Number of training samples."""
        return len(self._densities) if self._members is None else self._members.n_samples

    @property
    def n_prototypes_(self) -> int | None:
        """Number of prototypes, or None where all training samples are kept."""
        return None if self._members is None else len(self._densities)

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
