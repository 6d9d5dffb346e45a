"""A training run for tests to kill: ``python log_writer.py FOLDER`` logs epochs until then."""

import importlib.util
import sys

import numpy as np

N_SAMPLES = 20_000


def train():
    """Train a linear model by gradient descent; yield the batches of ids and errors by epoch."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(N_SAMPLES, 4))
    targets = np.sin(inputs).sum(axis=1)
    weights = np.zeros(4)
    while True:
        batches = []
        for ids in np.split(rng.permutation(N_SAMPLES)[: N_SAMPLES * 3 // 4], 3):
            residuals = (inputs[ids] * weights).sum(axis=1) - targets[ids]
            weights -= 0.1 * (inputs[ids] * residuals[:, None]).mean(axis=0)
            batches.append((ids, np.abs(residuals)))
        yield batches


def main(folder):
    """Log epoch after epoch, from the one that a killed run did not finish, and say so."""
    from ltau.log import ErrorLog

    print("ready", flush=True)
    with ErrorLog(folder, N_SAMPLES, mode="resume") as log:
        n_done = log.n_epochs
        for epoch, batches in enumerate(train()):
            if epoch >= n_done:
                for ids, errors in batches:
                    log.record(ids, errors)
                log.end_epoch(epoch)
                print(epoch, flush=True)


if __name__ == "__main__":
    # `ltau` without what its __init__ imports, which takes a second: it starts 20 times.
    sys.modules["ltau"] = importlib.util.module_from_spec(importlib.util.find_spec("ltau"))
    main(sys.argv[1])
