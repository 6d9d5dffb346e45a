"""The scores of the benchmark beyond the domain, against recomputation."""

import numpy as np
import pytest
from scipy import stats

for module in ("torch", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.methods.domains import Samples  # noqa: E402
from benchmarks.methods.predictions import ErrorPrediction  # noqa: E402
from benchmarks.ood.scoring import detection, score, spearman_within  # noqa: E402
from ltau import ErrorDistribution  # noqa: E402
from ltau.metrics import crps, miscalibration_area  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def case(rng):
    """Exponential errors of 60 structures of 4 atoms, and the right predictions."""
    mean = rng.uniform(0.5, 2, 240)
    classes = np.tile([1, 1, 1, 8], 60)
    samples = Samples(
        latents=np.zeros((240, 1), np.float32),
        errors=rng.exponential(mean),
        structures=np.repeat(np.arange(60), 4),
        classes=classes,
        spreads={},
    )
    edges = stats.expon.ppf(np.linspace(0, 0.999, 300))
    probabilities = np.full((240, 299), 1 / 299)
    distribution = ErrorDistribution(probabilities, edges, mean)
    prediction = ErrorPrediction(distribution, distribution.quantile([0.5, 0.9]), mean)
    return prediction, samples


class TestScore:
    def test_values_are_those_of_a_recomputation(self, case):
        prediction, samples = case
        e, expected = samples.errors, prediction.errors.mean()
        found = {name: value[0] for name, value in score(prediction, samples, 20).items()}
        by_structure = e.reshape(60, 4).mean(axis=1), expected.reshape(60, 4).mean(axis=1)
        assert found["spearman"] == pytest.approx(stats.spearmanr(e, expected).statistic)
        assert found["spearman_structures"] == pytest.approx(stats.spearmanr(*by_structure)[0])
        assert found["ratio"] == pytest.approx(e.mean() / expected.mean())
        assert found["coverage_90"] == pytest.approx((e <= prediction.bounds[:, 1]).mean())
        assert found["crps"] == pytest.approx(crps(e, prediction.errors))
        assert found["error"] == pytest.approx(e.mean())
        exact = miscalibration_area(e, prediction.errors)
        assert found["miscalibration"] == pytest.approx(exact, abs=0.01)

    def test_intervals_hold_their_value_and_are_wider_by_structure(self, case):
        prediction, samples = case
        clustered = score(prediction, samples)
        for value, low, high in clustered.values():
            assert low <= value * 1.05 + 0.01
            assert high >= value * 0.95 - 0.01
        # Fourfold copies of an atom are no more than one.
        rows = np.repeat(np.arange(60) * 4, 4)
        copies = samples._replace(errors=samples.errors[rows])
        alone = copies._replace(structures=np.arange(240))
        width = [np.ptp(score(prediction, s)["error"][1:]) for s in (copies, alone)]
        assert width[0] > 1.5 * width[1]

    def test_a_constant_ranks_nothing(self, case):
        prediction, samples = case
        same = ErrorPrediction(prediction.errors[np.zeros(240, int)], *prediction[1:])
        found = score(same, samples, 20)
        assert found["spearman"] is found["spearman_within"] is found["spearman_structures"] is None
        assert found["crps"] is not None

    def test_samples_of_their_own_have_no_scores_of_structures_and_classes(self, case):
        prediction, samples = case
        rows = samples._replace(structures=np.arange(240), classes=None)
        assert not {"spearman_structures", "spearman_within"} & score(prediction, rows, 20).keys()


class TestWithinClass:
    def test_classes_count_by_their_sizes(self):
        e = np.array([1.0, 2.0, 3.0, 1.0, 2.0])
        expected = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
        classes = np.array([1, 1, 1, 2, 2])
        assert spearman_within(e, expected, classes) == pytest.approx((3 * 1 - 2 * 1) / 5)

    def test_a_difference_between_classes_alone_is_worth_nothing(self, rng):
        classes = np.repeat([1, 2], 500)
        e = classes * rng.uniform(1, 1.1, 1000)
        expected = classes * rng.uniform(1, 1.1, 1000)
        assert stats.spearmanr(e, expected).statistic > 0.7
        assert abs(spearman_within(e, expected, classes)) < 0.1


class TestDetection:
    def test_it_is_the_chance_that_a_shifted_structure_scores_higher(self, case, rng):
        prediction, samples = case
        inside = prediction._replace(ood_score=rng.normal(size=240))
        beyond = prediction._replace(ood_score=rng.normal(0.5, size=240))
        found = detection(inside, samples, beyond, samples, 50)
        low, high = (p.ood_score.reshape(60, 4).mean(axis=1) for p in (inside, beyond))
        assert found["auroc"][0] == pytest.approx((high[:, None] > low).mean())
        assert found["auroc"][1] < found["auroc"][0] < found["auroc"][2]

    def test_infinite_scores_are_the_highest(self, case):
        prediction, samples = case
        beyond = prediction._replace(ood_score=np.full(240, np.inf))
        assert detection(prediction, samples, beyond, samples, 20)["auroc"][0] == 1.0
