"""What results depend on beside the data: the code of ltau and of a method, and libraries."""

from __future__ import annotations

import hashlib
import inspect
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ltau.comparison._learner import Learner

__all__ = ["fingerprint"]

_LIBRARIES = ("crepes", "lightgbm", "mapie", "numpy", "scikit-learn", "scipy", "torch", "xgboost")


def fingerprint(method: type[Learner]) -> dict[str, str] | None:
    """Describe the code that a method runs.

    Parameters
    ----------
    method : type
        A subclass of `Learner`.

    Returns
    -------
    dict of str to str, or None
        Hashes of the source of ltau and of the modules of the method and its bases, and versions
        of libraries. None where there is no source to look at, as of a class typed into a prompt.
    """
    own = [cls for cls in method.__mro__ if not _is_of_library(cls)]
    try:
        sources = [inspect.getsource(inspect.getmodule(cls) or cls) for cls in own]
    except (OSError, TypeError):
        return None
    code = hashlib.sha256("\0".join([method.__qualname__, *sources]).encode()).hexdigest()
    return {"ltau": _hash_of_ltau(), "method": code, **_versions()}


def _is_of_library(cls: type) -> bool:
    """Whether the code of a class is known by the hash of ltau, or by Python's version."""
    package = cls.__module__.partition(".")[0]
    return package == "ltau" or package in sys.stdlib_module_names - {"__main__"}


@cache
def _hash_of_ltau() -> str:
    folder = Path(__file__).resolve().parents[1]
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


@cache
def _versions() -> dict[str, str]:
    versions = {"python": sys.version}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions
