"""Blocks of near samples: each sample in one of them, and the neighbours in few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from ltau.adapters.nequip._blocks import SIZE, Blocks
from ltau.neighbors import LatentScaler


def draw(n, width=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def nearest_by_blocks(blocks, queries, n_visited, k):
    """Distances of the k nearest vectors among those of the nearest blocks, by numpy alone."""
    visited = cdist(queries, blocks.centres).argsort(axis=1)[:, :n_visited]
    filled = blocks.filled().astype(np.float64)
    return np.array(
        [
            np.sort(cdist(query[None], filled[chosen].reshape(-1, queries.shape[1]))[0])[:k]
            for query, chosen in zip(queries, visited, strict=True)
        ]
    )


@given(n=st.integers(1, 400), width=st.integers(1, 5), copies=st.integers(1, 3))
def test_every_vector_is_in_one_block(n, width, copies):
    vectors = np.repeat(draw(n, width), copies, axis=0)
    blocks = Blocks.of(vectors)
    held = blocks.rows[blocks.rows >= 0]
    np.testing.assert_array_equal(np.sort(held), np.arange(n * copies))
    assert blocks.rows.shape[1] == SIZE
    for rows, centre, filled in zip(blocks.rows, blocks.centres, blocks.filled(), strict=True):
        own = rows[rows >= 0]
        np.testing.assert_allclose(centre, vectors[own].mean(axis=0), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(filled[rows >= 0], vectors[own])
        assert (filled[rows < 0] > 1e17).all()


@pytest.mark.parametrize("recall", [0.8, 0.99])
def test_the_blocks_to_visit_hold_the_neighbours(recall):
    vectors = draw(3000, width=6)
    blocks = Blocks.of(vectors)
    n_visited = blocks.n_to_visit(10, recall)
    assert n_visited < len(blocks.centres)
    queries = draw(400, width=6, seed=1)
    true = np.sort(cdist(queries, vectors), axis=1)[:, :10]
    found = nearest_by_blocks(blocks, queries, n_visited, 10)
    share = (found <= true[:, -1:] * (1 + 1e-5)).mean()
    assert recall - 0.02 < share < 1.0
    fewer = nearest_by_blocks(blocks, queries, n_visited // 2, 10)
    assert (fewer <= true[:, -1:] * (1 + 1e-5)).mean() < recall


def test_vectors_apart_are_enough_for_all_neighbours():
    crowd = 0.01 * draw(300)
    apart = 100.0 * np.arange(1, 9, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    blocks = Blocks.of(np.concatenate([crowd, apart]))
    n_visited = blocks.n_to_visit(5, 0.5)
    smallest = np.sort((blocks.rows >= 0).sum(axis=1))[:n_visited]
    assert smallest.sum() >= 5
    assert (nearest_by_blocks(blocks, apart, n_visited, 5) < 1e4).all()


def test_few_vectors_are_all_visited():
    blocks = Blocks.of(draw(5))
    assert len(blocks.centres) == blocks.n_to_visit(5, 0.5) == 1


def test_recall_on_frames_of_dynamics(acac):
    """New atoms find as many neighbours as the training atoms did, though hotter."""
    scaler = LatentScaler.fit(acac["train"]["latents"], "whiten")
    vectors = scaler.transform(acac["train"]["latents"])
    queries = scaler.transform(acac["MD_300K"]["latents"][:1500])
    blocks = Blocks.of(vectors)
    n_visited = blocks.n_to_visit(10, 0.99)
    assert n_visited < 0.1 * len(blocks.centres)
    true = np.sort(cdist(queries, vectors), axis=1)[:, 9:10]
    found = nearest_by_blocks(blocks, queries, n_visited, 10)
    assert (found <= true * (1 + 1e-5)).mean() > 0.98
