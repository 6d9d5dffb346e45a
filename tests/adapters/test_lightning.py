"""Errors recorded while a Lightning trainer runs, against what its weights give by themselves."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")

from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset  # noqa: E402

from ltau.adapters.lightning import ErrorRecorderCallback  # noqa: E402
from ltau.log import ErrorLog  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning's own
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory:UserWarning"),
]

N = 33


class Regressor(lightning.LightningModule):
    """A module that knows nothing of errors being recorded."""

    def __init__(self, lr=0.1):
        super().__init__()
        torch.manual_seed(0)
        self.lr = lr
        self.net = torch.nn.Linear(2, 1)
        self.weights = []  # at the start of each epoch

    def forward(self, x):
        return self.net(x).flatten()

    def on_train_epoch_start(self):
        self.weights.append(copy.deepcopy(self.net.state_dict()))

    def training_step(self, batch, batch_idx):
        assert type(batch) is list
        x, y = batch
        return torch.nn.functional.mse_loss(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Validated(Regressor):
    """Validates as it trains."""

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        return self.training_step(batch, batch_idx)


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    return TensorDataset(
        torch.randn(N, 2, generator=generator), torch.randn(N, generator=generator)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


def quiet_trainer(callbacks, **kwargs):
    settings = {"max_epochs": 3, "enable_checkpointing": False, **kwargs}
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(accelerator="cpu", callbacks=callbacks, **quiet, **settings)


def fit(module, loader, callback, *, validation=None, ckpt_path=None, callbacks=(), **settings):
    trainer = quiet_trainer([callback, *callbacks], **settings)
    trainer.fit(module, loader, validation, ckpt_path=ckpt_path)
    return trainer


def errors_of(weights, data):
    """What a bare layer with these weights gets wrong."""
    layer = torch.nn.Linear(2, 1)
    layer.load_state_dict(weights)
    x, y = data[:]
    return (layer(x).detach()[:, 0] - y).abs().numpy()


def test_each_epoch_has_the_errors_of_its_own_weights(data, path):
    module = Regressor()
    fit(module, DataLoader(data, batch_size=N, shuffle=True), ErrorRecorderCallback(path))
    expected = np.stack([errors_of(weights, data) for weights in module.weights], axis=1)
    np.testing.assert_allclose(ErrorLog(path)[:], expected, rtol=1e-4, atol=1e-6)
    assert expected.std(axis=1).min() > 0  # the weights did change


@pytest.mark.parametrize(
    ("loading", "training"),
    [
        ({}, {}),
        ({"num_workers": 2}, {"max_epochs": 2}),
        ({"num_workers": 1, "persistent_workers": True}, {"max_epochs": 2}),
        ({}, {"accumulate_grad_batches": 3}),
        ({}, {"reload_dataloaders_every_n_epochs": 1}),
        ({}, {"precision": "bf16-mixed"}),
    ],
)
def test_shuffled_batches_keep_their_ids(data, path, loading, training):
    module = Regressor(lr=0.0)
    loader = DataLoader(data, batch_size=4, shuffle=True, **loading)
    trainer = fit(module, loader, ErrorRecorderCallback(path), **training)
    expected = errors_of(module.net.state_dict(), data)
    tolerance = 0.05 if training.get("precision") else 1e-5
    for errors in ErrorLog(path).epochs():
        np.testing.assert_allclose(errors, expected, rtol=1e-4, atol=tolerance)
    assert ErrorLog(path).n_epochs == trainer.max_epochs


def test_rows_of_a_subset_are_the_positions_in_it(data, path):
    module, rows = Regressor(lr=0.0), [30, 2, 17, 5]
    fit(module, DataLoader(Subset(data, rows), batch_size=3), ErrorRecorderCallback(path))
    expected = errors_of(module.net.state_dict(), data)[rows]
    np.testing.assert_allclose(ErrorLog(path)[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_samples_that_are_dropped_are_nan(data, path):
    loader = DataLoader(data, batch_size=8, drop_last=True)
    fit(Regressor(), loader, ErrorRecorderCallback(path), limit_train_batches=3)
    errors = ErrorLog(path)[:]
    assert np.isfinite(errors[:24]).all()
    assert np.isnan(errors[24:]).all()


@pytest.mark.filterwarnings("ignore:train_dataloader yielded None:UserWarning")
def test_samples_of_a_batch_that_is_skipped_are_nan(data, path):
    def collate(samples):
        return None if len(samples) == 1 else torch.utils.data.default_collate(samples)

    module = Regressor(lr=0.0)
    loader = DataLoader(data, batch_sampler=[[4], [3, 2], [1, 0]], collate_fn=collate)
    fit(module, loader, ErrorRecorderCallback(path))
    expected = errors_of(module.net.state_dict(), data)
    expected[4:] = np.nan
    np.testing.assert_allclose(ErrorLog(path)[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_the_last_batches_of_an_epoch_cut_short_do_not_reach_the_next(data, path):
    module = Regressor(lr=0.0)
    loader = DataLoader(data, batch_size=4, shuffle=True, num_workers=1)
    fit(module, loader, ErrorRecorderCallback(path), limit_train_batches=2)
    expected = errors_of(module.net.state_dict(), data)
    for errors in ErrorLog(path).epochs():
        seen = ~np.isnan(errors)
        assert seen.sum() == 8
        np.testing.assert_allclose(errors[seen], expected[seen], rtol=1e-4, atol=1e-6)


def test_loaders_of_a_datamodule_are_found_and_validation_is_not_recorded(data, path):
    class Data(lightning.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(data, batch_size=4, shuffle=True)

        def val_dataloader(self):
            return DataLoader(Subset(data, range(5)), batch_size=2)

    class Validated(Regressor):
        def validation_step(self, batch, batch_idx):
            self(batch[0])

    module = Validated(lr=0.0)
    fit(module, Data(), ErrorRecorderCallback(path), val_check_interval=0.5)
    expected = errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:, 2], expected, rtol=1e-4, atol=1e-6)


def test_a_run_resumed_from_a_checkpoint_goes_on_in_the_same_log(data, path, tmp_path):
    loader = DataLoader(data, batch_size=N)
    whole = Regressor()
    fit(whole, loader, ErrorRecorderCallback(tmp_path / "whole"), max_epochs=4)
    for epochs, start in [(3, None), (4, tmp_path / "epoch=1.ckpt")]:  # epoch 2 is run again
        keep = lightning.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        settings = {"enable_checkpointing": True, "callbacks": [keep], "ckpt_path": start}
        fit(Regressor(), loader, ErrorRecorderCallback(path), max_epochs=epochs, **settings)
    np.testing.assert_array_equal(ErrorLog(path)[:], ErrorLog(tmp_path / "whole")[:])


def test_a_submodule_and_residuals_of_any_batch(data, path):
    class Named(Regressor):
        def training_step(self, batch, batch_idx):
            return torch.nn.functional.mse_loss(self.net(batch["x"])[:, 0], batch["y"])

    samples = [{"x": x, "y": y} for x, y in data]
    callback = ErrorRecorderCallback(
        path, module="net", residuals=lambda output, batch: 100 * (output[:, 0] - batch["y"])
    )
    module = Named(lr=0.0)
    fit(module, DataLoader(samples, batch_size=4, shuffle=True), callback)
    expected = 100 * errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:, 0], expected, rtol=1e-4, atol=1e-4)


def test_a_callback_an_output_records_each_by_itself(data, path):
    class Both(Regressor):
        def __init__(self):
            super().__init__(lr=0.0)
            self.net = torch.nn.Linear(2, 2)

        def forward(self, x):
            return self.net(x)

    x, y = data[:]
    both = TensorDataset(x, torch.stack([y, 3 * y], dim=1))
    callbacks = [
        ErrorRecorderCallback(path / str(j), reduction=lambda r, j=j: r[:, j]) for j in range(2)
    ]
    module = Both()
    loader = DataLoader(both, 4, shuffle=True)
    trainer = fit(module, loader, callbacks[0], callbacks=callbacks[1:])
    expected = (module.net(x) - both[:][1]).abs().detach().numpy()
    for j in range(2):
        np.testing.assert_allclose(ErrorLog(path / str(j))[:, 0], expected[:, j], rtol=1e-4)
    assert "process_dataloader" not in vars(trainer.strategy)


def test_a_log_with_a_unit_is_written_to_and_closed(data, path):
    log = ErrorLog(path, N, unit="eV")
    module = Regressor()
    trainer = fit(module, DataLoader(data, batch_size=8), ErrorRecorderCallback(log))
    with ErrorLog(path, mode="resume") as again:
        again.record([0], [1.0])  # nobody else is writing
    assert (again.unit, again.n_epochs) == ("eV", 3)
    assert not module._forward_hooks
    assert "process_dataloader" not in vars(trainer.strategy)


def test_a_training_that_starts_is_refused_the_epochs_of_another_and_may_remove_them(data, path):
    loader = DataLoader(data, batch_size=8)
    fit(Regressor(), loader, ErrorRecorderCallback(path), max_epochs=4)
    before = ErrorLog(path)[:]
    with pytest.raises(FileExistsError, match=r"4 epochs of an earlier run.* overwrite=True"):
        fit(Regressor(), loader, ErrorRecorderCallback(path), max_epochs=2)
    np.testing.assert_array_equal(ErrorLog(path)[:], before)
    module = Regressor(lr=0.0)
    fit(module, loader, ErrorRecorderCallback(path, overwrite=True), max_epochs=2)
    expected = errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:], np.stack([expected] * 2, 1), rtol=1e-4, atol=1e-6)


def test_a_training_resumed_at_an_earlier_epoch_has_no_epoch_of_the_one_before(
    data, path, tmp_path
):
    keep = lightning.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    settings = {"enable_checkpointing": True, "callbacks": [keep]}
    loader = DataLoader(data, batch_size=N)
    fit(Regressor(), loader, ErrorRecorderCallback(path), max_epochs=9, **settings)
    start = tmp_path / "epoch=1.ckpt"
    # A training that goes on has no use for overwrite.
    for overwrite, n_later in ((False, 6), (True, 1)):
        callback = ErrorRecorderCallback(path, overwrite=overwrite)
        with pytest.warns(UserWarning, match=f"Epoch 2 .* recorded again: the {n_later} after it"):
            fit(Regressor(lr=0.7), loader, callback, max_epochs=4, ckpt_path=start)
        assert ErrorLog(path).shape == (N, 4)
    with pytest.raises(ValueError, match=r"goes on at epoch 2, got .*new, which has 0 epochs"):
        fit(
            Regressor(),
            loader,
            ErrorRecorderCallback(tmp_path / "new"),
            max_epochs=4,
            ckpt_path=start,
        )


def test_a_checkpoint_of_the_end_of_a_validation_is_resumed(data, path, tmp_path):
    class Logged(Validated):
        def validation_step(self, batch, batch_idx, dataloader_idx=0):
            self.log("loss", self.training_step(batch, batch_idx))

    keep = lightning.callbacks.ModelCheckpoint(
        tmp_path, filename="{epoch}", save_top_k=-1, monitor="loss"
    )
    settings = {"enable_checkpointing": True, "validation": DataLoader(data, N)}
    loader = DataLoader(data, batch_size=8)
    fit(Logged(), loader, ErrorRecorderCallback(path), callbacks=[keep], **settings)
    start = tmp_path / "epoch=1.ckpt"
    settings |= {"enable_checkpointing": False, "max_epochs": 5, "ckpt_path": start}
    fit(Logged(), loader, ErrorRecorderCallback(path), **settings)
    assert np.isfinite(ErrorLog(path)[:]).all()
    assert ErrorLog(path).shape == (N, 5)


def test_a_standardised_target_has_errors_in_its_unit(data, path):
    module = Validated(lr=0.0)
    callback = ErrorRecorderCallback(path, scale=50.0)
    fit(module, DataLoader(data, 8), callback, validation=DataLoader(data, 8))
    expected = 50 * errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:, 0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(callback.held_out[1], expected, rtol=1e-4, atol=1e-4)


def test_an_epoch_that_is_skipped_ends_no_training(data, path):
    class Skips(Regressor):
        def on_train_batch_start(self, batch, batch_idx):
            return -1 if self.current_epoch == 1 else None

    fit(Skips(), DataLoader(data, 8), ErrorRecorderCallback(path))
    assert np.isnan(ErrorLog(path)[:]).all(axis=0).tolist() == [False, True, False]


class OneCycle(Regressor):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.0)
        steps = self.trainer.estimated_stepping_batches  # loads the data
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-12, total_steps=steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class LoadsEarly(lightning.Callback):
    def setup(self, trainer, pl_module, stage):
        trainer.fit_loop.setup_data()


class Sized(Regressor):
    """Gives its own loader, of a size that is found."""

    def __init__(self, data):
        super().__init__(lr=0.0)
        self.data, self.batch_size = data, 2

    def train_dataloader(self):
        return DataLoader(self.data, self.batch_size, shuffle=True)


@pytest.mark.filterwarnings("ignore:The number of training batches")
@pytest.mark.filterwarnings("ignore:.*LightningDeprecationWarning")
@pytest.mark.parametrize("finder", ["cycle", "early", "rate", "size"])
def test_whatever_loads_the_data_early_changes_no_error(data, path, tmp_path, finder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = OneCycle(lr=0.0) if finder == "cycle" else Sized(data)
    callbacks = {
        "cycle": [],
        "early": [LoadsEarly()],
        "rate": [lightning.callbacks.LearningRateFinder(1e-12, 1e-10, num_training_steps=20)],
        "size": [lightning.callbacks.BatchSizeFinder(max_trials=2, steps_per_trial=1)],
    }[finder]
    loader = DataLoader(data, 4, shuffle=True) if finder == "cycle" else None
    trainer = quiet_trainer([*callbacks, ErrorRecorderCallback(path)], max_epochs=2)
    trainer.fit(module, loader)
    expected = errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:], np.stack([expected] * 2, 1), rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The number of training batches")
@pytest.mark.filterwarnings("ignore:.*LightningDeprecationWarning")
def test_a_trainer_that_was_tuned_records_the_training_alone(data, path, tmp_path):
    module = Sized(data)
    trainer = quiet_trainer([ErrorRecorderCallback(path)], max_epochs=2, default_root_dir=tmp_path)
    tuner = lightning.tuner.Tuner(trainer)
    tuner.lr_find(module, min_lr=1e-12, max_lr=1e-10, num_training=20)
    tuner.scale_batch_size(module, max_trials=2, steps_per_trial=1)
    assert not path.exists()
    trainer.fit(module)
    expected = errors_of(module.net.state_dict(), data)
    np.testing.assert_allclose(ErrorLog(path)[:], np.stack([expected] * 2, 1), rtol=1e-3, atol=1e-5)


class Stream(IterableDataset):
    def __iter__(self):
        yield from ((torch.zeros(2), torch.tensor(0.0)) for _ in range(4))


class Plain:
    """Batches that come from no DataLoader."""

    def __iter__(self):
        yield torch.zeros(1, 2), torch.zeros(1)


@pytest.mark.parametrize(
    ("loader", "error", "message"),
    [
        (lambda _: DataLoader(Stream()), TypeError, "dataset with a length.* got Stream"),
        (lambda _: Plain(), TypeError, "a DataLoader .* got Plain"),
        (lambda data: DataLoader(data, batch_size=None), ValueError, "batch_size=None"),
        (lambda data: [DataLoader(data)] * 2, TypeError, "one training DataLoader, got list"),
        (lambda data: DataLoader(TensorDataset(data[:][0])), ValueError, r"batches \(x, y\)"),
    ],
)
def test_batches_without_ids_or_targets_are_refused(data, path, loader, error, message):
    class Tolerant(Regressor):
        def training_step(self, batch, batch_idx):
            return self(batch[0]).mean()

    with pytest.raises(error, match=message):
        fit(Tolerant(), loader(data), ErrorRecorderCallback(path))


def test_a_module_that_does_not_run_once_is_refused_and_others_named(data, path):
    class Direct(Regressor):
        def training_step(self, batch, batch_idx):
            return self.net(batch[0]).mean()

    with pytest.raises(RuntimeError, match=r"LightningModule to run once.* 0 times.*\['net'\]"):
        fit(Direct(), DataLoader(data), ErrorRecorderCallback(path))


def test_an_unknown_submodule_is_refused(data, path):
    with pytest.raises(ValueError, match=r"one of \['net'\], got 'head'"):
        fit(Regressor(), DataLoader(data), ErrorRecorderCallback(path, module="head"))


def test_a_log_of_another_number_of_samples_is_refused(data, path):
    ErrorLog(path, 7)
    with pytest.raises(ValueError, match="n_samples=7"):
        fit(Regressor(), DataLoader(data), ErrorRecorderCallback(path))


def test_a_run_that_diverges_ends_and_leaves_the_log_to_others(data, path):
    targets = data[:][1].clone()
    targets[5] = torch.nan
    loader = DataLoader(TensorDataset(data[:][0], targets), batch_size=1)
    with pytest.raises(ValueError, match=r"NaN or infinite ones of \d+ samples: 5"):
        fit(Regressor(), loader, ErrorRecorderCallback(path, on_error="raise"))
    with ErrorLog(path) as log:
        log.record([0], [1.0])
    assert log.n_epochs == 0


class SkipsNaN(Regressor):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if loss.isnan() else loss  # as Lightning's manual advises


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
def test_a_training_that_skips_steps_goes_on_and_their_samples_are_not_seen(data, path):
    targets = data[:][1].clone()
    targets[5] = torch.nan
    loader = DataLoader(TensorDataset(data[:][0], targets), batch_size=1)
    with pytest.warns(UserWarning, match="of 1 samples: 5. They count as not seen"):
        trainer = fit(SkipsNaN(), loader, ErrorRecorderCallback(path))
    errors = ErrorLog(path)[:]
    assert errors.shape == (N, trainer.max_epochs)
    assert np.flatnonzero(np.isnan(errors).any(axis=1)).tolist() == [5]


def test_a_training_goes_on_while_its_log_is_gone_and_its_epochs_are_written_later(data, path):
    away = path.with_name("away")

    class Moves(lightning.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                path.rename(away)

        def on_fit_end(self, trainer, pl_module):
            away.rename(path)

    callback = ErrorRecorderCallback(path)
    with pytest.warns(UserWarning, match=r"Epoch 1 is kept in memory, .*Cannot write epoch-000001"):
        trainer = fit(
            Regressor(), DataLoader(data, batch_size=8), callback, callbacks=[Moves()], max_epochs=2
        )
    assert ErrorLog(path).shape == (N, trainer.max_epochs)


# --- the errors of validation samples -------------------------------------------------


def held_out(path):
    """What lies beside the log."""
    with np.load(path / "held-out.npz") as file:
        return file["ids"], file["errors"]


def assert_held_out(callback, path, ids, errors):
    for found in (callback.held_out, held_out(path)):
        np.testing.assert_array_equal(found[0], ids)
        np.testing.assert_allclose(found[1], errors, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Your `val_dataloader`'s sampler has shuffling")
@pytest.mark.parametrize("loading", [{}, {"shuffle": True}, {"num_workers": 1}])
def test_validation_samples_have_the_errors_of_the_final_weights(data, path, loading):
    module, callback = Validated(), ErrorRecorderCallback(path)
    validation = DataLoader(Subset(data, range(20, 33)), batch_size=4, **loading)
    fit(module, DataLoader(Subset(data, range(20)), 5), callback, validation=validation)
    expected = errors_of(module.net.state_dict(), data)[20:]
    assert_held_out(callback, path, np.arange(13), expected)
    assert abs(errors_of(module.weights[-1], data)[20:] - expected).min() > 1e-5  # not those before
    assert ErrorLog(path).shape == (20, 3)


def test_the_last_pass_counts_whatever_the_epoch_is(data, path):
    module, callback = Validated(), ErrorRecorderCallback(path)
    settings = {"check_val_every_n_epoch": 2, "num_sanity_val_steps": 0}
    fit(module, DataLoader(data, N), callback, validation=DataLoader(data, 8), **settings)
    assert_held_out(callback, path, np.arange(N), errors_of(module.weights[2], data))


def test_samples_that_validation_leaves_out_are_left_out(data, path):
    module, callback = Validated(lr=0.0), ErrorRecorderCallback(path)
    validation = DataLoader(data, batch_sampler=[[7, 2], [3], [30, 31]])
    fit(module, DataLoader(data, 8), callback, validation=validation, limit_val_batches=2)
    expected = errors_of(module.net.state_dict(), data)[[2, 3, 7]]
    assert_held_out(callback, path, [2, 3, 7], expected)


def test_ids_of_several_loaders_are_those_of_their_datasets_one_after_the_other(data, path):
    module, callback = Validated(lr=0.0), ErrorRecorderCallback(path)
    parts = [Subset(data, [4, 5, 6]), Subset(data, [20, 10]), Subset(data, [0])]
    loaders = [DataLoader(part, batch_size=2) for part in parts]
    settings = {"reload_dataloaders_every_n_epochs": 1}
    fit(module, DataLoader(data, 8), callback, validation=loaders, **settings)
    expected = errors_of(module.net.state_dict(), data)[[4, 5, 6, 20, 10, 0]]
    assert_held_out(callback, path, np.arange(6), expected)


def test_averaged_weights_are_those_that_validation_uses(data, path):
    module, callback = Validated(), ErrorRecorderCallback(path)
    average = lightning.callbacks.EMAWeightAveraging(decay=0.5)
    settings = {"callbacks": [average], "validation": DataLoader(data, 8)}
    fit(module, DataLoader(data, 8), callback, **settings)
    expected = errors_of(module.net.state_dict(), data)  # which are averaged at the end
    assert_held_out(callback, path, np.arange(N), expected)


def test_validate_records_the_errors_of_other_weights(data, path, tmp_path):
    module, callback = Validated(), ErrorRecorderCallback(path)
    keep = lightning.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    settings = {"enable_checkpointing": True, "callbacks": [keep]}
    validation = DataLoader(data, 8)
    trainer = fit(module, DataLoader(data, N), callback, validation=validation, **settings)
    trainer.validate(module, validation, ckpt_path=tmp_path / "epoch=0.ckpt", verbose=False)
    assert_held_out(callback, path, np.arange(N), errors_of(module.weights[1], data))
    assert not module._forward_hooks
    assert "process_dataloader" not in vars(trainer.strategy)


def test_validate_needs_a_log_but_no_training_before(data, path):
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    trainer.callbacks.append(ErrorRecorderCallback(path))
    with pytest.raises(FileNotFoundError, match="no log at"):
        trainer.validate(Validated(), DataLoader(data, 8), verbose=False)
    module, callback = Validated(), ErrorRecorderCallback(ErrorLog(path, 7))
    trainer.callbacks[-1] = callback
    trainer.validate(module, DataLoader(data, 8), verbose=False)
    assert_held_out(callback, path, np.arange(N), errors_of(module.net.state_dict(), data))


def test_without_validation_there_are_none_and_those_of_a_former_training_go(data, path):
    callback = ErrorRecorderCallback(path)
    with pytest.raises(RuntimeError, match="no pass over validation samples has ended"):
        _ = callback.held_out
    fit(Validated(), DataLoader(data, 8), callback, validation=DataLoader(data, 8))
    assert (path / "held-out.npz").exists()
    again = ErrorRecorderCallback(path, overwrite=True)
    fit(Regressor(), DataLoader(data, 8), again)
    assert not (path / "held-out.npz").exists()
    with pytest.raises(RuntimeError, match="no pass over validation samples has ended"):
        _ = again.held_out


class Unusual(Validated):
    """Validates without its own forward."""

    def validation_step(self, batch, batch_idx):
        return self.net(batch[0]).mean()


class Untargeted(Validated):
    """Validates without targets."""

    def validation_step(self, batch, batch_idx):
        return self(batch[0]).mean()


def nan_targets(data):
    return TensorDataset(data[:][0], torch.full((N,), torch.nan))


@pytest.mark.parametrize(
    ("module", "loader", "message"),
    [
        (Unusual, lambda data: DataLoader(data, 8), "to run once per validation step, it ran 0"),
        (Validated, lambda data: DataLoader(nan_targets(data), 8), "NaN or infinite ones of 33"),
        (Validated, lambda _: DataLoader(Stream()), "dataset with a length"),
        (Untargeted, lambda data: DataLoader(TensorDataset(data[:][0]), 8), r"batches \(x, y\)"),
    ],
)
def test_what_validation_lacks_is_said_once_and_ends_no_training(
    data, path, module, loader, message
):
    callback = ErrorRecorderCallback(path)
    with pytest.warns(UserWarning, match=f"validation samples are not recorded.*{message}") as said:
        fit(module(), DataLoader(data, 8), callback, validation=loader(data))
    assert sum("not recorded" in str(warning.message) for warning in said) == 1
    assert ErrorLog(path).shape == (N, 3)
    assert not (path / "held-out.npz").exists()
    with pytest.raises(RuntimeError, match=f"no errors of validation samples: .*{message}"):
        _ = callback.held_out


def test_a_pass_that_lacks_something_takes_those_of_the_pass_before_away(data, path):
    class Failing(Validated):
        def validation_step(self, batch, batch_idx):
            return self(batch[0]) if self.current_epoch < 2 else None

    callback = ErrorRecorderCallback(path)
    with pytest.warns(UserWarning, match="it ran 0 times"):
        fit(Failing(), DataLoader(data, 8), callback, validation=DataLoader(data, 8))
    assert not (path / "held-out.npz").exists()
    with pytest.raises(RuntimeError, match="it ran 0 times"):
        _ = callback.held_out


def test_a_pass_that_lacks_nothing_after_one_that_did_is_recorded(data, path):
    class Late(Validated):
        def validation_step(self, batch, batch_idx):
            return self(batch[0]) if self.current_epoch == 2 else None

    module, callback = Late(), ErrorRecorderCallback(path)
    with pytest.warns(UserWarning, match="it ran 0 times"):
        fit(module, DataLoader(data, 8), callback, validation=DataLoader(data, 8))
    expected = errors_of(module.net.state_dict(), data)
    assert_held_out(callback, path, np.arange(N), expected)


DISTRIBUTED = """
import sys
from pathlib import Path
import torch
import lightning.pytorch as lightning
from torch.utils.data import DataLoader, TensorDataset
from ltau.adapters.lightning import ErrorRecorderCallback

torch.set_num_threads(1)

class Regressor(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)
    def forward(self, x):
        return self.net(x).flatten()
    def training_step(self, batch, batch_idx):
        return torch.nn.functional.mse_loss(self(batch[0]), batch[1])
    def validation_step(self, batch, batch_idx):
        fails = sys.argv[1] == "fails" and self.global_rank == 1
        return None if fails else self.training_step(batch, batch_idx)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)

torch.manual_seed(0)
data, module = TensorDataset(torch.randn(33, 2), torch.randn(33)), Regressor()
trainer = lightning.Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False,
    callbacks=[callback := ErrorRecorderCallback("log")],
)
loader = DataLoader(data, batch_size=4)
trainer.fit(module, DataLoader(data, batch_size=4, shuffle=True), loader)
assert trainer.world_size == 2
try:
    said = f"{len(callback.held_out[0])} samples"
except RuntimeError as error:
    said = str(error)
Path(f"rank-{trainer.global_rank}").write_text(said)
if trainer.is_global_zero:
    torch.save((module.net.state_dict(), data.tensors), "run.pt")
"""


def train_with_two_processes(folder, validation):
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("no gloo")
    (folder / "train.py").write_text(DISTRIBUTED)
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "train.py", validation]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    weights, tensors = torch.load(folder / "run.pt")
    errors = errors_of(weights, TensorDataset(*tensors))  # 33 samples: one fills up a batch
    log = ErrorLog(folder / "log")
    np.testing.assert_allclose(log[:], np.stack([errors] * 2, axis=1), rtol=1e-4, atol=1e-6)
    return errors, [(folder / f"rank-{rank}").read_text() for rank in range(2)]


def test_two_processes_write_one_log(tmp_path):
    errors, said = train_with_two_processes(tmp_path, "works")
    ids, found = held_out(tmp_path / "log")
    np.testing.assert_array_equal(ids, np.arange(33))
    np.testing.assert_allclose(found, errors, rtol=1e-4, atol=1e-6)
    assert said[0] == "33 samples"
    assert "the process of rank 0 has them" in said[1]


def test_what_one_process_lacks_all_lack(tmp_path):
    _, said = train_with_two_processes(tmp_path, "fails")
    assert "another process lacks some" in said[0]
    assert "it ran 0 times" in said[1]
    assert not (tmp_path / "log" / "held-out.npz").exists()
