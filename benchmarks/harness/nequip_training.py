"""Training of a small NequIP model, as a user would do it, with LTAU's recorders."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
from ase import Atoms

__all__ = ["CHECKPOINT", "TRAINING_FRAMES", "Training", "train"]

# In the folder of the training:
CHECKPOINT = "last.ckpt"
TRAINING_FRAMES, VALIDATION_FRAMES = "train.extxyz", "validation.extxyz"


@dataclass(frozen=True)
class Training:
    """What is trained, and how.

    Parameters
    ----------
    elements : tuple of str
        What the model knows.
    r_max : float
        Cutoff, in Å.
    n_features, n_epochs, batch_size : int
        Width of the model; passes over the structures; structures of a step.
    modes : tuple of str, default=("step", "eval")
        How errors are recorded, each in a folder of its name; none if empty.
    energy_weight : float, default=1.0
        Weight of the energy an atom in the loss, in which the forces have 1.
    scale : {"per_type_forces_rms", "forces_rms"}, default="per_type_forces_rms"
        What scales the energies: the forces on each element, or on all atoms, where the model is
        to know elements that it is not trained on.
    """

    elements: tuple[str, ...]
    r_max: float
    n_features: int
    n_epochs: int
    batch_size: int = 5
    modes: tuple[str, ...] = ("step", "eval")
    energy_weight: float = 1.0
    scale: str = "per_type_forces_rms"


def train(
    training: Training,
    seed: int,
    frames: Sequence[Atoms],
    validation: Sequence[Atoms],
    folder: Path,
) -> None:
    """Run ``nequip-train``; checkpoint and recorded errors are then in the folder.

    Parameters
    ----------
    training : Training
        What is trained, and how.
    seed : int
        Seed of the weights and of the order of the structures.
    frames, validation : sequence of ase.Atoms
        With energies and forces. The latter have no influence, but nequip wants some.
    folder : Path
        It exists.

    Raises
    ------
    RuntimeError
        If the training fails, with the end of what it says.
    """
    ase.io.write(folder / TRAINING_FRAMES, frames)
    ase.io.write(folder / VALIDATION_FRAMES, validation)
    (folder / "config.yaml").write_text(json.dumps(_configuration(training, seed)), "utf-8")
    command = [sys.executable, "-m", "nequip.scripts.train", "-cp", str(folder), "-cn", "config"]
    ran = subprocess.run(  # noqa: S603
        [*command, "hydra.run.dir=."], cwd=folder, capture_output=True, text=True
    )
    if ran.returncode:
        raise RuntimeError(f"nequip-train failed in {folder}:\n{ran.stderr[-4000:]}")


def _configuration(training: Training, seed: int) -> dict[str, Any]:
    """Configure nequip-train: small, and with nothing that belongs to LTAU but the callbacks."""
    recorders = [
        {
            "_target_": "ltau.adapters.nequip.ErrorRecorderCallback",
            "folder": f"${{hydra:runtime.output_dir}}/{mode}",
            "mode": mode,
        }
        for mode in training.modes
    ]
    checkpoint = {
        "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
        "dirpath": "${hydra:runtime.output_dir}",
        "save_last": True,
    }
    species = {"type_names": list(training.elements)}
    return {
        "run": ["train"],
        "data": {
            "_target_": "nequip.data.datamodule.ASEDataModule",
            "seed": seed,
            "train_file_path": TRAINING_FRAMES,
            "val_file_path": VALIDATION_FRAMES,
            "transforms": [
                {
                    "_target_": "nequip.data.transforms.NeighborListTransform",
                    "r_max": training.r_max,
                },
                {
                    "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                    "model_type_names": list(training.elements),
                },
            ],
            "train_dataloader": {"batch_size": training.batch_size, "shuffle": True},
            "val_dataloader": {"batch_size": 1},
            "stats_manager": {"_target_": "nequip.data.CommonDataStatisticsManager", **species},
        },
        "trainer": {
            "_target_": "lightning.Trainer",
            "accelerator": "cpu",
            "max_epochs": training.n_epochs,
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
                "coeffs": {"total_energy": training.energy_weight, "forces": 1.0},
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
                "r_max": training.r_max,
                "num_layers": 2,
                "l_max": 1,
                "parity": False,
                "num_features": training.n_features,
                "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
                "per_type_energy_scales": f"${{training_data_stats:{training.scale}}}",
                "per_type_energy_shifts": "${training_data_stats:per_atom_energy_mean}",
            },
        },
        "global_options": {"allow_tf32": False},
    }
