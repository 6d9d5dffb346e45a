"""The methods that are compared: those of ltau by their names, and those of the user."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from ltau.comparison._learner import Learner
from ltau.comparison._models import is_network

__all__ = ["ALL", "REFERENCE", "Methods", "find_methods"]

ALL = "all"  # methods of ltau
REFERENCE = "Constant"  # one model and one prediction: the unit of cost

_OF_NETWORKS = {
    "LTAU": "ltau.LTAU",
    "LTAU, held-out": "ltau_held_out.LTAUHeldOut",
    "LTAU, out-of-fold": "ltau_out_of_fold.LTAUOutOfFold",
    "MC dropout": "mc_dropout.MCDropout",
    "Deep ensemble": "deep_ensemble.DeepEnsemble",
    "Quantile regression": "quantile_regression.QuantileRegression",
    "Split conformal": "split_conformal.SplitConformal",
    REFERENCE: "constant.Constant",
}
_OF_REGRESSORS = {
    "LTAU": "ltau_regressor.LTAUOfRegressor",
    "Bootstrap ensemble": "bootstrap_ensemble.BootstrapEnsemble",
    "Quantile regression": "quantile_regression.QuantileRegression",
    "Conformal quantiles": "conformal_quantiles.ConformalQuantiles",
    "Normalised conformal": "normalized_conformal.NormalizedConformal",
    "Split conformal": "split_conformal.SplitConformal",
    REFERENCE: "constant.Constant",
}

Methods = dict[str, type[Learner]]


def find_methods(
    methods: str | Sequence[str | type[Learner]], model: Any
) -> tuple[Methods, dict[str, str]]:
    """Find the classes of methods.

    Parameters
    ----------
    methods : str or type, or sequence of them
        Names of methods of ltau, ``"all"`` of them, subclasses of `Learner`, and where to import
        these from, as ``"module:Class"``. The reference is added where it is missing: costs are
        told in its units.
    model : regressor
        What they put error bars on.

    Returns
    -------
    found : dict of str to type
        Classes, by the names that tables show.
    skipped : dict of str to str
        Methods that need what is not installed, and what to install.

    Raises
    ------
    ValueError
        If there is no such method, a class is no subclass of `Learner`, or two methods have the
        same name.
    """
    single = isinstance(methods, str) or inspect.isclass(methods)
    found: Methods = {}
    skipped: dict[str, str] = {}
    for method in _spelt_out([methods] if single else methods, model):  # type: ignore[list-item]
        name = method if isinstance(method, str) else method.name
        if name in found or name in skipped:
            raise ValueError(f"Expected methods with names of their own, got {name!r} twice.")
        try:
            found[name] = _import(name, model) if isinstance(method, str) else method
        except ModuleNotFoundError as error:
            skipped[name] = f"needs {error.name}: pip install 'ltau[compare]'"
    return found, skipped


def _spelt_out(methods: Sequence[str | type[Learner]], model: Any) -> Iterator[str | type[Learner]]:
    """Give names and classes: for ``"all"`` the names, and classes of the user imported."""
    wanted: list[str | type[Learner]] = []
    for method in methods:
        if method == ALL:
            wanted += _known(model)
        elif isinstance(method, str) and ":" in method:
            wanted.append(_import_own(method))
        else:
            wanted.append(method if isinstance(method, str) else _checked(method))
    return iter(wanted if REFERENCE in wanted else [*wanted, REFERENCE])


def _import_own(path: str) -> type[Learner]:
    """Import a method of the user, from ``module:Class``."""
    module, _, name = path.partition(":")
    try:
        method = getattr(import_module(module), name)
    except (ModuleNotFoundError, ValueError) as error:
        raise ValueError(f"Cannot import a method from {path!r}: {error}.") from error
    except AttributeError as error:
        raise ValueError(f"Expected a class {name!r} in the module {module}, got none.") from error
    return _checked(method)


def _known(model: Any) -> dict[str, str]:
    return _OF_NETWORKS if is_network(model) else _OF_REGRESSORS


def _import(name: str, model: Any) -> type[Learner]:
    """Import a method of ltau."""
    known = _known(model)
    if name not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(f"Expected a method of {names}, or module:Class, got {name!r}.")
    module, _, class_name = known[name].partition(".")
    method: type[Learner] = getattr(import_module(f"ltau.comparison._methods.{module}"), class_name)
    return method


def _checked(method: Any) -> type[Learner]:
    if not (inspect.isclass(method) and issubclass(method, Learner)):
        raise ValueError(f"Expected a subclass of ltau.comparison.Learner, got {method!r}.")
    missing = sorted(getattr(method, "__abstractmethods__", ()))
    if missing:
        raise ValueError(f"Expected {method.__name__} to define {' and '.join(missing)}.")
    return method
