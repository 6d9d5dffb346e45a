"""Error bars for models of scikit-learn, XGBoost and LightGBM that learn in stages."""

from ltau.adapters.sklearn._latents import latents
from ltau.adapters.sklearn._regressor import LTAURegressor
from ltau.adapters.sklearn._stages import error_trajectories, fit_with_errors

__all__ = ["LTAURegressor", "error_trajectories", "fit_with_errors", "latents"]
