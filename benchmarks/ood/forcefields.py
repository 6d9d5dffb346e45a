"""NequIP models trained as a user would, and what they make of every structure."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

import ltau
from benchmarks.cells import cached_arrays
from benchmarks.ood import acac, emt
from benchmarks.ood.domains import Domain, Samples

__all__ = ["ForceField", "domain", "train"]

Arrays = dict[str, NDArray[Any]]

_BATCH = 32  # structures that go through a trained model at once


@dataclass(frozen=True)
class ForceField:
    """What is trained, and on how much."""

    name: str  # "acac" or "emt"
    elements: tuple[str, ...]
    r_max: float  # Å
    n_features: int
    n_epochs: int
    n_train: int
    n_test: int
    n_members: int  # of the ensemble

    def frames(self, cells: Path) -> dict[str, list[Atoms]]:
        """Give the structures of each part; those that are made are kept in `cells`."""
        if self.name == "emt":
            return emt.frames(self.n_train, self.n_test, cells)
        return acac.frames(self.n_train, self.n_test)


def train(field: ForceField, seed: int, cells: Path) -> Arrays:
    """Train one model, unless that is done, and evaluate it on every structure.

    Parameters
    ----------
    field : ForceField
        What to train.
    seed : int
        Seed of the weights and of the order of the structures.
    cells : Path
        Where the results are kept.

    Returns
    -------
    dict of str to ndarray
        ``training_seconds`` and ``pass_seconds``, of the processor, the latter for an atom;
        ``step`` and ``eval``, errors while it trained; of each part ``PART/latents`` and
        ``PART/forces``.
    """
    config = asdict(field) | {"seed": seed, "ltau": ltau.__version__, "nequip": version("nequip")}
    del config["n_members"]
    return cached_arrays(cells, config, lambda: _train(field, seed, field.frames(cells)))


def _train(field: ForceField, seed: int, frames: dict[str, list[Atoms]]) -> Arrays:
    from ltau.log import ErrorLog

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("train", "validation"):
            ase.io.write(folder / f"{part}.extxyz", frames[part])
        (folder / "config.yaml").write_text(json.dumps(_configuration(field, seed)), "utf-8")
        command = [sys.executable, "-m", "nequip.scripts.train", "-cp", name, "-cn", "config"]
        before = _seconds_of_children()
        ran = subprocess.run(  # noqa: S603
            [*command, "hydra.run.dir=."], cwd=folder, capture_output=True, text=True
        )
        if ran.returncode:
            raise RuntimeError(f"nequip-train failed on {field.name}:\n{ran.stderr[-4000:]}")
        arrays: Arrays = {"training_seconds": np.array(_seconds_of_children() - before)}
        for mode in ("step", "eval"):
            arrays[mode] = np.asarray(ErrorLog(folder / mode / "forces")[:])
        return arrays | _evaluate(folder / "last.ckpt", frames)


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _configuration(field: ForceField, seed: int) -> dict[str, Any]:
    """Configure nequip-train: small, and with nothing that belongs to LTAU but the callbacks."""
    recorders = [
        {
            "_target_": "ltau.adapters.nequip.ErrorRecorderCallback",
            "folder": f"${{hydra:runtime.output_dir}}/{mode}",
            "mode": mode,
        }
        for mode in ("step", "eval")
    ]
    checkpoint = {
        "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
        "dirpath": "${hydra:runtime.output_dir}",
        "save_last": True,
    }
    species = {"type_names": list(field.elements)}
    return {
        "run": ["train"],
        "data": {
            "_target_": "nequip.data.datamodule.ASEDataModule",
            "seed": seed,
            "train_file_path": "train.extxyz",
            "val_file_path": "validation.extxyz",
            "transforms": [
                {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": field.r_max},
                {
                    "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                    "model_type_names": list(field.elements),
                },
            ],
            "train_dataloader": {"batch_size": 5, "shuffle": True},
            "val_dataloader": {"batch_size": _BATCH},
            "stats_manager": {"_target_": "nequip.data.CommonDataStatisticsManager", **species},
        },
        "trainer": {
            "_target_": "lightning.Trainer",
            "accelerator": "cpu",
            "max_epochs": field.n_epochs,
            "limit_val_batches": 1,  # what it says is not looked at, and a checkpoint needs it
            "num_sanity_val_steps": 0,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [*recorders, checkpoint],
        },
        "training_module": {
            "_target_": "nequip.train.EMALightningModule",
            "ema_decay": 0.99,
            "loss": {
                "_target_": "nequip.train.EnergyForceLoss",
                "per_atom_energy": True,
                "coeffs": {"total_energy": 1.0, "forces": 1.0},
            },
            "val_metrics": {
                "_target_": "nequip.train.EnergyForceMetrics",
                "coeffs": {"forces_mae": 1.0},
            },
            "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01},
            "model": {
                "_target_": "nequip.model.NequIPGNNModel",
                "seed": seed,
                "model_dtype": "float32",
                **species,
                "r_max": field.r_max,
                "num_layers": 2,
                "l_max": 1,
                "parity": False,
                "num_features": field.n_features,
                "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
                "per_type_energy_scales": "${training_data_stats:per_type_forces_rms}",
                "per_type_energy_shifts": "${training_data_stats:per_atom_energy_mean}",
            },
        },
        "global_options": {"allow_tf32": False},
    }


def _evaluate(checkpoint: Path, frames: dict[str, list[Atoms]]) -> Arrays:
    """Give latents and forces of every atom, and the time that one takes."""
    import torch
    from nequip.data import AtomicDataDict

    from ltau.adapters.nequip import load_model
    from ltau.adapters.nequip._latents import latents_of
    from ltau.adapters.nequip._state import nequip_state
    from ltau.adapters.nequip._structures import read

    torch.set_num_threads(1)
    model = load_model(checkpoint)
    arrays, seconds, n_atoms = {}, 0.0, 0
    with nequip_state():
        for part, structures in frames.items():
            outputs = []
            for start in range(0, len(structures), _BATCH):
                batch = structures[start : start + _BATCH]
                fields = AtomicDataDict.batched_from_list([read(a, model, part) for a in batch])
                before = time.process_time()
                out = model.module(fields)
                seconds += time.process_time() - before
                forces = out[AtomicDataDict.FORCE_KEY].detach().numpy().astype(np.float32)
                outputs.append((latents_of(out), forces))
                n_atoms += len(forces)
            arrays[f"{part}/latents"], arrays[f"{part}/forces"] = map(
                np.concatenate, zip(*outputs, strict=True)
            )
    return arrays | {"pass_seconds": np.array(seconds / n_atoms)}


def domain(field: ForceField, seed: int, cells: Path) -> Domain:
    """Put together what the methods need to know of one of the models.

    Parameters
    ----------
    field : ForceField
        What was trained.
    seed : int
        The model; all models of the ensemble predict beside it.
    cells : Path
        Where the results are kept.

    Returns
    -------
    Domain
        Atoms, with the lengths of the errors of their forces in eV/Å.
    """
    models = [train(field, member, cells) for member in range(field.n_members)]
    frames = field.frames(cells)
    sizes = {"Ensemble of 2": 2, f"Ensemble of {field.n_members}": field.n_members}
    members = {
        name: [models[(seed + shift) % len(models)] for shift in range(size)]
        for name, size in sizes.items()
    }

    def samples(part: str, structures: list[Atoms]) -> Samples:
        truth = np.concatenate([atoms.get_forces() for atoms in structures])
        errors = np.linalg.norm(models[seed][f"{part}/forces"] - truth, axis=1)
        return Samples(
            latents=models[seed][f"{part}/latents"],
            errors=errors,
            structures=np.repeat(np.arange(len(structures)), [len(a) for a in structures]),
            classes=np.concatenate([atoms.numbers for atoms in structures]),
            spreads={
                name: _spread(np.stack([model[f"{part}/forces"] for model in group]))
                for name, group in members.items()
            },
        )

    parts = {part: samples(part, structures) for part, structures in frames.items()}
    return Domain(
        train=parts.pop("train"),
        trajectories={mode: models[seed][mode] for mode in ("step", "eval")},
        validation=parts.pop("validation"),
        tests=parts,
        training_seconds=float(models[seed]["training_seconds"]),
        pass_seconds=float(models[seed]["pass_seconds"]),
        trainings=sizes,
        passes=sizes,
        unit="eV/Å",
    )


def _spread(forces: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root of the mean squared distance of the members' forces from their mean."""
    around = forces.astype(np.float64) - forces.mean(axis=0, dtype=np.float64)
    spread: NDArray[np.float64] = np.sqrt((around**2).sum(axis=2).mean(axis=0))
    return spread
