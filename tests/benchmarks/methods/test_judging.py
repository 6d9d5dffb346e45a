"""The baselines of the benchmark beyond the domain, against closed forms and brute force."""

import numpy as np
import pytest

for module in ("torch", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from sklearn.covariance import LedoitWolf  # noqa: E402

from benchmarks.methods.judging import LEVELS, methods  # noqa: E402
from benchmarks.methods.judging.base import Converter  # noqa: E402
from benchmarks.methods.judging.constant import ClassMean, Constant  # noqa: E402
from benchmarks.methods.judging.distance import Distance  # noqa: E402
from benchmarks.methods.judging.ltau import DISTANCE_AWARE, LTAU, PAPER  # noqa: E402
from benchmarks.methods.judging.mahalanobis import Mahalanobis  # noqa: E402
from benchmarks.methods.judging.mixture import Mixture  # noqa: E402
from benchmarks.methods.judging.regressor import Regressor  # noqa: E402
from benchmarks.methods.judging.rigidity import Rigidity  # noqa: E402
from benchmarks.methods.judging.spread import Spread  # noqa: E402
from benchmarks.methods.samples import IN_DOMAIN, Domain, Samples  # noqa: E402
from ltau import LTAUEstimator  # noqa: E402


def make_samples(rng, n, shift=0.0):
    """Atoms of two classes, whose errors grow with the class and along a latent."""
    latents = rng.normal([shift, 0, 0], size=(n, 3)).astype(np.float32)
    classes = rng.choice([1, 8], n)
    size = np.exp(0.7 * latents[:, 0]) * np.where(classes == 8, 3.0, 1.0)
    return Samples(
        latents=latents,
        errors=size * np.abs(rng.normal(size=n)),
        structures=np.arange(n) // 5,
        classes=classes,
        spreads={"Ensemble of 2": size},
    )


@pytest.fixture(scope="module")
def domain():
    rng = np.random.default_rng(0)
    train = make_samples(rng, 400)
    scale = np.exp(0.7 * train.latents[:, :1]) * np.where(train.classes == 8, 3.0, 1.0)[:, None]
    trajectories = (scale * np.abs(rng.normal(size=(400, 12)))).astype(np.float32)
    return Domain(
        train=train,
        trajectories={"step": 2 * trajectories, "eval": trajectories},
        validation=make_samples(rng, 199),
        tests={IN_DOMAIN: make_samples(rng, 150), "shift": make_samples(rng, 100, shift=2.0)},
        training_seconds=1.0,
        pass_seconds=1e-3,
        trainings={"Ensemble of 2": 2},
        passes={"Ensemble of 2": 2},
        unit="eV/Å",
    )


class TestConverter:
    def test_quantiles_are_conformal_order_statistics(self, domain):
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

    def test_each_class_has_its_own_ratios(self, domain):
        validation = domain.validation
        score = np.ones(len(validation.errors))
        predicted = Converter(1.0, score, validation, by_class=True)(score, validation)
        for label in (1, 8):
            rows = validation.classes == label
            median = np.quantile(validation.errors[rows], 0.5, method="weibull")
            np.testing.assert_allclose(predicted.quantile(0.5)[rows], median, rtol=1e-6)

    def test_a_useless_score_is_drowned_in_the_offset(self, domain):
        rng = np.random.default_rng(0)
        useless = rng.lognormal(sigma=3, size=len(domain.validation.errors))
        telling = domain.validation.spreads["Ensemble of 2"]
        fit = {
            name: Converter.fit(score, domain.validation, by_class=False)
            for name, score in {"useless": useless, "telling": telling}.items()
        }
        assert fit["useless"].offset >= np.median(useless)
        assert fit["telling"].offset < 0.5 * np.median(telling)

    def test_too_few_samples_for_a_level_give_the_largest_ratio(self):
        samples = make_samples(np.random.default_rng(0), 4)
        score = np.ones(4)
        bounds = Converter(1.0, score, samples, by_class=False)(score, samples).quantile(0.99)
        np.testing.assert_allclose(bounds, samples.errors.max(), rtol=0.01)


class TestScores:
    def test_a_constant_is_the_mean_error_of_the_validation_samples(self, domain):
        test = domain.tests[IN_DOMAIN]
        expected = Constant().fit(domain).predict(test).distribution.mean()
        np.testing.assert_allclose(expected, domain.validation.errors.mean(), rtol=0.02)

    def test_the_mean_of_a_class_is_that_of_its_validation_samples(self, domain):
        test, validation = domain.tests[IN_DOMAIN], domain.validation
        expected = ClassMean().fit(domain).predict(test).distribution.mean()
        for label in (1, 8):
            mean = validation.errors[validation.classes == label].mean()
            np.testing.assert_allclose(expected[test.classes == label], mean, rtol=0.05)

    def test_distances_are_those_of_brute_force_within_classes(self, domain):
        test, train = domain.tests["shift"], domain.train
        method = Distance(PAPER)
        method.learn(domain)
        for row in range(0, 100, 7):
            same = train.latents[train.classes == test.classes[row]].astype(float)
            nearest = np.sort(np.linalg.norm(same - test.latents[row], axis=1))[:10]
            assert method.score(test)[row] == pytest.approx(nearest.mean(), rel=1e-4)

    def test_the_mahalanobis_distance_is_that_of_each_class(self, domain):
        test, train = domain.tests["shift"], domain.train
        method = Mahalanobis()
        method.learn(domain)
        scaled = (train.latents - train.latents.mean(axis=0)) / train.latents.std(axis=0)
        query = (test.latents - train.latents.mean(axis=0)) / train.latents.std(axis=0)
        for label in (1, 8):
            mine = scaled[train.classes == label]
            inverse = np.linalg.inv(LedoitWolf().fit(mine).covariance_)
            away = query[test.classes == label] - mine.mean(axis=0)
            expected = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away))
            found = method.score(test)[test.classes == label]
            np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_a_mixture_of_one_gaussian_is_a_mahalanobis_distance(self):
        rng = np.random.default_rng(0)
        latents = rng.normal(size=(300, 2)) @ [[1.0, 0.4], [0.0, 0.5]]
        model = Mixture().model(latents, latents[:100])
        if model.n_components > 1:  # chosen by held-out samples: take the one in question
            model = type(model)(1, reg_covar=1e-3, random_state=0).fit(latents)
        away = latents - model.means_[0]
        inverse = np.linalg.inv(model.covariances_[0])
        expected = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away))
        np.testing.assert_allclose(Mixture().score_of(model, latents), expected, atol=1e-6)

    def test_held_out_latents_choose_the_number_of_gaussians(self):
        rng = np.random.default_rng(0)
        centers = np.array([[-6.0, 0.0], [6.0, 0.0], [0.0, 6.0], [0.0, -6.0]])
        latents = centers[rng.integers(4, size=800)] + rng.normal(size=(800, 2))
        assert Mixture().model(latents[:400], latents[400:]).n_components >= 4
        one = rng.normal(size=(800, 2))
        assert Mixture().model(one[:400], one[400:]).n_components <= 2

    def test_the_rigidity_is_that_of_a_linear_solve(self, domain):
        method = Rigidity()
        method.learn(domain)
        Z, z = domain.train.latents.astype(float), domain.tests["shift"].latents.astype(float)
        gram = Z.T @ Z
        shares = np.logspace(-8, -3, 6) * np.trace(gram) / 3
        candidates = [
            np.sqrt(np.einsum("ni,in->n", z, np.linalg.solve(gram + c * np.eye(3), z.T)))
            for c in shares
        ]
        found = method.score(domain.tests["shift"])
        assert min(np.abs(found / candidate - 1).max() for candidate in candidates) < 1e-6

    def test_a_spread_is_what_the_samples_bring(self, domain):
        test = domain.tests[IN_DOMAIN]
        prediction = Spread("Ensemble of 2").fit(domain).predict(test)
        np.testing.assert_array_equal(prediction.ood_score, test.spreads["Ensemble of 2"])
        # The errors are half-normal with this spread.
        ratio = prediction.distribution.mean() / test.spreads["Ensemble of 2"]
        assert np.median(ratio) == pytest.approx(np.sqrt(2 / np.pi), rel=0.2)


class TestModels:
    def test_a_regressor_learns_what_latents_and_classes_say(self, domain):
        test = domain.tests[IN_DOMAIN]
        expected = Regressor().fit(domain).predict(test).distribution.mean()
        assert (expected > 0).all()
        true = test.spreads["Ensemble of 2"] * np.sqrt(2 / np.pi)
        assert np.corrcoef(np.log(expected), np.log(true))[0, 1] > 0.7

    def test_ltau_of_the_paper_knows_no_classes_and_no_distance(self, domain):
        test = domain.tests["shift"]
        prediction = LTAU(PAPER, strata=False).fit(domain).predict(test)
        estimator = LTAUEstimator(10, burn_in=0, scaling="none", distance_scaling=0)
        estimator.fit(domain.train.latents, domain.trajectories["eval"])
        expected = estimator.predict(test.latents)
        np.testing.assert_allclose(prediction.distribution.mean(), expected)
        np.testing.assert_array_equal(prediction.ood_score, prediction.distribution.mean())
        np.testing.assert_allclose(
            prediction.bounds, estimator.predict_quantile(test.latents, LEVELS)
        )

    def test_ltau_that_is_aware_of_distance_stretches_what_is_far(self, domain):
        test = domain.tests["shift"]
        prediction = LTAU(DISTANCE_AWARE, strata=True).fit(domain).predict(test)
        plain = LTAU(DISTANCE_AWARE | {"distance_scaling": 0.0}, strata=True).fit(domain)
        stretched = prediction.distribution.mean() / plain.predict(test).distribution.mean()
        np.testing.assert_allclose(stretched, prediction.ood_score, rtol=1e-6)

    def test_errors_are_those_after_each_epoch_or_of_the_steps(self, domain):
        after, steps = (
            LTAU(PAPER, strata=False, errors=mode).fit(domain).predict(domain.validation)
            for mode in ("eval", "step")
        )
        np.testing.assert_allclose(
            steps.distribution.mean(), 2 * after.distribution.mean(), rtol=1e-5
        )

    def test_ltau_is_calibrated_on_the_validation_samples(self, domain):
        method = LTAU(DISTANCE_AWARE, strata=True, calibration={"exponent": 0.3}).fit(domain)
        assert method.estimator.calibration_.exponent == 0.3
        prediction = method.predict(domain.tests[IN_DOMAIN])
        inside = domain.tests[IN_DOMAIN].errors <= prediction.bounds[:, 1]
        assert 0.8 < inside.mean() < 0.98

    def test_every_method_predicts_every_test_and_looks_at_no_error(self, domain):
        for name, method in methods(domain).items():
            method.fit(domain)
            for test in domain.tests.values():
                prediction = method.predict(test)
                assert prediction.bounds.shape == (len(test.errors), 2), name
                assert (prediction.bounds[:, 0] <= prediction.bounds[:, 1]).all(), name
                assert len(prediction.distribution) == len(prediction.ood_score), name
                blind = method.predict(test._replace(errors=np.full(len(test.errors), np.nan)))
                np.testing.assert_array_equal(blind.bounds, prediction.bounds)

    def test_methods_are_those_that_the_domain_allows(self, domain):
        assert {"Class mean", "Ensemble of 2"} <= methods(domain).keys()
        bare = domain.train._replace(classes=None, spreads={})
        names = methods(Domain(**{**vars(domain), "train": bare})).keys()
        assert not {"Class mean", "Ensemble of 2"} & names
