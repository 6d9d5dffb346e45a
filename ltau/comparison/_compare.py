"""From a table to a comparison of methods."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ltau._inputs.labels import check_groups
from ltau._progress import progress
from ltau.comparison._cells import Fold
from ltau.comparison._comparison import Comparison
from ltau.comparison._finding import find_methods
from ltau.comparison._learner import Learner
from ltau.comparison._models import make_model
from ltau.comparison._results import About
from ltau.comparison._rows import Rows
from ltau.comparison._running import run
from ltau.comparison._splits import make_splits
from ltau.comparison._table import as_table, as_target

__all__ = ["compare"]

_FEWEST_ROWS = 100  # a fifth of four fifths of which, 16 rows, are held out to calibrate


def compare(
    methods: str | Sequence[str | type[Learner]],
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    model: Any = "trees",
    cv: Any = 5,
    random_state: int = 0,
    categorical: Collection[str | int] = (),
    target: str = "y",
    cache: str | Path | None = None,
    verbose: bool | None = None,
) -> Comparison:
    """Compare methods that put error bars on a regression, on a table of yours.

    All methods put error bars on the same model. In each fold they learn from the same rows,
    and are tested on the same other rows. If a method fails the others continue, and the
    comparison says why.

    Parameters
    ----------
    methods : str or type, or list of them
        Names of methods that come with ltau, ``"all"`` for all of them, classes of your own,
        which derive from `ltau.comparison.Learner`, or where to import these from, as
        ``"module:Class"``. *Constant* is always included: costs are relative to it.
    X : array-like, frame or dict of columns, of shape (n_samples, n_columns)
        Features: numbers, and text for categories, of which a column has at most 100.
        Categories are one-hot encoded, the same for every method.
    y : array-like of shape (n_samples,)
        Target.
    groups : array-like of shape (n_samples,), optional
        Group of each row, an integer or a string, where rows are not independent: those of a
        group are in the same fold, and are drawn together for the intervals of the scores.
    model : {"trees", "network", "xgboost", "lightgbm"} or regressor, default="trees"
        What the error bars are for: ``HistGradientBoostingRegressor`` of scikit-learn,
        `ltau.comparison.network.Network`, ``XGBRegressor``, ``LGBMRegressor``, or any regressor
        that behaves like one of scikit-learn.
    cv : int, splitter or list of (train, test), default=5
        Number of folds, at least 2, or what makes them, or their rows.
    random_state : int, default=0
        Seed of the folds; the seed of a fold is this plus its number.
    categorical : collection of str or int
        Columns whose numbers are categories: their names, or for an array their numbers.
    target : str, default="y"
        Name of the target, for tables and figures.
    cache : str or Path, optional
        Folder that keeps the results of each method on each fold, so that a comparison
        continues where it was stopped. Results are kept by the data, the settings, and the code
        of ltau and of the modules of methods, but not by what else those import. By default
        nothing is kept.
    verbose : bool or None, default=None
        Whether to tell on the standard error what is measured: None does on a terminal or in a
        notebook, once it has taken some seconds; True always, and False never.

    Returns
    -------
    Comparison
        Scores with intervals, costs, and a report.

    Raises
    ------
    ValueError
        If there are fewer than 100 rows, values are missing, the target is not numeric, a
        method or model is unknown, a class is not a method, or there are fewer groups than
        folds.
    ImportError
        If the model is not installed.

    Notes
    -----
    Methods of ltau for a network: *LTAU*, *LTAU, held-out*, *LTAU, out-of-fold*, *MC dropout*,
    *Deep ensemble*, *Quantile regression*, *Split conformal*, *Constant*. For other models:
    *LTAU* (`ltau.adapters.sklearn.LTAURegressor`), *Bootstrap ensemble*, *Quantile regression*,
    *Conformal quantiles*, *Normalised conformal*, *Split conformal*, *Constant*.

    Examples
    --------
    >>> import numpy as np
    >>> import ltau
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(200, 2))
    >>> y = X[:, 0] + np.exp(X[:, 1]) * rng.normal(size=200)
    >>> comparison = ltau.compare(["Quantile regression"], X, y, cv=2)
    >>> comparison.methods
    ('Quantile regression', 'Constant')
    """
    table = as_table(X, categorical)
    features = table.encode()
    if len(features) < _FEWEST_ROWS:
        raise ValueError(f"Expected at least {_FEWEST_ROWS} rows, got {len(features)}.")
    rows = Rows(features, as_target(y, len(features)), check_groups(groups, len(features)))
    regressor = make_model(model)
    found, skipped = find_methods(methods, regressor)
    folds = [
        Fold(rows.take(train), rows.take(test), test, random_state + number)
        for number, (train, test) in enumerate(make_splits(cv, rows, random_state))
    ]
    where = None if cache is None else Path(cache)
    with progress("ltau.compare", verbose) as tell:
        cells, lost = run(found, regressor, folds, where, tell)
    name = model if isinstance(model, str) else type(model).__name__
    about = About(target, name, random_state, table, rows.groups, lost, skipped)
    return Comparison(cells, folds, about)
