"""Forces of acetylacetone by four kinds of models: how wrong they are, and when to stop.

Everything once, on real data: train a small model while its errors are recorded, fit an estimator
to them, test it on frames with known forces, and run molecular dynamics under watch. In a checkout
of the repository, after ``pip install '.[nequip,plot]' pooch``:

    python examples/acac/acac.py                # 40 epochs: about four minutes on two cores
    python examples/acac/acac.py --epochs 85    # the figures in the documentation
    python examples/acac/acac.py --model allegro  # needs the extra allegro
    python examples/acac/acac.py --model sevennet --epochs 8  # fine-tunes 7net-0: extra sevennet
    python examples/acac/acac.py --model mace     # needs mace, in an environment without nequip

The data are those of Batatia et al., "The design space of E(3)-equivariant atom-centred
interatomic potentials", 2022, arXiv:2205.06643: geometries from dynamics with xTB, labelled
with DFT (PBE-D3/def2-SVP). They are looked for in the folder ``acac`` of the one that
``LTAU_DATA`` names, and downloaded where they are not there.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.langevin import Langevin
from ase.neighborlist import natural_cutoffs, neighbor_list
from force_fields import MODELS, calculator, fit, train
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray
from tqdm import tqdm

from ltau.adapters.ase import UncertaintyMonitor
from ltau.metrics import UndefinedMetricError, auroc, bootstrap_estimate, coverage, spearman
from ltau.plotting import OKABE_ITO, PredictedErrorDisplay
from ltau.selection import select
from ltau.structures import iread

SOURCE = (
    "https://raw.githubusercontent.com/davkovacs/BOTNet-datasets/"
    "29e6d467317e4b5967b7ea5cbee54de953fa0d45/dataset_acac/"
)
SHA256 = {
    "train_300K.xyz": "8f5706d6902360555a5be59395612d2afc3489a75688388a58e7275fdad68af3",
    "test_MD_300K.xyz": "2291f3186a3cc6a5e05e92952c84a9237ca53f862d78fd3316a769360719ec43",
    "test_MD_600K.xyz": "d5a5bba154ec43f915eb7529f86ec3af60e6f911743859daba030181a0378ff7",
}
TESTS = {"300 K": "test_MD_300K.xyz", "600 K": "test_MD_600K.xyz"}
ELEMENTS = {1: "H", 6: "C", 8: "O"}

TIMESTEP = 0.5  # fs
STEPS = {300: 2000, 1000: 4000}  # of dynamics, at each temperature

Floats = NDArray[np.float64]

HERE = Path(__file__).resolve().parent


class Predictions(NamedTuple):
    """What is predicted of the atoms of some frames, and what is true; (n_frames, n_atoms)."""

    numbers: NDArray[np.int_]
    error: Floats  # of the force, in eV/Å: the length of its difference to DFT
    expected: Floats  # by LTAU, in eV/Å
    upper: Floats  # which it exceeds with a probability of 10 %, in eV/Å
    ood_score: Floats


def main() -> None:
    """Train, fit, test, simulate."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--epochs", type=int, default=40, help="epochs of training (default: 40)")
    parser.add_argument("--model", choices=MODELS, default="nequip")
    parser.add_argument("--output", type=Path, default=Path("acac-results"), help="folder")
    options = parser.parse_args()
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("Agg")  # files, no windows

    frames = read("train_300K.xyz")
    held_out = frames[9::10]
    ase.io.write(output / "train.extxyz", [f for i, f in enumerate(frames) if i % 10 != 9])
    ase.io.write(output / "validation.extxyz", held_out)
    train(output, options.model, options.epochs)

    estimator = fit(output, options.model)
    chosen = {name: value for name, value in estimator.notes_["chosen"].items() if name != "scores"}
    print(f"The held-out frames chose {chosen}")
    estimator.save(output / "acac.ltau")
    model = calculator(output, options.model, estimator)

    held_out_predictions = predict(held_out, model, "held-out frames")
    tests = {name: predict(read(file), model, f"tests at {name}") for name, file in TESTS.items()}
    print(table(tests, held_out_predictions))
    limit = held_out_predictions.ood_score.max()
    print(shift(tests, limit))
    draw_errors(tests, output / "errors.png")
    draw_molecules(tests, output / "molecules.png")

    watch(held_out[0], model, limit, output)
    print(f"\nEverything is in {output.resolve()}")


def read(name: str) -> list[Atoms]:
    """Read a file of the data set from the data folder, or from where it is published."""
    beside = HERE.parents[2] / "shared" / "data"
    packed = Path(os.environ.get("LTAU_DATA", beside)) / "acac" / f"{name}.xz"
    if packed.is_file():
        with lzma.open(packed) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != SHA256[name]:
                raise ValueError(f"{packed} does not hold the published {name}.")
        return list(iread(packed, format="extxyz"))
    import pooch

    path = pooch.retrieve(SOURCE + name, f"sha256:{SHA256[name]}", path=pooch.os_cache("ltau"))
    return list(iread(path, format="extxyz"))


def predict(frames: list[Atoms], calculator: BaseCalculator, name: str) -> Predictions:
    """Let the calculator predict forces and their errors, and compare with DFT."""
    rows = []
    for frame in tqdm(frames, desc=name, unit="frame"):
        atoms = frame.copy()
        atoms.calc = calculator
        error = np.linalg.norm(atoms.get_forces() - frame.get_forces(), axis=1)
        names = "forces_uncertainty", "forces_uncertainty_upper", "ood_score"
        rows.append([atoms.numbers, error, *(calculator.results[name] for name in names)])
    return Predictions(*map(np.array, zip(*rows, strict=True)))


def table(tests: dict[str, Predictions], held_out: Predictions) -> str:
    """Compare with what is known without LTAU: the errors of each element on held-out frames."""
    ranks = ["all atoms", "in element", *ELEMENTS.values(), "of frames"]
    columns = [*ranks, "true/expected", "coverage 90 %"]
    lines = [
        f"{'':18}{'rank correlation of predicted and true error':^84}",
        f"{'':18}" + "".join(f"{column:>14}" for column in columns),
    ]
    lines.append("-" * len(lines[-1]))
    for name, test in tests.items():
        mean = test.error.mean()
        lines.append(f"{len(test.error)} frames at {name}, mean error {mean:.3f} eV/Å")
        constant, constant_upper = by_element(test, held_out)
        methods = {
            "LTAU": (test.expected, test.upper),
            "ood_score": (test.ood_score, None),
            "element alone": (constant, constant_upper),
        }
        for label, (score, upper) in methods.items():
            cells = [cell(spearman, test, score), cell(within_element, test, score, test.numbers)]
            for number in ELEMENTS:
                cells.append(cell(spearman, test, score, of=test.numbers == number))
            cells.append(of_frames(test, score))
            if upper is None:
                cells += ["-", "-"]
            else:
                cells.append(cell(ratio, test, score))
                cells.append(cell(lambda e, bar: coverage(e, upper=bar), test, upper))
            lines.append(f"  {label:16}" + "".join(f"{text:>14}" for text in cells))
    lines.append("± half of the 95 % interval, by bootstrap over frames")
    return "\n".join(lines)


def by_element(test: Predictions, held_out: Predictions) -> tuple[Floats, Floats]:
    """Give each atom the mean error, and the 90 % quantile, of its element on held-out frames."""
    mean, upper = np.empty_like(test.error), np.empty_like(test.error)
    for number in ELEMENTS:
        errors = held_out.error[held_out.numbers == number]
        mean[test.numbers == number] = errors.mean()
        upper[test.numbers == number] = np.quantile(errors, 0.9)
    return mean, upper


def within_element(error: Floats, score: Floats, numbers: NDArray[np.int_]) -> float:
    """Average the rank correlations of the elements, by their numbers of atoms."""
    of = {number: numbers == number for number in ELEMENTS}
    return float(sum(rows.mean() * spearman(error[rows], score[rows]) for rows in of.values()))


def ratio(error: Floats, expected: Floats) -> float:
    """Divide the mean true error by the mean expected one."""
    return float(error.mean() / expected.mean())


def cell(
    metric: Callable[..., float],
    test: Predictions,
    *rows: NDArray[np.generic],
    of: NDArray[np.bool_] | None = None,
) -> str:
    """Compute a metric of some atoms' errors and more, with its interval."""
    chosen = np.ones_like(test.numbers, bool) if of is None else of
    frames = np.nonzero(chosen)[0]
    atoms = [row[chosen] for row in (test.error, *rows)]
    try:
        estimate = bootstrap_estimate(metric, *atoms, groups=frames, n_resamples=200)
    except UndefinedMetricError:  # a constant ranks nothing
        return "-"
    return f"{estimate:.2f} ± {(estimate.high - estimate.low) / 2:.2f}"


def of_frames(test: Predictions, score: Floats) -> str:
    """Compute the rank correlation of the mean errors of frames, with its interval."""
    means = Predictions(*(row.mean(axis=1, keepdims=True) for row in test))
    return cell(spearman, means, score.mean(axis=1, keepdims=True))


def shift(tests: dict[str, Predictions], limit: float) -> str:
    """Tell how well the mean of a frame's atoms tells the 600 K frames from the 300 K ones."""
    hotter = np.concatenate([np.full(len(t.error), name == "600 K") for name, t in tests.items()])
    lines = ["\nWhich frames are of 600 K? AUROC by the mean of their atoms:"]
    for label in ("expected", "ood_score"):
        scores = np.concatenate([getattr(test, label).mean(axis=1) for test in tests.values()])
        estimate = bootstrap_estimate(auroc, hotter, scores, groups=np.arange(len(scores)))
        lines.append(f"  {label:16}{estimate!r}")
    above = [f"{(t.ood_score.max(axis=1) > limit).mean():.1%} at {n}" for n, t in tests.items()]
    lines.append(f"Frames above {limit:.2f}, the largest held-out ood_score: {', '.join(above)}")
    return "\n".join(lines)


def watch(start: Atoms, calculator: BaseCalculator, limit: float, output: Path) -> None:
    """Simulate at 300 K and note what is beyond the limit; then at 1000 K, until it is too much.

    Of frames like those trained on, one in 51 is expected beyond the largest score of 50
    held-out ones. What dynamics visit beyond it is worth labelling. They are stopped where they
    stay farther out than they ever went at 300 K.
    """
    for old in output.glob("dynamics.*"):
        old.unlink()
    run = output / "dynamics.csv"
    rng = np.random.default_rng(0)
    atoms = start.copy()
    atoms.calc = calculator
    spread = np.sqrt(units.kB * 300 * atoms.get_masses())
    atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))

    noted: list[Atoms] = []
    simulate(
        atoms,
        300,
        run,
        rng,
        max_ood_score=limit,
        action=lambda suspect, reason: noted.append(suspect.copy()),
    )
    scores = np.genfromtxt(run, delimiter=",", names=True)["ood_score_max"]
    print(f"\n300 K: {(scores > limit).mean():.0%} of the steps beyond {limit:.2f}")
    if noted:
        chosen = select(noted, min(10, len(noted)), random_state=0)
        ase.io.write(output / "to-label.extxyz", [noted[i] for i in chosen])
        known = ase.io.read(output / "train.extxyz", ":")
        for name, frames in {"frames trained on": known, "frames noted": noted}.items():
            lengths = [hydrogen_bond(frame) for frame in frames]
            print(f"  hydrogen bond in {name}: {np.mean(lengths):.2f} ± {np.std(lengths):.2f} Å")
        print(f"  to-label.extxyz has {len(chosen)} of {len(noted)} noted: uncertain, and diverse")

    monitor = simulate(atoms, 1000, run, rng, max_ood_score=scores.max())
    print(f"1000 K: {'never farther out' if monitor.reason is None else monitor.reason}")
    draw_run(run, limit, scores.max(), output / "dynamics.png")


def simulate(
    atoms: Atoms, temperature: int, run: Path, rng: np.random.Generator, **limits: Any
) -> UncertaintyMonitor:
    """Run Langevin dynamics, with a monitor that goes on in the same table."""
    dynamics = Langevin(
        atoms,
        TIMESTEP * units.fs,
        temperature_K=temperature,
        friction=0.01 / units.fs,
        fixcm=False,
        rng=rng,
    )
    monitor = UncertaintyMonitor(dynamics, run, patience=10, **limits)
    dynamics.attach(monitor)
    with tqdm(total=STEPS[temperature], desc=f"{temperature} K", unit="step") as bar:
        dynamics.attach(bar.update)
        dynamics.run(STEPS[temperature])
    return monitor


def hydrogen_bond(atoms: Atoms) -> float:
    """Measure how far the proton between the two oxygens is from the farther one, in Å."""
    distances = atoms.get_all_distances()[np.ix_(atoms.numbers == 8, atoms.numbers == 1)]
    proton = distances.min(axis=0).argmin()
    return float(distances[:, proton].max())


def draw_errors(tests: dict[str, Predictions], path: Path) -> None:
    """Draw true against expected errors."""
    figure, axes = plt.subplots(
        1, 2, figsize=(7.2, 3.6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, test) in zip(axes, tests.items(), strict=True):
        PredictedErrorDisplay.from_predictions(
            test.error.ravel(), test.expected.ravel(), name="LTAU", unit="eV/Å", ax=ax
        )
        ax.set_title(f"Test frames at {name}")
    save(figure, path)


def draw_molecules(tests: dict[str, Predictions], path: Path) -> None:
    """Draw the molecule of median mean error of each test, coloured by expected and true error."""
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 4.2), layout="constrained")
    for row, (name, test) in zip(axes, tests.items(), strict=True):
        frame = np.argsort(test.error.mean(axis=1))[len(test.error) // 2]
        atoms = read(TESTS[name])[frame]
        errors = {"expected": test.expected[frame], "true": test.error[frame]}
        colors = ScalarMappable(Normalize(0, max(map(np.max, errors.values()))), "cividis")
        for ax, (title, values) in zip(row, errors.items(), strict=True):
            draw_atoms(ax, atoms, values, colors)
            ax.set_title(f"{name}, {title}")
        figure.colorbar(colors, ax=row, shrink=0.85, label="Force error (eV/Å)")
    save(figure, path)


def draw_atoms(ax: Axes, atoms: Atoms, values: Floats, colors: ScalarMappable) -> None:
    """Draw atoms as discs, seen at an angle to the plane of the molecule."""
    centred = atoms.positions - atoms.positions.mean(axis=0)
    x, y, height = (centred @ np.linalg.svd(centred)[2].T).T
    y, depth = y * np.cos(0.6) - height * np.sin(0.6), y * np.sin(0.6) + height * np.cos(0.6)
    for i, j in zip(*neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.1)), strict=True):
        ax.plot(x[[i, j]], y[[i, j]], color="0.6", lw=3, zorder=min(depth[i], depth[j]))
    for i, symbol in enumerate(atoms.symbols):
        radius, letter = (0.28, 7) if symbol == "H" else (0.4, 9)
        color, centre = colors.to_rgba(values[i]), (x[i], y[i])
        ax.add_patch(Circle(centre, radius, fc=color, ec="black", lw=0.8, zorder=depth[i]))
        ax.annotate(
            symbol,
            centre,
            ha="center",
            va="center",
            color="white" if np.mean(color[:3]) < 0.45 else "black",
            fontsize=letter,
            zorder=depth[i],
        )
    ax.set_aspect("equal")
    ax.axis("off")


def draw_run(run: Path, limit: float, stop: float, path: Path) -> None:
    """Draw temperature, expected error and distance over time."""
    rows = np.genfromtxt(run, delimiter=",", names=True)
    time, heated = rows["time"] / 1000, TIMESTEP * STEPS[300] / 1000  # ps
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 5.4), sharex=True, layout="constrained")
    blue, red, _, _, orange, _ = OKABE_ITO
    axes[0].plot(time, rows["temperature"], lw=0.8, color=blue)
    thermostat = np.where(time < heated, 300, 1000)
    axes[0].plot(time, thermostat, ls="--", color="black", label="thermostat")
    axes[0].set_ylabel("Temperature (K)")
    axes[1].plot(
        time, rows["forces_uncertainty_max"], lw=0.8, color=blue, label="largest of an atom"
    )
    axes[1].plot(time, rows["forces_uncertainty_mean"], lw=0.8, color=orange, label="mean")
    axes[1].set_ylabel("Expected error\n(eV/Å)")
    axes[2].plot(time, rows["ood_score_max"], lw=0.8, color=blue)
    axes[2].axhline(limit, color=orange, ls="--", label="note: beyond held-out frames")
    axes[2].axhline(stop, color=red, label="stop: beyond 300 K")
    axes[2].set_ylabel("ood_score")
    axes[2].set_xlabel("Time (ps)")
    for ax in axes:
        ax.set_ylim(0, 1.35 * ax.get_ylim()[1])  # room for the legend
        ax.legend(loc="upper left", frameon=False, ncols=3, fontsize=9)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a picture."""
    figure.savefig(path, dpi=160)
    plt.close(figure)


if __name__ == "__main__":
    main()
