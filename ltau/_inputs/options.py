"""Arguments that are one of a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

__all__ = ["OnError", "check_on_error", "check_option"]

OnError = Literal["warn", "raise"]


def check_option(name: str, value: object, options: Sequence[object]) -> None:
    """Refuse what is none of the options."""
    if value not in options:
        raise ValueError(f"Expected {name} {' or '.join(map(repr, options))}, got {value!r}.")


def check_on_error(on_error: str) -> None:
    """Refuse what cannot happen on an error of recording."""
    check_option("on_error", on_error, get_args(OnError))
