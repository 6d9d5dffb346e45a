"""How much is run."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.harness.nequip_training import Training
from benchmarks.is2rs.sources.emt import EMTSet

__all__ = ["EMT", "OC20", "QUICK", "Profile"]


@dataclass(frozen=True)
class Profile:
    """How much is run.

    Parameters
    ----------
    training : Training
        How models are trained; their elements are those of the data.
    n_frames : int
        Frames of each system that they learn from.
    n_members : int
        Models of the ensemble, with the one that relaxes; 1 for none.
    tolerance : float
        Error of a force that P(error > tolerance) is about, in eV/Å.
    n_resamples : int
        Of the bootstrap.
    emt : EMTSet or None
        What is made where no data are given.
    """

    training: Training
    n_frames: int
    n_members: int
    tolerance: float
    n_resamples: int
    emt: EMTSet | None


# Errors are recorded after each epoch, of the averaged weights that are kept.
EMT = Profile(
    Training((), r_max=4.5, n_features=32, n_epochs=50, modes=("eval",)),
    n_frames=10,
    n_members=4,
    tolerance=0.2,
    n_resamples=1000,
    emt=EMTSet(n_train=80, n_each=24),
)
QUICK = Profile(
    Training((), r_max=4.0, n_features=8, n_epochs=6, modes=("eval",)),
    n_frames=4,
    n_members=2,
    tolerance=0.2,
    n_resamples=50,
    emt=EMTSet(n_train=14, n_each=2),
)
OC20 = Profile(
    # Of the few systems that a sample may have, some hold elements that no other one has.
    Training((), r_max=5.0, n_features=32, n_epochs=30, modes=("eval",), scale="forces_rms"),
    n_frames=25,
    n_members=1,
    tolerance=0.2,
    n_resamples=1000,
    emt=None,
)
