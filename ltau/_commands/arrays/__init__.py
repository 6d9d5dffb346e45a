"""``ltau fit``, ``predict``, ``calibrate`` and ``score``: an estimator of errors, from files."""

from typing import Any

COMMANDS: dict[str, Any] = {}
