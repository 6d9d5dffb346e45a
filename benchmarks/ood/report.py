"""What the benchmark writes: all measurements and the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.harness.files import write_text
from benchmarks.harness.tables import Mean, markdown_table
from benchmarks.methods.domains import IN_DOMAIN
from benchmarks.ood.run import Cell, Profile
from benchmarks.ood.scoring import Score
from benchmarks.ood.settings import CHOOSING

__all__ = ["average", "markdown", "write"]

_SCORES = {
    "spearman": "Spearman",
    "spearman_within": "within class",
    "spearman_structures": "of structures",
    "ratio": "Ratio",
    "miscalibration": "Miscal. area",
    "coverage_50": "Coverage, 50 %",
    "coverage_90": "Coverage, 90 %",
    "crps": "CRPS",
    "risk": "Risk area",
    "auroc": "AUROC",
    "auprc": "AUPRC",
}
_RELATIVE = ("crps", "risk")  # over sets, in units of the constant's
_SCALE = "Scale"  # over sets: root mean square of the logarithm of the ratio
_REFERENCE = "Constant"


def write(cells: Sequence[Cell], profile: Profile, output: Path) -> str:
    """Write ``results.json`` and ``results.md``; return the Markdown."""
    measurements = {"profile": asdict(profile), "cells": [asdict(cell) for cell in cells]}
    write_text(output / "results.json", json.dumps(measurements, indent=1))
    text = markdown(cells)
    write_text(output / "results.md", text)
    return text


def markdown(cells: Sequence[Cell]) -> str:
    """Lay out the scores on each test, those over the tables, and the costs."""
    tables = {}
    for domain in dict.fromkeys(cell.domain for cell in cells):
        of_domain = [cell for cell in cells if cell.domain == domain]
        for test in of_domain[0].result["tests"]:
            tables[_title(of_domain, test)] = _scores(of_domain, test)
        tables[f"{domain}: costs"] = _costs(of_domain)
    tabular = [cell for cell in cells if ", " in cell.domain]
    for shift in dict.fromkeys(cell.domain.split(", ")[1] for cell in tabular):
        shifted = [cell for cell in tabular if cell.domain.endswith(f", {shift}")]
        for test in (IN_DOMAIN, shift):
            for purpose, part in _by_purpose(shifted).items():
                tables[f"Tabular, {shift} held out: {test}, {purpose}"] = _over_sets(part, test)
    return "\n\n".join(f"## {title}\n\n{table}" for title, table in tables.items()) + "\n"


def average(cells: Sequence[Cell], method: str, test: str, score: str) -> Score | None:
    """Average a score, and the ends of its interval, over seeds."""
    found = [c.result["tests"][test].get(score) for c in cells if c.method == method]
    if not found or None in found:
        return None
    value, low, high = np.mean(found, axis=0).tolist()
    return value, low, high


def _title(cells: Sequence[Cell], test: str) -> str:
    error = average(cells, cells[0].method, test, "error")
    assert error is not None
    return f"{cells[0].domain}: {test} (mean error {error[0]:.3f} {cells[0].result['unit']})"


def _methods(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.method for cell in cells))


def _scores(cells: Sequence[Cell], test: str) -> str:
    """One test set: values with 95 % intervals by a bootstrap of structures."""
    known = [s for s in _SCORES if any(s in c.result["tests"][test] for c in cells)]
    rows = [
        [method, *(_format(average(cells, method, test, s)) for s in known)]
        for method in _methods(cells)
    ]
    return markdown_table(["Method", *(_SCORES[s] for s in known)], rows)


def _format(score: Score | None) -> str:
    return "-" if score is None else "{:.3f} [{:.3f}, {:.3f}]".format(*score)


def _costs(cells: Sequence[Cell]) -> str:
    """Processor time, in units of the model's own training and pass."""
    rows = []
    for method in _methods(cells):
        results = [cell.result for cell in cells if cell.method == method]
        costs = [np.mean([r[name] for r in results]) for name in ("training", "prediction")]
        rows.append([method, f"{costs[0]:.2f}", f"{costs[1]:.2f}"])
    return markdown_table(["Method", "Training", "Prediction"], rows)


def _by_purpose(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Tell the sets on which settings of LTAU were chosen from the others."""
    chosen = [cell for cell in cells if cell.domain.split(", ")[0] in CHOOSING]
    others = [cell for cell in cells if cell not in chosen]
    named = {"choosing sets": chosen, "confirming sets": others}
    return {name: part for name, part in named.items() if part}


def _over_sets(cells: Sequence[Cell], test: str) -> str:
    """Average over seeds, then over sets, with the standard error over sets."""
    known = [s for s in _SCORES if any(s in c.result["tests"][test] for c in cells)]
    rows = [
        [
            method,
            *(_over_domains(cells, method, test, s) for s in known),
            f"{_scale(cells, method, test):.2f}",
        ]
        for method in _methods(cells)
    ]
    relative = [f"{_SCORES[s]}, relative" if s in _RELATIVE else _SCORES[s] for s in known]
    return markdown_table(["Method", *relative, _SCALE], rows)


def _scale(cells: Sequence[Cell], method: str, test: str) -> float:
    """Tell how far sizes of errors are off, over all cells."""
    tests = [cell.result["tests"][test] for cell in cells if cell.method == method]
    return float(np.sqrt(np.mean([np.log(scores["ratio"][0]) ** 2 for scores in tests])))


def _over_domains(cells: Sequence[Cell], method: str, test: str, score: str) -> str:
    """Average one score; those that are relative, and the ratio, in logarithms."""
    in_logarithms = score in (*_RELATIVE, "ratio")
    values = []
    for domain in dict.fromkeys(cell.domain for cell in cells):
        of_domain = [cell for cell in cells if cell.domain == domain]
        found = average(of_domain, method, test, score)
        unit = average(of_domain, _REFERENCE, test, score) if score in _RELATIVE else None
        value = np.nan if found is None else found[0] / (unit[0] if unit else 1.0)
        values.append(np.log(value) if in_logarithms else value)
    mean = Mean.of(values)
    if in_logarithms:
        center = float(np.exp(mean.value))
        mean = Mean(center, center * mean.error, mean.n)
    return mean.format(3)
