"""Fits and predictions on the processes and machines of a Dask cluster."""

from ltau.adapters.dask._bags import predict_frames
from ltau.adapters.dask._estimator import DaskEstimator
from ltau.adapters.dask._fit import fit
from ltau.adapters.dask._sharded import ShardedEstimator

__all__ = ["DaskEstimator", "ShardedEstimator", "fit", "predict_frames"]
