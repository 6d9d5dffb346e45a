"""Tasks in other processes, and the threads of this one."""

import math

import pytest

pytest.importorskip("torch")

import torch

from benchmarks.harness.parallel import one_thread, run_all


def test_tasks_at_once_give_their_results_in_order():
    arguments = [(float(x),) for x in (9, 4, 1)]
    assert run_all(math.sqrt, arguments, 2, "task") == [3, 2, 1]


def test_one_thread_is_for_as_long_as_it_is_asked_for():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
