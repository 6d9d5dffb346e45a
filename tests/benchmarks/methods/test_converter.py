"""From scores to distributions, against order statistics."""

import numpy as np

from benchmarks.methods.converter import Converter
from benchmarks.methods.domains import IN_DOMAIN
from benchmarks.methods.predictions import LEVELS


def test_quantiles_are_conformal_order_statistics(domain, make_samples):
    rng = np.random.default_rng(1)
    validation = make_samples(rng, 99)
    score = rng.uniform(1, 2, 99)
    converter = Converter(0.5, score, validation, by_class=False)
    ratios = np.sort(validation.errors / (score + 0.5))
    test = domain.tests[IN_DOMAIN]
    new = rng.uniform(1, 2, len(test.errors))
    bounds = converter(new, test).quantile(LEVELS)
    np.testing.assert_allclose(bounds[:, 0], (new + 0.5) * ratios[49])
    np.testing.assert_allclose(bounds[:, 1], (new + 0.5) * ratios[89])


def test_each_class_has_its_own_ratios(domain):
    validation = domain.validation
    score = np.ones(len(validation.errors))
    predicted = Converter(1.0, score, validation, by_class=True)(score, validation)
    for label in (1, 8):
        rows = validation.classes == label
        median = np.quantile(validation.errors[rows], 0.5, method="weibull")
        np.testing.assert_allclose(predicted.quantile(0.5)[rows], median, rtol=1e-6)


def test_a_useless_score_is_drowned_in_the_offset(domain):
    rng = np.random.default_rng(0)
    useless = rng.lognormal(sigma=3, size=len(domain.validation.errors))
    telling = domain.validation.spreads["Ensemble of 2"]
    fit = {
        name: Converter.fit(score, domain.validation, by_class=False)
        for name, score in {"useless": useless, "telling": telling}.items()
    }
    assert fit["useless"].offset >= np.median(useless)
    assert fit["telling"].offset < 0.5 * np.median(telling)


def test_too_few_samples_for_a_level_give_the_largest_ratio(make_samples):
    samples = make_samples(np.random.default_rng(0), 4)
    score = np.ones(4)
    bounds = Converter(1.0, score, samples, by_class=False)(score, samples).quantile(0.99)
    np.testing.assert_allclose(bounds, samples.errors.max(), rtol=0.01)
