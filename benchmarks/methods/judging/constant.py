"""The same error for all."""

from __future__ import annotations

from benchmarks.methods.judging.class_mean import ClassMean

__all__ = ["Constant"]


class Constant(ClassMean):
    """The errors of the validation samples."""

    by_class = False
