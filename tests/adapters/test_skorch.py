"""Errors recorded while a skorch net trains, against the net's own predictions."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from skorch.dataset import ValidSplit  # noqa: E402

from ltau.adapters.skorch import ErrorRecorderCallback  # noqa: E402
from ltau.log import ErrorLog  # noqa: E402


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    return X, (X.sum(axis=1, keepdims=True) + rng.normal(size=(50, 1))).astype(np.float32)


def net(callback, **kwargs):
    torch.manual_seed(0)
    settings = {"lr": 0.0, "max_epochs": 2, "batch_size": 8, "train_split": None, "verbose": 0}
    settings |= {"module__in_features": 3, "module__out_features": 1, **kwargs}
    return skorch.NeuralNetRegressor(torch.nn.Linear, callbacks=[callback], **settings)


def errors_of(fitted, X, y):
    return np.abs(fitted.predict(X) - y)[:, 0]


@pytest.mark.parametrize("settings", [{}, {"iterator_train__shuffle": True}])
def test_recorded_errors_are_those_of_the_net(data, settings):
    callback = ErrorRecorderCallback()
    fitted = net(callback, **settings).fit(*data)
    expected = np.stack([errors_of(fitted, *data)] * 2, axis=1)
    np.testing.assert_allclose(callback.recorder_.errors, expected, rtol=1e-5)
    assert fitted.iterator_train is torch.utils.data.DataLoader


@pytest.mark.parametrize("logged", [True, False])
def test_each_epoch_has_the_errors_of_its_own_weights(data, tmp_path, logged):
    callback = ErrorRecorderCallback(tmp_path / "log" if logged else None)
    trained = net(callback, lr=0.1, batch_size=-1, max_epochs=1).initialize()
    before = [errors_of(trained, *data)]
    for _ in range(3):
        before.append(errors_of(trained.partial_fit(*data), *data))  # which goes on
    np.testing.assert_allclose(callback.recorder_.errors.T, before[:-1], rtol=1e-5)


def test_inputs_with_names_are_recorded(data):
    class Named(torch.nn.Linear):
        def forward(self, left, right):
            return super().forward(torch.cat([left, right], dim=1))

    X, callback = {"left": data[0][:, :1], "right": data[0][:, 1:]}, ErrorRecorderCallback()
    regressor = net(callback, iterator_train__shuffle=True)
    fitted = regressor.set_params(module=Named).fit(X, data[1])
    expected = np.stack([errors_of(fitted, X, data[1])] * 2, axis=1)
    np.testing.assert_allclose(callback.recorder_.errors, expected, rtol=1e-4)


def test_rows_held_out_for_validation_are_nan(data):
    callback = ErrorRecorderCallback()
    split = ValidSplit(0.2, random_state=0)
    fitted = net(callback, train_split=split, iterator_train__shuffle=True).fit(*data)
    expected = errors_of(fitted, *data)
    _, held_out = split(skorch.dataset.Dataset(*data))
    expected[held_out.indices] = np.nan
    np.testing.assert_allclose(callback.recorder_.errors[:, 0], expected, rtol=1e-5)


def test_an_epoch_without_a_batch_ends_no_training(data):
    callback = ErrorRecorderCallback()
    net(callback, batch_size=64, iterator_train__drop_last=True).fit(*data)
    np.testing.assert_array_equal(callback.recorder_.errors, np.full((50, 2), np.nan))


def test_rows_of_a_subset_that_is_given_are_the_positions_in_it(data):
    callback, rows = ErrorRecorderCallback(), [30, 2, 17]
    subset = torch.utils.data.Subset(skorch.dataset.Dataset(*data), rows)
    fitted = net(callback).fit(subset, None)
    expected = errors_of(fitted, data[0][rows], data[1][rows])
    np.testing.assert_allclose(callback.recorder_.errors[:, 0], expected, rtol=1e-5)


def test_a_second_fit_starts_again_in_memory(data):
    callback = ErrorRecorderCallback()
    regressor = net(callback).fit(*data)
    fewer = data[0][:20], data[1][:20]
    regressor.fit(*fewer)
    expected = np.stack([errors_of(regressor, *fewer)] * 2, axis=1)
    np.testing.assert_allclose(callback.recorder_.errors, expected, rtol=1e-5)


def test_a_second_fit_is_refused_the_epochs_in_a_log_and_may_remove_them(data, tmp_path):
    callback = ErrorRecorderCallback(tmp_path / "log")
    regressor = net(callback).fit(*data)
    with pytest.raises(FileExistsError, match="2 epochs of an earlier run"):
        regressor.fit(*data)
    regressor.set_params(callbacks__ErrorRecorderCallback__overwrite=True, max_epochs=1)
    regressor.fit(data[0][:20], data[1][:20])
    expected = errors_of(regressor, data[0][:20], data[1][:20])[:, None]
    np.testing.assert_allclose(ErrorLog(tmp_path / "log")[:], expected, rtol=1e-5)


def test_each_candidate_of_a_search_has_its_own_errors_and_the_best_all_rows(data):
    callback = ErrorRecorderCallback()
    regressor = net(callback, iterator_train__shuffle=True)
    search = GridSearchCV(
        regressor, {"lr": [0.0, 1e-9]}, cv=3, scoring="r2", error_score="raise"
    ).fit(*data)
    (found,) = [c for _, c in search.best_estimator_.callbacks_ if type(c) is type(callback)]
    expected = errors_of(search.best_estimator_, *data)
    np.testing.assert_allclose(
        found.recorder_.errors, np.stack([expected] * 2, axis=1), rtol=1e-3, atol=1e-5
    )
    assert not hasattr(callback, "recorder_")


def test_candidates_do_not_share_a_log(data, tmp_path):
    regressor = net(ErrorRecorderCallback(tmp_path / "log"))
    search = GridSearchCV(regressor, {"lr": [0.0, 0.1]}, cv=2, scoring="r2", error_score="raise")
    with pytest.raises(FileExistsError, match="earlier run"):
        search.fit(*data)


def test_an_interrupted_epoch_is_recorded_again(data):
    class Interrupt(skorch.callbacks.Callback):
        at = 3

        def on_batch_begin(self, net, training, **_):
            self.at -= 1
            if self.at == 0:
                raise KeyboardInterrupt

    callback = ErrorRecorderCallback()
    regressor = net(callback, batch_size=25)
    regressor.set_params(callbacks=[callback, Interrupt()])
    regressor.fit(*data)  # skorch keeps what was trained
    assert callback.recorder_.errors.shape == (50, 1)
    regressor.partial_fit(*data)
    assert np.isfinite(callback.recorder_.errors).all()
    assert callback.recorder_.errors.shape == (50, 3)


def test_targets_that_are_standardised_and_modules_with_several_outputs(data):
    class Both(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    class Loss(torch.nn.MSELoss):
        def forward(self, outputs, y):
            return super().forward(outputs[0], y)

    callback = ErrorRecorderCallback(
        scale=20.0, residuals=lambda output, batch: (output[0], batch[1])
    )
    settings = {"in_features": 3, "out_features": 1}
    fitted = skorch.NeuralNet(
        Both,
        Loss,
        lr=0.0,
        max_epochs=1,
        train_split=None,
        callbacks=[callback],
        verbose=0,
        **{f"module__{name}": value for name, value in settings.items()},
    ).fit(*data)
    expected = 20 * np.abs(fitted.predict(data[0]) - data[1])
    np.testing.assert_allclose(callback.recorder_.errors, expected, rtol=1e-4)


def test_a_callback_an_output_records_each_by_itself_and_leaves_the_net_as_it_was(data):
    X, y = data[0], np.hstack([data[1], -2 * data[1]])
    callbacks = [ErrorRecorderCallback(reduction=lambda r, j=j: r[:, j]) for j in range(2)]
    regressor = net(callbacks[0], module__out_features=2, iterator_train__shuffle=True)
    regressor.set_params(callbacks=callbacks)
    for fit in (regressor.fit, regressor.partial_fit):
        fit(X, y)
        assert regressor.iterator_train is torch.utils.data.DataLoader
    expected = np.abs(regressor.predict(X) - y)
    for callback, errors in zip(callbacks, expected.T, strict=True):
        np.testing.assert_allclose(callback.recorder_.errors, np.stack([errors] * 4, 1), rtol=1e-4)


def test_several_callbacks_record_after_a_fit_that_failed(data):
    callbacks = [ErrorRecorderCallback(on_error="raise") for _ in range(2)]
    regressor = net(callbacks[0]).set_params(callbacks=callbacks)
    with pytest.raises(ValueError, match="finite residuals"):
        regressor.fit(data[0], np.full_like(data[1], np.nan))
    regressor.fit(*data)
    for callback in callbacks:
        np.testing.assert_allclose(
            callback.recorder_.errors[:, 0], errors_of(regressor, *data), rtol=1e-4
        )
    assert regressor.iterator_train is torch.utils.data.DataLoader


def test_a_net_that_was_recorded_is_cloned_and_pickled(data, tmp_path):
    regressor = net(ErrorRecorderCallback(tmp_path / "log")).fit(*data)
    same = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(same.predict(data[0]), regressor.predict(data[0]))
    assert clone(regressor).iterator_train is torch.utils.data.DataLoader


def test_a_log_of_another_number_of_rows_is_refused(data, tmp_path):
    regressor = net(ErrorRecorderCallback(ErrorLog(tmp_path / "log", 5000)))
    with pytest.raises(ValueError, match="n_samples=5000, as in the log"):
        regressor.fit(*data)


def test_epochs_go_to_a_log(data, tmp_path):
    net(ErrorRecorderCallback(ErrorLog(tmp_path / "log", 50, unit="eV"))).fit(*data)
    assert ErrorLog(tmp_path / "log", unit="eV").shape == (50, 2)
    with ErrorLog(tmp_path / "log", mode="resume") as log:
        log.record([0], [1.0])  # nobody else is writing


def test_a_fit_after_one_that_failed_records_again(data):
    callback = ErrorRecorderCallback(on_error="raise")
    regressor = net(callback)
    with pytest.raises(ValueError, match="finite residuals"):
        regressor.fit(data[0], np.full_like(data[1], np.nan))
    regressor.fit(*data)
    assert np.isfinite(callback.recorder_.errors).all()
    assert regressor.iterator_train is torch.utils.data.DataLoader


def test_targets_of_another_shape_than_predictions_are_refused(data):
    unreduced = net(ErrorRecorderCallback(), criterion=lambda: lambda y_pred, y: y_pred.mean())
    with pytest.raises(ValueError, match=r"targets' shape \(8, 2\), got \(8, 1\)"):
        unreduced.fit(data[0], np.hstack([data[1], data[1]]))
