"""Error bars for regressors of scikit-learn, XGBoost and LightGBM."""

from ltau.adapters.sklearn._latents import latents
from ltau.adapters.sklearn._passes import fit_with_errors
from ltau.adapters.sklearn._regressor import LTAURegressor
from ltau.adapters.sklearn._space import LatentSpace
from ltau.adapters.sklearn._stages import error_trajectories

__all__ = ["LTAURegressor", "LatentSpace", "error_trajectories", "fit_with_errors", "latents"]
