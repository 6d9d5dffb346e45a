"""Which features of a model's output are the latents of its atoms."""

from __future__ import annotations

from typing import Any

import torch
from nequip.data import AtomicDataDict

from ltau.adapters.nequip._fields import Fields
from ltau.adapters.nequip._models import LATENTS

__all__ = ["ModelWithLatents", "features_of"]


def features_of(output: Fields) -> torch.Tensor:
    """Take the latents of atoms out of what a model gave.

    NequIP reads an atom's energy out of the atom's features. Allegro reads the energies of
    edges out of features of the edges, and leaves in those of atoms whatever it last summed
    up there: of its models the latents are the sums of edge features over an atom's edges.

    Parameters
    ----------
    output : dict
        What the model gave.

    Returns
    -------
    Tensor of shape (n_atoms, n_features)
        The latents.

    Raises
    ------
    ValueError
        If there are none, or a single one, which is no latent.
    """
    if AtomicDataDict.EDGE_ENERGY_KEY in output and AtomicDataDict.EDGE_FEATURES_KEY in output:
        features = _summed(output)
    elif LATENTS in output:
        features = output[LATENTS]
    else:
        raise ValueError(f"Expected a model that gives {LATENTS}, got {', '.join(output)}.")
    if features.shape[1] == 1:
        raise ValueError(
            f"Expected latents of several features, got a single one in {LATENTS}, as of an "
            "Allegro model compiled without its latents: compile it again with compile_model."
        )
    return features


def _summed(output: Fields) -> torch.Tensor:
    """Sum the features of edges over the edges of each atom."""
    features = output[AtomicDataDict.EDGE_FEATURES_KEY]
    n_atoms = output[AtomicDataDict.POSITIONS_KEY].shape[0]  # a symbol while it is compiled
    atoms = output[AtomicDataDict.EDGE_INDEX_KEY][0]
    return features.new_zeros(n_atoms, features.shape[1]).index_add(0, atoms, features)


class ModelWithLatents(torch.nn.Module):
    """A model whose output has its latents under the name `LATENTS`, as NequIP's own have.

    Parameters
    ----------
    model : torch.nn.Module
        A model of NequIP or Allegro.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.model_dtype = model.model_dtype

    def forward(self, fields: Fields) -> Fields:
        """Run the model, and put the latents in their place."""
        out: Fields = self.model(fields)
        return {**out, LATENTS: features_of(out).detach()}
