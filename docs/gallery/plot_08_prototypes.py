"""
A large training set, condensed to prototypes
=============================================

An estimator keeps every training sample. Where there are many, it can keep a few prototypes that
stand for them instead: memory, files and searches shrink with it.
"""

# %%
# Thirty thousand samples
# -----------------------
# Latents in three dimensions, whose errors grow along the first.

import matplotlib.pyplot as plt
import numpy as np

from ltau import LTAUEstimator
from ltau.plotting import OKABE_ITO

rng = np.random.default_rng(0)


def draw(n, n_epochs):
    latents = rng.normal(size=(n, 3))
    return latents, np.exp(latents[:, :1]) * np.abs(rng.normal(size=(n, n_epochs)))


latents, errors = draw(30_000, 10)
new, new_errors = draw(2_000, 1)

# %%
# How few are enough?
# -------------------
# The CRPS of new samples measures how good their predicted errors are: lower is better.

crps, size = {}, {}
for n in (30, 100, 300, 1000, None):
    estimator = LTAUEstimator(n_prototypes=n, random_state=0).fit(latents, errors)
    kept = len(latents) if n is None else estimator.n_prototypes_
    crps[kept] = -estimator.score(new, new_errors[:, 0])
    print(f"{kept:6} kept: CRPS {crps[kept]:.4f}")

# %%
# A thousand of them, a thirtieth of the samples, lose one per cent. ``n_prototypes="auto"`` looks
# for the number by itself.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(list(crps), list(crps.values()), "o-", color=OKABE_ITO[0])
ax.axhline(crps[len(latents)], color="0.3", ls=":", label="All training samples")
ax.set(xscale="log", xlabel="Samples or prototypes kept", ylabel="CRPS (unit of the errors)")
ax.legend()
# sphinx_gallery_alt = "CRPS against the number kept, on a logarithmic axis. It falls steeply from 30 to 1,000 prototypes, where it nearly meets the dotted line of all 30,000 samples."
plt.show()

# %%
# **Next:** :ref:`large-sets`, of which this is one way.
