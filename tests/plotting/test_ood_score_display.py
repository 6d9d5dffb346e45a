import matplotlib.pyplot as plt
import numpy as np
import pytest

from ltau.plotting import OKABE_ITO, OODScoreDisplay


def test_the_histogram_holds_every_sample(rng):
    scores = rng.lognormal(size=300)
    display = OODScoreDisplay.from_predictions(scores)
    values, edges, _ = display.patch_.get_data()
    np.testing.assert_allclose(values.sum(), 1.0)
    assert edges[0] <= scores.min() <= edges[1]
    assert edges[-2] <= scores.max() <= edges[-1]
    np.testing.assert_allclose(values, np.histogram(scores, edges)[0] / 300, atol=1 / 300)


def test_zero_and_infinity_are_drawn_at_the_ends():
    values, edges, _ = OODScoreDisplay.from_predictions([0.0, 1.0, np.inf]).patch_.get_data()
    np.testing.assert_allclose(edges[[0, -2]], [1e-3, 1e3], rtol=0.1)
    np.testing.assert_allclose(values[[0, -1]], 1 / 3)


def test_sets_of_samples_have_the_same_bins(rng):
    first = OODScoreDisplay.from_predictions(rng.lognormal(size=100))
    second = OODScoreDisplay.from_predictions(3 * rng.lognormal(size=50), ax=first.ax_)
    edges = [display.patch_.get_data()[1] for display in (first, second)]
    common = [e[(e > 1) & (e < 3)] for e in edges]
    np.testing.assert_allclose(*common)


def test_an_estimator_brings_its_threshold(fitted):
    estimator, latents, _, strata = fitted
    near = OODScoreDisplay.from_estimator(estimator, latents, strata=strata, name="near")
    far = OODScoreDisplay.from_estimator(
        estimator, latents + 20, strata=strata, name="far", ax=near.ax_
    )
    np.testing.assert_array_equal(near.scores, estimator.ood_score(latents, strata))
    assert near.threshold == estimator.ood_threshold(0.05)
    is_outside = estimator.predict_ood(latents + 20, strata)
    assert far.share_outside == is_outside.mean() == 1.0
    texts = [text.get_text() for text in near.ax_.get_legend().get_texts()]
    assert len(texts) == 3  # two sets, and one threshold for both
    assert far.patch_.get_label() == "far: 100.0 % outside"
    assert near.patch_.get_edgecolor() != far.patch_.get_edgecolor()
    assert plt.matplotlib.colors.to_hex(near.patch_.get_edgecolor()) == OKABE_ITO[0]


@pytest.mark.parametrize(
    ("scores", "threshold", "message"),
    [
        ([1.0, np.nan], None, "scores without NaN"),
        ([1.0, -1.0], None, "scores that are not negative, got -1"),
        ([1.0], 0.0, "positive, finite threshold, got 0.0"),
    ],
)
def test_bad_input_is_refused(scores, threshold, message):
    with pytest.raises(ValueError, match=message):
        OODScoreDisplay.from_predictions(scores, threshold=threshold)
    assert not plt.get_fignums()
