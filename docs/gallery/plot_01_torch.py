"""
First error bars in PyTorch
===========================

A small network predicts how long a drive takes, from its length and the time of day. At rush
hours the traffic decides, and no model can know it. Three lines in the training loop are enough
to learn where predictions are good and where they are not.
"""

# %%
# Some drives
# -----------
# The network sees both features scaled. Its output has the shape (n, 1), and the targets (n,).

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from ltau import LTAUEstimator
from ltau.adapters.torch import ErrorRecorder, IndexedDataset, latents
from ltau.plotting import OKABE_ITO

rng = np.random.default_rng(0)
torch.manual_seed(0)


def rush(hour):
    return np.exp(-((hour - 8) ** 2) / 2) + np.exp(-((hour - 17) ** 2) / 4)


def drive(km, hour):
    minutes = 3 + 1.2 * km * (1 + 0.5 * rush(hour))
    return minutes + (1 + 5 * rush(hour)) * rng.normal(size=len(km))


def inputs(km, hour):
    return torch.tensor(np.column_stack([km / 10 - 1, hour / 6 - 2]), dtype=torch.float32)


km, hour = rng.uniform(1, 20, 6000), rng.uniform(0, 24, 6000)
x, y = inputs(km, hour), torch.tensor(drive(km, hour), dtype=torch.float32)
x_train, y_train, x_test, y_test = x[:4000], y[:4000], x[4000:], y[4000:]

# %%
# Train, and record the errors
# ----------------------------
# ``IndexedDataset`` returns each sample with its number, ``record`` keeps the errors of a batch,
# and ``end_epoch`` closes the epoch.

model = torch.nn.Sequential(
    torch.nn.Linear(2, 64),
    torch.nn.SiLU(),
    torch.nn.Linear(64, 32),
    torch.nn.SiLU(),  # layer "3": the last hidden one
    torch.nn.Linear(32, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
data = IndexedDataset(TensorDataset(x_train, y_train))
loader = DataLoader(data, batch_size=100, shuffle=True)

recorder = ErrorRecorder(n_samples=len(x_train))  # 1
for epoch in range(30):
    for ids, (features, targets) in loader:
        prediction = model(features)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(prediction[:, 0], targets).backward()
        optimizer.step()
        recorder.record(ids, prediction, targets)  # 2
    recorder.end_epoch()  # 3

# %%
# Fit, and predict
# ----------------
# The output of the last hidden layer says which drives the network finds alike.

estimator = LTAUEstimator(n_neighbors=30)
estimator.fit(latents(model, loader, layer="3"), recorder.errors, targets=y_train)


def predict(x):
    """Predictions, and intervals that hold 90 % of the drives, in minutes."""
    with torch.no_grad():
        y_pred = model(x)[:, 0].numpy()
    z = latents(model, x.split(1000), layer="3")
    return y_pred, estimator.predict_interval(z, y_pred, level=0.9)


y_pred, interval = predict(x_test)
low, high = interval.T
print(
    f"Inside: {np.mean((low <= y_test.numpy()) & (y_test.numpy() <= high)):.3f} of 2,000 new drives"
)
print(f"Half width: {np.min(high - low) / 2:.1f} to {np.max(high - low) / 2:.1f} min")

# %%
# Drives of 10 km, hour by hour
# -----------------------------
# The error bars are wide where the traffic is, although nobody told the network about noise.

day = np.linspace(0, 24, 200)
y_day, interval_day = predict(inputs(np.full(200, 10.0), day))
near = np.abs(km[4000:] - 10) < 1

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.fill_between(day, *interval_day.T, color=OKABE_ITO[5], alpha=0.5, label="90 % interval")
ax.plot(day, y_day, color=OKABE_ITO[0], label="Prediction, 10 km")
ax.plot(hour[4000:][near], y_test[near], ".", color=OKABE_ITO[1], label="New drives, 9 to 11 km")
ax.set(
    xlabel="Time of day (h)",
    ylabel="Duration (min)",
    xlim=(0, 24),
    xticks=range(0, 25, 4),
    ylim=(0, 40),
)
ax.legend(ncols=3, fontsize="small")
# sphinx_gallery_alt = "Duration against time of day, for drives of 10 km. The 90 % interval is narrow at night and at noon, about five times as wide around 8 and 17 h, and holds nearly all points."
plt.show()

# %%
# **Next:** :doc:`/trainers` has logs on disk, Lightning, skorch, and batches of any kind.
