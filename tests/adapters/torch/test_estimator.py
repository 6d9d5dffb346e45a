"""Predictions on tensors, against those of the estimator on arrays."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

torch = pytest.importorskip("torch")

from ltau import LTAUEstimator  # noqa: E402
from ltau.adapters.torch import TorchEstimator, UncertainModule, latents  # noqa: E402
from ltau.adapters.torch import _densities as _torch_densities  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]

# Not among the values that averages of whole counts reach exactly: there, where no errors
# lie, rounding would decide.
LEVELS = [0.0, 0.12345, 0.51234, 0.91234, 1.0]


def make(rng, *, n=300, n_features=4, strata=None, **parameters):
    """Fit an estimator, and draw queries some of which lie outside its domain."""
    z, queries = np.split(rng.normal(size=(n + 60, n_features)).astype(np.float32), [n])
    queries[::7] *= 4
    errors = rng.exponential(np.exp(z[:, :1]), size=(n, 20)).astype(np.float32)
    errors[::3, ::2] = np.nan  # not all are seen equally often
    labels = None if strata is None else rng.choice(strata, size=n)
    asked = None if strata is None else rng.choice(strata, size=60)
    return LTAUEstimator(**parameters).fit(z, errors, labels), queries, asked


def compare(estimator, queries, strata=None, device="cpu"):
    """Compare every prediction with the estimator's own."""
    ours = TorchEstimator(estimator).to(device)
    z = torch.tensor(queries, device=device)
    s = None if strata is None else torch.tensor(strata, device=device)
    pairs = [
        (ours.predict(z, s), estimator.predict(queries, strata)),
        (ours.predict_cdf(z, 0.7, s), estimator.predict_cdf(queries, 0.7, strata)),
        (
            ours.predict_cdf(z, [-1, 0, 0.1, 2, 1e9, np.inf], s),
            estimator.predict_cdf(queries, [-1, 0, 0.1, 2, 1e9, np.inf], strata),
        ),
        (
            ours.predict_quantile(z, 0.91234, s),
            estimator.predict_quantile(queries, 0.91234, strata),
        ),
        (ours.predict_quantile(z, LEVELS, s), estimator.predict_quantile(queries, LEVELS, strata)),
        *zip(
            ours.predict_summary(z, 0.51234, s),
            estimator.predict_summary(queries, 0.51234, strata),
            strict=True,
        ),
        (ours.ood_score(z, s), estimator.ood_score(queries, strata)),
        (ours.kneighbors(z, strata=s)[0], estimator.kneighbors(queries, strata=strata)[0]),
        (ours.kneighbors(z, 3, s)[0], estimator.kneighbors(queries, 3, strata)[0]),
    ]
    for found, expected in pairs:
        assert found.device.type == device
        assert found.dtype == torch.float32
        assert_allclose(found.cpu(), expected, rtol=2e-6, atol=1e-6)
    rows = ours.kneighbors(z, strata=s)[1]
    assert_array_equal(rows.cpu(), estimator.kneighbors(queries, strata=strata)[1])
    return ours


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("strata", [None, [1, 6, 8], [False, True]])
@pytest.mark.parametrize("scaling", ["none", "standardize", "whiten"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("distance_scaling", [0.0, 0.5])
def test_predictions_are_those_of_the_estimator(device, strata, scaling, weights, distance_scaling):
    case = make(
        np.random.default_rng(0),
        strata=strata,
        scaling=scaling,
        weights=weights,
        distance_scaling=distance_scaling,
    )
    compare(*case, device)


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 500), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_predictions_are_those_of_any_estimator(n, n_features, k, seed):
    rng = np.random.default_rng(seed)
    compare(*make(rng, n=n, n_features=n_features, n_neighbors=k))


@pytest.mark.parametrize("stretch_fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("strata", [None, [1, 6]])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_predictions_keep_to_a_calibration(stretch_fraction, strata, weights):
    rng = np.random.default_rng(0)
    estimator, queries, asked = make(rng, strata=strata, weights=weights)
    held_out = rng.normal(size=(200, 4))
    labels = None if strata is None else rng.choice(strata, size=200)
    observed = 9 * rng.exponential(np.exp(held_out[:, 0]))  # some above all that is predicted
    estimator.calibrate(held_out, observed, labels, stretch_fraction=stretch_fraction)
    ours, z = TorchEstimator(estimator), torch.tensor(queries)
    s = None if strata is None else torch.tensor(asked)
    assert_allclose(ours.predict(z, s), estimator.predict(queries, asked), rtol=1e-6)
    levels = LEVELS[:-1]  # the last would be infinite
    found = ours.predict_quantile(z, levels, s).numpy()
    expected = estimator.predict_quantile(queries, levels, asked)
    # With equal weights many distributions are flat at the very level that was learnt.
    assert (found >= expected * (1 - 1e-6) - 1e-6).all()
    off = ~np.isclose(found, expected, rtol=1e-6, atol=1e-6)
    assert off.mean() <= (0.05 if weights == "uniform" else 0)


def test_too_few_samples_to_calibrate_give_infinite_bounds():
    rng = np.random.default_rng(0)
    estimator, queries, _ = make(rng)
    estimator.calibrate(rng.normal(size=(20, 4)), rng.exponential(size=20))
    with pytest.warns(UserWarning, match="needs 99 calibration samples"):
        assert torch.isinf(
            TorchEstimator(estimator).predict_quantile(torch.tensor(queries), 0.99)
        ).all()


def test_an_approximate_index_is_searched_exactly():
    rng = np.random.default_rng(0)
    z, queries = np.split(rng.normal(size=(3050, 6)).astype(np.float32), [3000])
    errors = rng.exponential(size=(3000, 5))
    estimators = [
        LTAUEstimator(index=index, recall=0.5, random_state=0).fit(z, errors)
        for index in ("flat", "ivf")
    ]
    assert estimators[1].index_ == "ivf"
    expected, found = (
        x.kneighbors(q)[1]
        for x, q in (
            (estimators[0], queries),
            (TorchEstimator(estimators[1]), torch.tensor(queries)),
        )
    )
    assert (estimators[1].kneighbors(queries)[1] != expected).any()
    assert_array_equal(found, expected)


@pytest.mark.parametrize("n_epochs", [200, 300, 40_000, 70_000])
def test_counts_of_any_type(n_epochs):
    rng = np.random.default_rng(0)
    z, errors = rng.normal(size=(12, 2)).astype(np.float32), rng.exponential(size=(12, n_epochs))
    compare(LTAUEstimator(n_neighbors=3, burn_in=0, n_bins=10).fit(z, errors), z + np.float32(0.1))


def test_duplicates_weigh_and_score_as_in_the_estimator():
    rng = np.random.default_rng(0)
    z = np.repeat(rng.normal(size=(3, 2)), 5, axis=0).astype(np.float32)
    errors = np.repeat(rng.exponential(size=(3, 20)), 5, axis=0)
    queries = np.concatenate([z[[0, 7]], z[:1] + 1])
    for weights in ("uniform", "distance"):
        estimator = LTAUEstimator(4, scaling="none", weights=weights).fit(z, errors)
        ours = TorchEstimator(estimator)
        scores = ours.ood_score(torch.tensor(queries))
        assert_allclose(scores, estimator.ood_score(queries), rtol=1e-6)
        assert_allclose(ours.predict(torch.tensor(queries)), estimator.predict(queries), rtol=1e-6)


def test_a_far_sample_does_not_widen_the_search_of_all(monkeypatch):
    """From far away all training samples are equally near: they are searched in parts."""
    monkeypatch.setattr("ltau.adapters.torch._index._MOST_FOUND", 2000)
    rng = np.random.default_rng(0)
    estimator = LTAUEstimator(5).fit(rng.normal(size=(900, 2)), rng.exponential(size=(900, 10)))
    queries = rng.normal(size=(40, 2))
    queries[17] = 1e8
    ours, z = TorchEstimator(estimator), torch.tensor(queries)
    assert_allclose(ours.predict(z), estimator.predict(queries), rtol=1e-5)
    assert_allclose(ours.predict_quantile(z, 0.7), estimator.predict_quantile(queries, 0.7), 1e-5)
    for found, expected in zip(
        ours.predict_summary(z), estimator.predict_summary(queries), strict=True
    ):
        assert_allclose(found, expected, rtol=1e-5)


def test_averages_are_taken_in_blocks(monkeypatch):
    estimator, queries, _ = make(np.random.default_rng(0))
    monkeypatch.setattr(_torch_densities, "BLOCK_VALUES", 3500)  # three rows at once
    sizes, average = [], _torch_densities.TorchDensities._average_cdf

    def watched(self, rows, weights):
        sizes.append(len(rows))
        return average(self, rows, weights)

    monkeypatch.setattr(_torch_densities.TorchDensities, "_average_cdf", watched)
    compare(estimator, queries)
    assert set(sizes) == {3}


def test_the_estimator_is_copied():
    estimator, queries, _ = make(np.random.default_rng(0))
    ours = TorchEstimator(estimator)
    before = ours.predict_quantile(torch.tensor(queries), LEVELS)
    estimator.calibrate(queries, np.full(60, 99.0))
    estimator.set_params(n_neighbors=1, weights="distance")
    assert torch.equal(ours.predict_quantile(torch.tensor(queries), LEVELS), before)
    assert torch.equal(copy.deepcopy(ours).predict_quantile(torch.tensor(queries), LEVELS), before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_latents_of_any_floating_type_are_taken_in_float32(dtype):
    estimator, queries, _ = make(np.random.default_rng(0))
    z = torch.tensor(queries).to(dtype)
    found = TorchEstimator(estimator).predict(z)
    assert_allclose(found, estimator.predict(z.float().numpy()), rtol=1e-6)
    assert found.dtype == torch.float32


def test_latents_need_not_be_contiguous():
    estimator, queries, _ = make(np.random.default_rng(0))
    z = torch.tensor(queries)
    ours = TorchEstimator(estimator)
    assert torch.equal(ours.predict(z.T.contiguous().T), ours.predict(z))


def test_predictions_have_no_gradients():
    estimator, queries, _ = make(np.random.default_rng(0))
    ours, z = TorchEstimator(estimator), torch.tensor(queries, requires_grad=True)
    assert not list(ours.parameters())
    assert not any(x.requires_grad for x in (ours.predict(z), *ours.predict_summary(z)))


@pytest.mark.parametrize("convert", ["half", "bfloat16", "float", "double"])
def test_converting_a_model_leaves_the_numbers_what_they_are(convert):
    estimator, queries, _ = make(np.random.default_rng(0))
    model = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 1), "ltau": TorchEstimator(estimator)})
    before = model["ltau"].predict(torch.tensor(queries))
    getattr(model, convert)()
    assert torch.equal(model["ltau"].predict(torch.tensor(queries)), before)
    assert model["head"].weight.dtype != torch.float32 or convert == "float"


def test_moving_takes_everything_along():
    ours = TorchEstimator(make(np.random.default_rng(0), strata=[1, 6])[0])
    ours.to("meta")
    assert {buffer.device.type for buffer in ours.buffers()} == {"meta"}


def test_it_is_no_part_of_the_state_dict():
    ours = TorchEstimator(make(np.random.default_rng(0), strata=[1, 6])[0])
    assert not ours.state_dict()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((5, 4), np.float32), TypeError, "latents in a tensor, got ndarray"),
        (torch.zeros(5, 4, dtype=torch.int64), TypeError, "floating type, got torch.int64"),
        (torch.zeros(5, 4, dtype=torch.complex64), TypeError, "floating type, got torch.complex64"),
        (torch.zeros(5, 3), ValueError, r"\(n_samples, 4\), at least one row, got \(5, 3\)"),
        (torch.zeros(4), ValueError, r"got \(4,\)"),
        (torch.zeros(0, 4), ValueError, r"got \(0, 4\)"),
        (torch.zeros(5, 4, device="meta"), ValueError, "on cpu, where the estimator is, got meta"),
        (torch.full((5, 4), torch.nan), ValueError, "finite latents, .* in 5 of 5 rows"),
    ],
)
def test_latents_that_are_not_such_are_refused(wrong, error, message):
    ours = TorchEstimator(make(np.random.default_rng(0))[0])
    for predict in (ours.predict, ours.ood_score, ours.kneighbors, ours.predict_summary):
        with pytest.raises(error, match=message):
            predict(wrong)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (None, ValueError, "fitted with strata: predict likewise"),
        ([1, 6, 1], TypeError, "strata in a tensor, got list"),
        (torch.tensor([1.0, 6.0, 1.0]), TypeError, "integers, got torch.float32"),
        (torch.tensor([1, 6]), ValueError, r"shape \(3,\), got \(2,\)"),
        (torch.tensor([1, 6, 6], device="meta"), ValueError, "on cpu, .* got meta"),
        (torch.tensor([1, 8, 7]), ValueError, "Stratum 7 was not seen at fit, which saw 1, 6"),
        (torch.tensor([-1, 1, 1]), ValueError, "Stratum -1 was not seen"),
    ],
)
def test_strata_that_are_not_such_are_refused(wrong, error, message):
    ours = TorchEstimator(make(np.random.default_rng(0), strata=[1, 6])[0])
    with pytest.raises(error, match=message):
        ours.predict(torch.zeros(3, 4), wrong)


def test_strata_where_there_are_none_are_refused():
    ours = TorchEstimator(make(np.random.default_rng(0))[0])
    with pytest.raises(ValueError, match="fitted without strata: predict likewise"):
        ours.predict(torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, z: x.predict_quantile(z, 1.1), "probabilities from 0 to 1, got 1.1"),
        (lambda x, z: x.predict_summary(z, [0.5, 0.9]), "one level from 0 to 1"),
        (lambda x, z: x.predict_summary(z, np.nan), "from 0 to 1, got nan"),
        (lambda x, z: x.predict_cdf(z, np.nan), "a tolerance or a 1-D array of them, got nan"),
        (lambda x, z: x.predict_cdf(z, []), "a tolerance or a 1-D array"),
        (lambda x, z: x.kneighbors(z, 0), "n_neighbors >= 1, got 0"),
        (lambda x, z: x.kneighbors(z, 2.5), "n_neighbors >= 1, got 2.5"),
        (
            lambda x, z: x.kneighbors(z, 301),
            "at least n_neighbors = 301 training samples or prototypes, got",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(call, message):
    ours = TorchEstimator(make(np.random.default_rng(0))[0])
    with pytest.raises(ValueError, match=message):
        call(ours, torch.zeros(3, 4))


def test_estimators_that_tensors_cannot_serve_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(NotFittedError):
        TorchEstimator(LTAUEstimator())
    with pytest.raises(ValueError, match=r"strata that are integers, .* got C, H"):
        TorchEstimator(make(rng, strata=["C", "H"])[0])
    with pytest.raises(ValueError, match="weights"):
        TorchEstimator(make(rng)[0].set_params(weights="none"))
    estimator, queries, _ = make(rng)
    estimator.calibrate(queries, np.ones(60), groups=np.arange(60) % 2)
    with pytest.raises(ValueError, match="calibrated without groups, got one with 0, 1"):
        TorchEstimator(estimator)


@pytest.mark.parametrize("device", DEVICES)
def test_an_uncertain_module_searches_where_it_is(device):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))
    x = torch.randn(200, 3)
    errors = np.random.default_rng(0).exponential(size=(200, 30))
    estimator = LTAUEstimator().fit(latents(model, [x], "1"), errors)
    on_cpu = UncertainModule(model.eval(), "1", estimator, level=0.81234)
    expected = [y.clone() for y in on_cpu(x)]
    careful = UncertainModule(model, "1", TorchEstimator(estimator), level=0.81234).to(device)
    found = careful(x.to(device))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.device.type == device
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-4, atol=1e-5)
    assert found.prediction.requires_grad
    assert not found.error_bar.requires_grad
    assert careful.state_dict().keys() == on_cpu.state_dict().keys()


def test_an_uncertain_module_refuses_strata():
    ours = TorchEstimator(make(np.random.default_rng(0), strata=[1, 6])[0])
    with pytest.raises(ValueError, match="without strata"):
        UncertainModule(torch.nn.Sequential(torch.nn.Linear(3, 4)), "0", ours)


def test_the_last_of_all_samples_may_be_as_near_as_the_one_before():
    latents = np.array([[0.0], [-1.0], [1.0]])
    estimator = LTAUEstimator(2, index="flat", burn_in=0).fit(latents, [[1.0], [2.0], [5.0]])
    predicted = TorchEstimator(estimator).predict(torch.zeros(1, 1)).numpy()
    np.testing.assert_allclose(predicted, estimator.predict([[0.0]]), rtol=1e-6)
