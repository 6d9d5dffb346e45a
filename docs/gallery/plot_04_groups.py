"""
Calibration, and groups that belong together
============================================

Several measurements of one patient are not independent. If some of them are trained on, the
others look easy, and the error bars are too small for patients that are new. Say which samples
belong together, and they are right.
"""

# %%
# Patients who come back
# ----------------------
# Each of 120 patients comes 15 times. Their blood pressure depends on what is measured, and on
# much that is not: the model can learn the latter only for patients whom it has seen.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from ltau.adapters.sklearn import LTAURegressor
from ltau.metrics import coverage
from ltau.plotting import ErrorCalibrationDisplay

rng = np.random.default_rng(0)
patient = np.repeat(np.arange(120), 15)
person = rng.normal(size=(120, 4))  # age, weight, ...: the same at each visit
own = 10 * rng.normal(size=120)  # what nobody measures
X = np.column_stack([person[patient], rng.normal(size=len(patient))])
y = 120 + 5 * X[:, 0] + 3 * X[:, -1] + own[patient] + 3 * rng.normal(size=len(patient))  # mmHg
known, new = patient < 60, patient >= 60

# %%
# With and without groups
# -----------------------
# With ``groups``, all visits of a patient are held out together.

booster = HistGradientBoostingRegressor(max_iter=60, random_state=0)
alone = LTAURegressor(booster, random_state=0).fit(X[known], y[known])
grouped = LTAURegressor(booster, random_state=0).fit(X[known], y[known], groups=patient[known])

# %%
# A third way is to calibrate the first model on patients of its own, here on every second of the
# new ones. All three are tested on the others.

held_out, test = new & (patient % 2 == 0), new & (patient % 2 == 1)
errors = np.abs(alone.predict(X[test]) - y[test])  # of all three: the model is the same
distributions = {
    "Without groups": alone.predict_distribution(X[test]),
    "With groups": grouped.predict_distribution(X[test]),
}
alone.calibrate(X[held_out], y[held_out])
distributions["Calibrated on 30 other patients"] = alone.predict_distribution(X[test])

for name, distribution in distributions.items():
    print(f"{name}: {coverage(errors, upper=distribution.quantile(0.9)):.2f} inside, of 0.90")

# %%
# Every level at once
# -------------------
# A curve on the diagonal means that errors stay below each predicted quantile as often as they
# should. Below the diagonal, error bars are too small.

figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
for name, distribution in distributions.items():
    ErrorCalibrationDisplay.from_predictions(errors, distribution, name=name, ax=ax)
# sphinx_gallery_alt = "Share of errors below each predicted level. Without groups the curve hangs far below the diagonal; with groups, and calibrated on other patients, both follow it closely."
plt.show()

# %%
# **Next:** :doc:`/error_bars` says what calibration guarantees, and what it does not.
