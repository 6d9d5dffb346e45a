"""The stages of the benchmark; what one has finished is kept, and not done again."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

import ltau
from benchmarks.harness.files import whole_folder, write_text
from benchmarks.harness.nequip_training import CHECKPOINT
from benchmarks.is2rs.measuring.judging import Relaxed, along_reference, with_truth
from benchmarks.is2rs.measuring.labels import judge
from benchmarks.is2rs.profiles import Profile
from benchmarks.is2rs.relaxing.each_system import for_each, lost
from benchmarks.is2rs.relaxing.folds import Fold, folds, one_for_all
from benchmarks.is2rs.relaxing.force_field import ForceField, Models
from benchmarks.is2rs.relaxing.paths import Path as Steps
from benchmarks.is2rs.relaxing.relaxation import OPTIMIZERS, relax, step_costs
from benchmarks.is2rs.relaxing.training import fit, train
from benchmarks.is2rs.sources import Source, emt, open_source
from benchmarks.is2rs.sources.mapping import NAME, write_mapping
from benchmarks.is2rs.sources.systems import System
from benchmarks.is2rs.sources.trajectories import write_trajectories

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["STAGES", "Benchmark", "Given"]

STAGES = ("data", "train", "fit", "relax", "judge")


@dataclass(frozen=True)
class Given:
    """A force field that was trained elsewhere, and the estimator of its errors."""

    model: Path
    estimator: Path


class Benchmark:
    """The benchmark on one set of data.

    Parameters
    ----------
    profile : Profile
        How much is run.
    output : Path
        Folder for everything; what is finished there is not done again.
    data : Path or None
        Folder of data in a layout of OC20; by default they are made, by the effective-medium
        theory.
    limit : int or None
        The most systems of each split; all by default.
    given : Given or None
        What relaxes, instead of models that are trained here.
    optimizer : str
        One of `OPTIMIZERS`.
    n_jobs : int
        Processes at once, each of one thread.
    workers : int, distributed.Client or None
        What relaxes and judges, as in `for_each`; by default so many processes too.

    Raises
    ------
    ValueError
        If the output folder has results of other settings.
    """

    def __init__(
        self,
        profile: Profile,
        output: Path,
        *,
        data: Path | None = None,
        limit: int | None = None,
        given: Given | None = None,
        optimizer: str = "LBFGS",
        n_jobs: int = 1,
        workers: int | Client | None = None,
    ) -> None:
        self.profile = profile
        self.output = output
        self.data_folder = output / "data" if data is None else data
        self.makes_data = data is None
        self.limit = limit
        self.given = given
        self.optimizer = optimizer
        self.n_jobs = n_jobs
        self.workers = n_jobs if workers is None else workers
        self._keep_settings()

    def run(self, until: str = STAGES[-1]) -> None:
        """Do the stages up to one of them, and note how long each took.

        Parameters
        ----------
        until : {"data", "train", "fit", "relax", "judge"}
            The last one.
        """
        for stage in STAGES[: STAGES.index(until) + 1]:
            start = time.perf_counter()
            getattr(self, stage)()
            seconds = self.seconds()
            seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start
            _write_json(self._seconds_file, seconds)

    def seconds(self) -> dict[str, float]:
        """Tell how long each stage took, over all runs."""
        if not self._seconds_file.is_file():
            return {}
        seconds: dict[str, float] = json.loads(self._seconds_file.read_text("utf-8"))
        return seconds

    def data(self) -> None:
        """Make the data, if they are not given, in OC20's layout."""
        if not self.makes_data or self.data_folder.is_dir():
            return
        size = self.profile.emt
        if size is None:
            raise ValueError("Expected data, or a profile of how many are made, got neither.")
        systems = list(tqdm(emt.systems(size), total=size.n_systems, desc="data", unit="system"))
        with whole_folder(self.data_folder) as folder:
            write_trajectories(systems, folder)
            write_mapping(systems, folder / NAME)

    @cached_property
    def folds(self) -> list[Fold]:
        """Which systems train a model, and which it relaxes."""
        splits = _source(self.data_folder, self.limit).splits()
        return folds(splits) if self.given is None else [one_for_all(splits)]

    def train(self) -> None:
        """Train the models of every fold, if none is given."""
        if self.given is not None:
            return
        members = range(self.profile.n_members)
        tasks = [(fold, member) for member in members for fold in self.folds]
        with ThreadPoolExecutor(self.n_jobs) as pool:  # each training is a process of its own
            trained = pool.map(lambda task: self._train(*task), tasks)
            for _ in tqdm(trained, total=len(tasks), desc="train", unit="model"):
                pass

    def fit(self) -> None:
        """Fit the estimators of the first model of every fold."""
        if self.given is not None:
            return
        unfitted = [fold for fold in self.folds if not self.models(fold).estimator.is_file()]
        for fold in tqdm(unfitted, desc="fit", unit="fold"):
            met = {symbol for sid in fold.relax for symbol in self._elements[sid]}
            fit(self._folder(fold) / "model-0", met, self.models(fold).estimator)

    def relax(self) -> None:
        """Relax all systems."""
        for fold in self.folds:
            task = partial(_relax, self.data_folder, self.limit, self.models(fold), self.optimizer)
            for_each(task, fold.relax, self._folder(fold) / "relaxed", self.workers, "relax")

    def judge(self) -> None:
        """Compare what was relaxed with the reference method."""
        for fold in self.folds:
            folder = self._folder(fold)
            relaxed = [sid for sid in fold.relax if (folder / "relaxed" / f"{sid}.npz").is_file()]
            task = partial(_judge, self.data_folder, self.limit, self.models(fold), self.makes_data)
            for_each(task, relaxed, folder / "judged", self.workers, "judge")

    def results(self) -> tuple[list[Relaxed], dict[str, str]]:
        """Give what was relaxed and judged, and the reasons of what was lost."""
        relaxed: list[Relaxed] = []
        reasons: dict[str, str] = {}
        for fold in self.folds:
            folder = self._folder(fold)
            gone = lost(fold.relax, folder / "relaxed") | lost(fold.relax, folder / "judged")
            reasons |= gone
            for sid in fold.relax:
                if sid not in gone:
                    relaxed.append(_read(self._system(fold, sid), fold.name, folder / "judged"))
        return relaxed, reasons

    def models(self, fold: Fold) -> Models:
        """Name the files of what relaxes the systems of a fold."""
        tolerance = self.profile.tolerance
        if self.given is not None:
            return Models(self.given.model, self.given.estimator, (), tolerance)
        folder = self._folder(fold)
        checkpoints = [
            folder / f"model-{member}" / CHECKPOINT for member in range(self.profile.n_members)
        ]
        estimator = folder / "estimator.ltau"
        return Models(checkpoints[0], estimator, tuple(checkpoints[1:]), tolerance)

    def _train(self, fold: Fold, member: int) -> None:
        folder = self._folder(fold) / f"model-{member}"
        if folder.is_dir():
            return
        source = _source(self.data_folder, self.limit)
        systems = [source.load(sid) for sid in fold.train]
        met = {symbol for sid in (*fold.train, *fold.relax) for symbol in self._elements[sid]}
        training = replace(
            self.profile.training,
            elements=tuple(sorted(met)),
            modes=self.profile.training.modes if member == 0 else (),
            energy_weight=float(all(s.reference_energy is not None for s in systems)),
        )
        train(training, member, systems, self.profile.n_frames, folder)

    def _system(self, fold: Fold, sid: str) -> System:
        """Give a system that was relaxed; if the data have no splits, elements make them."""
        system = _source(self.data_folder, self.limit).load(sid)
        if system.split != "all" or self.given is not None:
            return system
        learnt = set().union(*(self._elements[other] for other in fold.train))
        seen = self._elements[sid] <= learnt
        return replace(system, split="elements seen" if seen else "elements unseen")

    @cached_property
    def _elements(self) -> dict[str, set[str]]:
        """The elements of each system."""
        source = _source(self.data_folder, self.limit)
        return {
            sid: set(source.load(sid).initial.get_chemical_symbols())
            for fold in self.folds
            for sid in (*fold.train, *fold.relax)
        }

    def _folder(self, fold: Fold) -> Path:
        return self.output / fold.name

    @property
    def _seconds_file(self) -> Path:
        return self.output / "seconds.json"

    def settings(self) -> dict[str, Any]:
        """Give all that the results depend on, as JSON has it."""
        given = None if self.given is None else [str(file) for file in vars(self.given).values()]
        settings: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "profile": asdict(self.profile),
                    "data": "emt" if self.makes_data else str(self.data_folder.resolve()),
                    "limit": self.limit,
                    "given": given,
                    "optimizer": self.optimizer,
                    "ltau": ltau.__version__,
                }
            )
        )
        return settings

    def _keep_settings(self) -> None:
        """Note the settings of the folder, or refuse one of others."""
        settings, path = self.settings(), self.output / "settings.json"
        if not path.is_file():
            _write_json(path, settings)
        elif (before := json.loads(path.read_text("utf-8"))) != settings:
            raise ValueError(
                f"Expected in {self.output} the results of {settings}, got those of {before}: "
                "choose another output folder."
            )


@lru_cache(maxsize=1)
def _source(folder: Path, limit: int | None) -> Source:
    return open_source(folder, limit)


def _relax(
    data: Path, limit: int | None, models: Models, optimizer: str, sid: str, result: Path
) -> None:
    system, force_field = _source(data, limit).load(sid), ForceField.load(models)
    path = relax(system, force_field, OPTIMIZERS[optimizer])
    step, forward = step_costs(path, force_field.calculator)
    costs = {"step_seconds": step, "forward_seconds": forward}
    _write_json(result.with_suffix(".json"), costs)
    path.save(result)


def _judge(
    data: Path, limit: int | None, models: Models, knows_forces: bool, sid: str, result: Path
) -> None:
    system = _source(data, limit).load(sid)
    relaxed = result.parents[1] / "relaxed" / result.name
    values = json.loads(relaxed.with_suffix(".json").read_text("utf-8"))
    path, values["final_force"] = Steps.load(relaxed), None
    if knows_forces:
        path, values["final_force"] = with_truth(path, emt.reference_forces)
    reference = along_reference(system, ForceField.load(models))
    if reference is not None:
        reference.save(_reference_file(result))
    _write_json(result.with_suffix(".json"), values)
    path.save(result)


def _read(system: System, fold: str, folder: Path) -> Relaxed:
    path = Steps.load(folder / f"{system.sid}.npz")
    reference_file = _reference_file(folder / f"{system.sid}.npz")
    reference = Steps.load(reference_file) if reference_file.is_file() else None
    values = json.loads((folder / f"{system.sid}.json").read_text("utf-8"))
    return Relaxed(system, fold, path, reference, judge(system, path), **values)


def _reference_file(result: Path) -> Path:
    return result.with_suffix(".reference")


def _write_json(path: Path, values: Any) -> None:
    write_text(path, json.dumps(values, indent=1))
