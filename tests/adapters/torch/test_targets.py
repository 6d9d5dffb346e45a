"""Predictions compared with targets, on tensors: the numbers of the estimator itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")

from ltau import LTAUEstimator  # noqa: E402
from ltau.adapters.torch import TorchEstimator, UncertainModule, latents  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]
LEVELS = [0.12345, 0.51234, 0.91234]
RNG = np.random.default_rng(0)
LATENTS = RNG.normal(size=(300, 4)).astype(np.float32)
QUERIES = np.concatenate([LATENTS[:20] + 0.01, 4 * LATENTS[20:40]]).astype(np.float32)
ERRORS = RNG.exponential(np.exp(LATENTS[:, :1]), size=(300, 20))
TARGETS = LATENTS[:, 0] + LATENTS[:, 1] ** 2
Y_PRED = QUERIES[:, 0] - 2.0


def fit(targets=TARGETS, strata=None, **parameters):
    return LTAUEstimator(**parameters).fit(LATENTS, ERRORS, strata, targets=targets)


def of_both(estimator, y_pred, device="cpu", strata=None, queries=QUERIES):
    """Give each prediction on tensors beside that of the estimator."""
    ours, z = TorchEstimator(estimator).to(device), torch.tensor(queries, device=device)
    s = None if strata is None else torch.tensor(strata, device=device)
    y, theirs = torch.tensor(y_pred, device=device), {"strata": strata, "y_pred": y_pred}
    return [
        (ours.predict(z, s, y_pred=y), estimator.predict(queries, **theirs)),
        (ours.predict_cdf(z, 2.0, s, y_pred=y), estimator.predict_cdf(queries, 2.0, **theirs)),
        (
            ours.predict_quantile(z, LEVELS, s, y_pred=y),
            estimator.predict_quantile(queries, LEVELS, **theirs),
        ),
        *zip(
            ours.predict_summary(z, 0.9, s, y_pred=y),
            estimator.predict_summary(queries, 0.9, **theirs),
            strict=True,
        ),
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("stretch", ["power", "bounded"])
@pytest.mark.parametrize("strata", [None, [1, 6]])
@pytest.mark.parametrize("outputs", [1, 3])
def test_predictions_are_those_of_the_estimator(device, weights, stretch, strata, outputs):
    targets, y_pred = TARGETS, Y_PRED
    if outputs > 1:
        targets, y_pred = (np.stack([a, 2 * a, a + 1], axis=1) for a in (TARGETS, Y_PRED))
    classes, asked = (None, None) if strata is None else (np.resize(strata, n) for n in (300, 40))
    estimator = fit(targets, classes, weights=weights, stretch=stretch)
    for found, expected in of_both(estimator, y_pred, device, asked):
        assert found.device.type == device
        assert found.dtype == torch.float32
        assert_allclose(found.cpu(), expected, rtol=1e-5, atol=1e-6)


def test_far_predictions_make_large_errors_beyond_the_domain():
    ours, z = TorchEstimator(fit()), torch.tensor(QUERIES)
    near, far = (ours.predict(z, y_pred=torch.full((40,), y)) for y in (0.0, 1e4))
    outside = ours.ood_score(z) > 1
    assert outside.any()
    assert (far[outside] > 10 * near[outside]).all()
    assert torch.equal(far[~outside], near[~outside])


def test_a_column_is_one_output():
    ours, z, y = TorchEstimator(fit()), torch.tensor(QUERIES), torch.tensor(Y_PRED)
    assert torch.equal(ours.predict(z, y_pred=y), ours.predict(z, y_pred=y[:, None]))
    assert ours.n_outputs_ == 1
    assert TorchEstimator(fit(None)).n_outputs_ is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_predictions_of_any_floating_type_are_compared_in_float64(dtype):
    estimator, y = fit(), torch.tensor(Y_PRED, requires_grad=True).to(dtype)
    found = TorchEstimator(estimator).predict(torch.tensor(QUERIES), y_pred=y)
    expected = estimator.predict(QUERIES, y_pred=y.detach().double().numpy())
    assert_allclose(found, expected, rtol=1e-6)
    assert not found.requires_grad


def test_digits_beyond_float32_count():
    targets = 1e9 + TARGETS
    y_pred = 1e9 + Y_PRED.astype(np.float64)
    for found, expected in of_both(fit(targets), y_pred):
        assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_predictions_of_prototypes_and_of_merged_samples():
    places = np.repeat(LATENTS[:60], 5, axis=0)
    merged = LTAUEstimator(4).fit(places, ERRORS, targets=TARGETS)
    for estimator in (fit(n_prototypes=40), merged):
        for found, expected in of_both(estimator, Y_PRED):
            assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_predictions_are_cut_with_the_latents_where_many_are_equally_near(monkeypatch):
    monkeypatch.setattr("ltau.adapters.torch._index._MOST_FOUND", 2000)
    queries = QUERIES.copy()
    queries[17] = 1e8
    strata = np.zeros(40, int)
    estimator = fit(strata=np.zeros(300, int))
    for found, expected in of_both(estimator, Y_PRED, strata=strata, queries=queries):
        assert_allclose(found, expected, rtol=1e-5)


def test_distances_take_no_predictions():
    estimator = fit()
    ours, z = TorchEstimator(estimator), torch.tensor(QUERIES)
    assert_allclose(ours.ood_score(z), estimator.ood_score(QUERIES), rtol=1e-5)
    assert_array_equal(ours.kneighbors(z)[1], estimator.kneighbors(QUERIES)[1])


CALLS = {
    "predict": (),
    "predict_cdf": (1.0,),
    "predict_quantile": (0.9,),
    "predict_summary": (),
}


@pytest.mark.parametrize("method", CALLS)
def test_predictions_are_asked_for_where_there_are_targets(method):
    z, y = torch.tensor(QUERIES), torch.tensor(Y_PRED)
    with pytest.raises(ValueError, match="was fitted with targets: give y_pred"):
        getattr(TorchEstimator(fit()), method)(z, *CALLS[method])
    with pytest.raises(ValueError, match="was fitted without targets: predict without y_pred"):
        getattr(TorchEstimator(fit(None)), method)(z, *CALLS[method], y_pred=y)


@pytest.mark.parametrize(
    ("y_pred", "error", "message"),
    [
        (Y_PRED, TypeError, "y_pred in a tensor, got ndarray"),
        (torch.zeros(40, dtype=torch.int64), TypeError, "y_pred of a floating type, got"),
        (torch.zeros(39), ValueError, r"y_pred of shape \(40,\), got shape \(39,\)"),
        (torch.zeros(40, 2), ValueError, r"y_pred of shape \(40,\), got shape \(40, 2\)"),
        (torch.zeros(40, 1, 1), ValueError, r"got shape \(40, 1, 1\)"),
        (torch.tensor(0.0), ValueError, r"got shape \(\)"),
        (torch.zeros(40, device="meta"), ValueError, "y_pred on cpu, .* got meta"),
        (torch.full((40,), torch.nan), ValueError, "without NaN or infinite values, got 40"),
        (torch.full((40,), torch.inf), ValueError, "without NaN or infinite values, got 40"),
    ],
)
def test_predictions_that_are_none_are_refused(y_pred, error, message):
    ours = TorchEstimator(fit())
    for method, arguments in CALLS.items():
        with pytest.raises(error, match=message):
            getattr(ours, method)(torch.tensor(QUERIES), *arguments, y_pred=y_pred)


class Gives(torch.nn.Module):
    """Gives latents at one layer, and what a head makes of them."""

    def __init__(self, head):
        super().__init__()
        self.body, self.head = torch.nn.Identity(), head

    def forward(self, x):
        return self.head(self.body(x))


HEADS = {
    "a number": (lambda z: z[:, 0] - 2.0, 1),
    "a column": (lambda z: z[:, :1] - 2.0, 1),
    "several": (lambda z: z[:, :3] - 2.0, 3),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("on_tensors", [False, True])
def test_an_uncertain_module_compares_its_own_prediction(head, on_tensors):
    function, n_outputs = HEADS[head]
    targets = np.stack([TARGETS] * n_outputs, axis=1)
    estimator = fit(targets)
    model, x = Gives(function).eval(), torch.tensor(QUERIES, requires_grad=True)
    given = TorchEstimator(estimator) if on_tensors else estimator
    found = UncertainModule(model, "body", given, level=0.8)(x)
    y_pred = function(QUERIES)
    assert torch.equal(found.prediction, model(x))
    assert found.prediction.requires_grad
    expected = estimator.predict(QUERIES, y_pred=y_pred)
    beside = (40,) if found.prediction.ndim == 1 else (40, 1)  # the prediction, to be added
    assert_allclose(found.expected_error, expected.reshape(beside), rtol=1e-5)
    bar = estimator.predict_quantile(QUERIES, 0.8, y_pred=y_pred)
    assert_allclose(found.error_bar, bar.reshape(beside), rtol=1e-5)
    assert not found.error_bar.requires_grad
    assert not found.expected_error.requires_grad


@pytest.mark.parametrize("on_tensors", [False, True])
def test_an_uncertain_module_of_bfloat16_compares_too(on_tensors):
    estimator, x = fit(), torch.tensor(QUERIES).bfloat16()
    given = TorchEstimator(estimator) if on_tensors else estimator
    found = UncertainModule(Gives(HEADS["a column"][0]).eval(), "body", given)(x)
    y_pred = found.prediction.double().numpy()
    expected = estimator.predict(x.float().numpy(), y_pred=y_pred)
    assert_allclose(found.expected_error[:, 0], expected, rtol=1e-5)


def test_an_uncertain_module_with_targets_keeps_to_a_calibration():
    estimator = fit()
    held_out = RNG.normal(size=(200, 4)).astype(np.float32)
    y_pred = held_out[:, 0] - 2.0
    estimator.calibrate(held_out, 3 * RNG.exponential(size=200), y_pred=y_pred)
    module = UncertainModule(Gives(HEADS["a number"][0]).eval(), "body", estimator, level=0.8)
    bar = estimator.predict_quantile(QUERIES, 0.8, y_pred=QUERIES[:, 0] - 2.0)
    assert_allclose(module(torch.tensor(QUERIES)).error_bar, bar, rtol=1e-5)


@pytest.mark.parametrize("on_tensors", [False, True])
@pytest.mark.parametrize(
    ("head", "error", "message"),
    [
        (lambda z: (z[:, 0], z), TypeError, "a tensor of a floating type, got tuple"),
        (lambda z: z[:, 0].long(), TypeError, "a tensor of a floating type, got torch.int64"),
        (lambda z: z[:, :2], ValueError, r"prediction of the model of shape \(40,\), got .*40, 2"),
        (lambda z: z[:, 0].mean(), ValueError, r"got 40 rows and predictions of shape \(\)"),
        (lambda z: z[::2, 0], ValueError, r"40 rows and predictions of shape \(20,\).*by pool="),
        (lambda z: z[:, 0] * torch.nan, ValueError, "without NaN or infinite values, got 40"),
    ],
)
def test_a_prediction_that_no_target_is_like_is_refused(on_tensors, head, error, message):
    estimator = TorchEstimator(fit()) if on_tensors else fit()
    module = UncertainModule(Gives(head).eval(), "body", estimator)
    with pytest.raises(error, match=message):
        module(torch.tensor(QUERIES))


def test_without_targets_the_prediction_may_be_anything():
    estimator = fit(None)
    found = UncertainModule(Gives(lambda z: {"energy": z}).eval(), "body", estimator)(
        torch.tensor(QUERIES)
    )
    assert_allclose(found.expected_error, estimator.predict(QUERIES), rtol=1e-5)


@pytest.mark.parametrize("on_tensors", [False, True])
def test_predictions_of_a_standardised_target_are_given_in_its_unit(on_tensors):
    mean, scale = 7.0, 3.0
    estimator, x = fit(), torch.tensor(QUERIES)
    given = TorchEstimator(estimator) if on_tensors else estimator
    model = Gives(lambda z: (z[:, :1] - 2.0 - mean) / scale).eval()
    found = UncertainModule(model, "body", given, level=0.8, scale=scale, mean=mean)(x)
    in_unit = QUERIES[:, :1] - 2.0
    assert_allclose(found.prediction, in_unit, rtol=1e-4, atol=1e-5)
    bar = estimator.predict_quantile(QUERIES, 0.8, y_pred=in_unit)
    assert_allclose(found.error_bar[:, 0], bar, rtol=1e-4)


@pytest.mark.parametrize("mean", [1e4, [1e4]])
def test_a_mean_far_larger_than_half_a_precision_resolves_is_added(mean):
    x = torch.tensor(QUERIES)
    model = Gives(lambda z: z[:, :1].bfloat16()).eval()
    found = UncertainModule(model, "body", fit(None), scale=2.0, mean=mean)(x)
    assert_allclose(found.prediction, 2 * x[:, :1].bfloat16().float() + 1e4, rtol=1e-6)


def test_each_output_has_a_scale_and_a_mean_of_its_own():
    model, estimator = Gives(lambda z: z[:, :3]).eval(), fit(None)
    x, scale, mean = torch.tensor(QUERIES), np.array([2.0, 3.0, 4.0]), [0.0, 1.0, -1.0]
    found = UncertainModule(model, "body", estimator, scale=scale, mean=mean)(x)
    assert_allclose(found.prediction, QUERIES[:, :3] * scale + mean, rtol=1e-5)
    two = UncertainModule(model, "body", estimator, scale=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"predictions of 2 outputs, as scale has, got .*40, 3"):
        two(x)
    no_tensor = UncertainModule(Gives(lambda z: {"y": z}).eval(), "body", estimator, mean=1.0)
    with pytest.raises(TypeError, match="a prediction in a tensor, got dict"):
        no_tensor(x)
    for settings in ({"scale": 0.0}, {"mean": np.inf}):
        with pytest.raises(ValueError, match="finite, got"):
            UncertainModule(model, "body", estimator, **settings)


@pytest.mark.parametrize("device", DEVICES)
def test_a_module_that_moves_compares_where_it_is(device):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))
    x = torch.randn(200, 3)
    estimator = LTAUEstimator().fit(latents(model, [x], "1"), ERRORS[:200], targets=TARGETS[:200])
    expected = UncertainModule(model.eval(), "1", estimator)(3 * x)
    careful = UncertainModule(model, "1", TorchEstimator(estimator)).to(device)
    found = careful(3 * x.to(device))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.device.type == device
        torch.testing.assert_close(ours.cpu(), theirs.to(ours.dtype).cpu(), rtol=1e-4, atol=1e-5)
