"""
Several outputs, each with error bars of its own
================================================

In multi-output regression the target has several columns. `LTAURegressor` predicts the error of
each: a sample may be easy in one and hard in another.
"""

# %%
# Wind at a mast
# --------------
# Pressure and temperature of two thousand days, and two things that follow from them: the wind
# speed, which is gusty at low pressure, and the power of a heating, which is not.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestRegressor

from ltau.adapters.sklearn import LTAURegressor
from ltau.metrics import coverage
from ltau.plotting import PredictedErrorDisplay

rng = np.random.default_rng(0)
pressure, temperature = rng.uniform(970, 1040, 3000), rng.uniform(-10, 20, 3000)
X = np.column_stack([pressure, temperature])  # hPa, °C
low_pressure = (1040 - pressure) / 70
wind = 3 + 10 * low_pressure + 4 * low_pressure**2 * rng.normal(size=3000)  # m/s
power = 8 - 0.3 * temperature + np.exp(-temperature / 10) * rng.normal(size=3000) / 2  # kW
Y = np.column_stack([wind, power])
X_train, X_test, Y_train, Y_test = X[:2000], X[2000:], Y[:2000], Y[2000:]

# %%
# Fit once
# --------
# The regressor takes both columns at once. Intervals have the shape (n_samples, n_outputs, 2), and
# there is one distribution of errors for each output.

forest = RandomForestRegressor(50, min_samples_leaf=10, random_state=0)
model = LTAURegressor(forest, random_state=0).fit(X_train, Y_train)
errors = np.abs(model.predict(X_test) - Y_test)
distributions = model.predict_distribution(X_test)

names = {"Wind": "m/s", "Power": "kW"}
for name, observed, distribution in zip(names, errors.T, distributions):
    inside = coverage(observed, upper=distribution.quantile(0.9))
    print(f"{name}: {inside:.3f} of the errors within the 90 % error bar")

# %%
# Observed and predicted
# ----------------------
# For both, errors are on average as large as predicted.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax, (name, unit), observed, distribution in zip(axes, names.items(), errors.T, distributions):
    PredictedErrorDisplay.from_predictions(
        observed, distribution.mean(), name=name, unit=unit, ax=ax
    )
# sphinx_gallery_alt = "Observed against predicted error on logarithmic axes, for wind and for power. In both, the means of bins rise along the diagonal."
plt.show()

# %%
# **Next:** :doc:`/trainers` does the same with a network of several outputs.
