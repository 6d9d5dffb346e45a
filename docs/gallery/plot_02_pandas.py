"""
Boosted trees on a pandas frame with categories
===============================================

`LTAURegressor` takes a frame as it is, with its categories. It trains a boosted model and gives
each prediction an error bar. No samples need to be kept back: it is calibrated on its own folds.
"""

# %%
# Rents of flats
# --------------
# In the old town rents of equal flats differ more than elsewhere.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from ltau.adapters.sklearn import LTAURegressor
from ltau.metrics import coverage_by_group
from ltau.plotting import OKABE_ITO

rng = np.random.default_rng(0)
n = 3000
flats = pd.DataFrame(
    {
        "area": rng.uniform(20, 120, n).round(),
        "floor": rng.integers(0, 8, n),
        "district": pd.Categorical(rng.choice(["harbour", "hill", "old town"], n)),
    }
)
per_area = flats["district"].map({"harbour": 11, "hill": 15, "old town": 19}).astype(float)
spread = flats["district"].map({"harbour": 0.04, "hill": 0.06, "old town": 0.18}).astype(float)
rent = flats["area"] * per_area * np.exp(spread * rng.normal(size=n)) + 10 * flats["floor"]
train, test, rent_train, rent_test = train_test_split(flats, rent, random_state=0)

# %%
# Fit, and predict
# ----------------
# The regressor inside is any of scikit-learn, XGBoost or LightGBM. ``to_frame`` keeps the index.

booster = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=60)
model = LTAURegressor(booster, random_state=0).fit(train, rent_train)

summary = model.predict_summary(test, level=0.9).to_frame()
table = test.assign(rent=rent_test.round(), predicted=model.predict(test).round()).join(summary)
table.head().round(2)

# %%
# Nine rents of ten lie within the error bar, in each district about as many:

errors = np.abs(table["rent"] - table["predicted"])
inside = coverage_by_group(errors, table["district"], upper=table["error_bar"])
for district, share in inside.items():
    print(f"{district}: {share:.3f}")

# %%
# Where the model is unsure
# -------------------------
# The error bars grow with the area, and most of all in the old town.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (district, rows), color, marker in zip(
    table.groupby("district", observed=True), OKABE_ITO, "osv"
):
    ax.plot(rows["area"], rows["error_bar"], marker, ms=4, color=color, label=district)
ax.set(xlabel="Area (m²)", ylabel="90 % error bar (EUR per month)", ylim=0)
ax.legend(title="District", loc="upper left")
# sphinx_gallery_alt = "90 % error bar against area, one marker a district. All grow with the area; those of the old town are several times as large as those of hill and harbour."
plt.show()

# %%
# **Next:** :doc:`/stages` has weights, validation sets, several outputs, XGBoost and LightGBM.
