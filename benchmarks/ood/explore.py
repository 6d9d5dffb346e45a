"""Try settings of LTAU: choose one on some sets, and confirm it on others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import ltau
from benchmarks.harness.cells import cached
from benchmarks.harness.files import write_text
from benchmarks.harness.parallel import run_all
from benchmarks.harness.tables import markdown_table
from benchmarks.methods.domains import IN_DOMAIN, Domain
from benchmarks.ood.run import Case, Profile, load, train
from benchmarks.ood.settings import (
    CHOOSING,
    CONFIRMING,
    PAPER,
    USED,
    Setting,
    grid,
    one_at_a_time,
)
from ltau.metrics import UndefinedMetricError, crps, spearman

__all__ = ["Trial", "choose", "explore", "write"]

_TESTS = ("in domain", "shifted")
_METRICS = ("crps", "spearman", "ratio")
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
    choosing = [case for case in cases if case.data.name in CHOOSING]
    trials = _try([PAPER, USED, *grid()], choosing, output, n_jobs)
    chosen = choose(trials)
    near = [PAPER, USED, chosen, *(setting for _, setting in one_at_a_time(chosen))]
    return list({_key(t): t for t in [*trials, *_try(near, cases, output, n_jobs)]}.values())


def choose(trials: Sequence[Trial]) -> Setting:
    """Choose the setting of the grid with the lowest CRPS, in domain and shifted, on `CHOOSING`.

    The CRPS counts by its ratio to that of the paper's setting on the same domain; domains of a
    set are averaged, then sets, in logarithms.
    """
    return min(grid(), key=lambda setting: _overall(trials, setting, CHOOSING))


def _key(trial: Trial) -> tuple[str, int, Setting]:
    return trial.domain, trial.seed, trial.setting


def _try(
    settings: Iterable[Setting], cases: Iterable[Case], output: Path, n_jobs: int
) -> list[Trial]:
    tasks = [(case, list(dict.fromkeys(settings)), output / "cells") for case in cases]
    return [trial for part in run_all(_try_case, tasks, n_jobs, "domain") for trial in part]


def _try_case(case: Case, settings: Sequence[Setting], cells: Path) -> list[Trial]:
    """Try settings on one domain, unless that is done."""
    domain = load(case, cells)
    return [
        Trial(case.data.name, case.name, case.seed, setting, _trial(case, setting, domain, cells))
        for setting in settings
    ]


def _trial(
    case: Case, setting: Setting, domain: Domain, cells: Path
) -> dict[str, dict[str, float]]:
    if domain.train.classes is None:  # then strata change nothing
        setting = replace(setting, strata=False)
    config = asdict(case.data) | {"seed": case.seed, "ltau": ltau.__version__}
    return cached(cells, config | {"setting": asdict(setting)}, lambda: _scores(setting, domain))


def _scores(setting: Setting, domain: Domain) -> dict[str, dict[str, float]]:
    scores = {}
    for name, distribution in setting.predict(domain).items():
        e, expected = domain.tests[name].errors, distribution.mean()
        scores[name] = {
            "crps": crps(distribution, e),
            "spearman": _spearman(e, expected),
            "ratio": float(e.mean() / expected.mean()),
        }
    shifts = [values for name, values in scores.items() if name != IN_DOMAIN]
    shifted = {metric: float(np.mean([v[metric] for v in shifts])) for metric in _METRICS}
    return {"in domain": scores[IN_DOMAIN], "shifted": shifted}


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


def _log_ratio(test: str, trial: Trial) -> float:
    return float(np.log(_score(test, "ratio", trial)))


def write(trials: Sequence[Trial], output: Path) -> str:
    """Write ``explore.json`` and ``explore.md``; return the Markdown."""
    results = {
        "choosing": CHOOSING,
        "confirming": CONFIRMING,
        "chosen": asdict(choose(trials)),
        "trials": [asdict(trial) for trial in trials],
    }
    write_text(output / "explore.json", json.dumps(results))
    text = _markdown(trials)
    write_text(output / "explore.md", text)
    return text


def _markdown(trials: Sequence[Trial]) -> str:
    chosen = choose(trials)
    best = sorted(grid(), key=lambda setting: _overall(trials, setting, CHOOSING))
    named = [("paper", PAPER), ("chosen", chosen), ("as compared", USED)]
    named += one_at_a_time(chosen)
    tables = {
        f"The {_N_BEST} best on the choosing sets ({', '.join(CHOOSING)})": _table(
            trials, [(s.name, s) for s in best[:_N_BEST]], CHOOSING
        ),
        "Chosen": chosen.name,
        "One thing changed, choosing sets": _table(trials, named, CHOOSING),
        f"One thing changed, confirming sets ({', '.join(CONFIRMING)})": _table(
            trials, named, CONFIRMING
        ),
    }
    for name in dict.fromkeys(t.data for t in trials):
        tables[f"One thing changed, {name}"] = _table(trials, named, [name])
    return "\n\n".join(f"## {title}\n\n{table}" for title, table in tables.items()) + "\n"


def _table(
    trials: Sequence[Trial], named: Sequence[tuple[str, Setting]], sets: Sequence[str]
) -> str:
    """CRPS against that of the paper in %, rank correlation and scale, in domain and shifted."""
    rows = []
    for name, setting in named:
        row = [name]
        for test in _TESTS:
            change = 100 * np.expm1(_against_paper(trials, setting, sets, test))
            rho = _over_sets(trials, setting, sets, partial(_score, test, "spearman"))
            ratio = _over_sets(trials, setting, sets, partial(_log_ratio, test))
            row += [f"{change:+.1f}", f"{rho:.3f}", f"{np.exp(ratio):.2f}"]
        rows.append(row)
    header = [f"{what}, {test}" for test in _TESTS for what in ("CRPS, %", "Spearman", "Ratio")]
    return markdown_table(["Setting", *header], rows)
