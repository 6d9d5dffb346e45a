"""Every recorder keeps to one protocol: a loop of one's own, and the callbacks of all trainers."""

import inspect
import runpy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from ltau import ErrorLog  # noqa: E402
from ltau.adapters.torch import ErrorRecorder, IndexedDataset  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]

N, BROKEN = 20, 5

# What the options of a recorder are called, and what they are where nothing is said.
VOCABULARY = {
    "reduction": "norm",
    "scale": 1.0,
    "overwrite": False,
    "on_error": "warn",
}


def rows():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(N, 3, generator=generator).split([2, 1], dim=1)
    return x, y


def layer():
    torch.manual_seed(0)
    return torch.nn.Linear(2, 1)


def targets(broken):
    y = rows()[1].clone()
    y[[BROKEN] if broken else []] = torch.nan
    return y


class OfRows:
    """Trains a layer on rows, with a learning rate of zero: each epoch has the same errors."""

    def log(self, folder):
        return ErrorLog(folder)

    def errors(self):
        x, y = rows()
        return (layer()(x) - y).abs().detach().numpy()[:, 0]

    def assert_broken(self, errors):
        expected = self.errors()
        expected[BROKEN] = np.nan
        np.testing.assert_allclose(errors[:, 0], expected, rtol=1e-4, atol=1e-6)


class Loop(OfRows):
    """A loop of one's own."""

    recorder = ErrorRecorder

    def train(self, folder, epochs, *, goes_on=False, broken=False, overwrite=False, **options):
        mode = "resume" if goes_on else "new" if overwrite else None
        loader = DataLoader(IndexedDataset(TensorDataset(rows()[0], targets(broken))), 4, True)
        with ErrorLog(folder, N, mode=mode) as log:
            recorder, model = ErrorRecorder(N, log, **options), layer()
            for epoch in range(log.n_epochs if goes_on else 0, epochs):
                for ids, (x, y) in loader:
                    recorder.record(ids, model(x), y)
                recorder.end_epoch(epoch)


class Lightning(OfRows):
    """A Lightning trainer."""

    def __init__(self):
        self.lightning = pytest.importorskip("lightning.pytorch")
        from ltau.adapters.lightning import ErrorRecorderCallback

        self.recorder = ErrorRecorderCallback

    def train(self, folder, epochs, *, goes_on=False, broken=False, **options):
        class Module(self.lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = layer()

            def forward(self, x):
                return self.net(x)

            def training_step(self, batch, batch_idx):
                return torch.nn.functional.mse_loss(self(batch[0]), batch[1]).nan_to_num()

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=0.0)

            def on_before_optimizer_step(self, optimizer):
                for weights in self.parameters():
                    weights.grad.nan_to_num_()

        checkpoint = self.lightning.callbacks.ModelCheckpoint(folder.parent, save_last=True)
        trainer = self.lightning.Trainer(
            max_epochs=epochs,
            callbacks=[self.recorder(folder, **options), checkpoint],
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        data = TensorDataset(rows()[0], targets(broken))
        start = folder.parent / "last.ckpt" if goes_on else None
        trainer.fit(Module(), DataLoader(data, 4, shuffle=True), ckpt_path=start)


class Skorch(OfRows):
    """A skorch net."""

    def __init__(self):
        self.skorch = pytest.importorskip("skorch")
        from ltau.adapters.skorch import ErrorRecorderCallback

        self.recorder = ErrorRecorderCallback

    def train(self, folder, epochs, *, goes_on=False, broken=False, **options):
        net = self.skorch.NeuralNetRegressor(
            layer(),
            max_epochs=epochs,
            lr=0.0,
            batch_size=4,
            train_split=None,
            iterator_train__shuffle=True,
            callbacks=[self.recorder(folder, **options)],
            verbose=0,
        )
        history, weights = folder.parent / "history.json", folder.parent / "weights.pt"
        if goes_on:
            net.initialize().load_params(weights, f_history=history)
            net.set_params(max_epochs=epochs - len(net.history))
        if broken:  # weights that were lost to it would break all others
            net.set_params(criterion=lambda: lambda y_pred, y: 0 * y_pred.sum())
        x, y = rows()[0].numpy(), targets(broken).numpy()
        (net.partial_fit if goes_on else net.fit)(x, y)
        net.save_params(weights, f_history=history)


class NequIP:
    """A NequIP trainer: of its two logs, that of the forces."""

    def __init__(self):
        pytest.importorskip("nequip")
        from ltau.adapters.nequip import ErrorRecorderCallback

        self.recorder = ErrorRecorderCallback
        self.of_tests = runpy.run_path(str(Path(__file__).parent / "nequip" / "conftest.py"))
        rng = np.random.default_rng(0)
        crystal = self.of_tests["bulk"]("Cu", a=3.8, cubic=True)
        self.frames = [self.of_tests["alloy"](crystal, rng) for _ in range(10)]

    def train(self, folder, epochs, *, goes_on=False, broken=False, **options):
        lightning = self.of_tests["lightning"]

        class Overflows(lightning.Callback):
            """One step has infinite forces, and is skipped."""

            def on_train_start(self, trainer, pl_module):
                self.at = 0
                model = pl_module.model["sole_model"]
                self.hook = model.register_forward_hook(self.overflow)

            def overflow(self, model, inputs, output):
                self.at += model.training
                if model.training and self.at == 1:
                    output["forces"] = output["forces"] * torch.inf
                return output

            def on_before_optimizer_step(self, trainer, pl_module, optimizer):
                for weights in pl_module.parameters():
                    if weights.grad is not None:
                        weights.grad.zero_()

            def on_train_end(self, trainer, pl_module):
                self.hook.remove()

        checkpoint = lightning.callbacks.ModelCheckpoint(folder.parent, save_last=True)
        callbacks = [*[Overflows()] * broken, self.recorder(folder, **options), checkpoint]
        start = folder.parent / "last.ckpt" if goes_on else None
        self.of_tests["_train"](
            folder.parent / "data", self.frames, callbacks, epochs=epochs, lr=0.0, resume=start
        )

    def log(self, folder):
        return ErrorLog(folder / "forces")

    def errors(self):
        return None  # by hand in nequip/test_callback.py

    def assert_broken(self, errors):
        unseen = np.isnan(errors[:, 0]).reshape(-1, 4)  # atoms of a frame
        assert 0 < unseen.all(axis=1).sum() == unseen.any(axis=1).sum() < len(unseen)
        assert np.isfinite(errors[:, 1:]).all()


@pytest.fixture(params=[Loop, Lightning, Skorch, NequIP])
def training(request):
    return request.param()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "log"


def test_options_have_the_same_names_and_defaults(training):
    where, *options = list(inspect.signature(training.recorder).parameters.values())
    assert where.name in ("log", "folder", "n_samples")
    for option in options:
        if option.name != "log":
            assert option.kind is option.KEYWORD_ONLY
            assert option.default == VOCABULARY.get(option.name, option.default)
    assert "on_error" in [option.name for option in options]


def test_every_epoch_has_the_error_of_each_sample(training, folder):
    training.train(folder, 3)
    errors = training.log(folder)[:]
    assert errors.shape[1] == 3
    assert np.isfinite(errors).all()
    np.testing.assert_allclose(errors, np.stack([errors[:, 0]] * 3, axis=1), rtol=1e-3, atol=1e-5)
    if (expected := training.errors()) is not None:
        np.testing.assert_allclose(errors[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_a_second_training_is_refused_the_folder_unless_it_may_remove_what_is_there(
    training, folder
):
    training.train(folder, 3)
    before = training.log(folder)[:]
    with pytest.raises(FileExistsError, match=r"3 epochs of an earlier run"):
        training.train(folder, 1)
    np.testing.assert_array_equal(training.log(folder)[:], before)
    training.train(folder, 1, overwrite=True)
    np.testing.assert_allclose(training.log(folder)[:], before[:, :1], rtol=1e-3, atol=1e-5)


def test_a_training_that_goes_on_adds_its_epochs(training, folder):
    training.train(folder, 2)
    before = training.log(folder)[:]
    training.train(folder, 3, goes_on=True)
    after = training.log(folder)[:]
    np.testing.assert_array_equal(after[:, :2], before)
    np.testing.assert_allclose(after[:, 2], before[:, 0], rtol=1e-3, atol=1e-5)


def test_residuals_that_are_not_finite_end_no_training(training, folder):
    with pytest.warns(UserWarning, match="Expected finite residuals, got NaN or infinite ones of"):
        training.train(folder, 2, broken=True)
    errors = training.log(folder)[:]
    assert errors.shape[1] == 2
    training.assert_broken(errors)


def test_residuals_that_are_not_finite_may_be_an_error(training, folder):
    with pytest.raises(ValueError, match="Expected finite residuals, got NaN or infinite ones of"):
        training.train(folder, 2, broken=True, on_error="raise")
    assert training.log(folder).n_epochs == 0


def test_nobody_writes_the_log_when_training_has_ended(training, folder):
    training.train(folder, 1)
    with ErrorLog(training.log(folder).path, mode="resume") as log:
        log.record([0], [1.0])


@pytest.mark.parametrize("training", [Lightning, Skorch, NequIP], indirect=True)
def test_a_log_that_was_made_for_16_bits_has_them_whatever_becomes_of_its_epochs(training, folder):
    if isinstance(training, NequIP):  # which starts its logs itself
        training.train(folder, 1, bits=16)
    else:
        ErrorLog(folder, N, bits=16)
        training.train(folder, 1)
    before = training.log(folder)
    assert before.bits == 16
    errors = before[:]
    training.train(folder, 2, goes_on=True)
    assert training.log(folder).bits == 16
    training.train(folder, 1, overwrite=True)
    after = training.log(folder)
    assert (after.bits, after.n_epochs) == (16, 1)
    np.testing.assert_allclose(after[:], errors, rtol=2**-7, atol=1e-5)


def test_an_unknown_word_is_refused(training, folder):
    with pytest.raises(ValueError, match="'warn' or 'raise', got 'ignore'"):
        training.train(folder, 1, on_error="ignore")
