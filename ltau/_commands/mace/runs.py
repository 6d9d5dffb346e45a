"""What ``ltau mace`` runs, with the options of the command line."""

from __future__ import annotations

from argparse import Namespace

from mace.cli import run_train
from mace.tools import build_default_arg_parser

from ltau._commands.structures import (
    check_not_packed,
    fit_arguments,
    predict_structures,
    save_fitted,
)
from ltau.adapters.mace import UncertainMACECalculator, fit_run, record_errors
from ltau.estimator import LTAUEstimator

__all__ = ["COMMANDS"]


def _train(options: Namespace) -> None:
    """Train as mace_run_train does, and record the errors."""
    arguments = build_default_arg_parser().parse_args(options.arguments)
    with record_errors(
        options.folder, mode=options.mode, head=options.head, overwrite=options.overwrite
    ):
        run_train.run(arguments)
    print(f"{options.folder}: the errors of all epochs")


def _fit(options: Namespace) -> None:
    """Fit an estimator to a training's folder, and save it."""
    fitted = fit_run(options.training, model=options.model, **fit_arguments(options))
    save_fitted(fitted, options.output)


def _predict(options: Namespace) -> None:
    """Write structures with the model's energies and forces, and how wrong the forces may be."""
    check_not_packed(options.output)
    calculator = UncertainMACECalculator.from_model(
        options.model,
        LTAUEstimator.load(options.estimator),
        level=options.level,
        device=options.device,
        head=options.head,
    )
    predict_structures(calculator, options.structures, options.output)


COMMANDS = {"train": _train, "fit": _fit, "predict": _predict}
