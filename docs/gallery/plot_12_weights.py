"""
Training again with other weights, honestly
===========================================

Samples that were hard to learn may be too few of their kind, or wrong.
`LTAUEstimator.sample_weight` weighs them for another training, either way. Whether that helps
must be measured: here it is.
"""

# %%
# Two reasons to be hard
# ----------------------
# In the first table one label in six is wrong. In the second nothing is wrong, but one region is
# difficult, and has few samples. Tests have right labels, and all regions alike.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from ltau import LTAUEstimator
from ltau.adapters.sklearn import error_trajectories, latents
from ltau.plotting import OKABE_ITO


def true(X):
    return np.sin(3 * X[:, 0]) + np.where(X[:, 1] > 0.6, np.sin(12 * X[:, 0]), 0)


def wrong_labels(rng):
    X = rng.uniform(-1, 1, size=(1000, 2))
    wrong = rng.uniform(size=1000) < 1 / 6
    return X, true(X) + 0.1 * rng.normal(size=1000) + 3 * wrong * rng.normal(size=1000)


def rare_kind(rng):
    X = rng.uniform(-1, 1, size=(1000, 2))
    X[:900, 1] = rng.uniform(-1, 0.6, size=900)
    return X, true(X) + 0.1 * rng.normal(size=1000)


# %%
# Three trainings
# ---------------
# The first weighs all samples alike. Its errors tell the weights of the other two.


def train(X, y, weights=None):
    model = GradientBoostingRegressor(n_estimators=60, random_state=0)
    return model.fit(X, y, sample_weight=weights)


def mean_errors(draw, seed):
    rng = np.random.default_rng(seed)
    X, y = draw(rng)
    model = train(X, y)
    ltau = LTAUEstimator(20, scaling="none").fit(latents(model, X), error_trajectories(model, X, y))
    models = {
        "All alike": model,
        "More of hard ones": train(X, y, ltau.sample_weight(favor="hard")),
        "More of easy ones": train(X, y, ltau.sample_weight(favor="easy")),
    }
    X_test = rng.uniform(-1, 1, size=(5000, 2))
    return {name: np.abs(m.predict(X_test) - true(X_test)).mean() for name, m in models.items()}


results = {
    name: [mean_errors(draw, seed) for seed in range(8)]
    for name, draw in (("One label in six is wrong", wrong_labels), ("A rare kind", rare_kind))
}

# %%
# What helps
# ----------
# Where labels are wrong, hard samples should count less. Where nothing is wrong, that forgets the
# rare kind; and to let hard ones count more has helped in neither. On seven public tables it made
# the mean error larger (:doc:`/regression`). Try it on held-out samples before you believe in it.

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
for ax, (title, seeds) in zip(axes, results.items()):
    for place, (name, color) in enumerate(zip(seeds[0], OKABE_ITO)):
        values = np.array([errors[name] for errors in seeds])
        print(f"{title}, {name}: {values.mean():.3f} ± {values.std() / 8**0.5:.3f}")
        ax.plot(values, np.full(8, place), "o", color=color, alpha=0.4)
        ax.plot(values.mean(), place, "|", color=color, ms=22, mew=3)
    ax.set(title=title, xlabel="Mean error (unit of the target)", yticks=range(3))
    ax.set_yticklabels(seeds[0])
    ax.set(ylim=(2.5, -0.5))
# sphinx_gallery_alt = "Mean errors of eight trainings for each weighting. With wrong labels, more of the easy ones helps and more of the hard ones hurts; with a rare kind, both are no better than none."
plt.show()
