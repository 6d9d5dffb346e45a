"""Labels of samples: the strata and the groups that they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._inputs.missing import fill_masked, find_missing

__all__ = [
    "as_labels",
    "check_group_numbers",
    "check_groups",
    "check_size",
    "check_strata",
    "check_strata_given",
    "refuse_one_group",
    "refuse_uncalibrated",
    "refuse_unseen",
]

Labels = NDArray[np.generic]

_KINDS = {"i": "integers", "u": "integers", "b": "integers", "U": "strings"}  # by dtype.kind
_HINTS = {"f": ": whole numbers become integers with astype(int)", "S": ": decode them"}


def as_labels(labels: ArrayLike, name: str) -> Labels:
    """Convert to a vector of labels that sort: all of one kind, and none missing.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        The labels.
    name : str
        What they are, for the messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels, as integers, strings, bool or floats where they are objects of these.

    Raises
    ------
    ValueError
        If they are not as described.
    """
    # In an array, a list of labels of several kinds would become one of strings.
    of_list = isinstance(labels, list | tuple)
    array = np.array(labels, object) if of_list else np.asarray(fill_masked(labels))
    if array.ndim != 1:
        column = array.ndim == 2 and array.shape[1] == 1
        hint = f" Pass the column as one of shape ({len(array)},)." if column else ""
        raise ValueError(f"Expected {name} to be 1-D, got shape {array.shape}.{hint}")
    if array.dtype.kind == "T":  # numpy's strings of variable width
        array = array.astype(object)
    n_missing = np.count_nonzero(find_missing(array))
    if n_missing:
        raise ValueError(
            f"Expected {name} with a label for every sample, got {n_missing} missing in "
            f"{len(array)}."
        )
    return _of_one_kind(array, name) if array.dtype == object else array


def check_strata(strata: ArrayLike | None, n_samples: int) -> Labels | None:
    """Check that there is one class, an integer or a string, for each sample."""
    return None if strata is None else _check(strata, n_samples, "strata")


def check_groups(groups: ArrayLike | None, n_samples: int) -> Labels | None:
    """Check that there is one group, an integer or a string, for each sample."""
    return None if groups is None else _check(groups, n_samples, "groups")


def check_group_numbers(
    groups: ArrayLike | None, strata: Labels | None, n_samples: int
) -> NDArray[np.intp] | None:
    """Give the groups of training samples numbers, and see that every stratum has several.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Group of each sample.
    strata : ndarray of shape (n_samples,) or None
        Class of each sample.
    n_samples : int
        Number of samples.

    Returns
    -------
    ndarray of shape (n_samples,), intp, or None
        Number of each sample's group, from 0.

    Raises
    ------
    ValueError
        If there is not a group for each sample; or all samples, or all of a stratum, are in
        one group: no distance to another would be known.
    """
    labels = check_groups(groups, n_samples)
    if labels is None:
        return None
    names, numbers = np.unique(labels, return_inverse=True)
    for stratum in [None] if strata is None else np.unique(strata):
        own = numbers if stratum is None else numbers[strata == stratum]
        if (own == own[0]).all():
            refuse_one_group(len(own), names[own[0]], stratum)
    return numbers


def refuse_one_group(n_samples: int, group: object, stratum: object) -> NoReturn:
    """Say that all samples, or all of a stratum, are in one group.

    Parameters
    ----------
    n_samples : int
        How many they are.
    group, stratum : label
        What they are of; no stratum is None.

    Raises
    ------
    ValueError
        Always.
    """
    where = "" if stratum is None else f" in stratum {stratum}"
    raise ValueError(
        f"Expected samples of at least 2 groups{where}, got {n_samples} that are all of "
        f"group {group}. Fit without groups, or with finer ones"
        + ("." if stratum is None else "; or without strata.")
    )


def check_strata_given(given: bool, at_fit: bool) -> None:
    """Refuse strata where there were none at fit, and the reverse."""
    if given != at_fit:
        how = "with" if at_fit else "without"
        raise ValueError(f"The estimator was fitted {how} strata: predict likewise.")


def refuse_unseen(asked: Iterable[Any], seen: Iterable[Any]) -> NoReturn:
    """Say which stratum was not seen at fit, or that strata are now of another kind.

    Parameters
    ----------
    asked : iterable of label
        The strata asked for, at least one of which was not seen.
    seen : iterable of label
        Those seen at fit.

    Raises
    ------
    ValueError
        Always.
    """
    asked, seen = list(asked), list(seen)
    _refuse_another_kind(asked[0], seen[0], "strata", "fit")
    unknown = next(label for label in asked if label not in seen)
    raise ValueError(
        f"Stratum {unknown} was not seen at fit, which saw {', '.join(map(str, seen))}."
    )


def refuse_uncalibrated(asked: object, calibrated: Iterable[Any]) -> NoReturn:
    """Say that a group was not calibrated, or that groups are now of another kind.

    Parameters
    ----------
    asked : label
        The group asked for.
    calibrated : iterable of label
        Those that were calibrated.

    Raises
    ------
    ValueError
        Always.
    """
    known = list(calibrated)
    _refuse_another_kind(asked, known[0], "groups", "calibration")
    listed = ", ".join(map(str, known))
    raise ValueError(f"Group {asked} was not calibrated; those that were: {listed}.")


def check_size(
    n_samples: int, n_neighbors: int, label: object, what: str = "training samples"
) -> None:
    """Refuse a stratum, or a training set without any, that has fewer samples than neighbours."""
    if n_samples < n_neighbors:
        where = "" if label is None else f" in stratum {label}"
        raise ValueError(
            f"Expected at least n_neighbors = {n_neighbors} {what}{where}, "
            f"got n_samples = {n_samples}."
        )


def _check(labels: ArrayLike, n_samples: int, name: str) -> Labels:
    if type(labels) is np.ndarray and labels.dtype.kind in "iu" and labels.shape == (n_samples,):
        return labels  # those of a step in a simulation, which are what they should be
    array = as_labels(labels, name)
    if array.shape != (n_samples,):
        raise ValueError(f"Expected {name} of shape ({n_samples},), got {array.shape}.")
    if array.dtype.kind not in _KINDS:
        of_objects = array.dtype == object and len(array)
        got = f"objects of type {type(array[0]).__name__}" if of_objects else str(array.dtype)
        hint = _HINTS.get(array.dtype.kind, "")
        raise ValueError(f"Expected {name} that are integers or strings, got {got}{hint}.")
    return array


def _of_one_kind(array: NDArray[np.object_], name: str) -> Labels:
    """Give labels out of a list or a data frame the dtype that they are of."""
    kinds = list({_plain(kind) for kind in set(map(type, array))})
    if len(kinds) > 1:
        got = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"Expected {name} that are all of one kind, got {got}.")
    if not kinds or kinds[0] not in (str, bool, int, float):
        return array
    try:
        return array.astype(kinds[0])
    except OverflowError:  # integers beyond 64 bits sort as the objects that they are
        return array


def _plain(kind: type) -> type:
    """Find the type of Python that a type of numpy or a subclass stands for."""
    if issubclass(kind, bool | np.bool_):
        return bool
    for base, plain in ((str, str), (Integral, int), (float | np.floating, float)):
        if issubclass(kind, base):
            return plain
    return kind


def _refuse_another_kind(asked: object, seen: object, name: str, when: str) -> None:
    now, then = _kind(asked), _kind(seen)
    if now != then:
        raise ValueError(f"Expected {name} that are {then}, as at {when}, got {now}.")


def _kind(label: object) -> str:
    return _KINDS[np.asarray(label).dtype.kind]
