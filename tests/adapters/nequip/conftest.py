"""Tiny trainings of NequIP, and one that has finished, on frames that EMT labelled."""

import copy
import os
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

for framework in ("torch", "lightning", "nequip"):
    pytest.importorskip(framework)

import ase.io  # noqa: E402
import lightning.pytorch as lightning  # noqa: E402
import torch  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.build import bulk  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase.cluster import Icosahedron  # noqa: E402
from nequip.data.datamodule import ASEDataModule  # noqa: E402
from nequip.scripts import package as packaging  # noqa: E402
from nequip.train import EMALightningModule  # noqa: E402
from nequip.utils import get_current_code_versions  # noqa: E402
from nequip.utils.global_state import get_latest_global_state  # noqa: E402

from ltau.adapters.nequip import ErrorRecorderCallback, compile_model, load_model  # noqa: E402
from ltau.adapters.nequip._state import nequip_state  # noqa: E402

N_TRAIN, N_VALIDATION, EPOCHS = 20, 4, 4
TYPES = ["Cu", "Au"]
CUTOFF = 4.0

# What the libraries under nequip say of each other.
WARNINGS = [
    "ignore:.*torch.jit:DeprecationWarning",
    "ignore:.*LeafSpec:FutureWarning",
    "ignore:Checkpoint directory:UserWarning",
    "ignore:.*does not have many workers:UserWarning",
]


def pytest_collection_modifyitems(items):
    """Let the libraries under nequip warn in these tests."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for warning in WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning), append=False)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Let torch use one thread: models this small are the faster for it, and exact.

    The sums of a compiled model's forces depend on the order in which threads come.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of trainings in other processes
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


def labelled(atoms):
    """The same atoms, with EMT's energy and forces."""
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def alloy(atoms, rng):
    """Copper or gold at each place, off its place."""
    atoms = atoms.copy()
    atoms.symbols = rng.choice(TYPES, len(atoms))
    atoms.positions += rng.normal(scale=0.15, size=(len(atoms), 3))
    return labelled(atoms)


@pytest.fixture(scope="session")
def frames():
    """Crystals of 4 atoms and clusters of 5 to 8, in turn, with energies and forces."""
    rng = np.random.default_rng(0)
    crystal, ball = bulk("Cu", a=3.8, cubic=True), Icosahedron("Cu", 2, 3.8)
    structures = []
    for number in range(N_TRAIN + N_VALIDATION):
        cluster = Atoms(ball[: 5 + number % 4])
        structures.append(alloy(cluster if number % 2 else crystal, rng))
    return structures


@pytest.fixture(scope="session")
def train():
    """A function that trains in a folder, as nequip-train would, and gives the trainer.

    The model has one layer unless told otherwise: that of `run` has two.
    """
    return _train


def _train(
    folder,
    frames,
    callbacks,
    *,
    epochs=EPOCHS,
    lr=0.01,
    loader=None,
    model=None,
    module=None,
    data=None,
    resume=None,
    **trainer_settings,
):
    folder.mkdir(parents=True, exist_ok=True)
    ase.io.write(folder / "data.extxyz", frames)
    data = {
        "seed": 1,
        "split_dataset": {
            "file_path": str(folder / "data.extxyz"),
            "train": len(frames) - N_VALIDATION,
            "val": N_VALIDATION,
        },
        "transforms": [
            {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": CUTOFF},
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": TYPES,
            },
        ],
        "train_dataloader": {"batch_size": 3, "shuffle": True, **(loader or {})},
        "val_dataloader": {"batch_size": 4},
        **(data or {}),
    }
    module = {
        "model": {
            "_target_": "nequip.model.NequIPGNNModel",
            "seed": 1,
            "model_dtype": "float32",
            "type_names": TYPES,
            "r_max": CUTOFF,
            "num_layers": 1,
            "l_max": 1,
            "parity": False,
            "num_features": 8,
            "radial_mlp_depth": 1,
            "radial_mlp_width": 8,
            "avg_num_neighbors": 12.0,
            "per_type_energy_scales": 1.0,
            "per_type_energy_shifts": 0.0,
            **(model or {}),
        },
        "optimizer": {"_target_": "torch.optim.Adam", "lr": lr},
        "loss": {
            "_target_": "nequip.train.EnergyForceLoss",
            "per_atom_energy": True,
            "coeffs": {"total_energy": 1.0, "forces": 1.0},
        },
        "val_metrics": {
            "_target_": "nequip.train.EnergyForceMetrics",
            "coeffs": {"forces_mae": 1.0},
        },
        "ema_decay": 0.9,
        **(module or {}),
    }
    with nequip_state():
        datamodule = ASEDataModule(**copy.deepcopy(data))
        info = {
            "versions": get_current_code_versions(verbose=False),
            "data": {"_target_": "nequip.data.datamodule.ASEDataModule", **data},
            "trainer": {},
            "global_options": dict(get_latest_global_state()),
            "runs": ["train"],
            "training_module": {"_target_": "nequip.train.EMALightningModule", **module},
        }
        training_module = EMALightningModule(
            **module, num_datasets=datamodule.num_datasets, info_dict=info
        )
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=callbacks,
            **{
                "accelerator": "cpu",
                "logger": False,
                "inference_mode": False,
                "enable_checkpointing": any(
                    isinstance(callback, lightning.callbacks.Checkpoint) for callback in callbacks
                ),
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                **trainer_settings,
            },
        )
        trainer.fit(training_module, datamodule, ckpt_path=resume, weights_only=False)
    return trainer


@pytest.fixture(scope="session")
def run(tmp_path_factory, frames):
    """A finished training: `folder` with its checkpoint; `steps` and `evals`, folders of logs."""
    folder = tmp_path_factory.mktemp("run")
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=folder, save_last=True)
    callbacks = [
        ErrorRecorderCallback(folder / "steps"),
        ErrorRecorderCallback(folder / "evals", mode="eval"),
        checkpoints,
    ]
    _train(folder, frames, callbacks, model={"num_layers": 2})
    return SimpleNamespace(
        folder=folder,
        checkpoint=folder / "last.ckpt",
        steps=folder / "steps",
        evals=folder / "evals",
    )


@pytest.fixture(scope="session")
def alone():
    """Labelled structures in which no atom has a neighbour: an atom, a dimer, a crystal."""
    structures = [
        Atoms("Cu"),
        Atoms("CuAu", [[0, 0, 0], [0, 0, 9.0]]),
        Atoms("Au", cell=[9.0] * 3, pbc=True),
    ]
    for atoms in structures:
        forces = np.full((len(atoms), 3), 0.1)  # of what a cutoff leaves out
        atoms.calc = SinglePointCalculator(atoms, energy=0.2 * len(atoms), forces=forces)
    return structures


@pytest.fixture(scope="session")
def package(run, tmp_path_factory):
    """The model of `run` as a package."""
    path = tmp_path_factory.mktemp("package") / "model.nequip.zip"
    nequip_package("build", run.checkpoint, path)
    return path


@pytest.fixture(scope="session")
def forceless(package, tmp_path_factory):
    """The same without forces."""
    path = tmp_path_factory.mktemp("forceless") / "model.nequip.zip"
    nequip_package("modify", package, path, "--modifier", "disable_ForceStressOutput")
    return path


def nequip_package(*arguments):
    """Run nequip's own packaging, in this process: another takes longer to import nequip."""
    with nequip_state(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packaging.main([*map(str, arguments)])


@pytest.fixture(scope="session")
def compiled(package, tmp_path_factory):
    """The same compiled, with latents: the one compilation without the uncertainty."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no C++ compiler {compiler}, which torch needs to compile a model")
    path = tmp_path_factory.mktemp("compiled") / "model.nequip.pt2"
    with warnings.catch_warnings():  # torch of its own parts
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        compile_model(package, path)
    return path


@pytest.fixture(scope="session", params=["checkpoint", "package", "compiled"])
def model_path(request):
    """The model of `run`, in each kind of file."""
    if request.param == "checkpoint":
        return request.getfixturevalue("run").checkpoint
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def loaded(model_path):
    """The same, loaded once: a package takes a second or two each time."""
    return load_model(model_path)


@pytest.fixture(scope="session")
def model(run):
    """The model of the checkpoint of `run`, loaded."""
    return load_model(run.checkpoint)


@pytest.fixture(scope="session")
def run64(tmp_path_factory, frames):
    """The checkpoint of a model in float64."""
    folder = tmp_path_factory.mktemp("run64")
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=folder, save_last=True)
    _train(folder, frames, [checkpoints], epochs=1, model={"model_dtype": "float64"})
    return folder / "last.ckpt"


@pytest.fixture(scope="session")
def allegro_run(tmp_path_factory, frames):
    """A finished training of Allegro: its folder, with checkpoint, logs and frames."""
    pytest.importorskip("allegro")
    model = {
        "_target_": "allegro.model.AllegroModel",
        "seed": 1,
        "model_dtype": "float32",
        "type_names": TYPES,
        "r_max": CUTOFF,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": 4,
        },
        "num_layers": 1,
        "l_max": 1,
        "parity": False,
        "num_scalar_features": 4,
        "num_tensor_features": 2,
        "allegro_mlp_hidden_layers_width": 8,
        "readout_mlp_hidden_layers_width": 8,
        "scalar_embed_mlp_hidden_layers_width": 8,
        "avg_num_neighbors": 12.0,
    }
    folder = tmp_path_factory.mktemp("allegro")
    checkpoints = lightning.callbacks.ModelCheckpoint(dirpath=folder, save_last=True)
    recorder = ErrorRecorderCallback(folder / "ltau", mode="eval")
    _train(folder, frames, [recorder, checkpoints], module={"model": model})
    return folder


@pytest.fixture(scope="session")
def allegro_package(allegro_run, tmp_path_factory):
    """The model of `allegro_run` as a package."""
    path = tmp_path_factory.mktemp("allegro_package") / "model.nequip.zip"
    nequip_package("build", allegro_run / "last.ckpt", path)
    return path
