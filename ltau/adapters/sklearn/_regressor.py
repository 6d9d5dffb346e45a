"""A regressor with error bars, around any other."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils import Tags, column_or_1d, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_consistent_length, validate_data

from ltau._inputs.labels import check_groups
from ltau._progress import progress
from ltau.adapters.sklearn._error_bars import ErrorBars
from ltau.adapters.sklearn._fold_calibration import calibration_on_folds
from ltau.adapters.sklearn._out_of_fold import Fold, out_of_fold
from ltau.adapters.sklearn._rows import as_rows, take, take_params
from ltau.adapters.sklearn._space import LatentSpace
from ltau.adapters.sklearn._splits import make_splits
from ltau.adapters.sklearn._stages import check_targets
from ltau.estimator import LTAUEstimator

__all__ = ["LTAURegressor"]

Floats = NDArray[np.float64]


class LTAURegressor(ErrorBars):
    """A regressor that says how wrong each of its predictions is likely to be.

    `fit` trains the regressor on all samples, and once more for each of `cv` folds to
    log the errors on the samples of the fold: most regressors come closer to the targets
    that they have seen than to new ones. `LTAUEstimator` learns from these errors, from the
    `LatentSpace` of the regressor that was trained on all samples, and from the targets, so
    that a prediction far from the targets nearby is trusted less beyond the training domain.

    The estimator is calibrated on the errors of all folds: in each fold, one that learns
    from what the fold's regressor has seen judges the samples that it has not seen.

    Parameters
    ----------
    estimator : regressor, default=None
        Any regressor that behaves like one of scikit-learn, a ``Pipeline``, a
        ``TransformedTargetRegressor`` or a search among them; by default
        ``HistGradientBoostingRegressor``. It gets the samples unchanged: frames keep the
        names and types of their columns. Boosted trees give errors after each tree, others
        only at the end.
    ltau : LTAUEstimator, default=None
        What learns from the errors. By default it averages the densities of the 20
        nearest samples, or of all if there are fewer, with equal weights; leaves out the
        first two thirds of the stages; and takes latents as they are, but standardises
        those that are features.
    cv : int, splitter or list of (train, test), default=5
        Number of folds, at least 2, or what makes them, or their rows. Each sample must be
        held out once. A number makes random folds, or with groups those of ``GroupKFold``.
        With n folds there are n + 1 trainings of the regressor. A prediction takes as long
        as the regressor's, plus the search for neighbours.
    random_state : int or None, default=0
        Seed of the folds, and of everything in the regressor that has no seed of its own;
        None draws differently each time.
    verbose : bool, int or None, default=None
        Whether `fit` tells on the standard error what it trains: None does on a terminal or in
        a notebook, once it has taken some seconds; True always, and False never.

    Attributes
    ----------
    estimator_ : regressor
        The regressor trained on all samples.
    space_ : LatentSpace
        The latents of `estimator_`, fitted to all samples.
    ltau_ : LTAUEstimator, or list of them
        Predicts errors from ``space_.latents(X)``, and ``estimator_.predict(X)`` as
        `y_pred`; one for each output where there are several. Its `reset_calibration`
        removes the calibration.
    n_features_in_ : int
        Number of features, where `X` is a table.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where `X` had any.

    Notes
    -----
    Errors on the samples that the regressor was trained on would make the intervals far
    too narrow. Errors on a single held-out share give the right level, but there are fewer
    neighbours to choose from, and so the ranking is worse.

    Levels of `predict_interval` are conformal scores of all training samples, each by the
    estimator of the fold that holds it out. They are close to exchangeable with those of
    new samples, but not quite: the regressor of a fold was trained on fewer samples, and
    the estimator learns from errors of the other folds' regressors.

    Where samples are not independent, such as repeated measurements, pass `groups`.
    Otherwise samples of one group lie in different folds, and errors look smaller than on a
    new group.

    Several outputs have error bars of their own: of the absolute error of each.

    References
    ----------
    Vita, Samanta, Zhou and Lordi, "LTAU-FF: Loss Trajectory Analysis for Uncertainty in
    atomistic Force Fields", *Mach. Learn.: Sci. Technol.* 2025,
    doi:10.1088/2632-2153/adb4b9, arXiv:2402.00853. Errors of held-out folds are not part
    of it.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.adapters.sklearn import LTAURegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(1000, 2))
    >>> y = X[:, 0] + np.exp(X[:, 1]) * rng.normal(size=1000)    # noise grows along X[:, 1]
    >>> model = LTAURegressor(random_state=0).fit(X, y)
    >>> prediction, std = model.predict([[0.5, -0.9], [0.5, 0.9]], return_std=True)
    >>> bool(std[1] > 2 * std[0])
    True
    >>> model.predict_interval([[0.5, -0.9], [0.5, 0.9]], level=0.9).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "ltau": [LTAUEstimator, None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            list,
        ],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        ltau: LTAUEstimator | None = None,
        cv: Any = 5,
        random_state: int | None = 0,
        verbose: bool | int | None = None,
    ) -> None:
        self.estimator = estimator
        self.ltau = ltau
        self.cv = cv
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self._new_estimator())
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.regressor_tags = inner.regressor_tags or tags.regressor_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Say where metadata goes: `groups` to this regressor, the rest to the one inside.

        Returns
        -------
        MetadataRouter
            The routing, as scikit-learn describes it.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self._new_estimator(), method_mapping=to_fit)

    def fit(
        self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Train the regressor, and learn from its errors on held-out samples.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Training samples, as the regressor takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), optional
            Group of each sample, an integer or a string, where samples are not independent.
            Those of a group are held out together, and error bars are right for new groups.
        **fit_params
            Passed on to ``fit`` of the regressor, such as `sample_weight`, or `eval_set`
            of a booster that stops early. A fold gets its rows of whatever has one row per
            sample; arguments that begin with ``eval_`` are passed on whole. Weights affect
            only the training: for error bars all samples count alike.

        Returns
        -------
        LTAURegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If the data or a parameter are not as described, there are fewer samples than
            folds, or a sample is not held out exactly once.
        """
        self._validate_params()
        X, targets = self._check_training(X, y)
        labels = check_groups(groups, len(targets))
        splits = make_splits(self.cv, X, targets, labels, self.random_state)
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit

        def train(rows: NDArray[np.intp]) -> Any:
            params = take_params(fit_params, rows, len(targets))
            return self._new_estimator().fit(take(X, rows), targets[rows], **params)

        with progress(f"{type(self).__name__}.fit", self.verbose) as tell:
            tell("model of all samples")
            self.estimator_ = train(np.arange(len(targets)))
            self.space_ = LatentSpace(self.estimator_, X)
            folds, errors = out_of_fold(train, X, targets, splits, tell)
            tell("errors and calibration")
            z = self.space_.latents(X)
            outputs = enumerate(zip(targets.reshape(len(targets), -1).T, errors, strict=True))
            learnt = [self._learn(z, folds, i, y_i, of_i, labels) for i, (y_i, of_i) in outputs]
        self.ltau_ = learnt[0] if targets.ndim == 1 else learnt
        return self

    def _learn(
        self,
        z: NDArray[np.floating[Any]],
        folds: list[Fold],
        output: int,
        y: Floats,
        errors: NDArray[np.float32],
        groups: NDArray[np.generic] | None,
    ) -> LTAUEstimator:
        """Fit and calibrate the estimator of one output."""
        ltau = self._new_ltau(len(y), errors.shape[1], self.space_.scaling)
        ltau.fit(z, errors, groups=groups, targets=y)
        ltau.calibration_ = calibration_on_folds(ltau, folds, output, y, errors, groups)
        return ltau

    def _new_estimator(self) -> Any:
        """Make an untrained regressor, and seed what in it has no seed of its own."""
        given = self.estimator is not None
        estimator = clone(self.estimator) if given else HistGradientBoostingRegressor()
        if self.random_state is not None:
            unseeded = {
                name: self.random_state
                for name, value in estimator.get_params().items()
                if value is None and name.rpartition("__")[2] == "random_state"
            }
            estimator.set_params(**unseeded)
        return estimator

    def _new_ltau(self, n_samples: int, n_stages: int, scaling: str) -> LTAUEstimator:
        if self.ltau is not None:
            return clone(self.ltau)
        burn_in = 2 / 3 if n_stages > 1 else 0
        return LTAUEstimator(n_neighbors=min(20, n_samples), burn_in=burn_in, scaling=scaling)

    def _check_training(self, X: Any, y: ArrayLike) -> tuple[Any, Floats]:
        """Keep samples as they came, and make an array of targets."""
        rows = as_rows(X)
        validate_data(self, rows, y, skip_check_array=True)
        targets = check_targets(y)
        check_consistent_length(rows, targets)
        column = targets.ndim == 2 and targets.shape[1] == 1
        return rows, column_or_1d(targets, warn=True) if column else targets
