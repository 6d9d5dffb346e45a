"""What recording costs in ``nequip-train``, and uncertainty beside a compiled model's pass.

Acetylacetone, on one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.harness.data import data_folder
from benchmarks.harness.nequip_passes import latents_of
from benchmarks.harness.parallel import one_thread
from benchmarks.harness.timing import Quartiles, quartiles, wall_seconds
from ltau import LTAUEstimator

pytest.importorskip("nequip")

import ase.io
import torch
from ase import Atoms
from nequip.utils import torch_default_dtype

from ltau.adapters.ase import Uncertainty
from ltau.adapters.nequip import (
    UncertainNequIPCalculator,
    compile_model,
    latents,
    load_model,
)
from ltau.structures import StructureSamples, fit_structures, iread

# torch, of its own parts, when it compiles
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]

DATA = data_folder()
N_ROUNDS = 20  # each over 50 structures
N_WARM = 5  # structures before each round
N_MEMBERS = 10  # of an ensemble
ENVIRONMENT = 3.5  # Å

CONFIG = """
run: [train]
data:
  _target_: nequip.data.datamodule.ASEDataModule
  seed: 0
  train_file_path: train.extxyz
  val_file_path: test.extxyz
  transforms:
    - {_target_: nequip.data.transforms.NeighborListTransform, r_max: 5.0}
    - _target_: nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper
      model_type_names: [H, C, O]
  train_dataloader: {batch_size: 5, shuffle: true}
  val_dataloader: {batch_size: 25}
  stats_manager: {_target_: nequip.data.CommonDataStatisticsManager, type_names: [H, C, O]}
trainer:
  _target_: lightning.Trainer
  accelerator: cpu
  max_epochs: 4
  logger: false
  callbacks:
    - {_target_: lightning.pytorch.callbacks.ModelCheckpoint, dirpath: ., save_last: true}
    - {_target_: benchmarks.speed.nequip_recording.TimedErrorRecorder, folder: ltau}
training_module:
  _target_: nequip.train.EMALightningModule
  loss: {_target_: nequip.train.EnergyForceLoss, coeffs: {total_energy: 1.0, forces: 1.0}}
  val_metrics: {_target_: nequip.train.EnergyForceMetrics, coeffs: {forces_mae: 1.0}}
  optimizer: {_target_: torch.optim.Adam, lr: 0.01}
  model:
    _target_: nequip.model.NequIPGNNModel
    seed: 0
    model_dtype: float32
    type_names: [H, C, O]
    r_max: 5.0
    num_layers: 2
    l_max: 1
    parity: false
    num_features: 32
    radial_mlp_depth: 1
    radial_mlp_width: 32
    avg_num_neighbors: "${training_data_stats:num_neighbors_mean}"
    per_type_energy_scales: "${training_data_stats:forces_rms}"
    per_type_energy_shifts: "${training_data_stats:per_atom_energy_mean}"
"""


class Case(NamedTuple):
    """A model of acetylacetone, and what it was trained on."""

    compiled: Path
    checkpoint: Path
    latents: NDArray[np.float32]  # of the training atoms
    frames: list[Atoms]  # those trained on
    test: list[Atoms]
    times: dict[str, list[float]]  # of the training

    def estimator(
        self, elements: bool, environment: float | None = None, **parameters: Any
    ) -> LTAUEstimator:
        """Fit to the errors that another such model made."""
        errors = np.load(DATA / "acac_nequip" / "train.npz")["errors"]  # (6750, 150)
        return fit_structures(
            StructureSamples(self.frames, self.latents, errors),
            estimator=LTAUEstimator(random_state=0, **parameters),
            strata="elements" if elements else None,
            environment=environment,
        )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Train for four epochs, which do for a timing; compile; find the training latents."""
    source = DATA / "acac" / "train_300K.xyz.xz"
    if not source.exists():
        pytest.skip(f"there is no {source}: set LTAU_DATA")
    folder = tmp_path_factory.mktemp("acac")
    frames = list(iread(source))
    train = [atoms for number, atoms in enumerate(frames) if number % 10 != 9]
    ase.io.write(folder / "train.extxyz", train)
    ase.io.write(folder / "test.extxyz", frames[9::10])
    (folder / "config.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "nequip.scripts.train", "-cp", str(folder), "-cn", "config"]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(  # noqa: S603
        [*command, "hydra.run.dir=."], cwd=folder, env=environment, check=True, capture_output=True
    )
    model = folder / "model.nequip.pt2"
    with chdir(folder):  # where the checkpoint's configuration has the training data
        compile_model("last.ckpt", model)
    return Case(
        model,
        folder / "last.ckpt",
        latents(model, train),
        train,
        frames[9::10],
        json.loads((folder / "ltau" / "times.json").read_text()),
    )


Item = tuple[Atoms, Any]  # a structure, and a model's input
Call = Callable[[Item], None]


def paired(plain: Call, uncertain: Call, items: list[Item]) -> tuple[Quartiles, float]:
    """Time both on each item; give the quartiles of the ratio, and the time before in ms.

    In turn, but each over all items at once: in dynamics nothing else runs between two
    steps, and code that does takes the other's place in the processor's caches.
    """
    times: dict[Call, list[float]] = {plain: [], uncertain: []}
    for number in range(N_ROUNDS):  # which comes first alternates: machines drift
        for how in (plain, uncertain) if number % 2 else (uncertain, plain):
            for item in items[:N_WARM] + items:
                times[how].append(wall_seconds(partial(how, item))[1])
    rounds = (np.reshape(times[how], (N_ROUNDS, -1))[1:, N_WARM:] for how in (plain, uncertain))
    before, after = rounds
    return quartiles(after / before), float(1e3 * np.median(before))


def test_recording(case: Case) -> None:
    """The share of an epoch that errors taken from the training steps cost."""
    recording, epochs = (np.array(case.times[name][1:]) for name in ("recording", "epochs"))
    shares = 100 * recording / (epochs - recording)
    print(
        f"\nrecording in nequip-train: {np.median(shares):.2f} % [{shares.min():.2f}, "
        f"{shares.max():.2f}] of an epoch of {np.median(epochs):.1f} s"
    )


@pytest.mark.parametrize("elements", [True, False], ids=["by element", "all elements"])
@pytest.mark.parametrize("index", ["auto", "flat"])
def test_one_pass(case: Case, index: str, elements: bool) -> None:
    """Energy and forces of 15 atoms with their uncertainty, and the same without."""
    estimator = case.estimator(elements, index=index, n_jobs=1)
    with one_thread():
        model = load_model(case.compiled)
        calculator = UncertainNequIPCalculator.from_model(model, estimator)
        uncertainty = calculator.uncertainty
        assert isinstance(uncertainty, Uncertainty)  # not compiled into the model
        predict = uncertainty.predict

        def forward(item: Item) -> None:
            model.module(item[1])

        def forward_with_uncertainty(item: Item) -> None:
            predict(latents_of(model.module(item[1])), item[0])

        def calculate(item: Item) -> None:
            uncertainty.enabled = False
            calculator.calculate(item[0])

        def calculate_with_uncertainty(item: Item) -> None:
            uncertainty.enabled = True
            calculator.calculate(item[0])

        with torch_default_dtype(torch.float64):
            items = [(atoms, calculator.atoms_to_data(atoms)) for atoms in case.test]
        for what, plain, uncertain in (
            ("the model's pass", forward, forward_with_uncertainty),
            ("the ASE calculation", calculate, calculate_with_uncertainty),
        ):
            (low, middle, high), before = paired(plain, uncertain, items)
            print(
                f"\n{what} with uncertainty, {index} index{' by element' * elements}: "
                f"{middle:.2f} [{low:.2f}, {high:.2f}] times that of {before:.2f} ms without"
            )


@pytest.mark.parametrize("elements", [True, False], ids=["by element", "all elements"])
@pytest.mark.parametrize(
    ("k", "n_prototypes", "environment"),
    [
        (3, 100, None),
        (3, 200, None),
        (3, 100, ENVIRONMENT),
        (3, 200, ENVIRONMENT),
        (5, None, None),
        (10, None, None),
        (30, None, ENVIRONMENT),
    ],
)
def test_compiled_together(
    case: Case,
    k: int,
    n_prototypes: int | None,
    environment: float | None,
    elements: bool,
    tmp_path: Path,
) -> None:
    """A model compiled with its uncertainty, the same without, and ten of these."""
    estimator = case.estimator(elements, environment, n_neighbors=k, n_prototypes=n_prototypes)
    together = tmp_path / "model.nequip.pt2"
    with chdir(case.checkpoint.parent):  # where its configuration has the training data
        compile_model(case.checkpoint, together, estimator=estimator)
    with one_thread():
        bare = UncertainNequIPCalculator.from_model(case.compiled, estimator, enabled=False)
        informed = UncertainNequIPCalculator.from_model(together)
        plain, uncertain, uncertainty = bare.call_model, informed.call_model, informed.uncertainty
        assert not isinstance(uncertainty, Uncertainty)  # compiled into the model
        read = uncertainty.read

        def forward(item: Item) -> None:
            plain(item[1].copy())

        def forward_with_uncertainty(item: Item) -> None:
            read(uncertain(item[1].copy()), item[1])

        def ensemble(item: Item) -> None:
            for _ in range(N_MEMBERS):
                plain(item[1].copy())

        def calculate(item: Item) -> None:
            bare.calculate(item[0])

        def calculate_with_uncertainty(item: Item) -> None:
            informed.calculate(item[0])

        with torch_default_dtype(torch.float64):
            items = [(atoms, bare.atoms_to_data(atoms)) for atoms in case.test]
        of = f"k = {k}, n_prototypes = {n_prototypes}{' by element' * elements}"
        of += f", environment = {environment}, compiled"
        (low, middle, high), before = paired(forward, forward_with_uncertainty, items)
        print(
            f"\nthe model's pass with uncertainty, {of}: {middle:.3f} [{low:.3f}, {high:.3f}] "
            f"times that of {before:.2f} ms without"
        )
        (_, many, _), _ = paired(forward, ensemble, items)
        print(
            f"an ensemble of {N_MEMBERS}: {many:.2f} times; its extra cost is "
            f"{(many - 1) / (middle - 1):.0f} times that of the uncertainty"
        )
        (low, middle, high), before = paired(calculate, calculate_with_uncertainty, items)
        print(
            f"the ASE calculation with uncertainty, {of}: {middle:.3f} [{low:.3f}, {high:.3f}] "
            f"times that of {before:.2f} ms without"
        )
