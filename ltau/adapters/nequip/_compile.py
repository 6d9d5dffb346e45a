"""Compiled NequIP models that give their latents too: one pass for forces and uncertainty."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from ase import Atoms
from nequip.data import AtomicDataDict
from nequip.model.saved_models.load_utils import load_saved_model
from nequip.nn.graph_model import TYPE_NAMES_KEY
from nequip.utils.aot import aot_export_model
from nequip.utils.aoti_metadata import (
    NEQUIP_AOTI_INPUTS_KEY,
    NEQUIP_AOTI_OUTPUTS_KEY,
    NEQUIP_CUSTOM_OPS_LIBS_KEY,
    embed_custom_ops_libs,
    serialize_aoti_keys,
)
from nequip.utils.global_state import get_latest_global_state

from ltau._files.whole import write_whole
from ltau.adapters._forces.probe import check_same_model
from ltau.adapters.ase import Uncertainty
from ltau.adapters.nequip._features import ModelWithLatents
from ltau.adapters.nequip._fields import Fields
from ltau.adapters.nequip._fused import ModelWithUncertainty
from ltau.adapters.nequip._latents import latents
from ltau.adapters.nequip._models import (
    COMPILED_INPUTS,
    COMPILED_OUTPUTS,
    LEVEL,
    SUMMARY,
    UNCERTAINTY,
    load_model,
)
from ltau.adapters.nequip._state import nequip_state
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff

__all__ = ["compile_model"]

_BOX = 100.0  # Å


def compile_model(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    estimator: LTAUEstimator | None = None,
    level: float = 0.9,
    device: str | torch.device = "cpu",
) -> None:
    """Compile a NequIP model so that it gives the latents along with energy and forces.

    What ``nequip-compile --mode aotinductor --target ase`` makes, with the latents among
    the outputs: its energies, forces and stress are the same, and so is its cost. It
    runs on the kind of machine that it was compiled on. Needs a C++ compiler, and takes
    about a minute.

    With an estimator the uncertainty of the forces is compiled too: nothing is left to
    compute outside the model, and `UncertainNequIPCalculator` needs no estimator then.

    Parameters
    ----------
    model : str or path-like
        A checkpoint (``.ckpt``) or a package (``.nequip.zip``). Like ``nequip-compile``,
        this reads one structure of the training data: of a checkpoint, from where its
        configuration has them; a package holds one. Loading either runs code that it
        holds: give only files that you trust.
    output : str or path-like
        The compiled model, whose name must end with ``.nequip.pt2``. An existing file is
        replaced once the new one is complete.
    estimator : LTAUEstimator, optional
        Fitted on the model's latents and errors of forces, in the model's units, with
        prototypes or on no more than 100,000 atoms. Its strata, if any, are atomic numbers.
    level : float, default=0.9
        Probability, from 0 to 1, that the error stays within the error bar that is
        compiled.
    device : str or torch.device, default="cpu"
        Where the compiled model is to run.

    Raises
    ------
    FileNotFoundError
        If there is no such model, or no such folder for the output.
    ValueError
        If `model` is no checkpoint or package, or gives no forces or no latents; or
        `output` has another ending; or the estimator has too many samples, belongs to
        another model, was fitted on errors of something else than forces or calibrated
        with groups, or does not know an element of the model; or the level is none.

    Examples
    --------
    >>> from ltau.adapters.nequip import compile_model
    >>> compile_model("run/last.ckpt", "model.nequip.pt2")  # doctest: +SKIP

    With the uncertainty, of prototypes, which take the least time:

    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.nequip import fit_run
    >>> estimator = fit_run("run", estimator=LTAUEstimator(3, n_prototypes=200))  # doctest: +SKIP
    >>> compile_model("run/last.ckpt", "model.nequip.pt2", estimator=estimator)  # doctest: +SKIP
    """
    source, target = Path(model), Path(output)
    if not source.name.endswith((".ckpt", ".nequip.zip")):
        raise ValueError(
            f"Expected a checkpoint (.ckpt) or a package (.nequip.zip), got {source.name}."
        )
    if not source.is_file():
        raise FileNotFoundError(f"There is no model {source}.")
    if not target.name.endswith(".nequip.pt2"):
        raise ValueError(f"Expected an output that ends with .nequip.pt2, got {target.name}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent}.")
    if estimator is not None:
        Uncertainty(estimator, level=level)  # says what is wrong with them
    with nequip_state(), TemporaryDirectory() as folder:
        module, example = load_saved_model(str(source), return_data_dict=True)
        fields, outputs = _example(example, device), COMPILED_OUTPUTS
        metadata = _metadata(module)
        module = ModelWithLatents(module).to(device).eval()
        _check_outputs(module, fields)
        if estimator is not None:
            names = metadata[TYPE_NAMES_KEY].split(" ")
            _check_model(source, estimator, names)
            module = ModelWithUncertainty(module, estimator, level, names).to(device).eval()
            outputs = [*COMPILED_OUTPUTS, UNCERTAINTY, SUMMARY]
            metadata[LEVEL] = str(float(level))
        metadata[NEQUIP_AOTI_OUTPUTS_KEY] = serialize_aoti_keys(outputs)
        compiled = Path(folder) / target.name
        aot_export_model(
            model=module,
            device=device,
            input_fields=COMPILED_INPUTS,
            output_fields=outputs,
            data=fields,
            batch_map={
                "graph": torch.export.Dim.STATIC,
                "node": torch.export.Dim("num_nodes", min=2),
                "edge": torch.export.Dim("num_edges", min=2),
            },
            output_path=str(compiled),
            inductor_configs={"aot_inductor.metadata": metadata},
        )
        libraries = metadata.get(NEQUIP_CUSTOM_OPS_LIBS_KEY, "")
        embed_custom_ops_libs(str(compiled), set(libraries.split()))
        write_whole(target, lambda file: file.write(compiled.read_bytes()))


def _example(example: Fields, device: str | torch.device) -> Fields:
    """Make a compiled model's input of a training structure.

    A molecule gets a box: without a volume the stress is NaN, and the comparison with
    the model before compilation, which nequip makes in the end, fails.
    """
    fields = {key: example[key] for key in COMPILED_INPUTS}
    if not torch.linalg.det(fields[AtomicDataDict.CELL_KEY]).any():
        fields[AtomicDataDict.CELL_KEY] = _BOX * torch.eye(3).reshape(1, 3, 3)
    return AtomicDataDict.to_(fields, torch.device(device))


def _check_outputs(module: torch.nn.Module, fields: Fields) -> None:
    given = module(fields.copy())
    missing = [key for key in COMPILED_OUTPUTS if key not in given]
    if missing:
        raise ValueError(
            f"Expected a model that gives {', '.join(COMPILED_OUTPUTS)}, got one without "
            f"{', '.join(missing)}."
        )


def _check_model(source: Path, estimator: LTAUEstimator, type_names: list[str]) -> None:
    """Refuse an estimator that belongs to another model."""
    loaded = load_model(source)
    dimer = Atoms([type_names[0]] * 2, [[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])
    environment = environment_cutoff(estimator)
    check_same_model(
        estimator, dimer, lambda atoms: latents(loaded, [atoms], environment=environment)
    )


def _metadata(module: Any) -> dict[str, str]:
    """Tell nequip's loader, in text, what it wants to know of a compiled model."""
    metadata = {**module.metadata, **get_latest_global_state(only_metadata_related=True)}
    metadata[NEQUIP_AOTI_INPUTS_KEY] = serialize_aoti_keys(COMPILED_INPUTS)
    return {
        key: str(int(value) if isinstance(value, bool) else value)
        for key, value in metadata.items()
    }
