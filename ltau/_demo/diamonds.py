"""The main job on real data: error bars for a network that prices diamonds.

53,794 diamonds with their prices ship with plotnine. A small network learns the price
of diamonds under 1.5 carat. LTAU then says how far off it is for other such diamonds, and
for the larger ones that it has never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from plotnine.data import diamonds
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

from ltau._errors.bins import ErrorBins
from ltau._errors.histogram import ErrorHistogram
from ltau.adapters.torch import ErrorRecorder, latents
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator
from ltau.metrics import auroc, bootstrap_estimate, coverage, miscalibration_area, spearman
from ltau.plotting import (
    ErrorCalibrationDisplay,
    ErrorDensityDisplay,
    PredictedErrorDisplay,
    RiskCoverageDisplay,
)

__all__ = ["run"]

Floats = NDArray[np.float64]

_LARGE = 1.5  # carat
_N_TEST = 10_000
_LAST_HIDDEN = "5"  # the activation before the output

IN_DOMAIN, LARGER = "diamonds of the same kind", "larger diamonds"
LTAU, DISTANCE, CONSTANT = "LTAU", "distance alone", "constant"


class Diamonds(NamedTuple):
    """Features and prices of some diamonds."""

    features: torch.Tensor  # (n, 6)
    price: Floats  # (n,), in US dollars


class Method(NamedTuple):
    """What one method says of each set of diamonds."""

    scores: dict[str, Floats]  # rise with the error
    distributions: Mapping[str, ErrorDistribution] = MappingProxyType({})  # where it gives any


def run(output: Path, *, n_epochs: int = 40, seed: int = 0) -> None:
    """Train a network, fit LTAU to its errors, print a table and write pictures.

    Parameters
    ----------
    output : Path
        Folder for the pictures; it exists.
    n_epochs : int, default=40
        Epochs of training.
    seed : int, default=0
        Seed of everything random.
    """
    torch.manual_seed(seed)
    train, tests = load_diamonds(seed)
    price_scale = train.price.mean(), train.price.std()
    model, trajectories = train_network(train, price_scale, n_epochs)
    estimator = LTAUEstimator(random_state=seed)
    estimator.fit(_latents(model, train.features), trajectories, targets=train.price)
    prices = {name: _prices(model, stones, price_scale) for name, stones in tests.items()}
    errors = {name: np.abs(prices[name] - stones.price) for name, stones in tests.items()}
    methods = predict(
        estimator,
        {name: _latents(model, stones.features) for name, stones in tests.items()},
        prices,
        pooled(trajectories[:, round(n_epochs / 3) :], estimator.bin_edges_),
    )
    print(f"\nLTAU on {len(train.price):,} training diamonds, {n_epochs} epochs:")
    print(table(methods, errors))
    draw(methods, errors, output)
    print(f"\nPictures are in {output.resolve()}")


def load_diamonds(seed: int) -> tuple[Diamonds, dict[str, Diamonds]]:
    """Split the diamonds: to train on, to test in domain, and larger ones."""
    stones = diamonds.drop_duplicates()
    columns = [np.log(stones["carat"]), stones["depth"], stones["table"]]
    columns += [stones[grade].cat.codes for grade in ("cut", "color", "clarity")]
    features = np.stack(columns, axis=1).astype(np.float32)
    price = stones["price"].to_numpy(np.float64)
    large = stones["carat"].to_numpy() >= _LARGE
    shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(~large))
    test, train = shuffled[:_N_TEST], shuffled[_N_TEST:]
    features = (features - features[train].mean(axis=0)) / features[train].std(axis=0)

    def select(rows: NDArray[np.intp]) -> Diamonds:
        return Diamonds(torch.from_numpy(features[rows]), price[rows])

    return select(train), {IN_DOMAIN: select(test), LARGER: select(np.flatnonzero(large))}


def train_network(
    stones: Diamonds, price_scale: tuple[float, float], n_epochs: int
) -> tuple[torch.nn.Module, NDArray[np.float32]]:
    """Train on standardized prices; give the network and its error trajectories in dollars."""
    mean, std = price_scale
    model = torch.nn.Sequential(
        torch.nn.Linear(stones.features.shape[1], 64),
        torch.nn.SiLU(),
        torch.nn.Linear(64, 64),
        torch.nn.SiLU(),
        torch.nn.Linear(64, 32),
        torch.nn.SiLU(),
        torch.nn.Linear(32, 1),
        torch.nn.Flatten(0),
    )
    prices = torch.from_numpy((stones.price - mean) / std).float()
    data = TensorDataset(torch.arange(len(prices)), stones.features, prices)
    loader = DataLoader(data, batch_size=512, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-2, total_steps=n_epochs * len(loader)
    )
    recorder = ErrorRecorder(len(prices))
    for _ in tqdm(range(n_epochs), desc="training", unit="epoch"):
        for ids, features, target in loader:
            optimizer.zero_grad()
            residuals = model(features) - target
            residuals.abs().mean().backward()
            optimizer.step()
            schedule.step()
            recorder.record(ids, std * residuals)
        recorder.end_epoch()
    return model, recorder.errors


def pooled(errors: NDArray[np.float32], edges: Floats) -> ErrorDistribution:
    """Put all training errors into one distribution: the same error bar for every diamond."""
    histogram = ErrorHistogram(ErrorBins(edges), n_samples=1)
    histogram.update(errors.reshape(1, -1))
    return ErrorDistribution(histogram.counts / histogram.n_seen[:, None], edges)


def predict(
    estimator: LTAUEstimator,
    latents: dict[str, NDArray[np.float32]],
    prices: dict[str, Floats],
    constant: ErrorDistribution,
) -> dict[str, Method]:
    """Let LTAU and the trivial baselines say how wrong the network is on each diamond."""
    predicted = {
        name: estimator.predict_distribution(z, y_pred=prices[name]) for name, z in latents.items()
    }
    constants = {name: constant[np.zeros(len(z), int)] for name, z in latents.items()}
    distances = {name: estimator.kneighbors(z)[0].mean(axis=1) for name, z in latents.items()}
    return {
        LTAU: Method({name: d.mean() for name, d in predicted.items()}, predicted),
        "LTAU, ood_score": Method({name: estimator.ood_score(z) for name, z in latents.items()}),
        DISTANCE: Method(distances),
        CONSTANT: Method({name: np.ones(len(z)) for name, z in latents.items()}, constants),
    }


def table(methods: dict[str, Method], errors: dict[str, Floats]) -> str:
    """Compare the methods in domain and beyond."""
    columns = ["Spearman", "coverage 50 %", "coverage 90 %", "miscal. area", "AUROC of shift"]
    header = f"{'':20}" + "".join(f"{column:>16}" for column in columns)
    lines = [header, "-" * len(header)]
    is_larger = np.concatenate([np.full(len(e), name == LARGER) for name, e in errors.items()])
    with tqdm(total=len(errors) * len(methods), desc="scoring") as progress:
        for name, observed in errors.items():
            lines.append(f"{len(observed):,} {name}, mean error ${observed.mean():,.0f}")
            for label, method in methods.items():
                cells = ["-"]  # a constant ranks nothing
                if label != CONSTANT:
                    cells = [_with_interval(spearman, observed, method.scores[name])]
                cells += _calibration(method, name, observed)
                if name == LARGER:
                    scores = np.concatenate([*method.scores.values()])
                    cells.append(_with_interval(auroc, is_larger, scores))
                lines.append(f"  {label:18}" + "".join(f"{cell:>16}" for cell in cells))
                progress.update()
    lines.append("± half of the 95 % interval, by bootstrap over diamonds")
    return "\n".join(lines)


def _calibration(method: Method, name: str, errors: Floats) -> list[str]:
    """Share of errors inside the 50 % and 90 % bars, and the miscalibration area."""
    if name not in method.distributions:
        return ["-"] * 3
    distribution = method.distributions[name]
    bars = (distribution.quantile(level) for level in (0.5, 0.9))
    area = miscalibration_area(errors, distribution)
    return [*(_with_interval(_covered, errors, bar) for bar in bars), f"{area:.2f}"]


def _covered(errors: Floats, bars: Floats) -> float:
    return coverage(errors, upper=bars)


def _with_interval(metric: Callable[..., float], *rows: NDArray[np.generic]) -> str:
    groups = np.arange(len(rows[0]))  # every diamond is a sample of its own
    estimate = bootstrap_estimate(metric, *rows, groups=groups, n_resamples=200)
    return f"{estimate:.2f} ± {(estimate.high - estimate.low) / 2:.2f}"


def draw(methods: dict[str, Method], errors: dict[str, Floats], output: Path) -> None:
    """Write one picture of each kind."""
    plt.switch_backend("Agg")  # files, no windows
    scores, distributions = methods[LTAU]
    observed = errors[IN_DOMAIN]
    few = np.argsort(scores[IN_DOMAIN])[[100, _N_TEST // 2, -100]]
    with _picture(output / "error_densities.png") as ax:
        ErrorDensityDisplay.from_predictions(
            distributions[IN_DOMAIN][few],
            observed[few],
            name=["Certain", "Typical", "Doubtful"],
            unit="$",
            ax=ax,
        )
    with _picture(output / "calibration.png") as ax:
        for name in (IN_DOMAIN, LARGER):
            ErrorCalibrationDisplay.from_predictions(
                errors[name], distributions[name], name=name.capitalize(), ax=ax
            )
    with _picture(output / "predicted_error.png") as ax:
        PredictedErrorDisplay.from_predictions(
            observed, scores[IN_DOMAIN], name="LTAU", unit="$", ax=ax
        )
    with _picture(output / "risk_coverage.png") as ax:
        for label in (LTAU, DISTANCE):
            RiskCoverageDisplay.from_predictions(
                observed, methods[label].scores[IN_DOMAIN], name=label, unit="$", ax=ax
            )


@contextmanager
def _picture(path: Path) -> Iterator[Axes]:
    """Give axes to draw in, and write them to a file."""
    figure, ax = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    yield ax
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _latents(model: torch.nn.Module, features: torch.Tensor) -> NDArray[np.float32]:
    return latents(model, features.split(4096), _LAST_HIDDEN, progress=True)


def _prices(model: torch.nn.Module, stones: Diamonds, price_scale: tuple[float, float]) -> Floats:
    """Predict prices, in dollars."""
    mean, std = price_scale
    with torch.no_grad():
        prices: Floats = mean + std * model(stones.features).double().numpy()
    return prices
