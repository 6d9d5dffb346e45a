"""A model that says with each prediction how wrong it is likely to be."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import error_bars
from ltau._inputs.outputs import refuse_shape
from ltau.adapters._recording.batches import Forward
from ltau.adapters._recording.hooks import (
    POOL_REMEDY,
    Pool,
    find_layer,
    one_row_a_sample,
    outputs_of,
)
from ltau.adapters._recording.scale import check_mean, check_scale, of_outputs
from ltau.adapters.torch._estimator import TorchEstimator
from ltau.estimator import LTAUEstimator

__all__ = ["Uncertain", "UncertainModule"]


class Uncertain(NamedTuple):
    """A model's predictions, and how wrong they are likely to be.

    Parameters
    ----------
    prediction : object
        What the model gives.
    expected_error : tensor of shape (n,) or (n, 1, ...), float32
        Expected error of each sample, in the unit of the recorded errors: of as many axes as
        the prediction, where that is a tensor.
    error_bar : tensor of the same shape, float32
        Error that is not exceeded, with the probability `level` of the module.

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

    def __repr__(self) -> str:
        n_samples, device = len(self.expected_error), str(self.expected_error.device)
        return f"Uncertain(n_samples={n_samples}, device={device!r})"


class UncertainModule(torch.nn.Module):
    """Give predictions with error bars, from one forward pass and one search.

    Parameters
    ----------
    model : torch.nn.Module
        The trained model. Its predictions stay as they are, bit for bit, unless `scale` or
        `mean` is given. If the estimator was fitted with targets, predictions are compared
        with them: they must be a tensor in the unit of the targets, with one row per sample
        and as many outputs.
    layer : str
        Name of the layer that gave the latents which the estimator was fitted on.
    estimator : LTAUEstimator or TorchEstimator
        The estimator fitted on them, without strata. A `TorchEstimator` searches on the
        device where the module is.
    level : float, default=0.9
        Probability that an error stays within its error bar, between 0 and 1.
    forward : callable, optional
        As for `latents`: called with the model and the arguments of the module, it returns
        the prediction. By default the model is called with these arguments.
    pool : callable, optional
        As for `latents`, where a layer gives several rows per sample.
    scale, mean : float or array-like of shape (n_outputs,), default=1.0 and 0.0
        Standard deviation and mean of a target that was standardised. The predictions are then
        what the model gives, times `scale`, plus `mean`: in the unit of the target, as errors
        are that were recorded with this `scale`.

    Raises
    ------
    ValueError
        If there is no such layer, the level is not a probability, the estimator has strata,
        `scale` is not positive and finite, or `mean` not finite.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Notes
    -----
    An `LTAUEstimator` searches on the CPU, with the index that it has: the latents are
    copied there, and the error bars to the latents' device. A `TorchEstimator` is part of
    the module, moves with it, and searches exactly, where the latents are: use it on a GPU.
    Predictions have gradients, error bars do not. The estimator is not part of the
    ``state_dict``: save it with its own `save`.

    For several outputs the error is what `ErrorRecorder` makes of them, by default the norm,
    and so is the error bar. For one error bar per output, record each output by itself, and
    fit an estimator to each.

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
    >>> prediction.shape, error_bar.shape
    (torch.Size([3, 1]), torch.Size([3, 1]))
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
        forward: Forward | None = None,
        pool: Pool | None = None,
        scale: ArrayLike = 1.0,
        mean: ArrayLike = 0.0,
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
        self.scale = check_scale(scale)
        self.mean = check_mean(mean)
        self.training = model.training
        self._standardised = bool((self.scale != 1).any() or (self.mean != 0).any())
        self._forward = forward
        self._pool = pool

    def __repr__(self) -> str:
        model = type(self.model).__name__
        return f"UncertainModule({model}, layer={self.layer!r}, level={self.level})"

    def forward(self, *args: Any, **kwargs: Any) -> Uncertain:
        """Predict, and say how wrong the predictions are likely to be.

        Parameters
        ----------
        *args, **kwargs
            The arguments of the model, or of `forward` after the model. `pool` is given the
            one argument, the tuple of several, or the dict of those with names.

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
            If the layer does not run once, gives no tensor of the width of the estimator's
            latents, or another number of rows than there are predictions; or, with targets, the
            prediction is of another shape than they, NaN or infinite.
        TypeError
            If, with targets, the prediction is no tensor of a floating type; or with `scale`
            or `mean`, no tensor.
        """
        if any(module.training for module in self.modules()):
            raise RuntimeError("Expected a module in evaluation mode: call eval() first.")
        with outputs_of(find_layer(self.model, self.layer)) as outputs:
            given = self._call(*args, **kwargs)
        prediction = self._in_unit_of_target(given)
        called_with = kwargs or (args[0] if len(args) == 1 else args)
        rows = one_row_a_sample(outputs, self.layer, called_with, self._pool)
        shape = self._shape_of_errors(prediction, len(rows))
        y_pred = self._compared(prediction, len(rows))
        errors = self._predict_errors(rows.detach(), y_pred)
        expected, bar = (
            torch.as_tensor(e, dtype=torch.float32, device=rows.device).reshape(shape)
            for e in errors
        )
        return Uncertain(prediction, expected, bar)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward is None:
            return self.model(*args, **kwargs)
        return self._forward(self.model, *args, **kwargs)

    def _in_unit_of_target(self, prediction: Any) -> Any:
        """Undo the standardisation, if there is one."""
        if not self._standardised:
            return prediction
        if not isinstance(prediction, torch.Tensor):
            raise TypeError(f"Expected a prediction in a tensor, got {type(prediction).__name__}.")
        # A mean may be large beside what half a precision resolves.
        prediction = prediction.to(torch.promote_types(prediction.dtype, torch.float32))
        scale, mean = (of_outputs(v, prediction, "predictions") for v in (self.scale, self.mean))
        return prediction * scale + mean

    def _shape_of_errors(self, prediction: Any, n_samples: int) -> tuple[int, ...]:
        """Give errors the axes of the prediction, so that they can be added to it."""
        if not isinstance(prediction, torch.Tensor):
            return (n_samples,)
        if prediction.shape[:1] != (n_samples,):
            raise ValueError(
                f"Expected layer {self.layer!r} to give as many rows as there are predictions, got "
                f"{n_samples} rows and predictions of shape {tuple(prediction.shape)}. "
                f"{POOL_REMEDY}"
            )
        return (n_samples, *[1] * (prediction.ndim - 1))

    def _compared(self, prediction: Any, n_samples: int) -> torch.Tensor | None:
        """Give the prediction, where it is compared with targets."""
        n_outputs = self._n_outputs()
        if n_outputs is None:
            return None
        name = "a prediction of the model"
        if not isinstance(prediction, torch.Tensor) or not prediction.is_floating_point():
            tensor = isinstance(prediction, torch.Tensor)
            got = str(prediction.dtype) if tensor else type(prediction).__name__
            raise TypeError(
                f"Expected {name} in a tensor of a floating type, got {got}. Where a model gives "
                "something else, say what its prediction is by forward=lambda model, batch: ..."
            )
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
