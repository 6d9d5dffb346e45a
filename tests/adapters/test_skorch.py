"""Errors recorded while a skorch net trains, against the net's own predictions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch.dataset import ValidSplit  # noqa: E402

from ltau.adapters.skorch import ErrorRecorderCallback  # noqa: E402
from ltau.adapters.torch import ErrorRecorder  # noqa: E402
from ltau.log import ErrorLog  # noqa: E402


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    return X, (X.sum(axis=1, keepdims=True) + rng.normal(size=(50, 1))).astype(np.float32)


def net(recorder, **kwargs):
    torch.manual_seed(0)
    settings = {"lr": 0.0, "max_epochs": 2, "batch_size": 8, "train_split": None, "verbose": 0}
    callbacks = [ErrorRecorderCallback(recorder)]
    settings |= {"module__in_features": 3, "module__out_features": 1, **kwargs}
    return skorch.NeuralNetRegressor(torch.nn.Linear, callbacks=callbacks, **settings)


@pytest.mark.parametrize("settings", [{}, {"iterator_train__shuffle": True}])
def test_recorded_errors_are_those_of_the_net(data, settings):
    recorder = ErrorRecorder(50)
    fitted = net(recorder, **settings).fit(*data)
    expected = np.abs(fitted.predict(data[0]) - data[1])
    np.testing.assert_allclose(recorder.errors, np.repeat(expected, 2, axis=1), rtol=1e-5)
    assert fitted.iterator_train is torch.utils.data.DataLoader


def test_each_epoch_has_the_errors_of_its_own_weights(data):
    recorder = ErrorRecorder(50)
    trained = net(recorder, lr=0.1, batch_size=-1, max_epochs=1).initialize()
    before = [np.abs(trained.predict(data[0]) - data[1])[:, 0]]
    for _ in range(3):
        before.append(np.abs(trained.partial_fit(*data).predict(data[0]) - data[1])[:, 0])
    np.testing.assert_allclose(recorder.errors.T, before[:-1], rtol=1e-5)


def test_rows_held_out_for_validation_are_nan(data):
    recorder = ErrorRecorder(50)
    split = ValidSplit(0.2, random_state=0)
    fitted = net(recorder, train_split=split, iterator_train__shuffle=True).fit(*data)
    expected = np.abs(fitted.predict(data[0]) - data[1])[:, 0]
    _, held_out = split(skorch.dataset.Dataset(*data))
    expected[held_out.indices] = np.nan
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=1e-5)


def test_epochs_go_to_a_log(data, tmp_path):
    with ErrorLog(tmp_path / "log", 50) as log:
        net(ErrorRecorder(50, log)).fit(*data)
    assert ErrorLog(tmp_path / "log").shape == (50, 2)


def test_a_fit_after_one_that_failed_records_again(data):
    recorder = ErrorRecorder(50, on_error="raise")
    regressor = net(recorder)
    with pytest.raises(ValueError, match="finite residuals"):
        regressor.fit(data[0], np.full_like(data[1], np.nan))
    regressor.fit(*data)
    assert np.isfinite(recorder.errors).all()
    assert regressor.iterator_train is torch.utils.data.DataLoader


def test_targets_of_another_shape_than_predictions_are_refused(data):
    recorder = ErrorRecorder(50)
    unreduced = net(recorder, criterion=lambda: lambda y_pred, y: y_pred.mean())
    with pytest.raises(ValueError, match=r"targets' shape \(8, 2\), got \(8, 1\)"):
        unreduced.fit(data[0], np.hstack([data[1], data[1]]))
