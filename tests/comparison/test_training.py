"""Training steps with the gradient written out, against automatic differentiation."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ltau.comparison._training import Training, one_cycle
from ltau.comparison.network import Network

N_STEPS = 12


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_steps_are_those_of_automatic_differentiation(dropout):
    rng = np.random.default_rng(0)
    x, y, w = (torch.tensor(rng.normal(size=size)).float() for size in ((48, 3), 48, 48))
    model = Network(2, dropout=dropout).fit(x.double().numpy(), y.double().numpy()).model_
    twin = Network(2, dropout=dropout).fit(x.double().numpy(), y.double().numpy()).model_.train()
    training = Training(model, dropout)
    optimizer = torch.optim.AdamW(twin.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=N_STEPS)

    torch.manual_seed(0)
    got = [training.step(x, y, w.abs(), *now) for now in one_cycle(N_STEPS, 1e-2)]
    torch.manual_seed(0)
    for residuals in got:
        optimizer.zero_grad()
        expected = twin(x) - y
        (w.abs() * expected.square()).mean().backward()
        optimizer.step()
        schedule.step()
        torch.testing.assert_close(residuals, expected.detach(), rtol=1e-3, atol=1e-4)
    for mine, its in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_steps", [1, 2, 7, 100])
def test_the_cycle_is_that_of_pytorch(n_steps):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=n_steps)
    for rate, momentum in one_cycle(n_steps, 0.1):
        group = optimizer.param_groups[0]
        assert (rate, momentum) == pytest.approx((group["lr"], group["betas"][0]), rel=1e-9)
        optimizer.step()
        schedule.step()
