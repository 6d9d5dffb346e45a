"""Trained MACE models, ready to run, and where their latents lie."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import NDArray

__all__ = ["MACEModel", "as_model", "load_model"]

_NOT_A_MODEL = (
    AttributeError,
    EOFError,
    ImportError,
    RuntimeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


_IRREPS = re.compile(r"(\d+)x(\d+)([eo])")  # such as 16x0e+16x1o


@dataclass(frozen=True)
class MACEModel:
    """A MACE model ready to run, and what of its output the latents are.

    `load_model` makes it.

    Parameters
    ----------
    module : torch.nn.Module
        The model.
    numbers : tuple of int
        The atomic numbers that it knows, in its order.
    heads : tuple of str
        Names of its heads.
    columns : Tensor of shape (n_features,), int64
        Columns of its node features that do not turn with the structure, where the model is.
    width : int
        Number of all columns.
    cutoff : float
        Of the edges, in Å.
    device : torch.device
        Where the model is.
    dtype : torch.dtype
        Of its weights.

    Examples
    --------
    >>> from ltau.adapters.mace import load_model
    >>> load_model("checkpoints/acac_run-0.model").heads  # doctest: +SKIP
    ('Default',)
    """

    module: torch.nn.Module = field(repr=False)
    numbers: tuple[int, ...] = field(repr=False)
    heads: tuple[str, ...]
    columns: torch.Tensor = field(repr=False)
    width: int
    cutoff: float
    device: torch.device
    dtype: torch.dtype

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the model knows each atomic number, shape (119,)."""
        known = np.zeros(len(chemical_symbols), bool)
        known[list(self.numbers)] = True
        return known

    def head(self, name: str | None) -> str:
        """Check the name of a head; of a model with one, it need not be given.

        Parameters
        ----------
        name : str or None
            The name.

        Returns
        -------
        str
            The name.

        Raises
        ------
        ValueError
            If there are several heads and none is named, or there is no such head.
        """
        listed = ", ".join(map(repr, self.heads))
        if name is None:
            if len(self.heads) == 1:
                return self.heads[0]
            raise ValueError(f"The model has several heads, {listed}: give head, one of them.")
        if name not in self.heads:
            raise ValueError(f"Expected a head of the model, {listed}, got {name!r}.")
        return name


def load_model(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> MACEModel:
    """Load a MACE model.

    A ``.model`` file runs code that it holds: load only files that you trust.

    Parameters
    ----------
    path : str or path-like
        What ``mace_run_train`` has saved as ``.model``; not the one that is named
        ``_compiled.model``, nor a ``.pt`` file, which is a checkpoint.
    device : str or torch.device, default="cpu"
        Where the model is to run.

    Returns
    -------
    MACEModel
        The model.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such model, or one whose latents are not known: one of dipoles alone, or
        one that also takes charges, spins or the like.

    Examples
    --------
    >>> from ltau.adapters.mace import load_model
    >>> load_model("checkpoints/acac_run-0.model").cutoff  # doctest: +SKIP
    5.0
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no model {file}.")
    try:
        with warnings.catch_warnings():  # of what PyTorch says of scripted parts in the file
            warnings.simplefilter("ignore")
            module = torch.load(file, map_location=device, weights_only=False)
    except _NOT_A_MODEL as error:
        raise ValueError(f"{file} cannot be loaded as a MACE model: {error!r}") from error
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError(
            f"Expected a model that is not compiled, got {file}: give the .model file without "
            "'_compiled' in its name."
        )
    if not isinstance(module, torch.nn.Module):
        raise ValueError(
            f"Expected a .model file of mace_run_train, got {file} with a {type(module).__name__}."
        )
    return _ready(module)


def as_model(
    model: str | os.PathLike[str] | torch.nn.Module | MACEModel, device: str | torch.device
) -> MACEModel:
    """Load a model from a path; take a loaded one as it is, where it is."""
    if isinstance(model, MACEModel):
        return model
    if isinstance(model, str | os.PathLike):
        return load_model(model, device=device)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            f"Expected a path, what load_model gave, or a MACE model, got {type(model).__name__}."
        )
    return _ready(model)


def _ready(module: torch.nn.Module) -> MACEModel:
    name = type(module).__name__
    products = getattr(module, "products", None)
    if products is None or not hasattr(module, "atomic_energies_fn"):
        raise ValueError(f"Expected a MACE model of energies and forces, got {name}.")
    if hasattr(module, "joint_embedding") or name == "PolarMACE":
        raise ValueError(
            f"Expected a model that takes only structures, got {name}, which also takes charges, "
            "spins or the like."
        )
    columns, width = _invariant_columns(products)
    weight = next(module.parameters())
    return MACEModel(
        module=module,
        numbers=tuple(module.atomic_numbers.tolist()),  # type: ignore[operator]
        heads=tuple(getattr(module, "heads", None) or ["Default"]),
        columns=torch.tensor(columns, device=weight.device),
        width=width,
        cutoff=float(module.r_max),  # type: ignore[arg-type]
        device=weight.device,
        dtype=weight.dtype,
    )


def _invariant_columns(products: Any) -> tuple[list[int], int]:
    """Find which node features are scalars: those of all layers lie beside each other."""
    columns: list[int] = []
    start = 0
    for product in products.children():
        for copies, degree, parity in _IRREPS.findall(str(product.linear.irreps_out)):
            width = int(copies) * (2 * int(degree) + 1)
            if degree + parity == "0e":
                columns += range(start, start + width)
            start += width
    return columns, start
