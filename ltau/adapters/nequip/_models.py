"""Trained NequIP models, loaded from whatever file holds one."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols
from nequip.data import AtomicDataDict
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper
from nequip.integrations.utils import basic_transforms
from nequip.model.inference_models import load_compiled_model
from nequip.model.saved_models.load_utils import load_saved_model
from nequip.nn import graph_model
from numpy.typing import NDArray

from ltau.adapters.nequip._state import nequip_state

__all__ = [
    "COMPILED_INPUTS",
    "COMPILED_OUTPUTS",
    "LATENTS",
    "LEVEL",
    "SUMMARY",
    "UNCERTAINTY",
    "NequIPModel",
    "as_model",
    "known_elements",
    "load_model",
]

LATENTS: str = AtomicDataDict.NODE_FEATURES_KEY  # final, invariant, the input of the energy readout

# Of a compiled model: one structure at a time, and what nequip gives ASE, with the latents.
COMPILED_INPUTS = [
    AtomicDataDict.POSITIONS_KEY,
    AtomicDataDict.EDGE_INDEX_KEY,
    AtomicDataDict.ATOM_TYPE_KEY,
    AtomicDataDict.CELL_KEY,
    AtomicDataDict.EDGE_CELL_SHIFT_KEY,
]
COMPILED_OUTPUTS = [
    AtomicDataDict.PER_ATOM_ENERGY_KEY,
    AtomicDataDict.TOTAL_ENERGY_KEY,
    AtomicDataDict.FORCE_KEY,
    AtomicDataDict.STRESS_KEY,
    LATENTS,
]

# Besides, if it was compiled with an estimator:
UNCERTAINTY = "ltau_uncertainty"  # expected error, error bar and `ood_score`, each of all atoms
SUMMARY = "ltau_summary"  # the largest expected error, and the mean of all
LEVEL = "ltau_level"  # of the error bars, in the metadata

_KINDS = {".ckpt": "checkpoint", ".nequip.zip": "package", ".nequip.pt2": "compiled model"}

_NOT_A_MODEL = (EOFError, KeyError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile)


@dataclass(frozen=True)
class NequIPModel:
    """A NequIP model ready to run, and the transforms that turn structures into its input.

    `load_model` makes it.

    Parameters
    ----------
    module : torch.nn.Module
        The model, in evaluation mode, from input to output fields.
    transforms : list of torch.nn.Module
        From a structure's fields to those with atom types and neighbours, in this order,
        on the CPU.
    known : ndarray of shape (119,), bool
        Whether the model has a type for each atomic number.
    device : torch.device
        Where the model is.
    compiled : bool
        Whether it takes one structure at a time, and always computes forces.
    level : float or None
        Level of the error bars that were compiled into it, if they were.

    Examples
    --------
    >>> from ltau.adapters.nequip import load_model
    >>> load_model("run/last.ckpt")  # doctest: +SKIP
    NequIPModel(device=device(type='cpu'), compiled=False, level=None)
    """

    module: torch.nn.Module = field(repr=False)
    transforms: list[torch.nn.Module] = field(repr=False)
    known: NDArray[np.bool_] = field(repr=False)
    device: torch.device
    compiled: bool
    level: float | None = None


def load_model(
    path: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    chemical_species_to_atom_type_map: Mapping[str, str] | None = None,
) -> NequIPModel:
    """Load a NequIP model for inference.

    Checkpoints and packages run code that they hold, and compiled models are code: load
    only files that you trust.

    Parameters
    ----------
    path : str or path-like
        A checkpoint of ``nequip-train`` (``.ckpt``; its averaged weights are taken where
        there are any), a package of ``nequip-package`` (``.nequip.zip``), or a model
        from `compile_model` (``.nequip.pt2``).
    device : str or torch.device, default="cpu"
        Where the model is to run; for a compiled model, the device that it was compiled for.
    chemical_species_to_atom_type_map : mapping of str to str, optional
        The model's type name of each chemical symbol. By default the type names are
        chemical symbols.

    Returns
    -------
    NequIPModel
        The model. The state that nequip sets for the process, such as the default
        dtype, is as before.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such model, or its type names are not those of the map; or if a
        compiled model does not give latents, or takes other input than one structure.

    Examples
    --------
    >>> from ltau.adapters.nequip import load_model
    >>> load_model("model.nequip.pt2").compiled  # doctest: +SKIP
    True
    """
    file = Path(path)
    kind = next((kind for suffix, kind in _KINDS.items() if file.name.endswith(suffix)), None)
    if kind is None:
        kinds = ", ".join(f"a {kind} ({suffix})" for suffix, kind in _KINDS.items())
        raise ValueError(f"Expected {kinds}, got {file.name}.")
    if not file.is_file():
        raise FileNotFoundError(f"There is no {kind} {file}.")
    with nequip_state():
        try:
            if kind == "compiled model":
                module, metadata = load_compiled_model(str(file), device)
            else:
                module = load_saved_model(str(file))
                metadata = module.metadata
        except _NOT_A_MODEL as error:
            raise ValueError(f"{file} cannot be loaded as a NequIP {kind}: {error!r}") from error
        if kind == "compiled model":
            _check_fields(module, file)
        return _ready(module, metadata, torch.device(device), chemical_species_to_atom_type_map)


def as_model(
    model: str | os.PathLike[str] | torch.nn.Module | NequIPModel, device: str | torch.device
) -> NequIPModel:
    """Load a model from a path; take a loaded one as it is, where it is."""
    if isinstance(model, NequIPModel):
        return model
    if isinstance(model, str | os.PathLike):
        return load_model(model, device=device)
    # A packaged model is of the package's own class: the attribute tells, the type does not.
    if not getattr(model, "is_graph_model", False) or getattr(
        model, "is_compile_graph_model", False
    ):
        raise TypeError(
            "Expected a path, what load_model gave, or an eager GraphModel of nequip, "
            f"got {type(model).__name__}."
        )
    if model.training:
        raise ValueError("Expected a model in evaluation mode, got one in training mode.")
    device = next(model.parameters()).device
    with nequip_state():
        return _ready(model, model.metadata, device, None)  # type: ignore[arg-type]


def known_elements(transforms: Iterable[torch.nn.Module]) -> NDArray[np.bool_]:
    """Tell for each atomic number whether the transforms have a type for it."""
    known = np.zeros(len(chemical_symbols), bool)
    for transform in transforms:
        if isinstance(transform, ChemicalSpeciesToAtomTypeMapper):
            types = transform.lookup_table.cpu().numpy()
            known[: len(types)] = types >= 0
    return known


def _ready(
    module: Any,
    metadata: Mapping[str, Any],
    device: torch.device,
    species: Mapping[str, str] | None,
) -> NequIPModel:
    names = metadata[graph_model.TYPE_NAMES_KEY]
    names = names.split(" ") if isinstance(names, str) else list(names)
    if species is None:
        species = {name: name for name in names}
    if not (species.keys() <= atomic_numbers.keys() and set(species.values()) <= set(names)):
        raise ValueError(
            f"Expected chemical_species_to_atom_type_map from chemical symbols to {names}, "
            f"the model's type names, got {dict(species)}."
        )
    cutoff = float(metadata[graph_model.R_MAX_KEY])
    transforms = basic_transforms(dict(metadata), cutoff, names, dict(species))
    return NequIPModel(
        module=module.to(device).eval(),
        transforms=transforms,
        known=known_elements(transforms),
        device=device,
        compiled=not hasattr(module, "is_graph_model"),
        level=float(metadata[LEVEL]) if LEVEL in metadata else None,
    )


def _check_fields(module: Any, file: Path) -> None:
    """Check what a compiled model takes and gives."""
    remedy = f"make one by `ltau nequip compile MODEL -o {file.name}`, or compile_model"
    if LATENTS not in module.output_keys:
        raise ValueError(
            f"Expected a compiled model that gives latents ({LATENTS}), got {file} with "
            f"{', '.join(module.output_keys)}: {remedy}."
        )
    if module.input_keys != COMPILED_INPUTS:
        raise ValueError(
            "Expected a compiled model that takes one structure at a time, got "
            f"{file} with inputs {', '.join(module.input_keys)}: {remedy}."
        )
