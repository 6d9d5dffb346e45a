"""Recording errors and latents against what the model does by itself."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from ltau.adapters.torch import ErrorRecorder, latents  # noqa: E402


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Dropout(0.5),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 2),
    )


def test_recorded_errors_are_those_of_each_sample_at_each_epoch():
    torch.manual_seed(0)
    residuals = torch.randn(5, 100)  # of each epoch, as if from a model
    recorder = ErrorRecorder(100)
    for epoch in residuals:
        for ids in torch.randperm(100).split(32):  # shuffled, with a smaller last batch
            recorder.record(ids, epoch[ids])
        recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, residuals.abs().T)
    assert recorder.errors.dtype == np.float32


def test_the_error_of_several_outputs_is_their_norm():
    residuals = torch.randn(6, 4, 3)
    recorder = ErrorRecorder(6)
    recorder.record(torch.arange(6), residuals)
    recorder.end_epoch()
    expected = np.linalg.norm(residuals.numpy().reshape(6, 12), axis=1)
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=1e-6)


def test_samples_not_seen_are_nan_in_that_epoch_alone():
    recorder = ErrorRecorder(3)
    for ids in ([0, 2], [1, 2]):
        recorder.record(torch.tensor(ids), torch.ones(2))
        recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, [[1, np.nan], [np.nan, 1], [1, 1]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_floating_type_is_recorded_in_float32(dtype):
    recorder = ErrorRecorder(2)
    recorder.record(torch.arange(2), torch.tensor([-1.5, 2.0], dtype=dtype))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, np.array([[1.5], [2.0]], np.float32))


def test_recording_keeps_no_graph(model):
    recorder = ErrorRecorder(4)
    recorder.record(torch.arange(4), model(torch.randn(4, 3)))
    assert not recorder._epoch.requires_grad


@pytest.mark.parametrize(
    ("ids", "residuals", "message"),
    [
        ([0, 1], [1.0], "as many ids as residuals"),
        ([[0], [1]], [1.0, 2.0], "as many ids as residuals"),
        ([0, 3], [1.0, 2.0], "ids from 0 to 2, got 0 to 3"),
        ([-1, 0], [1.0, 2.0], "ids from 0 to 2, got -1 to 0"),
    ],
)
def test_records_that_belong_to_no_sample_are_refused(ids, residuals, message):
    with pytest.raises(ValueError, match=message):
        ErrorRecorder(3).record(torch.tensor(ids), torch.tensor(residuals))


def test_an_epoch_without_records_is_refused():
    recorder = ErrorRecorder(3)
    assert recorder.errors.shape == (3, 0)
    with pytest.raises(RuntimeError, match=r"call record\(\) first"):
        recorder.end_epoch()


def test_latents_are_the_output_of_the_layer(model):
    inputs = torch.randn(50, 3)
    found = latents(model, inputs.split(16), "3")
    with torch.no_grad():
        expected = model.eval()[:4](inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_latents_of_a_loader_take_the_first_item(model):
    inputs = torch.randn(50, 3)
    loader = DataLoader(TensorDataset(inputs, torch.zeros(50)), batch_size=16)
    np.testing.assert_array_equal(
        latents(model, loader, "3"), latents(model, inputs.split(16), "3")
    )


def test_every_module_goes_back_to_its_mode_and_has_no_hook_left(model):
    model.train()
    model[1].eval()  # frozen on purpose
    before = [module.training for module in model.modules()]
    mean = model[1].running_mean.clone()
    latents(model, [torch.randn(10, 3)], "3")
    assert [module.training for module in model.modules()] == before
    assert torch.equal(model[1].running_mean, mean)
    assert not model[3]._forward_hooks


def test_the_mode_comes_back_after_an_error(model):
    model.train()
    with pytest.raises(RuntimeError):
        latents(model, [torch.randn(10, 7)], "3")
    assert model.training
    assert not model[3]._forward_hooks


class Odd(torch.nn.Module):
    """A model whose layers do not all run once, nor all give rows."""

    def __init__(self):
        super().__init__()
        self.twice = torch.nn.ReLU()
        self.never = torch.nn.ReLU()
        self.total = torch.nn.Flatten(0)
        self.pair = torch.nn.LSTM(3, 4)

    def forward(self, x):
        self.pair(x)
        return self.total(self.twice(self.twice(x)))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("head", r"one of \['twice', 'never', 'total', 'pair'\], got 'head'"),
        ("twice", "run once a batch, it ran 2 times"),
        ("never", "run once a batch, it ran 0 times"),
        ("total", r"give shape \(5, n_features\), got \(15,\)"),
        ("pair", r"give shape \(5, n_features\), got tuple"),
    ],
)
def test_layers_without_latents_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        latents(Odd(), [torch.zeros(5, 3)], layer)


def test_no_batches_are_refused(model):
    with pytest.raises(ValueError, match="at least one batch"):
        latents(model, [], "3")
