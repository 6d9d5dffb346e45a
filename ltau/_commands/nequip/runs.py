"""What ``ltau nequip`` runs, with the options of the command line."""

from __future__ import annotations

from argparse import Namespace

from ltau._commands.structures import (
    check_not_packed,
    fit_arguments,
    predict_structures,
    save_fitted,
)
from ltau.adapters.nequip import UncertainNequIPCalculator, compile_model, fit_run
from ltau.estimator import LTAUEstimator

__all__ = ["COMMANDS"]


def _fit(options: Namespace) -> None:
    """Fit an estimator to a training's folder, and save it."""
    fitted = fit_run(
        options.training,
        checkpoint=options.checkpoint,
        target=options.target,
        **fit_arguments(options),
    )
    save_fitted(fitted, options.output)


def _predict(options: Namespace) -> None:
    """Write structures with the model's energies and forces, and how wrong the forces may be."""
    check_not_packed(options.output)
    calculator = UncertainNequIPCalculator.from_model(
        options.model,
        LTAUEstimator.load(options.estimator),
        level=options.level,
        device=options.device,
    )
    predict_structures(calculator, options.structures, options.output)


def _compile(options: Namespace) -> None:
    """Compile a model that gives its latents too, and how wrong the forces may be."""
    estimator = None if options.estimator is None else LTAUEstimator.load(options.estimator)
    compile_model(
        options.model,
        options.output,
        estimator=estimator,
        level=options.level,
        device=options.device,
    )
    more = "latents" if estimator is None else "latents, and the uncertainty of the forces"
    print(f"{options.output}: gives energies, forces, stress, {more}")


COMMANDS = {"fit": _fit, "predict": _predict, "compile": _compile}
