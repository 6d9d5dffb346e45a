"""Run as a child: load model files, and say of each how it went and what it took.

A line is printed before a file is loaded, so that it is known which one hangs or kills.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from ltau import LTAUEstimator, LTAUFileError


def peak():
    """Give the most memory that was resident since `forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")


def ask(estimator):
    """Predict, where it can be: what was loaded must not make faiss read elsewhere."""
    queries = np.random.default_rng(0).normal(size=(3, estimator.n_features_in_))
    strata = None if estimator.strata_ is None else np.resize(estimator.strata_, 3)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return estimator.predict(queries, strata).tobytes().hex()
    except ValueError as error:
        return f"refused: {error}"


def load(path, mmap):
    try:
        estimator = LTAUEstimator.load(path, mmap=mmap)
    except LTAUFileError as error:
        return {"refused": str(error)[:500]}
    except MemoryError as error:
        return {"memory": str(error)}
    return {"loaded": True, "estimator": estimator}


def main():
    mmap, asked, *paths = json.loads(sys.stdin.read())
    before = peak()  # what an earlier file leaves behind counts as a later one's
    for path in paths:
        print(json.dumps({"path": path}), flush=True)
        forget_peak()
        start = time.perf_counter()
        result = load(path, mmap)
        took = peak() - before
        result |= {"bytes": took, "seconds": time.perf_counter() - start}
        result["size"] = os.path.getsize(path)
        estimator = result.pop("estimator", None)
        if asked and estimator is not None:
            result["predicted"] = ask(estimator)
        del estimator
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
