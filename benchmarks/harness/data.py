"""Public data sets: found in a folder, and verified by their checksums.

The folder is named by ``LTAU_DATA``, or is ``../shared/data`` beside the checkout. The UCI sets are
those of https://github.com/treforevans/uci_datasets, with its ten test folds; ESOL is Delaney's
solubility set as MoleculeNet has it. The structures of acetylacetone are those of
https://github.com/davkovacs/BOTNet-datasets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pooch
from numpy.typing import NDArray

__all__ = ["SETS", "Dataset", "data_folder", "find", "load"]

Floats = NDArray[np.float64]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to train on, rows to test on

_UCI = "https://github.com/treforevans/uci_datasets"
_ESOL = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/"
_ACAC = (
    "https://raw.githubusercontent.com/davkovacs/BOTNet-datasets/"
    "29e6d467317e4b5967b7ea5cbee54de953fa0d45/dataset_acac/"
)

_SHA256 = {
    "acac/train_300K.xyz": "8f5706d6902360555a5be59395612d2afc3489a75688388a58e7275fdad68af3",
    "acac/test_MD_300K.xyz": "2291f3186a3cc6a5e05e92952c84a9237ca53f862d78fd3316a769360719ec43",
    "acac/test_MD_600K.xyz": "d5a5bba154ec43f915eb7529f86ec3af60e6f911743859daba030181a0378ff7",
    "acac/train_300K.xyz.xz": "19578f1191e15dae06c77053de7ef976dd9cbdd905a72691580147970003e3aa",
    "acac/test_MD_300K.xyz.xz": "e9bb58880bb12021054f63e1f70dc01f2862d17c90149a6350855dc4bde4cfae",
    "acac/test_MD_600K.xyz.xz": "628b53b2590bf592fe81b1a40c9145220aa70ef4234fb9f9cc2753e90bec0ce6",
    "uci/airfoil/data.csv.gz": "1cce82516ac9e564fba52f55d817eb147fc39085f5d7b958ad15b92f4207f23e",
    "uci/airfoil/test_mask.csv.gz": (
        "dbba6121fb8f900350fe10d724b54faa2b67fcc7bfc3409cf7add717281609e4"
    ),
    "uci/concrete/data.csv.gz": "542c5d9a0d301bdb47550280398dcbbe2fb8404631fc945de1ea6df9ade741c6",
    "uci/concrete/test_mask.csv.gz": (
        "fae0926c655e4f9fb5669d0dbf2226bd8ff7daaadbd376adb8f32eac6f752e7e"
    ),
    "uci/energy/data.csv.gz": "431b6df04243db782bbcd45e408373a654334496ebe5d9c9985ab2e826a39f51",
    "uci/energy/test_mask.csv.gz": (
        "217df2cd4cabf818390e26a65384ea113c95b75bd687787a37ed2f87f28c9bb8"
    ),
    "uci/kin40k/data.csv.gz": "9bee7f2a9f39aa61a015f239378368601fb3978c5bb9a96433e88a55d40883ba",
    "uci/kin40k/test_mask.csv.gz": (
        "d15fd645d0e81a9a17ce2d0b8dde470bb2efba4d5f417459965abe4b237e2aea"
    ),
    "uci/wine/data.csv.gz": "e2ca3346651ddb43fbc6a1355e70e74b7ce68f93059e04405e9cb749c219eae2",
    "uci/wine/test_mask.csv.gz": "df80c2a700eafb42230991dd7a94c08d47baea55dde125a0a0dcae08964d4559",
    "uci/yacht/data.csv.gz": "88ec8ea1a979ab0628a54392822c60b3699ea22541e912e83246f7d49f5adad1",
    "uci/yacht/test_mask.csv.gz": (
        "2f6d6b091146887589db66073317b8485e853d27e664b99b8b402ad57ba4a936"
    ),
    "esol/delaney-processed.csv": (
        "8c06a76f0c6487d29ab0f903e6a7a7139f189ab3c1178f159c8be8964602f189"
    ),
}

_ESOL_TARGET = "measured log solubility in mols per litre"
_ESOL_FEATURES = [
    "Minimum Degree",
    "Molecular Weight",
    "Number of H-Bond Donors",
    "Number of Rings",
    "Number of Rotatable Bonds",
    "Polar Surface Area",
]

SETS = ("airfoil", "concrete", "energy", "yacht", "kin40k", "wine", "esol")


class Dataset(NamedTuple):
    """A regression set with its test folds."""

    X: Floats  # (n, n_features)
    y: Floats  # (n,), in the source's unit
    folds: NDArray[np.bool_]  # (n, 10): which rows each fold tests

    def split(self, fold: int, max_train: int, max_test: int) -> Split:
        """Take one fold to test on and the rest to train on, at most so many random rows each."""
        rng = np.random.default_rng(fold)
        test = rng.permutation(np.flatnonzero(self.folds[:, fold]))[:max_test]
        train = rng.permutation(np.flatnonzero(~self.folds[:, fold]))[:max_train]
        return train, test


def load(name: str) -> Dataset:
    """Load one of `SETS`.

    Parameters
    ----------
    name : str
        One of `SETS`.

    Returns
    -------
    Dataset
        Features, target and test folds.

    Raises
    ------
    ValueError
        If there is no such set, or a file is not the one that the results were made with.
    OSError
        If a file of a UCI set is not in the data folder, or ESOL cannot be downloaded.
    """
    if name not in SETS:
        raise ValueError(f"Expected one of {', '.join(SETS)}, got {name!r}.")
    if name == "esol":
        return _load_esol()
    data = np.loadtxt(find(f"uci/{name}/data.csv.gz"), delimiter=",")
    folds = np.loadtxt(find(f"uci/{name}/test_mask.csv.gz"), delimiter=",").astype(bool)
    return Dataset(data[:, :-1], data[:, -1], folds)


def _load_esol() -> Dataset:
    """Load ESOL with six descriptors as features; it has no folds of its own, so draw ten."""
    table = pd.read_csv(find("esol/delaney-processed.csv"))
    fold = np.random.default_rng(0).permutation(np.arange(len(table)) % 10)
    return Dataset(
        table[_ESOL_FEATURES].to_numpy(np.float64),
        table[_ESOL_TARGET].to_numpy(np.float64),
        fold[:, None] == np.arange(10),
    )


def data_folder() -> Path:
    """Name the folder of the data: ``LTAU_DATA``, or ``../shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("LTAU_DATA", beside))


def find(name: str) -> Path:
    """Find a file in the data folder and verify it; what is not UCI's is downloaded if missing.

    Parameters
    ----------
    name : str
        Path of the file in the folder; those of acetylacetone may be packed there, as ``.xz``.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    OSError
        If it is not in the data folder, and is not downloaded.
    ValueError
        If it is not the one that the results were made with.
    """
    folder = data_folder()
    for known in (name, f"{name}.xz"):
        path = folder / known
        if known in _SHA256 and path.is_file():
            found = pooch.file_hash(str(path))
            if found != _SHA256[known]:
                raise ValueError(f"Expected {path} with sha256 {_SHA256[known]}, got {found}.")
            return path
    collection, _, file = name.partition("/")
    if collection == "uci":
        raise FileNotFoundError(
            f"Expected the data at {folder / name}, found nothing. Get {file} from "
            f"{_UCI}, put it at {name} in a folder, and set LTAU_DATA to that folder."
        )
    source = {"esol": _ESOL, "acac": _ACAC}[collection]
    downloaded: str = pooch.retrieve(
        source + file, f"sha256:{_SHA256[name]}", path=pooch.os_cache("ltau-benchmarks")
    )
    return Path(downloaded)
