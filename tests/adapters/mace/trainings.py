"""Small trainings of MACE: structures of copper and gold, forces by EMT."""

import copy
import logging
import warnings
from contextlib import contextmanager

import ase.io
import numpy as np
import pytest

pytest.importorskip("mace", reason="MACE has an environment of its own: see make test")

import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from mace import tools
from mace.calculators import MACECalculator
from mace.cli import run_train
from mace.tools import build_default_arg_parser
from torch_ema import ExponentialMovingAverage

ARGUMENTS = (
    "--model=MACE --num_interactions=2 --num_channels=2 --max_L=1 --max_ell=1 --correlation=1 "
    "--radial_MLP=[8] --MLP_irreps=4x0e --r_max=4.0 --E0s={29:0.0,79:0.0} --batch_size=4 "
    "--valid_batch_size=4 --lr=0.02 --seed=0 --device=cpu --default_dtype=float32 --ema "
    "--ema_decay=0.9 --energy_key=REF_energy --forces_key=REF_forces"
)
TAG = "small_run-0"


def labelled(atoms, **info):
    """A structure with what EMT says of it, under the names that MACE looks for."""
    known = atoms.copy()
    known.calc = EMT()
    known.info = {"REF_energy": known.get_potential_energy(), **info}
    known.arrays["REF_forces"] = known.get_forces()
    known.calc = None
    return known


def structures(n, seed):
    """Crystals of two, and molecules of three atoms; four of a run."""
    rng = np.random.default_rng(seed)
    crystal = bulk("CuAu", "zincblende", 5.6)
    molecule = Atoms("CuAuCu", [[0.0, 0.0, 0.0], [0.0, 2.5, 0.0], [2.4, 0.0, 0.3]])
    frames = []
    for number in range(n):
        atoms = (crystal if number % 2 else molecule).copy()
        atoms.rattle(0.1, rng=rng)
        frames.append(labelled(atoms, run=f"run {number // 4}"))
    return frames


def arguments(folder, frames, held_out, more=""):
    """What mace_run_train is told to train in a folder."""
    folder.mkdir(exist_ok=True)
    ase.io.write(folder / "train.xyz", frames)
    ase.io.write(folder / "valid.xyz", held_out)
    files = f"--train_file={folder / 'train.xyz'} --valid_file={folder / 'valid.xyz'}"
    return f"--name=small --work_dir={folder} {files} {ARGUMENTS} {more}".split()


@contextmanager
def process_as_it_was():
    """Take back what mace_run_train sets for the process."""
    root, dtype = logging.getLogger(), torch.get_default_dtype()
    handlers, level = list(root.handlers), root.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
        torch.set_default_dtype(dtype)


def run(told):
    """Run mace_run_train."""
    with process_as_it_was():
        run_train.run(build_default_arg_parser().parse_args(told))


class Stop(Exception):
    """Ends mace_run_train where it would begin to train."""


def prepare(told):
    """What mace_run_train calls ``mace.tools.train`` with."""
    found = {}

    def stop(**given):
        found.update(given)
        raise Stop

    original, tools.train = tools.train, stop
    try:
        with pytest.raises(Stop):
            run(told)
    finally:
        tools.train = original
    return found


def copied(prepared):
    """Copy the arguments of a training; what cannot be copied is made anew."""
    others = {
        name: value for name, value in prepared.items() if name not in ("ema", "lr_scheduler")
    }
    given = copy.deepcopy(others)
    given["ema"] = ExponentialMovingAverage(given["model"].parameters(), decay=0.9)
    given["lr_scheduler"] = torch.optim.lr_scheduler.ReduceLROnPlateau(given["optimizer"])
    return given


def train(prepared, **changes):
    """Train a copy of the model, and give the arguments of it."""
    given = copied(prepared) | changes
    with process_as_it_was():
        torch.set_default_dtype(torch.float32)
        torch.manual_seed(0)
        tools.train(**given)
    return given


def errors_of(model, frames):
    """Force errors by MACE's own calculator."""
    calculator = MACECalculator(models=model, device="cpu", default_dtype="float32")
    errors = []
    for frame in frames:
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        atoms.calc = calculator
        errors.append(np.linalg.norm(atoms.get_forces() - frame.arrays["REF_forces"], axis=1))
    return np.concatenate(errors)
