"""What nequip sets for the whole process, and whether it is put back."""

import os
import random

import numpy as np
import pytest
import torch
from nequip.utils import global_state
from nequip.utils.global_state import global_state_initialized

from ltau.adapters.nequip._state import nequip_state


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Let nequip not be set up yet, whatever ran before."""
    monkeypatch.setattr(global_state, "_GLOBAL_STATE_INITIALIZED", False)


def positions():
    """Where the global generators are."""
    numpy = np.random.get_state()  # noqa: NPY002 (the global one is what this is about)
    return random.getstate(), numpy[2], numpy[1].tolist(), torch.get_rng_state().tolist()


def draw():
    random.random()  # noqa: S311
    np.random.random()  # noqa: NPY002
    torch.rand(1)


@pytest.fixture
def float16():
    """A default dtype that nobody here sets."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("float16")
def test_nequip_is_set_up_while_the_context_lasts():
    with nequip_state():
        assert global_state_initialized()
        assert torch.get_default_dtype() == torch.float64
    assert torch.get_default_dtype() == torch.float16
    assert not global_state_initialized()  # whoever asks nequip next gets it set up whole


@pytest.mark.parametrize("fails", [False, True])
def test_generators_are_where_they_were(fails, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    monkeypatch.delenv("PL_SEED_WORKERS", raising=False)
    draw()
    before = positions()
    try:
        with nequip_state():
            assert all(now != then for now, then in zip(positions(), before, strict=True))
            draw()
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert positions() == before
    assert os.environ["PL_GLOBAL_SEED"] == "5"
    assert "PL_SEED_WORKERS" not in os.environ


def test_within_the_context_of_another_nothing_ends_early():
    with nequip_state():
        with nequip_state():
            pass
        assert global_state_initialized()
        assert torch.get_default_dtype() == torch.float64
