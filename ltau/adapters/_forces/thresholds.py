"""Limits that numbers of a run may pass for some steps, and no longer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ltau.adapters._forces.checks import is_number

__all__ = ["Thresholds"]


class Thresholds:
    """Count for how many steps in a row each number was above its limit, or not known.

    Parameters
    ----------
    limits : mapping of str to float or None
        The limit of each number, positive; None if it has none.
    patience : int
        Number of steps in a row that are too many.

    Raises
    ------
    ValueError
        If a limit or the patience is out of range.
    """

    def __init__(self, limits: Mapping[str, float | None], patience: int) -> None:
        self.limits = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in self.limits.items():
            if not is_number(limit) or not 0 < limit < np.inf:
                raise ValueError(f"Expected a positive, finite limit of {name}, got {limit!r}.")
            if "probability" in name and limit >= 1:
                raise ValueError(f"Expected a limit of {name} below 1, got {limit!r}.")
        if not isinstance(patience, int | np.integer) or patience < 1:
            raise ValueError(f"Expected patience to be an integer >= 1, got {patience!r}.")
        self.patience = patience
        self._counts = dict.fromkeys(self.limits, 0)

    @property
    def counting(self) -> bool:
        """Whether some number was above its limit in the last step."""
        return any(self._counts.values())

    def passed(self, row: Mapping[str, float | None]) -> str | None:
        """Count a step.

        Parameters
        ----------
        row : mapping of str to float or None
            The numbers of the step; None, which changes no count, where there is none; NaN,
            which counts as passed, where nothing is known.

        Returns
        -------
        str or None
            What was passed for too long, if anything; all counts then start again.
        """
        reached = []
        for name, limit in self.limits.items():
            value = row[name]
            if value is None:
                continue
            within = value <= limit  # NaN, where nothing is known, is not
            self._counts[name] = 0 if within else self._counts[name] + 1
            if self._counts[name] >= self.patience:
                relation = "is not within" if np.isnan(value) else ">"
                reached.append(f"{name} = {value:.4g} {relation} {limit:.4g}")
        if not reached:
            return None
        self._counts = dict.fromkeys(self.limits, 0)
        in_a_row = f" for {self.patience} steps in a row" if self.patience > 1 else ""
        return " and ".join(reached) + in_a_row
