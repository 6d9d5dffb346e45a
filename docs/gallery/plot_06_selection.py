"""
Choosing what to label next
===========================

Labels are expensive, and candidates are many. `select` chooses those that the model does not
know, and not all of a kind.
"""

# %%
# Alloys to be measured
# ---------------------
# A thousand alloys could be measured, most of them near the composition that everybody uses.
# Sixty have been. The hardness depends on carbon and chromium.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ltau.adapters.sklearn import LTAURegressor
from ltau.plotting import OKABE_ITO
from ltau.selection import select


def draw(n, unusual, rng):
    """Carbon and chromium in %, of which a share are unusual."""
    middle = rng.normal([0.4, 4], [0.08, 0.8], size=(n, 2)).clip([0, 0], [1, 12])
    anywhere = rng.uniform([0, 0], [1, 12], size=(n, 2))
    return np.where(rng.uniform(size=(n, 1)) < unusual, anywhere, middle)


def hardness(X, rng):
    carbon, chromium = X.T
    phase = 15 * np.exp(-((carbon - 0.7) ** 2) / 0.03 - (chromium - 8) ** 2 / 6)
    return 25 + 30 * np.sqrt(carbon) + chromium + phase + 0.5 * rng.normal(size=len(X))  # HRC


def train(X, y):
    process = GaussianProcessRegressor(
        RBF(0.8) + WhiteKernel(0.01), optimizer=None, normalize_y=True
    )
    return LTAURegressor(make_pipeline(StandardScaler(), process), random_state=0).fit(X, y)


# %%
# Twenty more labels
# ------------------
# Three ways to choose: at random, the largest expected errors, and ``select``. Each is tried on
# five draws, and tested on alloys of every kind. A test on the usual ones alone would suit random
# choice better.

strategies = {
    "at random": lambda X, expected, seed: np.random.default_rng(seed).permutation(1000)[:20],
    "most uncertain": lambda X, expected, seed: np.argsort(-expected)[:20],
    "select": lambda X, expected, seed: select(X / [0.3, 3.5], 20, expected, random_state=seed),
}
before, after = [], {name: [] for name in strategies}
for seed in range(5):
    rng = np.random.default_rng(seed)
    labelled, pool, test = draw(60, 0.1, rng), draw(1000, 0.2, rng), draw(1000, 1.0, rng)
    y, y_pool, y_test = (hardness(X, rng) for X in (labelled, pool, test))
    model = train(labelled, y)
    before.append(np.abs(model.predict(test) - y_test).mean())
    expected = model.predict_summary(pool).expected_error
    chosen = {name: choose(pool, expected, seed) for name, choose in strategies.items()}
    for name, rows in chosen.items():
        better = train(np.vstack([labelled, pool[rows]]), np.append(y, y_pool[rows]))
        after[name].append(np.abs(better.predict(test) - y_test).mean())

print(f"Mean error with 60 labels: {np.mean(before):.2f} HRC")
for name, values in after.items():
    print(f"and 20 more, {name}: {np.mean(values):.2f} ± {np.std(values) / 5**0.5:.2f} HRC")

# %%
# What was chosen
# ---------------
# The pool of the last draw, in the colours of its expected errors.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, (name, rows) in zip(axes, chosen.items()):
    points = ax.scatter(*pool.T, c=expected, s=5, cmap="cividis")
    ax.plot(*labelled.T, "x", color="k", ms=4, label="Labelled")
    ax.plot(*pool[rows].T, "o", ms=8, mfc="none", mec=OKABE_ITO[1], mew=1.5, label="Chosen")
    ax.set(title=name.capitalize(), xlabel="Carbon (%)")
axes[0].set(ylabel="Chromium (%)")
axes[0].legend(fontsize="small")
figure.colorbar(points, label="Expected error (HRC)")
# sphinx_gallery_alt = "Three maps of carbon and chromium. Random choice takes mostly the dense middle, the most uncertain lie together in one corner, and select spreads over the whole map."
plt.show()

# %%
# **Next:** :doc:`/learning` runs such rounds with molecular dynamics, and compares them with
# labels at random.
