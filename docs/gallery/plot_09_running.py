"""
Reading the log of a run that still runs
========================================

An `ErrorLog` is a folder. Each epoch in it is whole once it is written, so that another process
may read it, and fit an estimator to it, while the training goes on.
"""

# %%
# A training that writes
# ----------------------
# Here it is a loop that is not finished: eight of twenty epochs are written. Its errors shrink
# from epoch to epoch.

import tempfile

import matplotlib.pyplot as plt
import numpy as np

from ltau import ErrorLog, LTAUEstimator
from ltau.plotting import OKABE_ITO

rng = np.random.default_rng(0)
latents = rng.normal(size=(2000, 3))
folder = tempfile.TemporaryDirectory()

writer = ErrorLog(folder.name, n_samples=len(latents))


def train(n_epochs):
    for _ in range(n_epochs):
        shrinking = 0.2 + np.exp(-writer.n_epochs / 4)
        errors = shrinking * np.exp(latents[:, 0] / 2) * np.abs(rng.normal(size=len(latents)))
        writer.record(np.arange(len(latents)), errors)
        writer.end_epoch()


train(8)

# %%
# Somebody who reads
# ------------------
# The reader needs the folder alone, and never touches what is written.

reader = ErrorLog(folder.name)
early = LTAUEstimator().fit(latents, reader)
seen = [np.nanmean(errors) for errors in reader.epochs()]
print(f"{reader.n_epochs} epochs so far, mean error {seen[-1]:.2f}")

# %%
# Later there are more. A new reader sees all of them.

train(12)
later = ErrorLog(folder.name)
late = LTAUEstimator().fit(latents, later)
print(f"{later.n_epochs} epochs now, mean error {np.nanmean(later[:, -1]):.2f}")

# %%
# What is expected of a new sample falls with the errors of the training. How much depends on when
# one looks: a third of the epochs that there are is left out as burn-in.

means = [np.nanmean(errors) for errors in later.epochs()]
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(range(1, 21), means, "o-", color=OKABE_ITO[0], label="Mean error of an epoch")
for estimator, epoch, color in ((early, 8, OKABE_ITO[1]), (late, 20, OKABE_ITO[2])):
    expected = estimator.predict(latents).mean()
    ax.plot([1, epoch], [expected] * 2, "--", color=color, label=f"Expected after epoch {epoch}")
ax.set(xlabel="Epoch", ylabel="Absolute error (unit of the target)", xticks=range(0, 21, 4), ylim=0)
ax.legend()
# sphinx_gallery_alt = "Mean error of each of 20 epochs, falling from 1.1 to 0.2. A dashed line for what is expected after epoch 8 lies at 0.4, one for after epoch 20 at 0.2."
plt.show()
writer.close()
folder.cleanup()

# %%
# **Next:** :doc:`/trainers` has the loops that write such logs, and runs that are resumed.
