"""A model that says with each prediction how wrong it is likely to be."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import error_bars
from ltau._inputs.outputs import refuse_shape
from ltau.adapters._recording.hooks import find_layer, one_row_a_sample, outputs_of
from ltau.adapters.torch._estimator import TorchEstimator
from ltau.estimator import LTAUEstimator

__all__ = ["Uncertain", "UncertainModule"]


class Uncertain(NamedTuple):
    """A model's predictions, and how wrong they are likely to be.

    Parameters
    ----------
    prediction : object
        What the model gives.
    expected_error : tensor of shape (n,), float32
        Expected error of each sample, in the unit of the recorded errors.
    error_bar : tensor of shape (n,), float32
        Error that is not exceeded with the probability `level` of the module.

    Examples
    --------
    >>> import torch
    >>> from ltau.adapters.torch import Uncertain
    >>> y = Uncertain(torch.tensor([2.0]), torch.tensor([0.1]), torch.tensor([0.25]))
    >>> y.prediction - y.error_bar, y.prediction + y.error_bar
    (tensor([1.7500]), tensor([2.2500]))
    """

    prediction: Any
    expected_error: torch.Tensor
    error_bar: torch.Tensor


class UncertainModule(torch.nn.Module):
    """Give predictions with error bars, from one forward pass and one search.

    Parameters
    ----------
    model : torch.nn.Module
        The trained model. Its predictions stay what they are, bit for bit. If the estimator
        was fitted with targets, they are what is compared with these: a tensor in their unit,
        of a row a sample, with as many outputs.
    layer : str
        Name of the layer that gave the latents which the estimator was fitted on.
    estimator : LTAUEstimator or TorchEstimator
        The estimator fitted on them, without strata. A `TorchEstimator` searches on the
        device where the module is.
    level : float, default=0.9
        Probability that an error stays within its error bar, between 0 and 1.

    Raises
    ------
    ValueError
        If there is no such layer, the level is not a probability, or the estimator
        has strata.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Notes
    -----
    An `LTAUEstimator` searches on the CPU, with the index that it has: the latents are
    copied there, and the error bars to the latents' device. A `TorchEstimator` is part of
    the module, moves with it, and searches exactly where the latents are: what a GPU is
    for. Error bars have no gradients; the prediction has. The estimator is no part of the
    ``state_dict``: save it with its own `save`.

    Examples
    --------
    >>> import torch
    >>> from ltau import LTAUEstimator
    >>> from ltau.adapters.torch import UncertainModule, latents
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> x, errors = torch.rand(100, 2), torch.rand(100, 20)    # errors: see ErrorRecorder
    >>> estimator = LTAUEstimator().fit(latents(model, [x], "1"), errors.numpy())
    >>> careful = UncertainModule(model.eval(), "1", estimator)
    >>> prediction, expected_error, error_bar = careful(x[:3])
    >>> torch.equal(prediction, model(x[:3]))
    True
    >>> bool((expected_error < error_bar).all())
    True
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layer: str,
        estimator: LTAUEstimator | TorchEstimator,
        *,
        level: float = 0.9,
    ) -> None:
        super().__init__()
        find_layer(model, layer)
        if not 0 <= level <= 1:
            raise ValueError(f"Expected a level from 0 to 1, got {level!r}.")
        if not isinstance(estimator, TorchEstimator):
            check_is_fitted(estimator)
        if estimator.strata_ is not None:
            raise ValueError("Expected an estimator fitted without strata, got one with strata.")
        self.model = model
        self.layer = layer
        self.estimator = estimator
        self.level = level
        self.training = model.training

    def forward(self, *args: Any, **kwargs: Any) -> Uncertain:
        """Predict, and say how wrong the predictions are likely to be.

        Parameters
        ----------
        *args, **kwargs
            What the model takes.

        Returns
        -------
        Uncertain
            The model's prediction, the expected errors and the error bars.

        Raises
        ------
        RuntimeError
            If the module or the layer is in training mode: with dropout on, latents are
            not those that the estimator knows.
        ValueError
            If the layer does not run once, or gives no tensor of the width of the
            estimator's latents; or, with targets, the prediction is of another shape than
            they, NaN or infinite.
        TypeError
            If, with targets, the prediction is no tensor of a floating type.
        """
        if any(module.training for module in self.modules()):
            raise RuntimeError("Expected a module in evaluation mode: call eval() first.")
        with outputs_of(find_layer(self.model, self.layer)) as outputs:
            prediction = self.model(*args, **kwargs)
        rows = one_row_a_sample(outputs, self.layer)
        y_pred = self._compared(prediction, len(rows))
        errors = self._predict_errors(rows.detach(), y_pred)
        expected, bar = (
            torch.as_tensor(e, dtype=torch.float32, device=rows.device) for e in errors
        )
        return Uncertain(prediction, expected, bar)

    def _compared(self, prediction: Any, n_samples: int) -> torch.Tensor | None:
        """Give the prediction, where it is compared with targets."""
        n_outputs = self._n_outputs()
        if n_outputs is None:
            return None
        name = "a prediction of the model"
        if not isinstance(prediction, torch.Tensor) or not prediction.is_floating_point():
            tensor = isinstance(prediction, torch.Tensor)
            got = str(prediction.dtype) if tensor else type(prediction).__name__
            raise TypeError(f"Expected {name} in a tensor of a floating type, got {got}.")
        shapes = [(n_samples, n_outputs)] + [(n_samples,)] * (n_outputs == 1)
        if prediction.shape not in shapes:
            refuse_shape(tuple(prediction.shape), n_samples, n_outputs, name)
        return prediction.detach()

    def _n_outputs(self) -> int | None:
        """Count the outputs of the targets that the estimator was fitted with."""
        if isinstance(self.estimator, TorchEstimator):
            return self.estimator.n_outputs_
        targets = self.estimator.fitted_.targets
        return None if targets is None else targets.shape[1]

    def _predict_errors(
        self, latents: torch.Tensor, y_pred: torch.Tensor | None
    ) -> tuple[Any, Any]:
        """Predict expected errors and error bars."""
        if isinstance(self.estimator, TorchEstimator):
            summary = self.estimator.predict_summary(latents, self.level, y_pred=y_pred)
            return summary.expected_error, summary.error_bar
        rows = latents if latents.dtype == torch.float64 else latents.float()
        distribution = self.estimator.predict_distribution(
            rows.cpu().numpy(), y_pred=None if y_pred is None else y_pred.double().cpu().numpy()
        )
        return distribution.mean(), error_bars(
            distribution, self.estimator.calibration_, self.level
        )
