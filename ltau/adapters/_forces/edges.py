"""Environment latents on a model's own edges: two sums over them, in the same pass."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ltau._maths.environment import edge_weights, environment

__all__ = ["check_reach", "environment_on_edges"]


def environment_on_edges(
    latents: torch.Tensor,
    edges: torch.Tensor,
    lengths: torch.Tensor,
    cutoff: float,
    spread: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Make environment latents, as `ltau.structures.environment_latents` does.

    Parameters
    ----------
    latents : Tensor of shape (n_atoms, n_features)
        What the model gave.
    edges : Tensor of shape (2, n_edges), int64
        Pairs of neighbours, each both ways.
    lengths : Tensor of shape (n_edges,)
        Their distances.
    cutoff : float
        Distance from which on an atom is no neighbour; no more than that of the edges.
    spread : callable, optional
        Gives rows of the atoms to all that are neighbours, in the order of their numbers in
        the edges, where an engine has some of the neighbours in another place.

    Returns
    -------
    Tensor of shape (n_atoms, 3 * n_features)
        Environment latents, of the dtype of the latents.
    """
    own = latents.detach()
    atoms, neighbors = edges.unbind()
    weights = edge_weights(torch, lengths.to(own.dtype), cutoff)[:, None]

    def summed(rows: torch.Tensor) -> torch.Tensor:
        others = rows if spread is None else spread(rows)
        return torch.zeros_like(rows).index_add(0, atoms, weights * others[neighbors])

    total = torch.zeros_like(own[:, :1]).index_add(0, atoms, weights)
    made: torch.Tensor = environment(torch, own, total, summed)
    return made


def check_reach(environment: float, reach: float) -> None:
    """Refuse an environment that is larger than a model's neighbourhoods.

    Parameters
    ----------
    environment : float
        Its cutoff.
    reach : float
        Distance within which all atoms are joined by edges of the model.

    Raises
    ------
    ValueError
        If so.
    """
    if environment > reach:
        raise ValueError(
            f"Expected an environment within the model's cutoff, {reach:g}, got one of "
            f"{environment:g}."
        )
