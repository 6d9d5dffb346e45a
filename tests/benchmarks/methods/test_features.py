"""What models of the errors are given."""

import numpy as np
import pytest

for module in ("torch", "ase"):
    pytest.importorskip(module)

from benchmarks.methods.features import Features  # noqa: E402
from ltau.structures import environment_latents  # noqa: E402


def test_latents_are_white_and_classes_have_columns(domain):
    train = domain.train
    found = Features(None).fit(train)(train)
    assert found.shape == (400, 5)
    np.testing.assert_allclose(np.cov(found[:, :3].T), np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(found[:, 3:], train.classes[:, None] == [1, 8])


def test_a_class_that_was_not_there_has_no_column(domain):
    features = Features(None).fit(domain.train)
    test = domain.validation._replace(classes=np.full(199, 79))
    assert (features(test)[:, 3:] == 0).all()


def test_without_classes_there_are_latents_alone(domain):
    bare = domain.train._replace(classes=None)
    assert Features(None).fit(bare)(bare).shape == (400, 3)


def test_a_direction_without_variance_is_left_out(domain):
    train = domain.train
    flat = train._replace(latents=np.column_stack([train.latents, train.latents[:, :1]]))
    np.testing.assert_allclose(
        np.cov(Features(None).fit(flat)(flat)[:, :3].T), np.eye(3), atol=1e-6
    )


def test_latents_of_neighbours_are_those_of_the_environment(of_structures):
    train = of_structures.train
    wide = environment_latents(train.latents, train.frames, 3.5)
    found = Features(3.5).fit(train)(train)
    assert found.shape[1] == wide.shape[1] + 2
    again = Features(None).fit(train._replace(latents=wide))(train._replace(latents=wide))
    np.testing.assert_allclose(np.abs(found), np.abs(again), atol=1e-6)
