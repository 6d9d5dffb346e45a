"""Error trajectories, latents and error bars of PyTorch models."""

from ltau.adapters._recording.ids import IndexedDataset
from ltau.adapters._recording.passes import evaluate, latents
from ltau.adapters._recording.recorder import ErrorRecorder
from ltau.adapters.torch._estimator import TorchEstimator
from ltau.adapters.torch._summary import TorchErrorSummary
from ltau.adapters.torch._uncertain import Uncertain, UncertainModule

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
