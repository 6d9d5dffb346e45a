"""
Beyond the training domain
==========================

Errors of training samples say little about a sample that resembles none of them. Its distance
from the training samples shows that it lies outside, and its predicted error grows with it.
"""

# %%
# A network with a gap in what it knows
# -------------------------------------
# It learns the tide at a pier, from hours in which somebody was there to look.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPRegressor

from ltau import LTAUEstimator
from ltau.adapters.sklearn import fit_with_errors, latents
from ltau.plotting import OKABE_ITO

rng = np.random.default_rng(0)


def tide(hour):
    return 1.5 * np.sin(2 * np.pi * hour / 12.4)


hour = np.concatenate([rng.uniform(0, 8, 400), rng.uniform(12, 20, 400)])
level = tide(hour) + 0.1 * rng.normal(size=len(hour))  # m


def inputs(hour):
    return hour[:, None] / 10 - 1


network = MLPRegressor(
    hidden_layer_sizes=(64, 64), learning_rate_init=0.005, batch_size=50, random_state=0
)
errors = fit_with_errors(network, inputs(hour), level, n_epochs=150, random_state=0)

# %%
# Three estimators
# ----------------
# The first takes the errors of the neighbours as they are. The second, which is the default,
# stretches them by the distance, to at most four times. The third knows the targets, too: it
# compares the prediction with what was observed nearby.

z = latents(network, inputs(hour))
estimators = {
    "Neighbours alone": LTAUEstimator(distance_scaling=0).fit(z, errors),
    "and their distance": LTAUEstimator().fit(z, errors),
    "and their targets": LTAUEstimator().fit(z, errors, targets=level),
}

day = np.linspace(-4, 24, 400)
z_day, y_pred = latents(network, inputs(day)), network.predict(inputs(day))
expected = {
    name: estimator.predict(z_day, **({"y_pred": y_pred} if "targets" in name else {}))
    for name, estimator in estimators.items()
}
score = estimators["and their distance"].ood_score(z_day)
noise = 0.1 * rng.normal(size=(1000, 1))
true = np.abs(y_pred - tide(day) + noise).mean(axis=0)  # of a thousand observations

inside = ((day > 0) & (day < 8)) | ((day > 12) & (day < 20))
for name, values in expected.items():
    print(f"Expected error {name}: {values[inside].mean():.2f} m inside, ", end="")
    print(f"{values[~inside].mean():.2f} m outside")
print(f"True error: {true[inside].mean():.2f} m inside, {true[~inside].mean():.2f} m outside")

# %%
# In pictures
# -----------
# Inside, all three agree. Outside, neighbours alone promise too much. Distance and targets
# raise the error, but how large it is out there no sample from inside can say. ``ood_score``
# does not try to: above the line, do not trust the number, and go and look.

figure, axes = plt.subplots(3, 1, figsize=(6.5, 8), sharex=True, layout="constrained")
top, middle, bottom = axes
top.plot(hour, level, ".", color=OKABE_ITO[5], ms=3, label="Training samples")
top.plot(day, tide(day), "--", color="0.3", label="True tide")
top.plot(day, y_pred, color=OKABE_ITO[1], label="Prediction")
top.set(ylabel="Sea level (m)", ylim=(-4, 4))
middle.plot(day, true, "--", color="0.3", label="True error")
for (name, values), color in zip(expected.items(), OKABE_ITO):
    middle.plot(day, values, color=color, label=name)
middle.set(ylabel="Expected error (m)", yscale="log", ylim=(0.02, 100))
bottom.plot(day, score, color=OKABE_ITO[0], label="Distance from the training samples")
threshold = score[~estimators["and their distance"].predict_ood(z_day)].max()
bottom.axhline(threshold, color="0.3", ls=":", label="Limit of predict_ood")
bottom.set(xlabel="Time (h)", ylabel="ood_score (no unit)", yscale="log", ylim=(0.3, 1e5))
for ax in axes:
    ax.axvspan(0, 8, color="0.93")
    ax.axvspan(12, 20, color="0.93")
    ax.legend(fontsize="small", ncols=2, loc="upper left")
# sphinx_gallery_alt = "Three plots over time, training hours shaded. Outside them the prediction leaves the tide, expected errors rise with distance, most with targets, and ood_score rises more than a hundredfold."
plt.show()

# %%
# **Next:** :doc:`/ood` has measurements against other methods, on force fields and tables.
