"""How held-out samples are divided between what they teach."""

import numpy as np
import pytest

from ltau import Calibration, ErrorDistribution, LTAUEstimator
from ltau._fitted.conformal import bound, quantile_levels
from ltau._fitted.learning import HeldOut, learn
from ltau._fitted.settings import Settings


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9])
def test_no_group_loses_all_its_samples(seed, fraction):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat", random_state=seed).fit(latents, rng.random((80, 5)))
    groups = np.array(["common"] * 57 + ["rare"] * 2 + ["single"])
    estimator.calibrate(latents[:60], rng.random(60), groups=groups, stretch_fraction=fraction)
    scores = estimator.calibration_.scores
    assert set(scores) == set(groups)
    assert len(scores["single"]) == len(scores["rare"]) == 1
    assert len(scores["common"]) == 57 - round(fraction * 57)


def test_all_samples_may_teach_the_scale():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat").fit(latents, rng.random((80, 5)))
    estimator.calibrate(latents, rng.random(80), groups=np.arange(80) % 3, stretch_fraction=1.0)
    assert not estimator.calibration_.scores


SETTINGS = Settings(10, "uniform", "bounded", 0.5, Calibration(1.0, 2.5, {}))


def badly_described(n, rng):
    """Draw predictions of many shapes, and errors that are larger, and otherwise distributed."""
    bins, centres, widths = np.arange(25), rng.uniform(3, 22, (n, 1)), rng.uniform(1, 6, (n, 1))
    probabilities = np.exp(-0.5 * ((bins - centres) / widths) ** 2)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = ErrorDistribution(probabilities, np.append(0, np.geomspace(0.01, 3, 25)))
    ratio = np.exp(rng.normal(0, 0.4, n))
    at = [
        predicted[row : row + 1].quantile(level)[0]
        for row, level in enumerate(rng.random(n) ** 1.5)
    ]
    return HeldOut(predicted, ratio, None), 2 * (1 + 0.3 * ratio) * np.array(at)


@pytest.mark.parametrize(("fraction", "rank"), [(None, 19 / 21), (0.5, 10 / 11)])
def test_levels_hold_whether_or_not_others_teach_the_scale(fraction, rank):
    """Of 20 samples; of those that teach levels the order statistic promises `rank`."""
    rng = np.random.default_rng(0)
    samples, errors = badly_described(4000, rng)
    inside = []
    for _ in range(300):
        known, new = np.split(rng.choice(4000, 60, replace=False), [20])
        learnt = learn(
            samples.take(known),
            errors[known, None],
            None,
            SETTINGS,
            exponent=2.5,
            stretch_fraction=fraction,
            rng=rng,
        )
        predicted = samples.take(new).stretched(SETTINGS, learnt.scale, learnt.exponent)
        levels = quantile_levels(learnt, 0.9, len(new), None)
        inside.append((errors[new] <= bound(predicted, levels)[:, 0]).mean())
    error = np.std(inside) / len(inside) ** 0.5
    assert np.mean(inside) == pytest.approx(rank, abs=0.01 + 2 * error)


def test_all_samples_teach_both_by_default():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat").fit(latents, rng.random((80, 5)))
    estimator.calibrate(latents, 3 * rng.random(80))
    assert len(estimator.calibration_.scores[None]) == 80
    assert estimator.calibration_.scale > 1
    estimator.calibrate(latents, 3 * rng.random(80), stretch_fraction=0.0)
    assert estimator.calibration_.scale == 1


def test_the_exponent_stays_unless_it_is_asked_for():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(200, 2))
    estimator = LTAUEstimator(index="flat", distance_scaling=1.5).fit(latents, rng.random((200, 5)))
    far = np.concatenate([latents, 3 * latents])
    observed = np.ones(400)
    assert estimator.calibrate(far, observed).calibration_.exponent == 1.5
    assert estimator.calibrate(far, observed, exponent=0.5).calibration_.exponent == 0.5
    assert estimator.calibrate(far, observed, exponent="learn").calibration_.exponent < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": "guess"}, "an exponent, 'learn' or None, got 'guess'"),
        ({"exponent": -1.0}, "an exponent from 0 to 10, got -1"),
        ({"exponent": "learn", "stretch_fraction": 0}, "a stretch_fraction above 0 to learn from"),
        ({"stretch_fraction": 1.5}, "a stretch_fraction from 0 to 1, got 1.5"),
    ],
)
def test_what_cannot_be_learnt_is_refused(arguments, message):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 2))
    estimator = LTAUEstimator(index="flat").fit(latents, rng.random((80, 5)))
    with pytest.raises(ValueError, match=message):
        estimator.calibrate(latents, rng.random(80), **arguments)
