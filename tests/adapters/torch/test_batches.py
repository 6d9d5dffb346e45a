"""Batches as people have them: in any order, of any kind, of layers with several rows a sample."""

from collections import UserDict
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402
    BatchSampler,
    ConcatDataset,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from ltau import LTAUEstimator  # noqa: E402
from ltau.adapters.torch import (  # noqa: E402
    ErrorRecorder,
    IndexedDataset,
    UncertainModule,
    evaluate,
    latents,
)

N = 40


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(N, 4, generator=generator).split([3, 1], dim=1)
    return TensorDataset(x, y[:, 0])


def expected_latents(model, data):
    with torch.no_grad():
        return model[:2](data.tensors[0]).numpy()


# The order of the samples.


@pytest.mark.parametrize(
    "loading",
    [
        {"batch_size": 7},
        {"batch_size": 7, "shuffle": True},
        {"batch_size": 7, "shuffle": True, "num_workers": 2},
        {"batch_sampler": [[3, 1], [0, 2, *range(4, N)]]},
        {"batch_size": 9, "sampler": [*range(N)[::-1], 0, 7]},  # some twice, as to fill up
    ],
)
def test_latents_of_a_loader_with_ids_are_in_their_order(model, data, loading):
    found = latents(model, DataLoader(IndexedDataset(data), **loading), "1")
    np.testing.assert_allclose(found, expected_latents(model, data), rtol=1e-5, atol=1e-6)


def test_latents_of_a_subset_with_ids_are_in_the_order_of_its_ids(model, data):
    subset = Subset(IndexedDataset(data), [30, 2, 17])
    found = latents(model, DataLoader(subset, 2, shuffle=True), "1")
    expected = expected_latents(model, data)[[2, 17, 30]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "loading",
    [
        {"batch_size": 7},
        {"batch_size": 1, "num_workers": 1},
        {"sampler": SequentialSampler(range(N)), "batch_size": 40},
        {"batch_sampler": BatchSampler(SequentialSampler(range(N)), 3, drop_last=False)},
    ],
)
def test_latents_of_a_loader_that_keeps_the_order_need_no_ids(model, data, loading):
    found = latents(model, DataLoader(data, **loading), "1")
    np.testing.assert_allclose(found, expected_latents(model, data), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("loading", "what"),
    [
        ({"shuffle": True}, "RandomSampler"),
        ({"sampler": WeightedRandomSampler(torch.ones(N), N)}, "WeightedRandomSampler"),
        ({"sampler": DistributedSampler(range(N), 2, 0, shuffle=False)}, "DistributedSampler"),
        (
            {"batch_sampler": BatchSampler(RandomSampler(range(N)), 4, drop_last=False)},
            "RandomSampler",
        ),
        ({"batch_sampler": [list(range(N))]}, "list"),
        ({"batch_size": None, "shuffle": True}, "RandomSampler"),
    ],
)
def test_a_loader_in_another_order_without_ids_is_refused(model, data, loading, what):
    with pytest.raises(ValueError, match=f"with a {what}: .*shuffle=False.*IndexedDataset"):
        latents(model, DataLoader(data, **loading), "1")


@pytest.mark.parametrize("indexed", [False, True])
def test_a_loader_that_drops_samples_is_refused(model, data, indexed):
    dataset = IndexedDataset(data) if indexed else data
    for loading in (
        {"batch_size": 7, "drop_last": True},
        {"batch_sampler": BatchSampler(SequentialSampler(range(N)), 7, drop_last=True)},
    ):
        with pytest.raises(ValueError, match="drop_last=True: make another"):
            latents(model, DataLoader(dataset, **loading), "1")


def test_a_loader_with_ids_that_leaves_samples_out_is_refused(model, data):
    loader = DataLoader(IndexedDataset(data), 7, sampler=[0, 1, 1, 5])
    with pytest.raises(ValueError, match="all 40 samples, got 3 of them"):
        latents(model, loader, "1")


@pytest.mark.parametrize("wrapped", [iter, list, lambda loader: (batch for batch in loader)])
def test_batches_with_ids_are_known_whatever_hands_them_on(model, data, wrapped):
    loader = DataLoader(IndexedDataset(data), 7, shuffle=True, num_workers=1)
    found = latents(model, wrapped(loader), "1")
    np.testing.assert_allclose(found, expected_latents(model, data), rtol=1e-5, atol=1e-6)


def test_ids_may_come_in_a_list(model, data):
    def collate(items):
        ids, rows = zip(*items, strict=True)
        return list(ids), torch.stack([x for x, _ in rows])

    loader = DataLoader(IndexedDataset(data), 7, shuffle=True, collate_fn=collate)
    found = latents(model, loader, "1")
    np.testing.assert_allclose(found, expected_latents(model, data), rtol=1e-5, atol=1e-6)


def test_datasets_whose_ids_are_the_same_are_refused(model, data):
    both = ConcatDataset([IndexedDataset(data), IndexedDataset(data)])
    with pytest.raises(ValueError, match="all 80 samples, got 40 of them"):
        latents(model, DataLoader(both, 7), "1")


def test_a_stream_is_taken_in_its_own_order_and_whole(model, data):
    class Stream(IterableDataset):
        def __iter__(self):
            yield from data

    with pytest.raises(ValueError, match="drop_last=True: make another"):
        latents(model, DataLoader(Stream(), 7, drop_last=True), "1")
    found = latents(model, DataLoader(Stream(), 7), "1")
    np.testing.assert_allclose(found, expected_latents(model, data), rtol=1e-5, atol=1e-6)


# Batches of any kind.


@pytest.mark.parametrize("bare", [torch.zeros(5, 3), np.zeros((5, 3), np.float32)])
def test_what_is_one_tensor_and_no_batches_is_refused(model, bare):
    with pytest.raises(ValueError, match=r"Expected batches, got \w+ of shape \(5, 3\): .*split"):
        latents(model, bare, "1")
    with pytest.raises(ValueError, match=r"Expected batches, got \w+ of shape \(5, 3\)"):
        evaluate(model, bare, ErrorRecorder(5))


def test_a_batch_is_no_batches(model):
    for batch in ({"x": torch.zeros(5, 3)}, UserDict(x=torch.zeros(5, 3))):
        with pytest.raises(ValueError, match=r"got \w+: give one batch in a list, \[batch\]"):
            latents(model, batch, "1", forward=lambda model, batch: model(**batch))


def test_a_dataset_is_no_batches(model, data):
    for dataset in (data, IndexedDataset(data)):
        with pytest.raises(ValueError, match=r"got \w+Dataset: give a DataLoader of it"):
            latents(model, dataset, "1")
        with pytest.raises(ValueError, match=r"got \w+Dataset: give a DataLoader of it"):
            evaluate(model, dataset, ErrorRecorder(N))


@pytest.mark.parametrize(
    ("batch", "got"),
    [({"x": 1}, "dict"), ([{"x": 1}, 2], "list of dict"), (np.zeros((5, 3)), "ndarray")],
)
def test_a_batch_that_a_model_cannot_be_called_with_says_what_to_do(model, batch, got):
    with pytest.raises(ValueError, match=f"got {got}: .*forward=lambda model, batch"):
        latents(model, [batch], "1")


class Tokens(torch.nn.Module):
    """A model of sequences that are padded: it takes names, and gives an object."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.body = torch.nn.Embedding(11, 6), torch.nn.Linear(6, 5)
        self.head = torch.nn.Linear(5, 1)

    def forward(self, tokens, mask, labels=None):
        hidden = self.body(self.embed(tokens))
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return SimpleNamespace(logits=self.head(mean))


def sequences():
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(11, (N, 4), generator=generator)
    mask = torch.ones(N, 4)
    mask[::3, 2:] = 0
    return [
        {"tokens": t, "mask": m, "labels": y}
        for t, m, y in zip(tokens, mask, torch.randn(N, generator=generator), strict=True)
    ]


def logits(model, batch):
    return model(**batch).logits


def masked_mean(hidden, batch):
    mask = batch["mask"][..., None]
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def test_dicts_of_padded_sequences_are_evaluated_and_pooled():
    model, samples = Tokens().eval(), sequences()
    loader = DataLoader(IndexedDataset(samples), 7, shuffle=True)
    recorder = ErrorRecorder(N)
    evaluate(
        model, loader, recorder, forward=logits, residuals=lambda y, batch: (y, batch["labels"])
    )
    recorder.end_epoch()
    z = latents(model, loader, "body", forward=logits, pool=masked_mean)
    estimator = LTAUEstimator(n_neighbors=3).fit(z, recorder.errors)
    careful = UncertainModule(model, "body", estimator, forward=logits_of_names, pool=masked_mean)
    for sample, row, error in zip(samples, z, recorder.errors[:, 0], strict=True):
        used = int(sample["mask"].sum())
        with torch.no_grad():
            mean = model.body(model.embed(sample["tokens"][:used])).mean(dim=0)
            y = model.head(mean)
        np.testing.assert_allclose(row, mean, rtol=1e-4, atol=1e-6)
        assert error == pytest.approx(abs(y.item() - sample["labels"].item()), rel=1e-4)
        found = careful(tokens=sample["tokens"][None], mask=sample["mask"][None])
        assert found.prediction.shape == found.error_bar.shape == (1, 1)
        np.testing.assert_allclose(found.expected_error[0], estimator.predict(row[None]), rtol=1e-4)


def logits_of_names(model, **names):
    return model(**names).logits


class Graphs:
    """Graphs put together, as PyTorch Geometric's `Batch`: nodes, the graph of each, a target."""

    def __init__(self, x, batch, y):
        self.x, self.batch, self.y = x, batch, y

    def to(self, device):
        return Graphs(self.x.to(device), self.batch.to(device), self.y.to(device))

    @classmethod
    def collate(cls, items):
        ids, graphs = zip(*items, strict=True)
        sizes = torch.tensor([len(nodes) for nodes, _ in graphs])
        nodes = torch.cat([nodes for nodes, _ in graphs])
        of = torch.arange(len(graphs)).repeat_interleave(sizes)
        return torch.tensor(ids), cls(nodes, of, torch.stack([y for _, y in graphs]))


def mean_of_nodes(hidden, batch):
    size = batch.batch.bincount()
    total = torch.zeros(len(size), hidden.shape[1]).index_add(0, batch.batch, hidden)
    return total / size[:, None]


class OfNodes(torch.nn.Module):
    """Sums what it makes of each node."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = torch.nn.Linear(3, 5), torch.nn.Linear(5, 1)

    def forward(self, data):
        return self.head(mean_of_nodes(self.body(data.x), data))


def test_graphs_of_several_sizes_are_evaluated_and_pooled():
    model = OfNodes().eval()
    torch.manual_seed(3)
    graphs = [(torch.randn(2 + i % 3, 3), torch.randn(())) for i in range(N)]
    loader = DataLoader(IndexedDataset(graphs), 7, shuffle=True, collate_fn=Graphs.collate)
    call = {"forward": lambda model, batch: model(batch)}
    recorder = ErrorRecorder(N)
    evaluate(model, loader, recorder, residuals=lambda y, batch: (y, batch.y), **call)
    recorder.end_epoch()
    z = latents(model, loader, "body", pool=mean_of_nodes, **call)
    with torch.no_grad():
        expected = torch.stack([model.body(nodes).mean(dim=0) for nodes, _ in graphs])
        errors = (model.head(expected)[:, 0] - torch.stack([y for _, y in graphs])).abs()
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(recorder.errors[:, 0], errors, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"give shape \(7, n_features\), got .*pool=lambda"):
        latents(model, loader, "body", **call)
    with pytest.raises(ValueError, match=r"Expected pool to give shape \(7, n_features\), got"):
        latents(model, loader, "body", pool=lambda hidden, batch: hidden, **call)
    estimator = LTAUEstimator(n_neighbors=3).fit(z, recorder.errors)
    _, batch = next(iter(loader))
    careful = UncertainModule(model, "body", estimator, pool=mean_of_nodes)
    rows = mean_of_nodes(model.body(batch.x), batch).detach().numpy()
    np.testing.assert_allclose(careful(batch).expected_error[:, 0], estimator.predict(rows))


class Two(torch.nn.Module):
    """Takes two arguments."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.Linear(3, 4)

    def forward(self, x, weight):
        return self.body(x).sum(dim=1) * weight


def test_a_model_of_several_arguments_is_called_with_them():
    torch.manual_seed(0)
    model, x, weight, y = Two().eval(), torch.randn(N, 3), torch.rand(N), torch.randn(N)
    loader = DataLoader(IndexedDataset(TensorDataset(x, weight, y)), 7, shuffle=True)
    recorder = ErrorRecorder(N)
    call = {"forward": lambda model, batch: model(*batch[:2])}
    evaluate(model, loader, recorder, residuals=lambda y, batch: (y, batch[2]), **call)
    recorder.end_epoch()
    expected = (model(x, weight) - y).abs().detach()
    np.testing.assert_allclose(recorder.errors[:, 0], expected, rtol=1e-4, atol=1e-6)
    z = latents(model, loader, "body", **call)
    np.testing.assert_allclose(z, model.body(x).detach(), rtol=1e-4, atol=1e-6)
    careful = UncertainModule(model, "body", LTAUEstimator(n_neighbors=3).fit(z, recorder.errors))
    assert careful(x, weight).error_bar.shape == (N,)


def test_a_batch_moves_to_the_model_whatever_it_is_made_of():
    model = torch.nn.Linear(2, 2).to("meta")
    seen = []

    def forward(model, batch):
        seen.append(batch)
        return model(batch["x"][0])

    graphs = Graphs(torch.zeros(2, 2), torch.zeros(2), torch.zeros(2))
    batch = {"x": [torch.zeros(2, 2)], "graphs": (graphs, "name")}
    with pytest.raises(NotImplementedError):  # there are no numbers to give
        latents(torch.nn.Sequential(model), [batch], "0", forward=forward)
    (moved,) = seen
    assert moved["x"][0].device.type == moved["graphs"][0].x.device.type == "meta"
    assert moved["graphs"][1] == "name"


# What an uncertain module refuses.


def test_error_bars_of_a_column_can_be_added_to_it(model, data):
    z = latents(model, DataLoader(data, 7), "1")
    estimator = LTAUEstimator(n_neighbors=3).fit(z, np.ones((N, 5)))
    prediction, expected_error, error_bar = UncertainModule(model.eval(), "1", estimator)(
        data.tensors[0]
    )
    assert prediction.shape == expected_error.shape == error_bar.shape == (N, 1)
    np.testing.assert_allclose(error_bar[:, 0], estimator.predict_quantile(z, 0.9), rtol=1e-5)


def test_a_layer_with_other_rows_than_the_predictions_is_refused():
    model, x = OfNodes().eval(), torch.randn(6, 3)
    estimator = LTAUEstimator(n_neighbors=3).fit(torch.randn(20, 5).numpy(), np.ones((20, 5)))
    batch = Graphs(x, torch.tensor([0, 0, 0, 1, 1, 1]), torch.zeros(2))
    with pytest.raises(ValueError, match=r"as many rows as .* got 6 rows .*shape \(2, 1\)"):
        UncertainModule(model, "body", estimator)(batch)
