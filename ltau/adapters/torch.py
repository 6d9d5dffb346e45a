"""Error trajectories, latents and error bars of PyTorch models."""

from ltau.adapters._torch_estimator import TorchErrorSummary, TorchEstimator
from ltau.adapters._torch_ids import IndexedDataset
from ltau.adapters._torch_passes import evaluate, latents
from ltau.adapters._torch_recorder import ErrorRecorder
from ltau.adapters._torch_uncertain import Uncertain, UncertainModule

__all__ = [
    "ErrorRecorder",
    "IndexedDataset",
    "TorchErrorSummary",
    "TorchEstimator",
    "Uncertain",
    "UncertainModule",
    "evaluate",
    "latents",
]
