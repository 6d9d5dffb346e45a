"""nequip's global state, for as long as it is needed."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from nequip.utils import global_state

__all__ = ["nequip_state"]

_SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")  # environment variables that seeding sets


@contextmanager
def nequip_state() -> Iterator[None]:
    """Let nequip build, load and run its models, and put everything back afterwards.

    nequip keeps data in float64 by the default dtype of the process, and seeds every
    generator when it is first used. Here the default dtype is float64 while the context
    lasts. Afterwards it is what it was, and so are the generators of torch, numpy and
    Python: what nequip seeds, and what is drawn to build a model that is then loaded,
    is nobody else's business. Where nequip was not set up before, it will set itself up
    again when it is next asked to, as if it had not been used here.
    """
    was_set_up = global_state.global_state_initialized()
    dtype = torch.get_default_dtype()
    with _kept_generators():
        try:
            if not was_set_up:  # again would undo the precision that a run has chosen
                _set_up()
            torch.set_default_dtype(torch.float64)
            yield
        finally:
            torch.set_default_dtype(dtype)
            global_state._GLOBAL_STATE_INITIALIZED = was_set_up


def _set_up() -> None:
    with warnings.catch_warnings():
        # It still sets the fusion strategy of TorchScript, which is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        global_state.set_global_state()


@contextmanager
def _kept_generators() -> Iterator[None]:
    """Put the global random generators back to where they were."""
    seeds = {name: os.environ.get(name) for name in _SEEDS}
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002 (the legacy generator is what is seeded)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is None:  # what a seed of torch gives the devices when they start
            torch.cuda.manual_seed_all(torch.initial_seed())
        else:
            torch.cuda.set_rng_state_all(cuda)
        for name, value in seeds.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
