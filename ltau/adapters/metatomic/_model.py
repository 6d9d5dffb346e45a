"""A metatomic model that is given its uncertainty, to be saved and run by any engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ase import Atoms
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelOutput,
    is_atomistic_model,
    unit_conversion_factor,
)
from metatomic_ase import MetatomicCalculator
from numpy.typing import NDArray

from ltau.adapters._forces.checks import check_elements, check_target
from ltau.adapters._forces.edges import environment_on_edges
from ltau.adapters._forces.probe import check_same_model
from ltau.adapters._forces.reporter import Reporter
from ltau.adapters.metatomic._latents import FEATURE, rows_of
from ltau.adapters.metatomic._module import EnvironmentLatents, ModuleWithUncertainty, OwnLatents
from ltau.adapters.metatomic._search import ExactSummary
from ltau.estimator import LTAUEstimator
from ltau.structures import environment_cutoff, environment_latents

__all__ = ["add_uncertainty", "uncertainty_outputs"]

_OLD_FEATURE = "features"  # as metatomic named it before
_MOST = 10_000  # samples, with each of which every atom is compared
_DISTANCES = 1 << 24  # that are held at a time
_UNIT = "eV/A"
_OUTPUTS = {  # in the order in which a summary gives them
    "ltau::force_uncertainty": (_UNIT, "expected error of the force, by LTAU"),
    "ltau::force_uncertainty_upper": (_UNIT, "error bar of the force, by LTAU"),
    "ltau::ood_score": ("", "distance to the training atoms, about 1 where they are dense"),
}


def uncertainty_outputs() -> dict[str, ModelOutput]:
    """Name the outputs that `add_uncertainty` adds, as engines ask for them.

    Returns
    -------
    dict of str to ModelOutput
        For ``MetatomicCalculator(..., additional_outputs=...)`` and its ``run_model``.

    Examples
    --------
    >>> from ltau.adapters.metatomic import uncertainty_outputs
    >>> list(uncertainty_outputs())
    ['ltau::force_uncertainty', 'ltau::force_uncertainty_upper', 'ltau::ood_score']
    """
    return {
        name: ModelOutput(unit=unit, sample_kind="atom", description=description)
        for name, (unit, description) in _OUTPUTS.items()
    }


def add_uncertainty(
    model: AtomisticModel,
    estimator: LTAUEstimator,
    *,
    latents: str = FEATURE,
    level: float = 0.9,
    unit_factor: float | None = None,
) -> AtomisticModel:
    """Add the uncertainty of the forces to a metatomic model.

    The model that is returned is saved, loaded and run like any other. All outputs are
    unchanged, and forces are the same bit for bit. It has three more outputs, each for every
    atom:

    - ``ltau::force_uncertainty``: expected error of the force, the length of its difference to
      the true force, in eV/Å;
    - ``ltau::force_uncertainty_upper``: error not exceeded with probability `level`, in eV/Å;
    - ``ltau::ood_score``: distance to the training atoms, about 1 where they are dense.

    None of it is under the name ``energy_uncertainty``, which metatomic defines as the standard
    deviation of an *energy*, in eV: engines compare that with thresholds in this unit. The error
    of a force has another unit, and there is no standard name for it.

    Parameters
    ----------
    model : AtomisticModel
        The model, as ``metatomic.torch.load_atomistic_model`` gives it. That runs code which
        the file holds: load only models that you trust.
    estimator : LTAUEstimator
        Fitted on the latents of this model, as `latents` gives them, and on errors of forces in
        eV/Å, of no more than 10,000 samples or prototypes. Its strata, if any, are the types of
        atoms, atomic numbers.
    latents : str, default="feature"
        The model's output that has the latents, such as ``mtt::aux::energy_last_layer_features``.
    level : float, default=0.9
        Probability with which the error stays below ``ltau::force_uncertainty_upper``.
    unit_factor : float, optional
        What the estimator's errors are multiplied with to be in eV/Å; by default 1.

    Returns
    -------
    AtomisticModel
        The model with three more outputs. It shares the weights of the one given.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If `model` is not one of metatomic's.
    ValueError
        If the model has no such output, or not for each atom, or has an uncertainty already; the
        estimator has too many samples, belongs to another model, was fitted on errors of
        something else than forces or in another unit, or calibrated with groups, or has strata
        that are not elements; or a number is out of range. From the model, of the outputs that
        are added: if latents are NaN, or the estimator saw no atom of an element.

    Notes
    -----
    In each pass the latents are asked for along with what the engine wants. Every atom is
    compared with all samples of its element, so prototypes take the least time. To condense a
    training set to them, fit an ``LTAUEstimator(n_prototypes=1000)`` on it.

    An estimator of environment latents (`ltau.structures.environment_latents`) needs those of
    the neighbours. They come from another neighbour list that is asked of the engine. If an
    engine selects some of the atoms, the latents of all are computed in a pass of their
    own, and ``interaction_range`` says how far that reaches.

    Examples
    --------
    >>> from metatomic.torch import load_atomistic_model
    >>> from metatomic_ase import MetatomicCalculator
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.metatomic import add_uncertainty, uncertainty_outputs
    >>> model = add_uncertainty(  # doctest: +SKIP
    ...     load_atomistic_model("model.pt"), LTAUEstimator.load("forces.ltau")
    ... )
    >>> model.save("uncertain.pt")  # doctest: +SKIP
    >>> atoms.calc = MetatomicCalculator(  # doctest: +SKIP
    ...     "uncertain.pt", additional_outputs=uncertainty_outputs()
    ... )
    >>> forces = atoms.get_forces()  # doctest: +SKIP
    >>> atoms.calc.additional_outputs["ltau::ood_score"].block().values  # doctest: +SKIP
    """
    _check_kind(model)
    Reporter(level=level, unit_factor=unit_factor)  # checks them
    summary = ExactSummary(estimator, level, _MOST)  # says if it is not fitted
    check_target(estimator, unit_factor)
    check_elements(estimator)
    taken = set(_declared(model)).intersection(_OUTPUTS)
    if taken:
        raise ValueError(f"Expected a model without an uncertainty, got one with {sorted(taken)}.")
    known = _known_as(model, latents)
    _check_model(model, estimator, known)
    surroundings = _surroundings(model, estimator)
    strata = [] if estimator.strata_ is None else estimator.strata_.tolist()
    example = torch.zeros(2, estimator.n_features_in_), torch.zeros(2, dtype=torch.int64)
    module = ModuleWithUncertainty(
        model.module,
        known,
        list(_OUTPUTS),
        surroundings,
        _traced(summary, *example),
        torch.tensor(strata, dtype=torch.int64),
        _DISTANCES // len(estimator.fitted_.densities),
        1.0 if unit_factor is None else float(unit_factor),
        model.requested_neighbor_lists(),
        _inputs(model),
    )
    return AtomisticModel(module.eval(), model.metadata(), _capabilities(model, surroundings.reach))


def _check_kind(model: object) -> None:
    if not isinstance(model, torch.nn.Module) or not is_atomistic_model(model):
        raise TypeError(
            "Expected a model of metatomic, as load_atomistic_model gives it, got a "
            f"{type(model).__name__}."
        )


def _known_as(model: Any, latents: str) -> str:
    """Find under which name the model within gives the latents."""
    declared = _declared(model)
    known = latents if latents in declared or latents != FEATURE else _OLD_FEATURE
    if known not in declared:
        raise ValueError(
            f"Expected a model with the output {latents!r}, got one with {', '.join(declared)}: "
            "give latents, the name of an output that has a row for each atom."
        )
    if model.capabilities().outputs[known].sample_kind != "atom":
        raise ValueError(f"Expected a model with {known!r} for each atom, got one for each system.")
    return known


def _declared(model: Any) -> list[str]:
    """Name the outputs that the model has, without the older or newer names of the same."""
    return list(model._model_capabilities_outputs_names)


def _inputs(model: Any) -> dict[str, ModelOutput]:
    """Give the inputs that the model asks for, by the names by which it looks for them."""
    return model._requested_inputs


def _check_model(model: Any, estimator: LTAUEstimator, output: str) -> None:
    """Refuse an estimator that belongs to another model."""
    tensors = [*model.parameters(), *model.buffers()]
    calculator = MetatomicCalculator(model, device=tensors[0].device if tensors else "cpu")
    environment = environment_cutoff(estimator)

    def found(atoms: Atoms) -> NDArray[np.float32]:
        asked = {output: ModelOutput(sample_kind="atom")}
        rows = rows_of(calculator.run_model(atoms, asked)[output], output, len(atoms))
        return rows if environment is None else environment_latents(rows, [atoms], environment)

    element = model.capabilities().atomic_types[0]
    check_same_model(estimator, Atoms([element] * 2, [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), found)


def _surroundings(model: Any, estimator: LTAUEstimator) -> OwnLatents | EnvironmentLatents:
    """Make what stands between the model's latents and those that the estimator knows."""
    cutoff = environment_cutoff(estimator)
    if cutoff is None:
        return OwnLatents()
    unit = model.capabilities().length_unit
    if not unit:
        raise ValueError(
            f"Expected a model that tells its unit of length, for environments within {cutoff:g} "
            "Å, got one that does not."
        )
    own = cutoff * unit_conversion_factor("angstrom", unit)
    example = torch.zeros(2, 1), torch.tensor([[0, 1], [1, 0]]), torch.ones(2)
    return EnvironmentLatents(own, _traced(_OnEdges(own), *example))


class _OnEdges(torch.nn.Module):
    """Environment latents, in float64 as `environment_latents` makes them."""

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff

    def forward(
        self, latents: torch.Tensor, edges: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        rows = latents.float().double()
        return environment_on_edges(rows, edges, lengths, self.cutoff).float()


def _traced(module: torch.nn.Module, *example: torch.Tensor) -> torch.nn.Module:
    """Write down the operations of a module, which are the same for any number of atoms."""
    traced: torch.nn.Module = torch.jit.trace(module.eval(), example, check_trace=False)
    return traced


def _capabilities(model: Any, reach: float) -> ModelCapabilities:
    """Tell what the new model can do."""
    old = model.capabilities()
    return ModelCapabilities(
        outputs={name: old.outputs[name] for name in _declared(model)} | uncertainty_outputs(),
        atomic_types=old.atomic_types,
        interaction_range=old.interaction_range + reach,
        length_unit=old.length_unit,
        supported_devices=old.supported_devices,
        dtype=old.dtype,
    )
