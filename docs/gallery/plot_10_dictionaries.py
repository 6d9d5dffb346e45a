"""
A transformer with batches of dictionaries
==========================================

Models differ in how they are called, and in how many rows a layer returns for a sample. Two small
functions say so: ``forward`` and ``pool``. The same goes for a graph network, whose rows are nodes.
"""

# %%
# Sequences of different lengths
# ------------------------------
# A batch is a dictionary with tokens and a mask. The target is the mean of the tokens, and it is
# noisy where the first token is large.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader

from ltau import LTAUEstimator
from ltau.adapters.torch import ErrorRecorder, IndexedDataset, UncertainModule
from ltau.adapters.torch import latents as latents_of
from ltau.plotting import OKABE_ITO

torch.manual_seed(0)


def sequence():
    tokens, n = torch.randint(10, (8,)), torch.randint(3, 9, ())
    noise = (0.1 + 0.1 * tokens[0]) * torch.randn(())
    label = tokens[:n].float().mean() + noise
    return {"tokens": tokens, "mask": torch.arange(8) < n, "label": label}


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(10, 32)
        self.place = torch.nn.Parameter(torch.randn(8, 32))
        self.encoder = torch.nn.TransformerEncoderLayer(32, 2, 64, dropout=0, batch_first=True)
        self.head = torch.nn.Linear(32, 1)

    def forward(self, tokens, mask):
        hidden = self.encoder(self.embedding(tokens) + self.place, src_key_padding_mask=~mask)
        return {"logits": self.head(hidden[:, 0])}


# %%
# How it is called, and one row for each sample
# ---------------------------------------------
# The head reads the first token, and so does the pool.


def forward(model, batch):
    return model(batch["tokens"], batch["mask"])["logits"]  # (n, 1)


def pool(hidden, batch):
    return hidden[:, 0]  # (n, tokens, features) to (n, features)


# %%
# Everything else is as for any other network:

model = Transformer()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
data = IndexedDataset([sequence() for _ in range(3000)])
loader = DataLoader(data, batch_size=50, shuffle=True)
recorder = ErrorRecorder(len(data))
for epoch in range(15):
    for ids, batch in loader:
        prediction = forward(model, batch)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(prediction[:, 0], batch["label"]).backward()
        optimizer.step()
        recorder.record(ids, prediction, batch["label"])
    recorder.end_epoch()

latents = latents_of(model, loader, layer="encoder", forward=forward, pool=pool)
estimator = LTAUEstimator(n_neighbors=30).fit(latents, recorder.errors)

# %%
# ``UncertainModule`` gives predictions with their error bars, in one pass:

careful = UncertainModule(model.eval(), "encoder", estimator, level=0.9, forward=forward, pool=pool)
(batch,) = DataLoader([sequence() for _ in range(1000)], batch_size=1000)
with torch.no_grad():
    prediction, expected_error, error_bar = careful(batch)
errors = (prediction[:, 0] - batch["label"]).abs()
print(f"Inside: {(errors <= error_bar[:, 0]).float().mean():.3f} of 1,000 new sequences")

# %%
# Does it find the noise?
# -----------------------
# Nobody told it that the first token matters, and the error bars follow it.

first = batch["tokens"][:, 0].numpy()
observed = [np.quantile(errors.numpy()[first == token], 0.9) for token in range(10)]
predicted = [error_bar[:, 0].numpy()[first == token].mean() for token in range(10)]

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(observed, "o", color=OKABE_ITO[1], label="90 % of the observed errors are below")
ax.plot(predicted, "s-", color=OKABE_ITO[0], label="Mean 90 % error bar")
ax.set(xlabel="First token", ylabel="Absolute error (unit of the target)", ylim=0, xticks=range(10))
ax.legend()
# sphinx_gallery_alt = "Absolute error against the first token, 0 to 9. The mean 90 % error bar rises from 0.5 to 2; the observed errors rise with it, mostly a little below."
plt.show()

# %%
# **Next:** :doc:`/trainers` has a graph network, and the callbacks of Lightning and skorch.
