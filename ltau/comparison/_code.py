"""What results depend on beside the data: the code of ltau and of a method, and libraries."""

from __future__ import annotations

import hashlib
import inspect
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from ltau.comparison._learner import Learner

__all__ = ["fingerprint", "versions"]

_LIBRARIES = (
    "crepes",
    "faiss-cpu",
    "lightgbm",
    "ltau",
    "mapie",
    "numpy",
    "scikit-learn",
    "scipy",
    "torch",
    "xgboost",
    "xgboost-cpu",
)


def fingerprint(method: type[Learner], model: Any) -> dict[str, str] | None:
    """Describe the code that a method runs.

    Parameters
    ----------
    method : type
        A subclass of `Learner`.
    model : regressor
        The model that it puts error bars on.

    Returns
    -------
    dict of str to str, or None
        Hashes of the source of ltau and of the modules of the method, of the model and of their
        bases, and versions of libraries. None where there is no source to look at, as of a class
        typed into a prompt.
    """
    parts = [model, *model.get_params().values()]
    kinds = [method, *(type(part) for part in parts if isinstance(part, BaseEstimator))]
    own = [cls for kind in kinds for cls in kind.__mro__ if not _is_known(cls)]
    try:
        sources = [inspect.getsource(inspect.getmodule(cls) or cls) for cls in own]
    except (OSError, TypeError):
        return None
    code = hashlib.sha256("\0".join([method.__qualname__, *sources]).encode()).hexdigest()
    return {"source of ltau": _hash_of_ltau(), "code": code} | versions()


@cache
def versions() -> dict[str, str]:
    """Give the versions of Python and of what methods may use."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _is_known(cls: type) -> bool:
    """Whether the code of a class is known by the hash of ltau, or by a version."""
    package = cls.__module__.partition(".")[0]
    return package in {"ltau", "sklearn", *sys.stdlib_module_names} - {"__main__"}


@cache
def _hash_of_ltau() -> str:
    folder = Path(__file__).resolve().parents[1]
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()
