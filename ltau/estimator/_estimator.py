"""The front door: an estimator of a regression model's error, sample by sample."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ltau._errors.histogram import ErrorHistogram
from ltau._errors.sources import open_errors
from ltau._fitted.predictor import Predictor
from ltau._fitted.samples import TrainingSamples
from ltau._fitted.search import LatentSearch
from ltau._fitted.training_scores import training_scores
from ltau._fitted.training_weights import training_weights
from ltau._inputs.labels import check_group_numbers, check_strata
from ltau._progress import Tell, progress
from ltau._prototypes.number import choose_number
from ltau.estimator._checks import (
    as_latents,
    check_latents,
    check_predictions,
    check_targets,
)
from ltau.estimator._learning import Learner
from ltau.estimator._saving import Saving, describe
from ltau.log import ErrorLog
from ltau.neighbors import n_threads

__all__ = ["LTAUEstimator"]

Floats = NDArray[np.float64]


class LTAUEstimator(Saving):
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
        Weights of the neighbours: equal, or the inverse of their distance. The latter ranks
        better on most tables whose targets have little noise. But a near twin of a training
        sample then has only that sample's errors, which are too few to show how large
        errors can be.
    distance_scaling : float, default=3.0
        How much distance stretches each predicted error: 0 not at all, as in the paper.
        Above 0, `fit` searches the neighbours of every training sample, which takes long
        with an exact index of many samples.
    stretch : {"bounded", "power"}, default="bounded"
        How errors are stretched, with the `ood_score` r and the `distance_scaling` a.
        ``"bounded"``: by r inside the domain, where r is at most 1, but no less than 1/2; by
        1 + a (1 - 1/r) beyond it, which is never more than 1 + a. ``"power"``: by r^a, with r
        taken to be from 1/1,000 to 1,000.
    disagreement_scaling : float, default=0.7
        If `fit` was given targets: how much a prediction far from the neighbours' mean
        target adds to the expected error beyond the domain. It adds c max(0, w d - D), where
        c is this parameter, d the distance of the prediction from that mean, w = max(0, 1 -
        1/r), and D how far the neighbours' targets lie from the mean target of their own
        neighbours.
    index : {"auto", "flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"}, default="auto"
        How neighbours are searched: ``"flat"`` is exact, the others are approximate and
        tuned to `recall`. ``"auto"`` is flat below 2,000 samples, and above that flat or
        IVF, whichever should take less time, by the number of samples that it compares.
        With it, and with ``"ivf"``, the samples' own neighbour distances are known to 2.5
        %; with ``"flat"`` they are exact. ``"ivf_sq8"`` and ``"ivf_pq"`` search quantised
        latents, and measure the best candidates again exactly.
    recall : float, default=0.99
        Share of the true neighbours that an approximate index must find.
    n_prototypes : int, "auto" or None, default=None
        Number of prototypes that the training set is condensed to, by k-means within each
        stratum; None keeps every sample. Prototypes then take the place of training
        samples, each with the errors of all its members: memory and time fall with their
        number. ``"auto"`` finds the smallest number, by doubling, that loses no more than
        `prototype_tolerance`; it keeps every sample if even half as many prototypes as
        samples lose more. That takes a fit for each number.
    prototype_tolerance : float, default=0.01
        Loss of `score` that ``n_prototypes="auto"`` allows, relative to the best that
        all samples or any number of prototypes reach on held-out training samples.
    memory_limit : int or None, default=None
        Bytes that the latents and their index may take in memory; None sets no limit.
        Latents that do not fit are kept in a temporary file, and ``"auto"`` takes a
        quantised index of them, ``"ivf_sq8"`` or else ``"ivf_pq"``.
    n_jobs : int or None, default=None
        Threads of the search; None leaves it to OpenMP, -1 means all cores.
    random_state : int or None, default=0
        Seed of the approximate index and of its tuning, and of the prototypes. With a seed
        the same call gives the same numbers; None draws differently each time.
    verbose : bool, int or None, default=None
        Whether `fit` tells on the standard error what it is at: None does on a terminal or in
        a notebook, once it has taken some seconds; True always, and False never. Within
        another call that tells, it is silent. It is no part of a saved file.

    Attributes
    ----------
    fitted_ : Fitted
        What a fit leaves, for other backends: index, densities, own distances.
    bin_edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins, from 0 to the largest error, in its unit.
    index_ : str or tuple of str
        The kind of index in use; one for each stratum where there are strata.
    recall_ : float
        Recall reached by the index: 1 if it is exact, the lowest one if there are strata.
    index_report_ : list of dict
        What ``index="auto"`` chose from, empty if it had no choice. For each index: its
        ``kind``, ``parameters`` and ``recall``; ``n_compared``, the samples and centres of
        cells that it compares with a query on average; ``relative_time``, an estimate of
        the time of a query over that of an exact search; ``build_seconds`` as measured,
        ``nbytes`` in memory, and whether it was ``chosen``.
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
        What the errors are errors of, and their unit, if an `ErrorLog` says so.
    calibration_ : Calibration or None
        What `calibrate` learnt, if it was called.
    notes_ : dict
        The notes of the log. You may add to them whatever JSON can hold.
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
    array([0.3, 2.3])
    >>> estimator.predict_quantile(easy_and_hard, 0.9).round(1)
    array([0.7, 4.6])
    >>> estimator.predict_cdf(easy_and_hard, 1.0).round(1)             # P(error <= 1)
    array([1. , 0.3])
    >>> estimator.predict_interval(easy_and_hard, [0.0, 0.0], 0.9).round(1)
    array([[-0.7,  0.7],
           [-4.6,  4.6]])
    >>> estimator.predict_pdf(easy_and_hard).shape                     # over estimator.bin_edges_
    (2, 100)
    >>> estimator.predict_distribution(easy_and_hard).std().round(1)
    array([0.3, 1.9])
    >>> distances, rows = estimator.kneighbors(easy_and_hard)
    >>> errors[rows].mean(axis=(1, 2)).round(1)                        # of the neighbours
    array([0.3, 2.1])
    >>> estimator.ood_score([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]).round()
    array([ 1., 17.])
    >>> estimator.predict_ood([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    array([False,  True])
    >>> estimator.score(latents, errors) < 0                           # minus the CRPS
    True

    If errors on held-out samples are twice as large, the estimator learns that.

    >>> held_out = rng.normal(size=(400, 3))
    >>> observed = 2 * np.abs(rng.normal(size=400)) * np.exp(held_out[:, 0])
    >>> calibrated = estimator.calibrate(held_out, observed, stretch_fraction=1.0)
    >>> round(calibrated.calibration_.scale)
    2
    >>> calibrated.predict(easy_and_hard).round()
    array([1., 4.])
    """

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | ErrorLog | ErrorHistogram,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        targets: ArrayLike | None = None,
    ) -> Self:
        """Learn from the training samples' latents and error trajectories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents of the training samples; scaled in float64, and then used in float32.
        y : array-like of shape (n_samples, n_epochs), ErrorLog or ErrorHistogram
            Error of each training sample at each epoch: non-negative, in the unit of
            the target; used in float32. NaN = the sample was not seen that epoch.
            Several models trained on the same samples are simply more epochs. A log is
            read in blocks of samples, and never loaded whole. The counts of a histogram are
            taken as they are: `burn_in`, `bins` and `n_bins` do not apply.
        strata : array-like of shape (n_samples,), optional
            Class of each sample, for atoms the element. Scaling, neighbours and
            distances then stay within a class, and every prediction needs `strata`.
        groups : array-like of shape (n_samples,), optional
            Group of each sample, an integer or a string, where samples are not independent:
            atoms of one relaxation or trajectory, repeated measurements. `ood_score` then
            takes the distance between samples of different groups as usual inside the
            domain.
        targets : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            What the model should have predicted, in the unit of the errors. Every
            prediction of errors then needs `y_pred`, and `disagreement_scaling` counts
            beyond the domain.

        Returns
        -------
        LTAUEstimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes or values are not as described, a sample was never seen, or a
            stratum has fewer samples than neighbours, or a single group; if a few latents
            are so large that all others coincide in comparison; or if there are more
            prototypes than samples, or fewer than neighbours in each stratum.
        """
        self._validate_params()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        latents = as_latents(self, X, reset=True)
        trajectories = open_errors(y, len(latents), self.burn_in)
        classes = check_strata(strata, len(latents))
        families = check_group_numbers(groups, classes, len(latents))
        expected = check_targets(targets, len(latents))
        with progress(f"{type(self).__name__}.fit", self.verbose) as tell:
            tell("range of the errors")
            bins = trajectories.find_bins(self.bins, self.n_bins)
            samples = TrainingSamples(latents, trajectories, classes, bins, families, expected)
            self._learn(samples, tell)
        self.calibration_ = None
        self._remember_settings()
        describe(self, *((y.target, y.unit, y.notes) if isinstance(y, ErrorLog) else ()))
        return self

    def sample_weight(self, tolerance: float | None = None, *, favor: str = "hard") -> Floats:
        """Weigh the training samples for another training, by their own densities.

        The weights serve as `sample_weight` of a scikit-learn model, or as those of a
        `torch.utils.data.WeightedRandomSampler`. Which way helps depends on why samples
        are hard: too few of their kind, or noise in their targets. Neither helps by itself:
        on seven public regression sets, ``"hard"`` made the average error larger (``python
        -m benchmarks.regression``).

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
            If all weights would be 0, `favor` is neither, or the estimator holds
            prototypes, which do not keep their members.
        """
        check_is_fitted(self)
        return training_weights(self.fitted_, tolerance, favor)

    def _learn(self, samples: TrainingSamples, tell: Tell) -> None:
        """Find what a fit leaves, as long as that takes."""
        if self.n_prototypes is not None:
            samples.trajectories.check(samples.bins)  # or it would be the last to be known
        n_prototypes, self.prototype_losses_ = self._choose_number(samples, tell)
        tell("latents and errors" if n_prototypes is None else f"{n_prototypes:,} prototypes")
        self.fitted_ = self._learner().learn(samples, n_prototypes)
        self.index_report_ = self.fitted_.index.report
        if self.distance_scaling or samples.groups is not None or samples.targets is not None:
            tell("the samples' own neighbours")
            with n_threads(self.n_jobs):
                self.fitted_.own_distances(int(self.n_neighbors))

    def _choose_number(
        self, samples: TrainingSamples, tell: Tell
    ) -> tuple[int | None, dict[int, float]]:
        """Find the number of prototypes, and what each number that was tried loses."""
        if self.n_prototypes != "auto":
            return None if self.n_prototypes is None else int(self.n_prototypes), {}

        def crps(rest: TrainingSamples, tested: TrainingSamples, n: int | None) -> float:
            tell(f"what {'all samples' if n is None else f'{n:,} prototypes'} would predict")
            twin = clone(self)
            # Samples from inside do not disagree, and what the model predicts is not known.
            twin.fitted_ = self._learner().learn(rest.without_targets(), n)
            return -twin.score(tested.latents, tested.trajectories.read(), tested.strata)

        k, tolerance = int(self.n_neighbors), self.prototype_tolerance
        return choose_number(samples, k, tolerance, self.random_state, crps)

    def _learner(self) -> Learner:
        settings = {name: getattr(self, name) for name in Learner.__dataclass_fields__}
        # Small integers of numpy would overflow.
        return Learner(**settings | {"n_neighbors": int(self.n_neighbors)})

    def _predictor(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Predictor:
        if not hasattr(self, "fitted_"):  # asking scikit-learn takes longer than a small search
            check_is_fitted(self)
        fitted, settings = self.fitted_, self.settings(n_neighbors)
        latents = check_latents(self, X, fitted.index.n_features)
        classes = check_strata(strata, len(latents))
        n_bins, k = fitted.densities.n_bins, settings.n_neighbors
        search = LatentSearch(fitted.index, latents, classes, k, n_bins, self.n_jobs)
        return Predictor(search, len(latents), fitted, settings)

    def _error_predictor(
        self, X: ArrayLike, strata: ArrayLike | None, y_pred: ArrayLike | None
    ) -> Predictor:
        predictor = self._predictor(X, strata)
        n_samples, targets = predictor.n_samples, self.fitted_.targets
        predictor.y_pred = check_predictions(y_pred, n_samples, targets)
        return predictor

    def _knows_targets(self) -> bool:
        check_is_fitted(self)
        return self.fitted_.targets is not None

    def _training_scores(self) -> NDArray[np.floating]:
        check_is_fitted(self)
        return training_scores(self.fitted_, self.settings().n_neighbors, self.n_jobs)
