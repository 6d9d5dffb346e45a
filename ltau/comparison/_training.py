"""Training steps of a small network, with the gradient written out.

With a few thousand weights, automatic differentiation and the objects of an optimiser take more
than half of a step: the same step takes two fifths of the time without them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional
from torch.optim.adamw import adamw

__all__ = ["Training", "one_cycle"]

_WEIGHT_DECAY, _SQUARES_KEPT, _EPSILON = 1e-2, 0.999, 1e-8  # of AdamW; the last two as usual
_WARM_UP = 0.3  # share of the cycle
_FIRST_SHARE, _LAST_SHARE = 1 / 25, 1e-4  # rates: the first of the highest, the last of the first
_LEAST_MOMENTUM, _MOST_MOMENTUM = 0.85, 0.95


class Training:
    """Two hidden layers of SiLU, trained on batches by AdamW on weighted squared errors.

    Parameters
    ----------
    model : Sequential
        The network; its layers are trained in place.
    dropout : float
        Probability that a hidden unit is dropped.
    """

    def __init__(self, model: torch.nn.Sequential, dropout: float) -> None:
        self._parameters = [parameter.detach() for parameter in model.parameters()]
        self._gradient, self._mean, self._square = (
            [torch.zeros_like(parameter) for parameter in self._parameters] for _ in range(3)
        )
        self._n_steps = [torch.zeros(()) for _ in self._parameters]
        self._dropout = dropout

    @torch.no_grad()
    def step(
        self,
        inputs: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor,
        rate: float,
        momentum: float,
    ) -> torch.Tensor:
        """Learn from a batch.

        Parameters
        ----------
        inputs : tensor of shape (n, n_features)
            Features.
        target, weight : tensor of shape (n,)
            Target, and weights of the squared errors.
        rate, momentum : float
            Learning rate, and the share of the mean gradient that is kept.

        Returns
        -------
        tensor of shape (n,)
            Residuals, prediction minus target, before the step.
        """
        residuals = self._find_gradient(inputs, target, weight)
        adamw(
            self._parameters,
            self._gradient,
            self._mean,
            self._square,
            [],
            self._n_steps,
            fused=True,
            amsgrad=False,
            beta1=momentum,
            beta2=_SQUARES_KEPT,
            lr=rate,
            weight_decay=_WEIGHT_DECAY,
            eps=_EPSILON,
            maximize=False,
        )
        return residuals

    def _find_gradient(
        self, inputs: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Pass a batch forward and back; what is kept of units that are dropped is 0."""
        weight_1, bias_1, weight_2, bias_2, weight_3, bias_3 = self._parameters
        of_weight_1, of_bias_1, of_weight_2, of_bias_2, of_weight_3, of_bias_3 = self._gradient

        sum_1 = torch.addmm(bias_1, inputs, weight_1.t())
        hidden_1, kept_1 = self._drop(functional.silu(sum_1))
        sum_2 = torch.addmm(bias_2, hidden_1, weight_2.t())
        hidden_2, kept_2 = self._drop(functional.silu(sum_2))
        residuals = torch.addmm(bias_3, hidden_2, weight_3.t())[:, 0] - target

        of_output = ((weight / len(target)).float() * (2 * residuals))[:, None]
        torch.mm(of_output.t(), hidden_2, out=of_weight_3)
        torch.sum(of_output, 0, out=of_bias_3)
        of_sum_2 = _through(torch.mm(of_output, weight_3), kept_2, sum_2)
        torch.mm(of_sum_2.t(), hidden_1, out=of_weight_2)
        torch.sum(of_sum_2, 0, out=of_bias_2)
        of_sum_1 = _through(torch.mm(of_sum_2, weight_2), kept_1, sum_1)
        torch.mm(of_sum_1.t(), inputs, out=of_weight_1)
        torch.sum(of_sum_1, 0, out=of_bias_1)
        return residuals

    def _drop(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Drop units at random, and tell how much of each is kept."""
        if not self._dropout:
            return hidden, None
        kept = torch.empty_like(hidden).bernoulli_(1 - self._dropout).div_(1 - self._dropout)
        return hidden * kept, kept


def _through(gradient: torch.Tensor, kept: torch.Tensor | None, sums: torch.Tensor) -> torch.Tensor:
    """Bring a gradient from the units of a hidden layer to the sums that they are made of."""
    if kept is not None:
        gradient = gradient * kept
    return torch.ops.aten.silu_backward(gradient, sums)


def one_cycle(n_steps: int, highest: float) -> Iterator[tuple[float, float]]:
    """Give learning rates and momenta of one cycle [1]_, of cosines.

    Parameters
    ----------
    n_steps : int
        Number of steps.
    highest : float
        The highest rate, reached after three tenths of them.

    Yields
    ------
    rate, momentum : float
        Of each step, as ``OneCycleLR`` of PyTorch has them.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks
       using large learning rates" (2017). doi:10.48550/arXiv.1708.07120
    """
    first, last = _FIRST_SHARE * highest, _FIRST_SHARE * highest * _LAST_SHARE
    peak = _WARM_UP * n_steps - 1
    for step in range(n_steps):
        if step <= peak:
            done = step / peak
            yield _cosine(first, highest, done), _cosine(_MOST_MOMENTUM, _LEAST_MOMENTUM, done)
        else:
            done = (step - peak) / (n_steps - 1 - peak)
            yield _cosine(highest, last, done), _cosine(_LEAST_MOMENTUM, _MOST_MOMENTUM, done)


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)
