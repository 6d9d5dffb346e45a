"""The force fields that the example trains: NequIP, Allegro, MACE, SevenNet, each its own way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

    from ltau import LTAUEstimator

__all__ = ["MODELS", "calculator", "fit", "train"]

MODELS = "nequip", "allegro", "mace", "sevennet"

HERE = Path(__file__).resolve().parent

# Of the isolated atoms in the data set, in eV.
ENERGIES = {1: -13.568422178253735, 6: -1026.8538996116154, 8: -2037.796869412825}

OF_MACE = (
    "--name=acac --seed=0 --work_dir=training --train_file=train.extxyz "
    "--valid_file=validation.extxyz --energy_key=energy --forces_key=forces --model=MACE "
    "--num_interactions=2 --num_channels=16 --max_L=0 --r_max=5.0 --correlation=2 --batch_size=5 "
    "--lr=0.01 --ema --ema_decay=0.99 --default_dtype=float32 --device=cpu"
)


def train(folder: Path, model: str, n_epochs: int) -> None:
    """Train on ``train.extxyz`` in a folder; a training that was stopped goes on."""
    if model == "sevennet":
        import fine_tuning

        fine_tuning.train(folder, n_epochs)
        return
    if model == "mace":
        command = ["-m", "ltau", "mace", "train", "--mode", "eval", "training/ltau"]
        command += [*OF_MACE.split(), f"--E0s={ENERGIES}", f"--max_num_epochs={n_epochs}"]
        command += ["--restart_latest"] * (folder / "training" / "checkpoints").exists()
    else:
        command = ["-m", "nequip.scripts.train", "-cp", str(HERE), "-cn", "acac.yaml"]
        command += [f"model@training_module.model={model}"]
        command += [f"trainer.max_epochs={n_epochs}", "hydra.run.dir=training"]
        if (folder / "training" / "last.ckpt").exists():
            command += ["+ckpt_path=training/last.ckpt"]
    subprocess.run([sys.executable, *command], cwd=folder, check=True)  # noqa: S603


def fit(folder: Path, model: str) -> LTAUEstimator:
    """Fit an estimator to what the training left."""
    if model == "mace":
        from ltau.adapters.mace import fit_run as fit_mace

        return fit_mace(folder / "training", progress=True)
    if model == "sevennet":
        import fine_tuning

        return fine_tuning.fit(folder)
    from ltau.adapters.nequip import fit_run

    return fit_run(folder / "training", progress=True)


def calculator(folder: Path, model: str, estimator: LTAUEstimator) -> BaseCalculator:
    """Make a calculator of the trained model, which keeps latents."""
    training = folder / "training"
    if model == "mace":
        from ltau.adapters.mace import UncertainMACECalculator

        saved = training / "checkpoints" / "acac_run-0.model"
        return UncertainMACECalculator.from_model(saved, estimator, level=0.9, keep_latents=True)
    if model == "sevennet":
        import fine_tuning

        return fine_tuning.calculator(folder, estimator)
    from ltau.adapters.nequip import UncertainNequIPCalculator

    return UncertainNequIPCalculator.from_model(
        training / "last.ckpt", estimator, level=0.9, keep_latents=True
    )
