"""Costs are told by the right clock."""

import time

import numpy as np
import pytest

from benchmarks.harness.timing import (
    fastest,
    peak_bytes,
    processor_seconds,
    quartiles,
    wall_seconds,
)


@pytest.mark.parametrize(
    ("timer", "clock"), [(processor_seconds, "process_time"), (wall_seconds, "perf_counter")]
)
def test_a_call_is_timed_by_its_clock(timer, clock, monkeypatch):
    ticks = iter([3.0, 7.5])
    monkeypatch.setattr(time, clock, lambda: next(ticks))
    assert timer(lambda: "result") == ("result", 4.5)


def test_the_fastest_of_some_rounds_counts(monkeypatch):
    ticks = iter([0.0, 3.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    assert fastest(lambda: None, 3) == 1.0


def test_quartiles_are_those_of_numpy():
    values = np.random.default_rng(0).exponential(size=40)
    assert quartiles(values) == pytest.approx(tuple(np.percentile(values, [25, 50, 75])))


def test_the_peak_of_memory_counts_in_bytes():
    before = peak_bytes()
    block = np.ones(before // 8 + 4_000_000)  # more than there ever was
    assert peak_bytes() >= block.nbytes
