"""What ``ltau frames`` runs, with the options of the command line."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator

from ltau._commands.structures import (
    check_not_packed,
    given_estimator,
    predict_structures,
    save_fitted,
)
from ltau.adapters.ase import UncertainCalculator, fit_frames
from ltau.estimator import LTAUEstimator
from ltau.structures import iread

__all__ = ["COMMANDS"]


def _fit(options: Namespace) -> None:
    """Fit an estimator to the errors of calculators, and save it."""
    factory, latents = _named(options.calculator), _named(options.latents)
    held_out = options.split if options.held_out is None else iread(options.held_out)
    fitted = fit_frames(
        iread(options.structures),
        _calculators(factory, options.checkpoints) if options.checkpoints else [factory()],
        latents,
        held_out=held_out,
        estimator=given_estimator(options),
        environment=options.environment,
        groups=options.groups,
        invariant=not options.not_invariant,
    )
    save_fitted(fitted, options.output)


def _calculators(factory: Callable[..., Any], checkpoints: list[str]) -> Iterator[BaseCalculator]:
    """Make one calculator after the other, and say so: each computes all structures."""
    for number, checkpoint in enumerate(checkpoints, start=1):
        print(f"{checkpoint}, {number} of {len(checkpoints)}", file=sys.stderr)
        yield factory(checkpoint)


def _predict(options: Namespace) -> None:
    """Write structures with the model's energies and forces, and how wrong the forces may be."""
    check_not_packed(options.output)
    factory, latents = _named(options.calculator), _named(options.latents)
    inner = factory() if options.checkpoint is None else factory(options.checkpoint)
    estimator = LTAUEstimator.load(options.estimator)
    calculator = UncertainCalculator(inner, estimator, latents, level=options.level)
    predict_structures(calculator, options.structures, options.output)


def _named(text: str) -> Callable[..., Any]:
    """Import what a user names, from the current folder too, last of all."""
    module, colon, name = text.partition(":")
    if not (module and colon and name):
        raise ValueError(f"Expected a name such as module:function, got {text!r}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"Expected {text} to be something to import: {error}") from error
    if not callable(found):
        raise ValueError(f"Expected {text} to be callable, got {type(found).__name__}.")
    return found


COMMANDS = {"fit": _fit, "predict": _predict}
