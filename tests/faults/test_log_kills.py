"""Trainings that are killed at any moment while they log: what was acknowledged is there."""

import os

import numpy as np
import pytest

from ltau._files.whole import write_whole
from ltau.log import ErrorLog

from .children import live_on, start

N = 5000

# Epoch after epoch, each acknowledged by a line; errors tell which epoch they are of.
TRAINING = """
log = ErrorLog(sys.argv[1], int(sys.argv[2]), mode="resume")
ids = np.arange(log.n_samples)
print("ready", flush=True)
for epoch in range(log.n_epochs, 10**6):
    log.record(ids, np.full(len(ids), epoch + 0.25))
    log.end_epoch(epoch)
    print(epoch, flush=True)
"""


def kill_trainings(path, n_kills):
    """Kill a training again and again; count epochs acknowledged, lost, and read wrong."""
    rng = np.random.default_rng(0)
    acknowledged = lost = wrong = 0
    for delay in rng.uniform(0, 0.06, n_kills):
        with start(TRAINING, path, N) as child:
            assert child.stdout.readline() == "ready\n"
            if rng.random() < 0.8:  # others may die before their first epoch
                acknowledged = max(acknowledged, 1 + int(child.stdout.readline()))
            live_on(child, delay)
            child.kill()
            acknowledged = max([acknowledged, *(1 + int(x) for x in child.stdout.read().split())])
        log = ErrorLog(path)
        lost += max(0, acknowledged - log.n_epochs)
        wrong += sum(not (errors == n + 0.25).all() for n, errors in enumerate(log.epochs()))
        acknowledged = log.n_epochs
    with ErrorLog(path, mode="resume") as log:
        log.record([0], [1.0])
    assert not list(path.glob("*.tmp"))
    return acknowledged, lost, wrong


def check_kills(path, n_kills):
    acknowledged, lost, wrong = kill_trainings(path, n_kills)
    print(f"\n{n_kills} kills: {acknowledged} epochs acknowledged, {lost} lost, {wrong} wrong")
    assert (lost, wrong) == (0, 0)
    assert acknowledged >= n_kills // 2


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
def test_no_acknowledged_epoch_is_lost_to_a_kill(tmp_path):
    check_kills(tmp_path / "log", 10)


@pytest.mark.long_attack
def test_no_acknowledged_epoch_is_lost_to_many_kills(tmp_path):
    check_kills(tmp_path / "log", 100)


SAVING = """
from pathlib import Path
from ltau._files.whole import write_whole
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_whole(Path(sys.argv[1]), lambda file: [file.write(b"%d " % number) for _ in range(50000)])
"""


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
def test_a_save_that_is_killed_leaves_what_was_there_and_the_next_clears_up(tmp_path):
    path = tmp_path / "model.ltau"
    for delay in np.linspace(0.02, 0.08, 5):
        with start(SAVING, path) as child:
            child.stdout.readline()
            while not path.exists():
                assert child.poll() is None
            live_on(child, delay)
            child.kill()
        numbers = path.read_bytes().split()
        assert len(numbers) == 50_000
        assert len(set(numbers)) == 1
    write_whole(path, lambda file: file.write(b"done"))
    assert list(tmp_path.iterdir()) == [path]
