"""The methods that judge a trained model, against closed forms and brute force."""

from dataclasses import replace

import numpy as np
import pytest

for module in ("torch", "ase", "pooch", "matplotlib", "lightgbm"):
    pytest.importorskip(module)

from sklearn.covariance import LedoitWolf  # noqa: E402

from benchmarks.methods.domains import IN_DOMAIN, SYSTEM, Domain  # noqa: E402
from benchmarks.methods.judging import methods  # noqa: E402
from benchmarks.methods.judging.class_mean import ClassMean  # noqa: E402
from benchmarks.methods.judging.constant import Constant  # noqa: E402
from benchmarks.methods.judging.distance import Distance  # noqa: E402
from benchmarks.methods.judging.error_bins import ErrorBinClassifier  # noqa: E402
from benchmarks.methods.judging.ltau import LTAU, PAPER  # noqa: E402
from benchmarks.methods.judging.ltau_structures import LTAUStructures  # noqa: E402
from benchmarks.methods.judging.mahalanobis import Mahalanobis  # noqa: E402
from benchmarks.methods.judging.mixture import Mixture  # noqa: E402
from benchmarks.methods.judging.quantile_boosting import QuantileBoosting  # noqa: E402
from benchmarks.methods.judging.regressor import Regressor  # noqa: E402
from benchmarks.methods.judging.rigidity import Rigidity  # noqa: E402
from benchmarks.methods.judging.spread import Spread  # noqa: E402
from benchmarks.methods.predictions import LEVELS  # noqa: E402
from ltau import LTAUEstimator  # noqa: E402

RIVALS = pytest.mark.parametrize("rival", [QuantileBoosting, ErrorBinClassifier])


class TestScores:
    def test_a_constant_is_the_mean_error_of_the_validation_samples(self, domain):
        test = domain.tests[IN_DOMAIN]
        expected = Constant().fit(domain).predict(test).errors.mean()
        np.testing.assert_allclose(expected, domain.validation.errors.mean(), rtol=0.02)

    def test_the_mean_of_a_class_is_that_of_its_validation_samples(self, domain):
        test, validation = domain.tests[IN_DOMAIN], domain.validation
        expected = ClassMean().fit(domain).predict(test).errors.mean()
        for label in (1, 8):
            mean = validation.errors[validation.classes == label].mean()
            np.testing.assert_allclose(expected[test.classes == label], mean, rtol=0.05)

    def test_distances_are_those_of_brute_force_within_classes(self, domain):
        test, train = domain.tests["shift"], domain.train
        method = Distance()
        method.learn(domain)
        for row in range(0, 100, 7):
            same = train.latents[train.classes == test.classes[row]].astype(float)
            inverse = np.linalg.inv(np.cov(same.T, bias=True))
            apart = same - test.latents[row]
            distances = np.sqrt(np.einsum("ni,ij,nj->n", apart, inverse, apart))
            nearest = np.sort(distances)[: method.n_neighbors]
            assert method.score(test)[row] == pytest.approx(nearest.mean(), rel=1e-3)

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
        ratio = prediction.errors.mean() / test.spreads["Ensemble of 2"]
        assert np.median(ratio) == pytest.approx(np.sqrt(2 / np.pi), rel=0.2)


class TestModels:
    def test_a_regressor_learns_what_latents_and_classes_say(self, domain):
        test = domain.tests[IN_DOMAIN]
        expected = Regressor().fit(domain).predict(test).errors.mean()
        assert (expected > 0).all()
        true = test.spreads["Ensemble of 2"] * np.sqrt(2 / np.pi)
        assert np.corrcoef(np.log(expected), np.log(true))[0, 1] > 0.7

    @RIVALS
    @pytest.mark.parametrize("held_out", [False, True])
    def test_a_learnt_distribution_says_what_latents_and_classes_say(self, domain, rival, held_out):
        test = domain.tests[IN_DOMAIN]
        method = rival(held_out=held_out).fit(domain)
        prediction = method.predict(test)
        expected = prediction.errors.mean()
        np.testing.assert_array_equal(prediction.ood_score, expected)
        true = test.spreads["Ensemble of 2"] * np.sqrt(2 / np.pi)
        assert np.corrcoef(np.log(expected), np.log(true))[0, 1] > 0.7
        assert expected.mean() == pytest.approx(true.mean(), rel=0.25)
        assert 0.8 < (test.errors <= prediction.bounds[:, 1]).mean() < 0.98

    @RIVALS
    def test_errors_are_learnt_from_the_trajectories_unless_held_out_ones_are(self, domain, rival):
        larger = {mode: 10 * errors for mode, errors in domain.trajectories.items()}
        one, other = (
            rival().fit(given).calibrator.calibration.scale
            for given in (domain, replace(domain, trajectories=larger))
        )
        assert one == pytest.approx(10 * other, rel=0.05)
        assert rival(held_out=True).fit(replace(domain, trajectories={})).calibrator

    @RIVALS
    def test_what_calibrates_held_out_errors_was_left_out(self, domain, rival):
        method = rival(held_out=True).fit(domain)
        before = method._left_out(domain.validation)
        first = domain.validation.structures == 0
        errors = domain.validation.errors.copy()
        errors[first] = errors[first][::-1]
        after = method._left_out(domain.validation._replace(errors=errors))
        changed = np.abs(after.mean() - before.mean()) > 0
        assert not changed[first].any()
        assert changed[~first].any()

    @RIVALS
    def test_latents_of_neighbours_are_tried_for_atoms_of_structures(self, of_structures, rival):
        method = rival().fit(of_structures)
        assert method.features.cutoff in (None, 3.5)
        test = of_structures.tests[IN_DOMAIN]
        assert len(method.predict(test).errors) == len(test.errors)

    def test_ltau_of_the_paper_knows_no_classes_and_no_distance(self, domain):
        test = domain.tests["shift"]
        prediction = LTAU(PAPER).fit(domain).predict(test)
        estimator = LTAUEstimator(10, burn_in=0, scaling="none", distance_scaling=0)
        estimator.fit(domain.train.latents, domain.trajectories["eval"])
        expected = estimator.predict(test.latents)
        np.testing.assert_allclose(prediction.errors.mean(), expected)
        np.testing.assert_array_equal(prediction.ood_score, prediction.errors.mean())
        np.testing.assert_allclose(
            prediction.bounds, estimator.predict_quantile(test.latents, LEVELS)
        )

    def test_ltau_is_what_users_get(self, domain):
        test = domain.tests["shift"]
        prediction = LTAU({}).fit(domain).predict(test)
        estimator = LTAUEstimator().fit(domain.train.latents, domain.trajectories["eval"])
        np.testing.assert_allclose(prediction.errors.mean(), estimator.predict(test.latents))
        np.testing.assert_array_equal(prediction.ood_score, estimator.ood_score(test.latents))

    def test_targets_are_given_where_there_are_any(self, with_targets):
        test, train = with_targets.tests["shift"], with_targets.train
        estimator = LTAUEstimator().fit(
            train.latents, with_targets.trajectories["eval"], targets=train.targets
        )
        expected = estimator.predict(test.latents, y_pred=test.y_pred)
        prediction = LTAU({}).fit(with_targets).predict(test)
        np.testing.assert_allclose(prediction.errors.mean(), expected)
        without = LTAU({}, targets=False).fit(with_targets).predict(test)
        assert (without.errors.mean() < expected).any()

    def test_errors_are_those_after_each_epoch_or_of_the_steps(self, domain):
        after, steps = (
            LTAU(PAPER, errors=mode).fit(domain).predict(domain.validation)
            for mode in ("eval", "step")
        )
        np.testing.assert_allclose(steps.errors.mean(), 2 * after.errors.mean(), rtol=1e-5)

    def test_ltau_is_calibrated_on_the_validation_samples(self, domain):
        method = LTAU({}, calibrated=True).fit(domain)
        assert len(method.estimator.calibration_.scores[None]) == len(domain.validation.errors)
        prediction = method.predict(domain.tests[IN_DOMAIN])
        inside = domain.tests[IN_DOMAIN].errors <= prediction.bounds[:, 1]
        assert 0.8 < inside.mean() < 0.98

    def test_atoms_of_one_system_are_a_group_and_held_out_ones_choose(self, of_structures):
        method = LTAUStructures(calibrated=True).fit(of_structures)
        notes = method.estimator.notes_
        assert notes["groups"] == SYSTEM
        assert notes["n_held_out"] == len(of_structures.validation.frames)
        assert len(notes["chosen"]["scores"]) > 1
        prediction = method.predict(of_structures.tests[IN_DOMAIN])
        assert 0.5 < np.median(prediction.ood_score) < 2
        plain = LTAUStructures(environment=None).fit(of_structures)
        assert plain.estimator.notes_["environment"] is None
        assert plain.estimator.calibration_ is None

    def test_every_method_predicts_every_test_and_looks_at_no_error(self, domain):
        for name, method in methods(domain).items():
            method.fit(domain)
            for test in domain.tests.values():
                prediction = method.predict(test)
                assert prediction.bounds.shape == (len(test.errors), 2), name
                assert (prediction.bounds[:, 0] <= prediction.bounds[:, 1]).all(), name
                assert len(prediction.errors) == len(prediction.ood_score), name
                blind = method.predict(test._replace(errors=np.full(len(test.errors), np.nan)))
                np.testing.assert_array_equal(blind.bounds, prediction.bounds)

    def test_methods_are_those_that_the_domain_allows(self, domain):
        assert {"Class mean", "Ensemble of 2"} <= methods(domain).keys()
        bare = domain.train._replace(classes=None, spreads={})
        names = methods(Domain(**{**vars(domain), "train": bare})).keys()
        assert not {"Class mean", "Ensemble of 2"} & names
