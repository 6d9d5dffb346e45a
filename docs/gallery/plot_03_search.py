"""
A pipeline, and a search for what predicts best
===============================================

R² does not see error bars. `LTAURegressor.score_errors` does: a search by this score chooses the
model and the settings of its error bars together.
"""

# %%
# The data are 442 patients with diabetes, which scikit-learn brings along: ten measurements, and
# how far the disease has progressed a year later. It is a score without a unit.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ltau import LTAUEstimator
from ltau.adapters.sklearn import LTAURegressor
from ltau.plotting import OKABE_ITO

X, y = load_diabetes(return_X_y=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# The pipeline goes inside, so that its scaler learns only from what each fold sees. The names of
# parameters are those of scikit-learn: ``estimator__`` leads into the pipeline, and ``ltau__`` to
# what learns the errors.

pipeline = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
careful = LTAURegressor(pipeline, ltau=LTAUEstimator(scaling="standardize", burn_in=0), cv=5)

models = {"ridge": Ridge(), "15 nearest patients": KNeighborsRegressor(15)}
n_neighbors = [5, 10, 20, 40, 80, 160]
search = GridSearchCV(
    careful,
    {"estimator__model": list(models.values()), "ltau__n_neighbors": n_neighbors},
    scoring=LTAURegressor.score_errors,
    cv=3,
)
search.fit(X_train, y_train)

# %%
# The best of them predicts intervals like any other:

low, high = search.best_estimator_.predict_interval(X_test, level=0.9).T
print("Best:", search.best_params_)
print(f"Inside: {np.mean((low <= y_test) & (y_test <= high)):.3f} of {len(y_test)} new patients")

# %%
# What the search has seen
# ------------------------
# The score is minus the CRPS, which measures errors and error bars in one number, in the unit of
# the target: lower is better. With few neighbours, error bars are noisy; with very many, they are
# the same for every patient.

scores = -search.cv_results_["mean_test_score"].reshape(len(models), -1)
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, row, color, marker in zip(models, scores, OKABE_ITO, "os"):
    ax.plot(n_neighbors, row, f"{marker}-", color=color, label=name)
ax.set(xscale="log", xlabel="Neighbours of LTAU", ylabel="CRPS (score of the disease)")
ax.set_xticks(n_neighbors, labels=n_neighbors)
ax.minorticks_off()
ax.legend(title="Model")
# sphinx_gallery_alt = "CRPS against the number of neighbours, from 5 to 160, for two models. Both curves fall to a lowest point at 40 and rise again; 15 nearest patients lie a little below ridge."
plt.show()

# %%
# **Next:** :doc:`/settings` says which settings matter, and :doc:`/stages` has more on pipelines.
