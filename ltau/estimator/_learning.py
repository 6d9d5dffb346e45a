"""From training samples to what a fit leaves."""

from __future__ import annotations

from dataclasses import dataclass

from ltau._fitted.densities import TrainingDensities
from ltau._fitted.merged import Merged
from ltau._fitted.samples import TrainingSamples
from ltau._fitted.state import Fitted
from ltau._fitted.targets import mean_targets
from ltau._fitted.training_scores import rows_to_rank
from ltau._prototypes.condense import condense
from ltau._prototypes.measure import measure_members
from ltau.neighbors import (
    LatentIndex,
    ScaledStratum,
    common_groups,
    merge_coincident,
    n_threads,
    scale_strata,
)

__all__ = ["Learner"]


@dataclass(frozen=True)
class Learner:
    """Makes an index and densities of training samples.

    Parameters
    ----------
    n_neighbors, scaling, index, recall, memory_limit, n_jobs, random_state
        As in `LTAUEstimator`.
    """

    n_neighbors: int
    scaling: str
    index: str
    recall: float
    memory_limit: int | None
    n_jobs: int | None
    random_state: int | None

    def learn(self, samples: TrainingSamples, n_prototypes: int | None = None) -> Fitted:
        """Learn from all samples, or from prototypes of them.

        Parameters
        ----------
        samples : TrainingSamples
            The training samples.
        n_prototypes : int or None
            Number of prototypes; None keeps all samples.

        Returns
        -------
        Fitted
            What was learnt.

        Raises
        ------
        ValueError
            As `LTAUEstimator.fit`.
        """
        with n_threads(self.n_jobs):
            strata = scale_strata(
                samples.latents,
                samples.strata,
                self.scaling,
                kind=self.index,
                memory_limit=self.memory_limit,
            )
            if n_prototypes is None:
                return self._keep_all(samples, strata)
            return self._condense(samples, strata, n_prototypes)

    def _keep_all(self, samples: TrainingSamples, strata: list[ScaledStratum]) -> Fitted:
        histogram = samples.trajectories.count(samples.bins)
        distinct, owners = merge_coincident(strata)
        index = self._make_index(distinct)
        densities = TrainingDensities.from_histogram(histogram)
        targets = None if samples.targets is None else mean_targets(samples.targets, owners)
        groups = None if samples.groups is None else common_groups(samples.groups, owners)
        merged = None if owners is None else Merged(owners, densities)
        together = densities if merged is None else merged.together()
        return Fitted(index, together, merged, targets=targets, groups=groups)

    def _condense(
        self, samples: TrainingSamples, strata: list[ScaledStratum], n_prototypes: int
    ) -> Fitted:
        prototypes, owners = condense(strata, n_prototypes, self.n_neighbors, self.random_state)
        index = self._make_index(prototypes)
        histogram = samples.trajectories.count_together(samples.bins, owners, len(index))
        targets = None if samples.targets is None else mean_targets(samples.targets, owners)
        ranked = rows_to_rank(len(owners))
        own, members = measure_members(index, samples, owners, self.n_neighbors, ranked, targets)
        densities = TrainingDensities.from_histogram(histogram)
        return Fitted(index, densities, None, members, own, targets)

    def _make_index(self, strata: list[ScaledStratum]) -> LatentIndex:
        return LatentIndex.build(
            strata,
            kind=self.index,
            n_neighbors=self.n_neighbors,
            recall=self.recall,
            memory_limit=self.memory_limit,
            random_state=self.random_state,
        )
