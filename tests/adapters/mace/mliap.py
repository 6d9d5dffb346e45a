"""What ML-IAP gives a model, as its data object has it: atoms and pairs of one rank, and ghosts.

A stand-in for LAMMPS, of the attributes and methods that MACE's class uses.
"""

import threading

import numpy as np
import torch
from ase.neighborlist import neighbor_list


class Ranks:
    """Shares the atoms of a structure out among ranks that run side by side."""

    def __init__(self, atoms, cutoff, elements, n_ranks=1):
        self.atoms = atoms
        self.rank_of = np.arange(len(atoms)) % n_ranks
        self.barrier = threading.Barrier(n_ranks, timeout=60)
        pairs = neighbor_list("ijSD", atoms, cutoff)
        self.data = [RankData(self, rank, pairs, elements) for rank in range(n_ranks)]
        self.sent = [None] * n_ranks

    def run(self, models):
        """Let each rank compute its forces, and give what `gathered` has of them."""
        failures = []

        def compute(model, data):
            try:
                model.compute_forces(data)
            except BaseException as error:
                failures.append(error)
                self.barrier.abort()

        threads = [
            threading.Thread(target=compute, args=pair)
            for pair in zip(models, self.data, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        results = {name: np.full(len(self.atoms), np.inf) for name in models[0].results}
        for model, data in zip(models, self.data, strict=True):
            for name, values in model.results.items():
                results[name][data.local] = values
        return sum(data.energy for data in self.data), sum(d.forces for d in self.data), results


class RankData:
    """The data object of one rank: its own atoms first, then images that it sees of others."""

    def __init__(self, ranks, rank, pairs, elements):
        self.ranks, self.rank = ranks, rank
        self.local = np.flatnonzero(ranks.rank_of == rank)[::-1]  # in no order
        first, second, shift, vectors = pairs
        own = np.isin(first, self.local)
        first, second, shift, self.rij = first[own], second[own], shift[own], vectors[own]
        place = {atom: number for number, atom in enumerate(self.local)}
        ghosts = {}
        self.pair_i = np.array([place[atom] for atom in first], int)
        self.pair_j = np.zeros(len(second), int)
        for number, (atom, image) in enumerate(zip(second, shift, strict=True)):
            if not image.any() and atom in place:
                self.pair_j[number] = place[atom]
            else:
                ghost = ghosts.setdefault((atom, *image), len(ghosts))
                self.pair_j[number] = len(self.local) + ghost
        self.everyone = np.array([*self.local, *(atom for atom, *_ in ghosts)], int)
        self.nlocal, self.ntotal = len(self.local), len(self.everyone)
        self.npairs = len(self.pair_i)
        self.elems = np.array([elements.index(n) for n in ranks.atoms.numbers[self.everyone]], int)
        self.eatoms = np.zeros(self.nlocal)
        self.energy = 0.0
        self.forces = np.zeros((len(ranks.atoms), 3))

    def forward_exchange(self, copy_from, copy_to, width):
        """Give all ranks' own rows to whoever has ghosts of them."""
        assert copy_from.shape == copy_to.shape == (self.ntotal, width)
        everywhere = self._all_to_all(self.local, copy_from[: self.nlocal])
        copy_to.copy_(everywhere[torch.from_numpy(self.everyone)])

    def reverse_exchange(self, copy_from, copy_to, width):
        """Add what ghosts have got to the atoms that they are images of."""
        assert copy_from.shape == copy_to.shape == (self.ntotal, width)
        everywhere = self._all_to_all(self.everyone, copy_from)
        copy_to.zero_()
        copy_to[: self.nlocal] = everywhere[torch.from_numpy(self.local.copy())]

    def update_pair_forces_gpu(self, forces):
        """Pull the atoms of each pair together."""
        pulls = forces.detach().double().numpy()
        np.add.at(self.forces, self.everyone[self.pair_i], pulls)
        np.add.at(self.forces, self.everyone[self.pair_j], -pulls)

    def _all_to_all(self, atoms, rows):
        ranks = self.ranks
        ranks.sent[self.rank] = atoms, rows.detach().clone()
        ranks.barrier.wait()
        total = rows.new_zeros(len(ranks.atoms), rows.shape[1])
        for of, values in ranks.sent:
            total.index_add_(0, torch.from_numpy(np.ascontiguousarray(of)), values)
        ranks.barrier.wait()
        return total
