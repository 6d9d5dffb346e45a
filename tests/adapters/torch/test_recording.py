"""Recording errors and latents against what the model does by itself."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402
    DataLoader,
    DistributedSampler,
    IterableDataset,
    Subset,
    TensorDataset,
)

from ltau import LTAUEstimator  # noqa: E402
from ltau.adapters.torch import (  # noqa: E402
    ErrorRecorder,
    IndexedDataset,
    UncertainModule,
    evaluate,
    latents,
)
from ltau.log import ErrorLog  # noqa: E402


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


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(40, 5, generator=generator).split([3, 2], dim=1)
    return TensorDataset(x, y)


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


def test_errors_of_a_training_loop_are_those_of_its_weights(data, model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder, expected = ErrorRecorder(len(data)), []
    model.eval()  # the same function for the oracle
    for _ in range(3):
        with torch.no_grad():
            expected.append((model(data.tensors[0]) - data.tensors[1]).norm(dim=1).numpy())
        for ids, (x, y) in DataLoader(IndexedDataset(data), batch_size=40, shuffle=True):
            optimizer.zero_grad()
            residuals = model(x) - y
            residuals.square().mean().backward()
            optimizer.step()
            recorder.record(ids, residuals)
        recorder.end_epoch()
    np.testing.assert_allclose(recorder.errors.T, expected, rtol=1e-4)
    assert np.ptp(recorder.errors, axis=1).min() > 0


@pytest.mark.parametrize(
    ("reduction", "oracle"),
    [
        ("norm", lambda r: np.sqrt((r**2).sum(axis=(1, 2)))),
        ("mean", lambda r: np.abs(r).mean(axis=(1, 2))),
        ("max", lambda r: np.abs(r).max(axis=(1, 2))),
        (lambda r: r[:, 1, 2], lambda r: np.abs(r[:, 1, 2])),
    ],
)
def test_the_error_of_several_outputs_is_reduced(reduction, oracle):
    residuals = torch.randn(6, 4, 3)
    recorder = ErrorRecorder(6, reduction=reduction)
    recorder.record(torch.arange(6), residuals)
    recorder.end_epoch()
    np.testing.assert_allclose(recorder.errors[:, 0], oracle(residuals.numpy()), rtol=1e-6)


@pytest.mark.parametrize("reduction", ["median", None])
def test_an_unknown_reduction_is_refused(reduction):
    with pytest.raises(ValueError, match=r"one of \['norm', 'mean', 'max'\] or callable"):
        ErrorRecorder(6, reduction=reduction)


def test_a_reduction_to_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(2, 3\)"):
        ErrorRecorder(2, reduction=torch.abs).record(torch.arange(2), torch.ones(2, 3))


def test_samples_not_seen_are_nan_in_that_epoch_alone():
    recorder = ErrorRecorder(3)
    for ids in ([0, 2], [1, 2]):
        recorder.record(torch.tensor(ids), torch.ones(2))
        recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, [[1, np.nan], [np.nan, 1], [1, 1]])


def test_a_prediction_and_a_target_are_compared_whichever_has_an_axis_of_length_one():
    target = torch.arange(4.0)
    for prediction, y in [(torch.zeros(4, 1), target), (torch.zeros(4), target[:, None])]:
        recorder = ErrorRecorder(4)
        recorder.record(torch.arange(4), prediction, y)
        recorder.end_epoch()
        np.testing.assert_array_equal(recorder.errors[:, 0], [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"targets' shape \(4, 2\), got \(4, 1\)"):
        recorder.record(torch.arange(4), torch.zeros(4, 1), torch.zeros(4, 2))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((torch.arange(4), torch.zeros(4), np.zeros(4)), "targets that are a tensor, got ndarray"),
        ((np.arange(4), torch.zeros(4)), "ids that are a tensor, got ndarray"),
        (([0, 1, 2, 3], torch.zeros(4)), "ids that are a tensor, got list"),
        ((torch.arange(4), np.zeros(4)), "residuals that are a tensor, got ndarray"),
        ((torch.arange(4), torch.ones(4).long()), "a floating type, got torch.int64"),
        ((torch.arange(4), 1j * torch.ones(4)), "a floating type, got torch.complex64"),
    ],
)
def test_what_is_no_tensor_of_a_floating_type_is_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        ErrorRecorder(4).record(*batch)


def test_residuals_that_broadcasting_made_square_are_refused_and_others_are_not():
    with pytest.raises(ValueError, match=r"shape \(4, 4\).*record\(ids, prediction, target\)"):
        ErrorRecorder(4).record(torch.arange(4), torch.zeros(4, 1) - torch.arange(4.0))
    recorder = ErrorRecorder(7)
    recorder.record(torch.arange(4), torch.ones(4, 3))
    recorder.record(torch.arange(4, 7), torch.ones(3, 3))  # the last batch of three outputs
    recorder.end_epoch()
    np.testing.assert_allclose(recorder.errors[:, 0], np.sqrt(3))
    square = ErrorRecorder(3)
    square.record(torch.arange(3), torch.zeros(3, 3), torch.ones(3, 3))
    square.end_epoch()
    np.testing.assert_allclose(square.errors[:, 0], np.sqrt(3))


def test_errors_of_a_standardised_target_are_in_its_unit():
    y = torch.tensor([[10.0, -3.0], [30.0, 5.0], [80.0, 1.0]])
    mean, scale = y.mean(dim=0), y.std(dim=0)
    prediction = torch.tensor([[12.0, -3.0], [30.0, 1.0], [77.0, 5.0]])
    recorder = ErrorRecorder(3, scale=scale.numpy())
    recorder.record(torch.arange(3), (prediction - mean) / scale, (y - mean) / scale)
    recorder.end_epoch()
    np.testing.assert_allclose(recorder.errors[:, 0], [2, 4, 5], rtol=1e-5)
    one = ErrorRecorder(3, scale=[10])  # as a scaler of one column has it
    one.record(torch.arange(3), torch.tensor([0.1, -0.2, 0.0], dtype=torch.float16))
    one.end_epoch()
    np.testing.assert_allclose(one.errors[:, 0], [1, 2, 0], rtol=1e-3)
    with pytest.raises(ValueError, match=r"residuals of 2 outputs, as scale has, got shape \(3,\)"):
        recorder.record(torch.arange(3), torch.zeros(3))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, [1.0, 0.0], [[1.0]]])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match="positive and finite"):
        ErrorRecorder(3, scale=scale)


def test_of_a_sample_seen_twice_the_last_finite_error_counts():
    recorder = ErrorRecorder(2)
    for residuals in ([1.0, torch.nan], [3.0, 4.0], [torch.inf, 5.0]):
        recorder.record(torch.arange(2), torch.tensor(residuals))
    with pytest.warns(UserWarning, match="of 2 samples: 0, 1"):
        recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors[:, 0], [3, 5])


def test_a_batch_of_no_sample_changes_nothing():
    recorder = ErrorRecorder(2)
    recorder.record(torch.arange(2), torch.ones(2))
    recorder.record(torch.tensor([]), torch.ones(0))
    recorder.end_epoch()
    recorder.record(torch.tensor([]), torch.ones(0))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, [[1, np.nan], [1, np.nan]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_floating_type_is_recorded_in_float32(dtype):
    recorder = ErrorRecorder(2)
    recorder.record(torch.arange(2), torch.tensor([-1.5, 2.0], dtype=dtype))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, np.array([[1.5], [2.0]], np.float32))


def test_recording_keeps_no_graph():
    recorder = ErrorRecorder(4)
    for _ in range(2):  # the first batch of an epoch goes in at once, the next one waits
        inputs = torch.randn(4, 3, requires_grad=True)  # held by the graph
        kept = weakref.ref(inputs)
        recorder.record(torch.arange(4), inputs.square().sum(dim=1))
        del inputs
        gc.collect()
        assert kept() is None


@pytest.mark.parametrize("reduction", ["norm", lambda r: r])
def test_tensors_may_be_written_over_once_they_are_recorded(reduction):
    recorder = ErrorRecorder(6, reduction=reduction)
    ids, residuals = torch.empty(2, dtype=torch.int64), torch.empty(2)
    for batch in range(3):
        ids.copy_(torch.tensor([2 * batch, 2 * batch + 1]))
        recorder.record(ids, residuals.fill_(batch))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors[:, 0], [0, 0, 1, 1, 2, 2])


def test_a_sample_keeps_its_last_error_of_an_epoch():
    recorder, expected = ErrorRecorder(50), np.full(50, np.nan, np.float32)
    generator = torch.Generator().manual_seed(0)
    for _ in range(700):  # more batches than wait at once
        ids = torch.randint(50, (4,), generator=generator)
        residuals = torch.randn(4, generator=generator)
        recorder.record(ids, residuals)
        for i, residual in zip(ids.tolist(), residuals.tolist(), strict=True):
            expected[i] = abs(residual)
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors[:, 0], expected)


def test_an_id_without_a_sample_drops_the_epoch():
    recorder = ErrorRecorder(3)
    recorder.record(torch.arange(3), torch.ones(3))
    recorder.record(torch.tensor([3]), torch.ones(1))
    with pytest.raises(ValueError, match="ids from 0 to 2, got 3 to 3"):
        recorder.end_epoch()
    with pytest.raises(RuntimeError, match=r"call record\(\) first"):
        recorder.end_epoch()
    recorder.record(torch.arange(3), torch.ones(3))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors, np.ones((3, 1)))


@pytest.mark.parametrize(
    ("ids", "residuals", "message"),
    [
        ([0, 1], [1.0], "as many ids as residuals"),
        ([[0], [1]], [1.0, 2.0], "as many ids as residuals"),
        ([0, 3], [1.0, 2.0], "ids from 0 to 2, got 0 to 3"),
        ([-1, 0], [1.0, 2.0], "ids from 0 to 2, got -1 to 0"),
        ([0.0, 1.0], [1.0, 2.0], "ids that are integers, got torch.float32"),
        ([True, False], [1.0, 2.0], "ids that are integers, got torch.bool"),
        ([0], 1.0, "as many ids as residuals"),
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


def test_autocast_is_recorded(model):
    recorder, x = ErrorRecorder(9), torch.randn(9, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        residuals = model.eval()(x)
        recorder.record(torch.arange(9), residuals)
    recorder.end_epoch()
    assert residuals.dtype == torch.bfloat16
    expected = model(x).detach().norm(dim=1).numpy()
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_residuals_that_are_not_finite_are_named_and_the_epoch_dropped(value):
    recorder = ErrorRecorder(9, on_error="raise")
    recorder.record(torch.arange(9), torch.tensor([0, 0, 0, value, 0, 0, 0, value, 0]))
    with pytest.raises(ValueError, match="NaN or infinite ones of 2 samples: 3, 7"):
        recorder.end_epoch()
    recorder.record(torch.arange(8), torch.ones(8))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.errors[:, 0], [1] * 8 + [np.nan])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_samples_whose_residuals_are_not_finite_count_as_not_seen(tmp_path, value):
    with ErrorLog(tmp_path / "log", 4) as log:
        for recorder in (ErrorRecorder(4), ErrorRecorder(4, log)):
            recorder.record(torch.arange(4), torch.tensor([1, value, 2, value]))
            with pytest.warns(UserWarning, match="of 2 samples: 1, 3. They count as not seen"):
                recorder.end_epoch()
            recorder.record(torch.arange(4), torch.arange(4.0))
            recorder.end_epoch()
            np.testing.assert_array_equal(recorder.errors.T, [[1, np.nan, 2, np.nan], [0, 1, 2, 3]])


def test_what_happens_on_an_error_is_one_of_two():
    with pytest.raises(ValueError, match="'warn' or 'raise', got None"):
        ErrorRecorder(4, on_error=None)


def test_a_log_that_another_writes_is_refused_at_the_first_batch(tmp_path):
    with ErrorLog(tmp_path / "log", 4) as other:
        other.record([0], [1.0])
        recorder = ErrorRecorder(4, ErrorLog(tmp_path / "log"))
        with pytest.raises(RuntimeError, match="has another"):
            recorder.record(torch.arange(4), torch.ones(4))


@pytest.mark.parametrize("logged", [True, False])
def test_an_epoch_run_again_replaces_itself(tmp_path, logged):
    log = ErrorLog(tmp_path / "log", 2) if logged else None
    recorder = ErrorRecorder(2, log)
    for epoch, error in [(None, 1.0), (1, 2.0), (None, 3.0)]:
        recorder.record(torch.tensor([1]), torch.tensor([error]))
        recorder.end_epoch(epoch)
    recorder.record(torch.tensor([1]), torch.tensor([4.0]))
    with pytest.warns(UserWarning, match=r"Epoch 1 .*was recorded again: the 1 after it"):
        recorder.end_epoch(1)
    np.testing.assert_array_equal(recorder.errors, [[np.nan] * 2, [1, 4]])  # no epoch after it
    recorder.record(torch.tensor([1]), torch.tensor([5.0]))
    with pytest.raises(ValueError, match="epoch from 0 to 2"):
        recorder.end_epoch(7)
    if log is not None:
        log.close()


def test_a_resumed_run_goes_on_in_the_same_log(tmp_path):
    for epochs in ([0, 1, 2], [2, 3]):  # stopped after epoch 2, whose checkpoint was lost
        with ErrorLog(tmp_path / "log", 2, mode="resume") as log:
            recorder = ErrorRecorder(2, log)
            for epoch in epochs:
                recorder.record(torch.arange(2), torch.tensor([epoch, -10.0 * epoch]))
                recorder.end_epoch(epoch)
    np.testing.assert_array_equal(ErrorLog(tmp_path / "log"), [[0, 1, 2, 3], [0, 10, 20, 30]])


def test_a_log_of_another_number_of_samples_is_refused(tmp_path):
    with pytest.raises(ValueError, match="log of 3 samples, got one of 2"):
        ErrorRecorder(3, ErrorLog(tmp_path / "log", 2))


DISTRIBUTED = """
import sys
import torch
from torch.utils.data import DataLoader, DistributedSampler
from ltau.adapters.torch import ErrorRecorder, IndexedDataset
from ltau.log import ErrorLog

rank = int(sys.argv[1])
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{sys.argv[2]}/meet", rank=rank, world_size=2
)
data = IndexedDataset(torch.arange(7.0))  # one sample fills up
loader = DataLoader(data, batch_size=2, sampler=DistributedSampler(data))
recorder = ErrorRecorder(7, ErrorLog(f"{sys.argv[2]}/log", 7) if rank == 0 else None)
for epoch in range(2):
    for ids, x in loader:
        recorder.record(ids, x + 10 * epoch + 0.5 * rank)
    recorder.end_epoch(epoch)
assert recorder.errors.shape == (7, 2 if rank == 0 else 0)
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="no gloo",
)
def test_the_errors_of_two_processes_are_put_together(tmp_path):
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DISTRIBUTED]
    runs = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], env=environment) for rank in (0, 1)
    ]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    ranks = [list(DistributedSampler(range(7), num_replicas=2, rank=rank)) for rank in (0, 1)]
    expected = [i + 0.5 * (i in ranks[1]) for i in range(7)]  # of the higher rank where both saw it
    assert len(set(ranks[0]) & set(ranks[1])) == 1
    np.testing.assert_array_equal(
        ErrorLog(tmp_path / "log"), np.stack([expected, np.add(expected, 10)], axis=1)
    )


def ids_and_rows(loader):
    """What a loader gives, put in a dictionary."""
    return {int(i): x for ids, (xs, _) in loader for i, x in zip(ids, xs, strict=True)}


@pytest.mark.parametrize("loading", [{}, {"shuffle": True}, {"shuffle": True, "num_workers": 2}])
def test_ids_go_with_their_samples(data, loading):
    found = ids_and_rows(DataLoader(IndexedDataset(data), batch_size=7, **loading))
    assert sorted(found) == list(range(40))
    assert all(torch.equal(x, data[i][0]) for i, x in found.items())


def test_ids_in_a_subset_are_those_of_the_whole(data):
    subset = Subset(IndexedDataset(data), [30, 2, 17])
    found = ids_and_rows(DataLoader(subset, batch_size=2, shuffle=True))
    assert sorted(found) == [2, 17, 30]
    assert all(torch.equal(x, data[i][0]) for i, x in found.items())


def test_a_distributed_sampler_shares_the_samples_out(data):
    indexed = IndexedDataset(data)
    parts = [
        ids_and_rows(DataLoader(indexed, sampler=DistributedSampler(indexed, 2, rank)))
        for rank in (0, 1)
    ]
    assert sorted([*parts[0], *parts[1]]) == list(range(40))
    assert all(torch.equal(x, data[i][0]) for part in parts for i, x in part.items())


def test_a_batch_is_fetched_at_once_where_the_dataset_can(data):
    class Fast(TensorDataset):
        def __getitem__(self, _):
            pytest.fail("asked for a single sample")

        def __getitems__(self, indices):
            return [(x, y) for x, y in zip(*(t[indices] for t in self.tensors), strict=True)]

    found = ids_and_rows(DataLoader(IndexedDataset(Fast(*data.tensors)), batch_size=7))
    assert all(torch.equal(x, data[i][0]) for i, x in found.items())


class Stream(IterableDataset):
    """A dataset whose samples have no numbers."""

    def __iter__(self):
        yield from range(3)


class Lengthy(Stream):
    def __len__(self):
        return 3


@pytest.mark.parametrize("dataset", [Stream(), Lengthy(), iter([1, 2])])
def test_a_dataset_without_numbers_is_refused(dataset):
    with pytest.raises(TypeError, match=f"with a length.* got {type(dataset).__name__}"):
        IndexedDataset(dataset)


def test_an_exact_pass_records_the_errors_of_the_finished_epoch(model, data):
    recorder = ErrorRecorder(40)
    modes = [module.training for module in model.modules()]
    evaluate(model, DataLoader(IndexedDataset(data), batch_size=7, shuffle=True), recorder)
    recorder.end_epoch()
    assert [module.training for module in model.modules()] == modes
    x, y = data.tensors
    expected = (model.eval()(x) - y).detach().norm(dim=1).numpy()
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=1e-5)


def test_axes_of_length_one_do_not_spread():
    model = torch.nn.Linear(3, 1)
    x, y = torch.randn(6, 3), torch.randn(6)
    recorder = ErrorRecorder(6)
    evaluate(model, [(torch.arange(6), (x, y))], recorder)
    recorder.end_epoch()
    expected = np.abs(model(x).detach().numpy()[:, 0] - y.numpy())
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([torch.zeros(5, 3)], r"batches \(ids, \(x, y\)\)"),
        (torch.zeros(5, 3), r"batches \(ids, \(x, y\)\)"),
        ([torch.zeros(5, 3), torch.zeros(5)], r"batches \(ids, \(x, y\)\)"),
        (
            ({"x": torch.zeros(5, 3)}, torch.zeros(5)),
            r"batches \(ids, \(x, y\)\), .* tuple of dict",
        ),
        ((0, (torch.zeros(3), torch.zeros(()))), r"batches \(ids, \(x, y\)\)"),
        ((torch.arange(5), (torch.zeros(5, 3), torch.zeros(5))), r"shape \(5,\), got \(5, 2\)"),
        ((torch.arange(4), (torch.zeros(5, 3), torch.zeros(5, 2))), "as many ids as residuals"),
    ],
)
def test_batches_that_cannot_be_evaluated_are_refused(model, batch, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, [batch], ErrorRecorder(5))


def test_predictions_that_are_no_tensor_are_refused():
    with pytest.raises(ValueError, match="are a tensor, got tuple"):
        evaluate(torch.nn.LSTM(3, 4), [(torch.arange(5), (torch.zeros(5, 3), 0))], ErrorRecorder(5))


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
        ("twice", "run once per batch, it ran 2 times"),
        ("never", "run once per batch, it ran 0 times"),
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


@pytest.fixture
def estimator(model, data):
    errors = np.random.default_rng(0).exponential(size=(40, 10))
    return LTAUEstimator(n_neighbors=3).fit(latents(model, [data.tensors[0]], "3"), errors)


def test_an_uncertain_module_says_what_model_and_estimator_say(model, estimator):
    careful = UncertainModule(model.eval(), "3", estimator, level=0.8)
    for x in torch.randn(20, 3).split(7):
        prediction, expected_error, error_bar = careful(x)
        z = latents(model, [x], "3")
        assert torch.equal(prediction, model(x))
        assert expected_error.shape == error_bar.shape == (len(x), 1)  # beside two outputs
        np.testing.assert_allclose(expected_error[:, 0], estimator.predict(z), rtol=1e-5)
        np.testing.assert_allclose(error_bar[:, 0], estimator.predict_quantile(z, 0.8), rtol=1e-5)
        assert expected_error.dtype == error_bar.dtype == torch.float32
    assert not model[3]._forward_hooks


def test_an_uncertain_module_keeps_to_a_calibration(model, estimator):
    x = torch.randn(60, 3)
    z = latents(model.eval(), [x], "3")
    estimator.calibrate(z, np.linspace(0, 50, 60))
    _, expected_error, error_bar = UncertainModule(model, "3", estimator, level=0.8)(x)
    np.testing.assert_allclose(expected_error[:, 0], estimator.predict(z), rtol=1e-5)
    np.testing.assert_allclose(error_bar[:, 0], estimator.predict_quantile(z, 0.8), rtol=1e-5)


def test_predictions_keep_their_gradients_and_error_bars_have_none(model, estimator):
    x = torch.randn(5, 3, requires_grad=True)
    prediction, expected_error, error_bar = UncertainModule(model.eval(), "3", estimator)(x)
    (found,) = torch.autograd.grad(prediction.sum(), x)
    (expected,) = torch.autograd.grad(model(x).sum(), x)
    assert torch.equal(found, expected)
    assert not expected_error.requires_grad
    assert not error_bar.requires_grad


def test_an_uncertain_module_of_bfloat16_answers_in_float32(model, estimator):
    careful = UncertainModule(model.eval().bfloat16(), "3", estimator)
    prediction, expected_error, _ = careful(torch.randn(5, 3, dtype=torch.bfloat16))
    assert (prediction.dtype, expected_error.dtype) == (torch.bfloat16, torch.float32)


def test_training_mode_is_refused_wherever_it_is(model, estimator):
    careful = UncertainModule(model.eval(), "3", estimator)
    for module in (careful, model[2]):
        careful.eval()
        module.train()
        with pytest.raises(RuntimeError, match=r"call eval\(\) first"):
            careful(torch.zeros(5, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"layer": "head"}, ValueError, r"one of \['0', '1', '2', '3', '4'\], got 'head'"),
        ({"level": 1.1}, ValueError, "level from 0 to 1, got 1.1"),
        ({"level": np.nan}, ValueError, "level from 0 to 1"),
        ({"estimator": LTAUEstimator()}, NotFittedError, "not fitted"),
    ],
)
def test_what_cannot_give_error_bars_is_refused(model, estimator, arguments, error, message):
    with pytest.raises(error, match=message):
        UncertainModule(model, **{"layer": "3", "estimator": estimator, **arguments})


def test_an_estimator_with_strata_is_refused(model, data):
    z, strata = latents(model, [data.tensors[0]], "3"), np.arange(40) % 2
    estimator = LTAUEstimator(n_neighbors=3).fit(z, np.ones((40, 2)), strata=strata)
    with pytest.raises(ValueError, match="without strata"):
        UncertainModule(model, "3", estimator)


@pytest.mark.parametrize("layer", ["twice", "never", "pair"])
def test_layers_without_latents_give_no_error_bars(layer, estimator):
    with pytest.raises(ValueError, match=r"run once per batch|n_samples, n_features"):
        UncertainModule(Odd().eval(), layer, estimator)(torch.zeros(5, 3))


def test_latents_before_a_layer_that_works_in_place():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(inplace=True))
    x = torch.randn(20, 3)
    with torch.no_grad():
        expected = model[0](x)
    assert (expected < 0).any()
    np.testing.assert_array_equal(latents(model, [x], "0"), expected)
