"""A finished run, and relaxations that were never run, whose errors are drawn at random."""

from dataclasses import replace

import numpy as np
import pytest

SPLIT = ("val_id", "val_ood_ads", "val_ood_cat")


@pytest.fixture(scope="session")
def tiny():
    """The profile of the quick run, on fewer systems."""
    for module in ("torch", "nequip", "lmdb", "matplotlib"):
        pytest.importorskip(module)
    from benchmarks.is2rs.profiles import QUICK
    from benchmarks.is2rs.sources.emt import EMTSet

    # These few hold every element that is met.
    training = replace(QUICK.training, n_epochs=3)
    systems = EMTSet(n_train=7, n_each=1, seed=1)
    return replace(QUICK, training=training, emt=systems, n_resamples=20)


@pytest.fixture(scope="session")
def command(tiny):
    """Run the command of the benchmark, whose quick run is tiny."""
    from benchmarks.is2rs import __main__ as benchmark

    def run(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(benchmark, "QUICK", tiny)
            patch.setattr("sys.argv", ["is2rs", *map(str, arguments)])
            benchmark.main()

    return run


@pytest.fixture(scope="session")
def quick(command, tmp_path_factory):
    """Folder of a finished run: two trainings at once, and then a process for each stage."""
    folder = tmp_path_factory.mktemp("is2rs") / "quick"
    command("--quick", "--jobs", 2, "--until", "train", "--output", folder)
    command("--quick", "--jobs", 1, "--output", folder)
    return folder


@pytest.fixture
def workers():
    """A cluster of one thread of this process, which need not import anew what is slow to."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            1, processes=False, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def relax():
    """Make relaxed systems: the larger a system's own error, the farther it ends from the truth."""

    for module in ("ase", "joblib", "nequip"):
        pytest.importorskip(module)

    def make(n_systems, n_steps=12, seed=0, true_forces=True, ensemble=False):
        rng = np.random.default_rng(seed)
        return [
            _relaxed(f"s{number}", SPLIT[number % 3], n_steps, rng, true_forces, ensemble)
            for number in range(n_systems)
        ]

    return make


def _relaxed(sid, split, n_steps, rng, true_forces, ensemble):
    from benchmarks.is2rs.measuring.judging import Relaxed
    from benchmarks.is2rs.measuring.labels import judge

    scale = rng.lognormal(-2, 0.8)
    system = _system(sid, split, rng)
    path = _path(system, n_steps, scale, rng, ensemble)
    known = path if true_forces else _without_truth(path)
    return Relaxed(
        system=system,
        fold=f"fold {rng.integers(2)}",
        path=known,
        reference=path,
        judgement=judge(system, known),
        final_force=float(path.true_error[-1].max()) if true_forces else None,
        step_seconds=0.02 + 0.01 * rng.random(),
        forward_seconds=0.015,
    )


def _system(sid, split, rng):
    from ase import Atoms
    from ase.build import add_adsorbate, fcc111
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.constraints import FixAtoms

    from benchmarks.is2rs.sources.systems import ADSORBATE, SUBSURFACE, SURFACE, System

    metal, molecule = rng.choice(["Cu", "Pd", "Pt", "Au"]), rng.choice(["O", "N", "CO"])
    slab = fcc111(metal, (2, 2, 3), vacuum=6.0)
    tags = np.where(slab.get_tags() == 1, SURFACE, SUBSURFACE)
    adsorbate = Atoms(molecule, positions=[(0, 0, 1.2 * i) for i in range(len(molecule))])
    add_adsorbate(slab, adsorbate, 1.5, "fcc")
    slab.set_tags([*tags, *[ADSORBATE] * len(adsorbate)])
    slab.set_constraint(FixAtoms(np.flatnonzero(slab.get_tags() == SUBSURFACE)))
    slab.pbc = True
    frames = []
    for number in range(3):
        frame = slab.copy()
        frame.positions[-1, 2] -= 0.05 * number
        forces = np.zeros((len(frame), 3))
        frame.calc = SinglePointCalculator(frame, energy=-0.1 * number, forces=forces)
        frames.append(frame)
    return System(sid, split, tuple(frames), True, 0.0, str(metal), str(molecule))


def _path(system, n_steps, scale, rng, ensemble):
    from benchmarks.is2rs.relaxing.paths import Path
    from benchmarks.is2rs.sources.systems import free_atoms

    start, shape = system.initial, (n_steps, len(system.initial))
    free = free_atoms(start)
    away = np.linspace(0, 1, n_steps)[:, None, None] * free[:, None]
    error = scale * rng.lognormal(0, 0.3, shape)

    def noisy():
        return error * rng.lognormal(0, 0.2, shape)

    return Path(
        numbers=start.numbers.astype(np.int64),
        tags=start.get_tags().astype(np.int64),
        free=free,
        cell=np.asarray(start.cell),
        positions=start.positions + away * scale * rng.normal(size=(len(start), 3)),
        forces=rng.normal(scale=0.3, size=(*shape, 3)),
        energy=np.linspace(0, -0.2 - scale * rng.random(), n_steps),
        expected_error=noisy(),
        exceedance=1 - np.exp(-noisy()),
        ood_score=1 + noisy(),
        distance=0.5 + noisy(),
        spread=noisy() if ensemble else np.empty((0, 0)),
        true_error=error,
        converged=bool(scale < 0.3),
    )


def _without_truth(path):
    return replace(path, true_error=np.empty((0, 0)))
