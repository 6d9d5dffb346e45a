"""The models that methods put error bars on, by their names."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator, is_regressor

__all__ = ["MODELS", "NETWORK", "is_network", "make_model"]

NETWORK = "network"


class _Model(NamedTuple):
    """Where a model comes from, what to install for it, and its parameters.

    Some count the cores themselves, and would not keep to the one thread that costs are told of.
    """

    module: str
    name: str
    extra: str = ""
    params: tuple[tuple[str, Any], ...] = ()


MODELS = {
    "trees": _Model("sklearn.ensemble", "HistGradientBoostingRegressor"),
    NETWORK: _Model("ltau.comparison.network", "Network", "compare"),
    "xgboost": _Model("xgboost", "XGBRegressor", "xgboost", (("n_jobs", 1),)),
    "lightgbm": _Model("lightgbm", "LGBMRegressor", "lightgbm", (("n_jobs", 1), ("verbosity", -1))),
}


def make_model(model: Any) -> Any:
    """Make the model of a name, or check that what was given is a regressor.

    Parameters
    ----------
    model : str or regressor
        One of `MODELS`, or a regressor that behaves like one of scikit-learn.

    Returns
    -------
    regressor
        Untrained.

    Raises
    ------
    ValueError
        If there is no such model.
    ImportError
        If a package that it needs is not installed.
    """
    if not isinstance(model, str):
        if not (isinstance(model, BaseEstimator) and is_regressor(model)):
            raise ValueError(f"Expected a regressor or one of {', '.join(MODELS)}, got {model!r}.")
        return model
    if model not in MODELS:
        raise ValueError(f"Expected a model of {', '.join(MODELS)}, got {model!r}.")
    module, name, extra, params = MODELS[model]
    try:
        return getattr(import_module(module), name)(**dict(params))
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The model {model!r} needs {error.name}: pip install 'ltau[{extra}]'"
        ) from error


def is_network(model: Any) -> bool:
    """Whether a model logs its errors and gives its latents, as `Network` does."""
    return hasattr(model, "readout") and hasattr(model, "latents")
