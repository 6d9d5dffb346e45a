"""What a training must be like to be recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import LBFGS
from torch.utils.data import ConcatDataset

from ltau.adapters.mace._items import NumberedItems

__all__ = ["check_training", "recorded_head"]

_REPLAY = "pt_head"  # as MACE names the head of what a model was trained on before


def check_training(training: Mapping[str, Any], mode: str) -> None:
    """Refuse a training whose errors would not be right, or not all of them.

    Parameters
    ----------
    training : mapping
        The arguments of ``mace.tools.train``.
    mode : {"step", "eval"}
        When errors are recorded.
    """
    dataset = training["train_loader"].dataset
    if not isinstance(dataset, ConcatDataset):
        raise TypeError(
            "Expected the training data of mace_run_train, a ConcatDataset with a part for each "
            f"head, got {type(dataset).__name__}."
        )
    if any(isinstance(part, NumberedItems) for part in dataset.datasets):
        raise ValueError("Expected one recorder of a training, got a second one within the first.")
    if training.get("distributed"):
        raise ValueError(
            "Expected a training in one process, got --distributed: train in one process, or keep "
            "checkpoints, with --save_all_checkpoints, for "
            "ltau.adapters.ase.errors_from_checkpoints."
        )
    if mode == "step" and isinstance(training["optimizer"], LBFGS):
        raise ValueError(
            "Expected mode='eval' with --lbfgs, which calls the model several times per step, "
            "got mode='step'."
        )
    if not training["output_args"]["forces"]:
        raise ValueError("Expected a model that gives forces, got one that does not.")


def recorded_head(name: str | None, heads: Sequence[str]) -> str:
    """Name the head that is recorded.

    Parameters
    ----------
    name : str or None
        What was asked for.
    heads : sequence of str
        All heads of the training.

    Returns
    -------
    str
        It, or the only one that replays nothing.
    """
    listed = ", ".join(map(repr, heads))
    if name is None:
        own = [head for head in heads if head != _REPLAY] or list(heads)
        if len(own) > 1:
            raise ValueError(f"The training has several heads, {listed}: give head, one of them.")
        return own[0]
    if name not in heads:
        raise ValueError(f"Expected a head of the training, {listed}, got {name!r}.")
    return name
