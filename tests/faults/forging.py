"""Model files as an attacker would write them: any parts, with checksums that agree."""

import hashlib
import io
import json
import struct
import zipfile

import numpy as np

from ltau import LTAUEstimator
from ltau._files import archive

KINDS = ("flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq", "prototypes", "strata", "merged")


def fitted(kind, n=300):
    """Fit an estimator that has each part which a file may hold, by its kind of index."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(n, 4))
    errors = rng.lognormal(size=(n, 7))
    groups, strata = np.arange(n) % 10, None
    how = {"index": kind}
    if kind == "prototypes":
        how = {"n_prototypes": 40}
    if kind == "strata":
        how, strata = {}, np.resize([1, 6, 8], n)
    if kind == "merged":
        how, latents = {}, np.repeat(latents[: n // 2], 2, axis=0)
    estimator = LTAUEstimator(5, **how, n_bins=20, random_state=0, n_jobs=1)
    estimator.fit(latents, errors, strata, groups=groups, targets=latents[:, 0])
    held_out = latents + 0.1, errors[:, 0], strata
    estimator.calibrate(*held_out, groups=groups, y_pred=latents[:, 0])
    return estimator


def contents(kind, folder):
    """Give the header and the arrays of an estimator's file."""
    path = folder / f"{kind}.whole"
    if not path.exists():
        fitted(kind).save(path)
    return archive.read(path)


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def npy_of(descr, shape, data=b""):
    """Write an array whose header says what it likes."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + data


def pack(path, header, arrays):
    """Write a file of a header, which may be bytes, and of arrays, which may be bytes too."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    parts = {"ltau.json": text}
    for name, array in arrays.items():
        parts[f"{name}.npy"] = array if isinstance(array, bytes) else npy(np.asarray(array))
    sums = "".join(f"{hashlib.sha256(d).hexdigest()}  {name}\n" for name, d in parts.items())
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in (parts | {"ltau.sha256": sums.encode()}).items():
            packed.writestr(name, data)
    return path


def entries(path, count, name=b"a"):
    """Write a directory of many entries that all show the same part."""
    local = b"PK\x03\x04" + struct.pack("<5H3I2H", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    numbers = 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    entry = b"PK\x01\x02" + struct.pack("<6H3I5H2I", *numbers) + name
    size, start = count * len(entry), len(local)
    end = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, count, count, size, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, start + size, 1)
    last = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    path.write_bytes(local + count * entry + end + locator + last)
    return path
