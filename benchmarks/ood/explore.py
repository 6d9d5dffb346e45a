"""Try settings of LTAU: choose one on some sets, and confirm it on others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

import ltau
from benchmarks.harness.cells import cached
from benchmarks.harness.files import write_text
from benchmarks.harness.parallel import run_all
from benchmarks.harness.tables import markdown_table
from benchmarks.methods.domains import IN_DOMAIN, Domain
from benchmarks.methods.predictions import ErrorPrediction
from benchmarks.ood.run import Case, Profile, load, train
from benchmarks.ood.settings import FIELDS, PAPER, TABLES, Kind, Setting
from ltau import LTAUEstimator
from ltau.metrics import UndefinedMetricError, crps, spearman

__all__ = ["Trial", "choose", "explore", "write"]

_KINDS = (TABLES, FIELDS)
_TESTS = ("in domain", "shifted")
_METRICS = ("crps", "spearman", "log_ratio", "coverage")
_N_BEST = 10


@dataclass(frozen=True)
class Trial:
    """What a setting reached on one domain; of several shifts the mean."""

    data: str  # name of the set
    domain: str
    seed: int
    setting: Setting
    scores: dict[str, dict[str, float]]  # by "in domain" and "shifted", then by metric


def explore(profile: Profile, output: Path, n_jobs: int = 1) -> list[Trial]:
    """Choose a setting on the sets for that, then try it, and those near it, on all.

    Parameters
    ----------
    profile : Profile
        The domains.
    output : Path
        Folder whose subfolder ``cells`` keeps what is finished.
    n_jobs : int, default=1
        Processes at once, each of one thread.

    Returns
    -------
    list of Trial
        One for each setting and domain.
    """
    cases = train(profile.cases(), output, n_jobs)
    trials: list[Trial] = []
    for kind in _KINDS:
        choosing = [case for case in cases if case.data.name in kind.choosing]
        every = [case for case in cases if case.data.name in (*kind.choosing, *kind.confirming)]
        found = _try([PAPER, *kind.settings()], choosing, output, n_jobs)
        if found:
            near = [setting for _, setting in _named(found, kind)]
            trials += {_key(t): t for t in [*found, *_try(near, every, output, n_jobs)]}.values()
    return trials


def choose(trials: Sequence[Trial], kind: Kind) -> Setting:
    """Choose the setting of the grid with the lowest CRPS on the choosing sets.

    In domain and shifted count alike. The CRPS counts by its ratio to that of the paper's
    setting on the same domain; domains of a set are averaged, then sets, in logarithms.
    """
    return min(kind.settings(), key=lambda setting: _overall(trials, setting, kind.choosing))


def _named(trials: Sequence[Trial], kind: Kind) -> list[tuple[str, Setting]]:
    """Give what is shown of a kind: steps to the default, the chosen one, and those near it."""
    chosen = choose(trials, kind)
    steps = kind.one_after_the_other()
    return [*steps, ("chosen", chosen), ("default", kind.center), *kind.one_at_a_time(kind.center)]


def _key(trial: Trial) -> tuple[str, int, Setting]:
    return trial.domain, trial.seed, trial.setting


def _try(
    settings: Iterable[Setting], cases: Iterable[Case], output: Path, n_jobs: int
) -> list[Trial]:
    tasks = [(case, list(dict.fromkeys(settings)), output / "cells") for case in cases]
    return [trial for part in run_all(_try_case, tasks, n_jobs, "domain") for trial in part]


def _try_case(case: Case, settings: Sequence[Setting], cells: Path) -> list[Trial]:
    """Try settings on one domain, unless that is done; those of one fit share it."""
    domain = load(case, cells)
    config = asdict(case.data) | {"seed": case.seed, "ltau": ltau.__version__}
    fitted: dict[Setting, LTAUEstimator] = {}

    def scores(setting: Setting) -> dict[str, dict[str, float]]:
        if setting.of_fit not in fitted:
            fitted.clear()
            fitted[setting.of_fit] = setting.fit(domain)
        return _scores(setting.predict(fitted[setting.of_fit], domain), domain)

    found = {
        setting: cached(cells, config | {"setting": asdict(setting)}, partial(scores, setting))
        for setting in sorted(settings, key=lambda setting: repr(setting.of_fit))
    }
    return [Trial(case.data.name, case.name, case.seed, each, found[each]) for each in settings]


def _scores(predictions: dict[str, ErrorPrediction], domain: Domain) -> dict[str, dict[str, float]]:
    scores = {}
    for name, prediction in predictions.items():
        e, expected = domain.tests[name].errors, prediction.errors.mean()
        scores[name] = {
            "crps": crps(e, prediction.errors),
            "spearman": _spearman(e, expected),
            "log_ratio": float(np.log(e.mean() / expected.mean())),
            "coverage": float((e <= prediction.bounds[:, 1]).mean()),
        }
    shifts = [values for name, values in scores.items() if name != IN_DOMAIN]
    shifted = {metric: float(np.mean([v[metric] for v in shifts])) for metric in _METRICS}
    worst = max((v["log_ratio"] for v in shifts), key=abs)
    return {"in domain": scores[IN_DOMAIN], "shifted": shifted | {"log_ratio": worst}}


def _spearman(e: np.ndarray, expected: np.ndarray) -> float:
    try:
        return spearman(e, expected)
    except UndefinedMetricError:
        return 0.0  # the same is said of all


def _overall(trials: Sequence[Trial], setting: Setting, sets: Sequence[str]) -> float:
    return float(np.mean([_against_paper(trials, setting, sets, test) for test in _TESTS]))


def _against_paper(
    trials: Sequence[Trial], setting: Setting, sets: Sequence[str], test: str
) -> float:
    """Average the logarithm of the ratio of CRPS over domains, then sets."""
    paper = {_key(t)[:2]: t.scores[test]["crps"] for t in trials if t.setting == PAPER}
    return _over_sets(
        trials, setting, sets, lambda t: np.log(t.scores[test]["crps"] / paper[_key(t)[:2]])
    )


def _over_sets(
    trials: Sequence[Trial],
    setting: Setting,
    sets: Sequence[str],
    value: Callable[[Trial], float],
) -> float:
    """Average over the domains of each set, then over sets; NaN where there are none."""
    by_set: dict[str, list[float]] = {}
    for trial in trials:
        if trial.setting == setting and trial.data in sets:
            by_set.setdefault(trial.data, []).append(value(trial))
    return float(np.mean([np.mean(values) for values in by_set.values()])) if by_set else np.nan


def _score(test: str, metric: str, trial: Trial) -> float:
    return trial.scores[test][metric]


def _squared_log_ratio(test: str, trial: Trial) -> float:
    return trial.scores[test]["log_ratio"] ** 2


def write(trials: Sequence[Trial], output: Path) -> str:
    """Write ``explore.json`` and ``explore.md``; return the Markdown."""
    kinds = [kind for kind in _KINDS if any(t.data in kind.choosing for t in trials)]
    results = {
        "kinds": [asdict(kind) | {"chosen": asdict(choose(trials, kind))} for kind in kinds],
        "trials": [asdict(trial) for trial in trials],
    }
    write_text(output / "explore.json", json.dumps(results))
    text = "\n\n".join(
        f"## {title}\n\n{table}" for kind in kinds for title, table in _tables(trials, kind).items()
    )
    write_text(output / "explore.md", text + "\n")
    return text + "\n"


def _tables(trials: Sequence[Trial], kind: Kind) -> dict[str, str]:
    named = _named(trials, kind)
    best = sorted(kind.settings(), key=lambda s: _overall(trials, s, kind.choosing))[:_N_BEST]
    listed = ", ".join(kind.choosing)
    tables = {
        f"The {_N_BEST} best, {kind.name} ({listed})": _table(
            trials, [(_describe(setting, kind), setting) for setting in best], kind.choosing
        )
    }
    sets = {"choosing": kind.choosing, "confirming": kind.confirming}
    each = {name: (name,) for name in (*kind.choosing, *kind.confirming)}
    for purpose, names in (sets | each).items():
        if any(trial.data in names for trial in trials):
            what = ", ".join(dict.fromkeys((purpose, *names)))
            tables[f"Settings, {kind.name}: {what}"] = _table(trials, named, names)
    return tables


def _describe(setting: Setting, kind: Kind) -> str:
    levels = (f"{name} {getattr(setting, name)}" for name in kind.grid)
    return ", ".join([f"{setting.stretch} {setting.distance_scaling:g}", *levels])


def _table(
    trials: Sequence[Trial], named: Sequence[tuple[str, Setting]], sets: Sequence[str]
) -> str:
    """CRPS against that of the paper in %, rank correlation, scale and coverage.

    The scale is the root mean square of the logarithm of true over expected mean error.
    """
    rows = []
    for name, setting in named:
        row = [name]
        for test in _TESTS:
            change = 100 * np.expm1(_against_paper(trials, setting, sets, test))
            rho = _over_sets(trials, setting, sets, partial(_score, test, "spearman"))
            scale = _over_sets(trials, setting, sets, partial(_squared_log_ratio, test)) ** 0.5
            inside = _over_sets(trials, setting, sets, partial(_score, test, "coverage"))
            row += [f"{change:+.1f}", f"{rho:.3f}", f"{scale:.2f}", f"{inside:.3f}"]
        rows.append(row)
    columns = ("CRPS, %", "Spearman", "Scale", "Coverage, 90 %")
    header = [f"{what}, {test}" for test in _TESTS for what in columns]
    return markdown_table(["Setting", *header], rows)
