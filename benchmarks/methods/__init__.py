"""The methods that are compared: one protocol for every benchmark, one method a file.

`Method` is the protocol. The methods in ``learning`` train their own networks on rows of numbers,
for the benchmark of regression. Those in ``judging`` are given a model that is trained, for the
benchmark beyond the domain.
"""

from __future__ import annotations

from benchmarks.methods.costs import Costs, costs
from benchmarks.methods.method import Method, Prediction

__all__ = ["Costs", "Method", "Prediction", "costs"]
