"""A small neural network for tables, which logs its errors."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from ltau.adapters.torch import ErrorRecorder, latents
from ltau.comparison._training import Training, one_cycle

__all__ = ["Network"]

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]

_WIDTH, _BATCH_SIZE, _LEARNING_RATE = 64, 64, 1e-2
_LAST_HIDDEN = 4  # the activation before the readout
_LEAST_SPREAD = 1e-9  # of a feature, in units of its size: below is rounding


class Network(RegressorMixin, BaseEstimator):
    """Two hidden layers of 64 SiLU, trained by AdamW; errors are logged epoch by epoch.

    Parameters
    ----------
    n_epochs : int, default=200
        Epochs of training.
    dropout : float, default=0.0
        Probability that a hidden unit is dropped.
    random_state : int, default=0
        Seed of the weights, the batches and the dropout.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    errors_ : ndarray of shape (n_samples, n_epochs), float32
        Absolute errors of the training rows from the training step, in the target's unit.
    held_out_errors_ : ndarray of shape (n_held_out, n_epochs), float32
        Absolute errors of the held-out rows after each epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.comparison.network import Network
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> network = Network(n_epochs=5).fit(X, X[:, 0])
    >>> network.predict(X).shape, network.errors_.shape, network.latents(X).shape
    ((100,), (100, 5), (100, 64))
    """

    def __init__(self, n_epochs: int = 200, *, dropout: float = 0.0, random_state: int = 0) -> None:
        self.n_epochs = n_epochs
        self.dropout = dropout
        self.random_state = random_state

    def fit(
        self,
        X: Floats,
        y: Floats,
        sample_weight: Floats | None = None,
        held_out: tuple[Floats, Floats] | None = None,
    ) -> Self:
        """Train on all rows; look at the held-out ones after each epoch, without learning.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.
        y : ndarray of shape (n_samples,)
            Target.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights of the squared errors.
        held_out : tuple of X and y, optional
            Rows whose errors are logged too.

        Returns
        -------
        Network
            The trained network.
        """
        torch.manual_seed(self.random_state)
        self.n_features_in_ = X.shape[1]
        self._standardize(X, y)
        self.model_ = self._build()
        inputs, target = self._inputs(X), torch.from_numpy((y - self._mean) / self._std).float()
        weight = torch.ones(len(y)) if sample_weight is None else torch.tensor(sample_weight)
        n_batches = -(-len(y) // _BATCH_SIZE)
        cycle = one_cycle(self.n_epochs * n_batches, _LEARNING_RATE)
        training = Training(self.model_, self.dropout)
        recorder = ErrorRecorder(len(y))
        watched = []
        for _ in range(self.n_epochs):
            for ids in torch.randperm(len(y)).split(_BATCH_SIZE):
                batch = inputs[ids], target[ids], weight[ids]
                residuals = training.step(*batch, *next(cycle))
                recorder.record(ids, self._std * residuals)
            recorder.end_epoch()
            if held_out is not None:
                watched.append(np.abs(self.predict(held_out[0]) - held_out[1]))
        self.errors_: Float32s = recorder.errors
        if held_out is not None:
            self.held_out_errors_: Float32s = np.stack(watched, axis=1).astype(np.float32)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict the target.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Predictions.
        """
        self.model_.eval()
        return self._forward(X)

    def predict_with_dropout(self, X: Floats, n_draws: int) -> Floats:
        """Predict several times, with units dropped at random.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.
        n_draws : int
            Number of passes.

        Returns
        -------
        ndarray of shape (n_draws, n_samples), float64
            Predictions.
        """
        torch.manual_seed(self.random_state)
        self.model_.train()
        return np.stack([self._forward(X) for _ in range(n_draws)])

    def latents(self, X: Floats) -> Float32s:
        """Compute the activations of the last hidden layer.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, 64), float32
            Latents.
        """
        return latents(self.model_, [self._inputs(X)], str(_LAST_HIDDEN))

    def readout(self, hidden: Float32s) -> Floats:
        """Predict the target from latents, without another pass through the hidden layers.

        Parameters
        ----------
        hidden : ndarray of shape (n_samples, 64), float32
            Latents.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Predictions.
        """
        self.model_.eval()
        with torch.no_grad():
            return self._to_target(self.model_[_LAST_HIDDEN + 1 :](torch.from_numpy(hidden)))

    def _standardize(self, X: Floats, y: Floats) -> None:
        spread, least = X.std(axis=0), _LEAST_SPREAD * np.abs(X).max(axis=0)
        self._shift, self._scale = X.mean(axis=0), np.where(spread > least, spread, 1.0)
        self._mean, self._std = float(y.mean()), float(y.std())

    def _build(self) -> torch.nn.Sequential:
        return torch.nn.Sequential(
            torch.nn.Linear(self.n_features_in_, _WIDTH),
            torch.nn.SiLU(),
            torch.nn.Dropout(self.dropout),
            torch.nn.Linear(_WIDTH, _WIDTH),
            torch.nn.SiLU(),
            torch.nn.Dropout(self.dropout),
            torch.nn.Linear(_WIDTH, 1),
            torch.nn.Flatten(0),
        )

    def _inputs(self, X: Floats) -> torch.Tensor:
        return torch.from_numpy((X - self._shift) / self._scale).float()

    def _forward(self, X: Floats) -> Floats:
        with torch.no_grad():
            return self._to_target(self.model_(self._inputs(X)))

    def _to_target(self, output: torch.Tensor) -> Floats:
        values: Floats = output.double().numpy()
        return self._mean + self._std * values
