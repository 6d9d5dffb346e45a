"""``ltau fit``, ``predict``, ``calibrate`` and ``score``: an estimator of errors, from files."""

from ltau._commands.arrays import calibrate, fit, predict, score

__all__ = ["COMMANDS"]

COMMANDS = {"fit": fit, "predict": predict, "calibrate": calibrate, "score": score}
