"""Forces with their uncertainty in torch-sim, for many systems at once.

Nothing of torch-sim is imported here: its models and states are used as it documents them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from ltau.adapters._forces.checks import check_elements, check_target
from ltau.adapters._forces.reporter import Reporter
from ltau.adapters._forces.results import PER_ATOM, PER_STRUCTURE, Results
from ltau.adapters._forces.watch import RunWatch, StrPath, path_of_one
from ltau.adapters.torch import TorchEstimator
from ltau.estimator import LTAUEstimator

__all__ = ["UncertainModel", "UncertaintyMonitor"]

NAMES = tuple(name for name in PER_ATOM if name != "latents") + PER_STRUCTURE


class UncertainModel(torch.nn.Module):
    """A model of torch-sim whose output says how wrong its forces may be.

    Use it wherever the model itself is used: ``ts.integrate(state, model, ...)``.

    Parameters
    ----------
    model : torch_sim.models.interface.ModelInterface
        What computes the forces.
    estimator : LTAUEstimator
        Fitted on latents of the same model, and per-atom force errors in eV/Å. If it has
        strata, they are the elements.
    latents : callable
        Called with the state and `model`, which has computed the forces by then, it returns
        a tensor of the atoms' latents, of shape (n_atoms, n_features), on the model's device.
    level : float, default=0.9
        Probability with which the error stays below ``forces_uncertainty_upper``.
    tolerance : float, optional
        A force error, in eV/Å; if given, the output has the probability of a larger one.
    unit_factor : float, optional
        What the estimator's errors are multiplied with to be in eV/Å; by default 1.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If `latents` cannot be called.
    ValueError
        If the model gives no forces, the estimator is of something else than forces in
        eV/Å or has strata that are not elements, or a number is out of range.

    Notes
    -----
    The model's output gets ``forces_uncertainty``, ``forces_uncertainty_upper``,
    ``ood_score`` and, with a tolerance, ``forces_error_probability``, of shape (n_atoms,),
    and ``forces_uncertainty_max`` and ``forces_uncertainty_mean``, of shape (n_systems,),
    as float32. torch-sim's integrators and optimisers store such outputs with the state, as
    ``state.forces_uncertainty``, since version 0.6.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import torch
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.torch_sim import UncertainModel
    >>> class Model(torch.nn.Module):                       # stands for one of torch-sim
    ...     device, dtype = torch.device("cpu"), torch.float64
    ...     compute_forces, compute_stress = True, False
    ...     def forward(self, state):
    ...         return {"energy": torch.zeros(2), "forces": -state.positions}
    >>> z = np.random.default_rng(0).normal(size=(60, 3))
    >>> estimator = LTAUEstimator().fit(z, np.full((60, 5), 0.1))
    >>> model = UncertainModel(Model(), estimator, lambda state, model: state.positions)
    >>> state = SimpleNamespace(positions=torch.zeros(4, 3), system_idx=torch.arange(4) // 2)
    >>> output = model(state)
    >>> output["forces_uncertainty"].round(decimals=1)
    tensor([0.1000, 0.1000, 0.1000, 0.1000])
    >>> output["forces_uncertainty_max"].shape
    torch.Size([2])
    """

    def __init__(
        self,
        model: Any,
        estimator: LTAUEstimator,
        latents: Callable[[Any, Any], torch.Tensor],
        *,
        level: float = 0.9,
        tolerance: float | None = None,
        unit_factor: float | None = None,
    ) -> None:
        super().__init__()
        if not model.compute_forces:
            raise ValueError("Expected a model that computes forces, got one that does not.")
        if not callable(latents):
            raise TypeError(
                f"Expected latents to be a callable of state and model, got {latents!r}."
            )
        Reporter(level=level, tolerance=tolerance, unit_factor=unit_factor)  # checks them
        on_device = TorchEstimator(estimator)
        check_target(estimator, unit_factor)
        check_elements(estimator)
        self.model = model
        self.estimator = on_device.to(model.device)
        self.latents = latents
        self._level = level
        self._factor = 1.0 if unit_factor is None else unit_factor
        self._tolerance = tolerance

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the model's numbers."""
        return self.model.dtype

    @property
    def compute_forces(self) -> bool:
        """Whether the model computes forces."""
        return self.model.compute_forces

    @compute_forces.setter
    def compute_forces(self, value: bool) -> None:
        self.model.compute_forces = value

    @property
    def compute_stress(self) -> bool:
        """Whether the model computes stresses."""
        return self.model.compute_stress

    @compute_stress.setter
    def compute_stress(self, value: bool) -> None:
        self.model.compute_stress = value

    @property
    def memory_scales_with(self) -> str:
        """What the model's need of memory grows with, for torch-sim's batches."""
        return self.model.memory_scales_with

    def forward(self, state: Any, **options: Any) -> dict[str, torch.Tensor]:
        """Compute what the model does, and its uncertainty.

        Parameters
        ----------
        state : torch_sim.state.SimState
            The systems.
        **options : dict
            Passed on to the model.

        Returns
        -------
        dict
            The model's output, with the results named above.
        """
        output = self.model(state, **options)
        z = self.latents(state, self.model)
        strata = None if self.estimator.strata_ is None else state.atomic_numbers.long()
        expected, upper, ood_score = self.estimator.predict_summary(z, self._level, strata)
        expected, upper = self._factor * expected, self._factor * upper
        uncertainty = {
            "forces_uncertainty": expected,
            "forces_uncertainty_upper": upper,
            "ood_score": ood_score,
            "forces_uncertainty_max": _of_systems(expected, state, "amax"),
            "forces_uncertainty_mean": _of_systems(expected, state, "mean"),
        }
        if self._tolerance is not None:
            within = self.estimator.predict_cdf(z, self._tolerance / self._factor, strata)
            uncertainty["forces_error_probability"] = 1 - within
        return {**output, **uncertainty}


class UncertaintyMonitor:
    """Log the uncertainty of a state's systems step by step, and say when it is too large.

    Call it with the state of each step, from the first one on.

    Parameters
    ----------
    state : torch_sim.state.SimState
        The state of the first step, as an integrator's ``init`` gives it for an
        `UncertainModel`.
    path : str or path-like
        The table, a CSV file; with several systems ``run.csv`` becomes ``run.0.csv``,
        ``run.1.csv`` and so on. An existing table is continued.
    max_error, max_probability, max_ood_score, patience, action, frames, start
        As in `ltau.adapters.ase.UncertaintyMonitor`, for each system. The table has no time
        and no temperature.

    Attributes
    ----------
    reasons : dict of int to str
        Why the run has to stop, or the action was called, the last time, by the number of
        the system.

    Raises
    ------
    OSError
        If a table cannot be written.
    TypeError
        If `action` cannot be called.
    ValueError
        If the state has no uncertainty, a number is out of range, or files hold other runs;
        from a step, if the state has another number of systems.

    Examples
    --------
    >>> import tempfile
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from ltau.adapters.torch_sim import UncertaintyMonitor
    >>> state = SimpleNamespace(                            # stands for one of torch-sim
    ...     positions=torch.zeros(2, 3), atomic_numbers=torch.tensor([29, 29]), pbc=False,
    ...     cell=torch.eye(3)[None], system_idx=torch.zeros(2, dtype=torch.long),
    ...     energy=torch.zeros(1), forces=torch.zeros(2, 3), n_systems=1,
    ...     forces_uncertainty=torch.tensor([0.1, 0.2]), ood_score=torch.tensor([1.0, 4.0]),
    ...     forces_uncertainty_max=torch.tensor([0.2]),
    ...     forces_uncertainty_mean=torch.tensor([0.15]),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     monitor = UncertaintyMonitor(state, f"{folder}/run.csv", max_ood_score=3, patience=2)
    ...     print(monitor(state))
    ...     print(monitor(state))
    None
    system 0, step 1: ood_score_max = 4 > 3 for 2 steps in a row
    """

    def __init__(
        self,
        state: Any,
        path: StrPath,
        *,
        max_error: float | None = None,
        max_probability: float | None = None,
        max_ood_score: float | None = None,
        patience: int = 1,
        action: Callable[[Atoms, str], object] | None = None,
        frames: StrPath | None = None,
        start: int | None = None,
    ) -> None:
        missing = [name for name in ("forces_uncertainty", "ood_score") if not _has(state, name)]
        if missing:
            raise ValueError(
                f"Expected a state with {' and '.join(missing)}, as torch-sim's integrators make "
                "of an UncertainModel, got one without."
            )
        n_systems = self._n_systems = int(state.n_systems)
        self._made = 0
        self._watches = [
            RunWatch(
                path_of_one(path, number, n_systems),
                ["energy"],
                has_probability=_has(state, "forces_error_probability"),
                max_error=max_error,
                max_probability=max_probability,
                max_ood_score=max_ood_score,
                patience=patience,
                action=action,
                frames=None if frames is None else path_of_one(frames, number, n_systems),
                start=start,
            )
            for number in range(n_systems)
        ]

    @property
    def reasons(self) -> dict[int, str]:
        """Why the run has to stop, or the action was called, by the number of the system."""
        found = enumerate(watch.reason for watch in self._watches)
        return {number: reason for number, reason in found if reason is not None}

    def __call__(self, state: Any) -> str | None:
        """Log a step.

        Parameters
        ----------
        state : torch_sim.state.SimState
            The state of this step.

        Returns
        -------
        str or None
            Why the run has to stop, and of which systems, if it has to.
        """
        if state.n_systems != self._n_systems:
            raise ValueError(
                f"Expected the {self._n_systems} systems that it began with, got {state.n_systems}."
            )
        values = {name: _numpy(getattr(state, name)) for name in NAMES if _has(state, name)}
        system_of = _numpy(state.system_idx)
        reasons = []
        for number, watch in enumerate(self._watches):
            results = _results_of(values, system_of == number, number)
            energy = {"energy": float(state.energy[number])}
            structure = partial(_structure, state, number, results)
            reason = watch(self._made, energy, results, structure)
            if reason is not None:
                reasons.append(f"system {number}, {reason}")
        self._made += 1
        return "; ".join(reasons) or None


def _of_systems(values: torch.Tensor, state: Any, how: str) -> torch.Tensor:
    """Reduce the atoms' values to those of their systems."""
    systems = state.system_idx
    n_systems = int(systems.max()) + 1
    return values.new_zeros(n_systems).scatter_reduce(0, systems, values, how, include_self=False)


def _has(state: Any, name: str) -> bool:
    return getattr(state, name, None) is not None


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()


def _results_of(values: dict[str, NDArray[Any]], own: NDArray[np.bool_], number: int) -> Results:
    """Take the results of one system, as a calculator would hold them."""
    return {
        name: float(value[number]) if name in PER_STRUCTURE else value[own].astype(np.float64)
        for name, value in values.items()
    }


def _structure(state: Any, number: int, results: Results) -> Atoms:
    """Turn a system into a structure with its results."""
    own = _numpy(state.system_idx) == number
    periodic = _numpy(torch.as_tensor(state.pbc))
    atoms = Atoms(
        _numpy(state.atomic_numbers)[own],
        _numpy(state.positions)[own],
        cell=_numpy(state.cell)[number].T,  # torch-sim has the vectors as columns
        pbc=periodic,
    )
    if _has(state, "momenta"):
        atoms.set_momenta(_numpy(state.momenta)[own])
    energy, forces = float(state.energy[number]), _numpy(state.forces)[own]
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    Reporter().attach(atoms, results)
    return atoms
