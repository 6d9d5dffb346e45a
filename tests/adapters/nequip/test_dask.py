"""Bags of structures on a worker process, against the same in this one."""

import numpy as np
import pytest

pytest.importorskip("distributed")

import dask.bag
from distributed import Client, LocalCluster

from ltau.adapters.ase import Uncertainty
from ltau.adapters.dask import DaskEstimator, predict_frames
from ltau.adapters.dask import _bags as module
from ltau.adapters.nequip import fit_run, latents
from ltau.structures import environment_cutoff


@pytest.fixture(scope="module")
def estimator(run):
    return fit_run(run.evals, checkpoint=run.checkpoint)


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_every_structure_gets_its_results(run, model, estimator, frames, client):
    bag = dask.bag.from_sequence(frames, npartitions=5)
    predictor = DaskEstimator(estimator, client)
    found = predict_frames(bag, run.checkpoint, predictor, level=0.8, tolerance=0.1).compute()
    assert len(found) == len(frames)
    uncertainty = Uncertainty(estimator, level=0.8, tolerance=0.1)
    cutoff = environment_cutoff(estimator)
    for results, atoms in zip(found, frames, strict=True):
        rows = latents(model, [atoms], environment=cutoff)
        expected = uncertainty.predict(rows, atoms)
        assert results.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(results[name], values, rtol=1e-4, atol=1e-6)


def test_a_structure_without_neighbours_is_told_as_unknown(run, estimator, frames, alone, client):
    bag = dask.bag.from_sequence([*alone, frames[0]], npartitions=2)
    predictor = DaskEstimator(estimator, client)
    found = predict_frames(bag, run.checkpoint, predictor, tolerance=0.1).compute()
    for results, atoms in zip(found[:-1], alone, strict=True):
        assert results.keys() == found[-1].keys()
        assert results["forces_error_probability"].shape == (len(atoms),)
        assert all(np.isnan(values).all() for values in results.values())
    assert all(np.isfinite(values).all() for values in found[-1].values())


def test_a_worker_loads_the_model_once(run, estimator, frames, client):
    bag = dask.bag.from_sequence(frames, npartitions=4)
    predictor = DaskEstimator(estimator, client)

    def loads():
        return next(iter(client.run(lambda: module._load.cache_info().misses).values()))

    predict_frames(bag, run.checkpoint, predictor).compute()
    before = loads()
    predict_frames(bag, run.checkpoint, predictor, level=0.5).compute()
    assert loads() == before == 1


def test_what_is_wrong_is_said_at_once(run, estimator, frames, client):
    predictor = DaskEstimator(estimator, client)
    with pytest.raises(TypeError, match="Dask bag, got list"):
        predict_frames(frames, run.checkpoint, predictor)
    with pytest.raises(ValueError, match="level from 0 to 1"):
        predict_frames(dask.bag.from_sequence(frames), run.checkpoint, predictor, level=2)
