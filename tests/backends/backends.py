"""The backends under one call: expected errors, quantiles and scores of some samples."""

from typing import NamedTuple

import numpy as np
import pytest

from ltau import LTAUEstimator


class Answers(NamedTuple):
    """What a backend says of some samples."""

    expected_error: np.ndarray  # (n,)
    quantiles: np.ndarray  # (n, n_levels)
    ood_score: np.ndarray  # (n,)


class Numpy:
    """The estimator itself, with an index of some kind."""

    def __init__(self, kind):
        self.kind = kind

    def settings(self):
        return {"index": self.kind, "recall": 1.0}

    def answer(self, estimator, latents, strata, levels, data, y_pred=None):
        return Answers(
            estimator.predict(latents, strata, y_pred=y_pred),
            estimator.predict_quantile(latents, levels, strata, y_pred=y_pred),
            estimator.ood_score(latents, strata),
        )


class Torch(Numpy):
    """The estimator on tensors."""

    def __init__(self, device):
        self.device = device

    def settings(self):
        return {"index": "flat"}

    def answer(self, estimator, latents, strata, levels, data, y_pred=None):
        torch = pytest.importorskip("torch")
        if self.device == "cuda" and not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        from ltau.adapters.torch import TorchEstimator

        ours = TorchEstimator(estimator).to(self.device)
        z = torch.tensor(latents, device=self.device)
        s = None if strata is None else torch.tensor(strata, device=self.device)
        y = None if y_pred is None else torch.tensor(y_pred, device=self.device)
        quantiles = ours.predict_quantile(z, levels, s, y_pred=y)
        results = ours.predict(z, s, y_pred=y), quantiles, ours.ood_score(z, s)
        return Answers(*(result.cpu().numpy().astype(np.float64) for result in results))


class Compiled(Numpy):
    """The uncertainty that is compiled into a force field, after a model that gives its input."""

    def __init__(self):
        pass

    def settings(self):
        return {"index": "flat"}

    def answer(self, estimator, latents, strata, levels, data, y_pred=None):
        torch = pytest.importorskip("torch")
        pytest.importorskip("nequip")
        from nequip.data import AtomicDataDict

        from ltau.adapters.nequip._fused import ModelWithUncertainty
        from ltau.adapters.nequip._models import LATENTS, UNCERTAINTY

        class GivesLatents(torch.nn.Module):
            model_dtype = torch.float32

            def forward(self, fields):
                return dict(fields)

        types = np.zeros(len(latents), int)
        if strata is not None:
            types = np.searchsorted([29, 79], strata)
        fields = {
            LATENTS: torch.tensor(latents),
            AtomicDataDict.ATOM_TYPE_KEY: torch.tensor(types),
        }
        bars = []
        for level in levels:
            model = ModelWithUncertainty(GivesLatents(), estimator, level, ["Cu", "Au"]).eval()
            expected, bar, score = model(fields)[UNCERTAINTY].numpy()
            bars.append(bar)
        return Answers(expected, np.stack(bars, axis=1), score)


class DaskBlocks(Numpy):
    """The estimator on every worker."""

    def __init__(self, client):
        self.client = client

    def settings(self):
        return {"index": "flat"}

    def answer(self, estimator, latents, strata, levels, data, y_pred=None):
        from ltau.adapters.dask import DaskEstimator

        return self.ask(DaskEstimator(estimator, self.client), latents, strata, levels, y_pred)

    def ask(self, lazy, latents, strata, levels, y_pred):
        import dask.array as da

        z = da.from_array(latents, chunks=(10, latents.shape[1]))
        s = None if strata is None else da.from_array(strata, chunks=10)
        return Answers(
            lazy.predict(z, s, y_pred=y_pred).compute(),
            lazy.predict_quantile(z, levels, s, y_pred=y_pred).compute(),
            lazy.ood_score(z, s).compute(),
        )


class DaskShards(DaskBlocks):
    """The training set spread over the workers, samples of one place among several of them."""

    def answer(self, estimator, latents, strata, levels, data, y_pred=None):
        import dask.array as da

        from ltau.adapters.dask import ShardedEstimator

        train, errors, classes, targets = data
        size = -(-len(train) // 3)
        lazy = ShardedEstimator(LTAUEstimator(**estimator.get_params()), self.client).fit(
            da.from_array(train, chunks=(size, train.shape[1])),
            da.from_array(errors, chunks=(size, errors.shape[1])),
            None if classes is None else da.from_array(classes, chunks=size),
            targets=targets,
        )
        return self.ask(lazy, latents, strata, levels, y_pred)


def backends(client):
    """Make every backend by its name."""
    return {
        "flat": Numpy("flat"),
        "ivf": Numpy("ivf"),
        "hnsw": Numpy("hnsw"),
        "ivf_sq8": Numpy("ivf_sq8"),
        "ivf_pq": Numpy("ivf_pq"),
        "torch": Torch("cpu"),
        "cuda": Torch("cuda"),
        "compiled": Compiled(),
        "dask blocks": DaskBlocks(client),
        "dask shards": DaskShards(client),
    }


NAMES = list(backends(None))
