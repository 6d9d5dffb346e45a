"""The report, in Markdown: plain tables, and why a number is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

from benchmarks.harness.tables import markdown_table
from benchmarks.is2rs.measuring.evaluation import Detection, Measured
from benchmarks.is2rs.measuring.labels import DISTANCES, ENERGIES
from benchmarks.is2rs.measuring.one_label import KEPT
from benchmarks.is2rs.measuring.results import ALL
from benchmarks.is2rs.measuring.scores import QUANTITIES, Name
from benchmarks.is2rs.report.numbers import cell, table

__all__ = ["markdown"]

_MEANINGS = {
    "L1": "not converged",
    **{f"L2 {limit}": f"structure wrong by {limit} Å or more" for limit in DISTANCES},
    **{f"L3 {limit}": f"energy wrong by {limit} eV or more" for limit in ENERGIES},
    "L4 dissociated": "adsorbate comes apart",
    "L4 desorbed": "adsorbate leaves the slab",
    "L4 reconstructed": "slab changes its bonds",
    "L4": "wrong bonds: any of these three",
    "any": "any of these labels",
}
_TOGETHER = (("L1", "L2"), ("L3", "any"), ("L4",))  # kinds of labels that share a table

_ENDS = {
    "converged": ("Converged (share)", 2),
    "steps": ("Structures on a path", 1),
    "distance": ("Distance to the reference structure (Å)", 3),
    "energy error": ("Energy error (eV)", 3),
    "force error": ("Force error over steps and atoms (eV/Å)", 3),
    "ADwT": ("ADwT (share)", 3),
    "AFbT": ("AFbT (share)", 3),
}


def markdown(
    about: Mapping[str, Any],
    lost: Mapping[str, str],
    error_name: str,
    measured: Mapping[str, Any],
) -> str:
    """Lay out the report.

    Parameters
    ----------
    about : mapping of str to JSON values
        What was run.
    lost : mapping of str to str
        Names of the systems that could not be relaxed, and why.
    error_name : str
        Of `measuring.ranking.error_name`.
    measured : mapping
        Of `measuring.results.measure_all`.

    Returns
    -------
    str
        The report.
    """
    parts, label = measured["parts"], measured["main label"]
    blocks = [
        "# Which relaxations by the force field cannot be trusted",
        "Intervals, in brackets, are of 95 %, by a bootstrap that draws whole clusters: systems "
        "of one bulk and one adsorbate.",
        *_about(about, lost, parts[ALL]["systems"], measured["models"]),
        *_ends(parts),
        *_detection(parts),
        *(_of_label(measured, label) if label else _without_label()),
        *_ranking(parts, error_name),
        "## What a step costs",
        f"A step of a relaxation, with its uncertainty, takes {cell(measured['cost'])} times as "
        "long as energy and forces alone on the same structures.",
    ]
    return "\n\n".join(blocks) + "\n"


def _about(
    about: Mapping[str, Any], lost: Mapping[str, str], n_relaxed: int, n_models: int
) -> Iterator[str]:
    yield "## What was run"
    yield markdown_table(["", ""], ([name, _text(value)] for name, value in about.items()))
    if lost:
        yield f"Of {n_relaxed + len(lost)} systems, {len(lost)} were lost:"
        reasons = dict.fromkeys(lost.values())
        yield "\n".join(
            f"- {', '.join(sid for sid in lost if lost[sid] == reason)}: {_text(reason)}"
            for reason in reasons
        )
    else:
        yield f"All of {n_relaxed} systems were relaxed."
    if n_models > 1:
        yield (
            f"They were relaxed by {n_models} models, each system by one that had not learnt from "
            "it. Scores of different models are pooled."
        )


def _text(value: Any) -> str:
    """Write a value of what was run on one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(part)}" for name, part in value.items())
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())


def _ends(parts: Mapping[str, Any]) -> Iterator[str]:
    yield "## How the relaxations end"
    titles = [_title(name, part) for name, part in parts.items()]
    rows = [
        [title, *(cell(part["ends"][name], digits) for part in parts.values())]
        for name, (title, digits) in _ENDS.items()
        if any(part["ends"][name].value is not None for part in parts.values())
    ]
    yield markdown_table(["Mean over systems", *titles], rows)
    yield "Shares of bad relaxations, by label:"
    rates = {_title(name, part): part["rates"] for name, part in parts.items()}
    yield from table("Label", rates, lambda label: f"{label}: {_MEANINGS[label]}")
    yield "The labels L4 hold where that happens here and not in the relaxation by the reference."


def _title(name: str, part: Mapping[str, Any]) -> str:
    return f"{name} ({part['systems']} systems, {part['clusters']} clusters)"


def _detection(parts: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Telling bad relaxations from good ones: {_title(ALL, parts[ALL])}"
    yield (
        "Scores of each structure are averaged over the free atoms of adsorbate and surface; the "
        "largest on the path counts. This way was chosen beforehand; others are below."
    )
    found = parts[ALL]["detection"]
    for kinds in _TOGETHER:
        labels = [label for label in found if label.split()[0] in kinds]
        yield f"AUROC of {' and '.join(kinds)}:"
        yield from table("Score", {label: _areas(found[label], "auroc") for label in labels})
    for kinds in _TOGETHER:
        titles = {
            label: f"{label} (base rate {_rate(found[label])})"
            for label in found
            if label.split()[0] in kinds
        }
        yield f"AUPRC of {' and '.join(kinds)}:"
        yield from table(
            "Score", {title: _areas(found[label], "auprc") for label, title in titles.items()}
        )
    splits = {name: part for name, part in parts.items() if name != ALL}
    for label in found if splits else ():
        columns = {
            _title(name, part): _areas(part["detection"][label], "auroc")
            for name, part in splits.items()
        }
        if any(cell.value is not None for column in columns.values() for cell in column.values()):
            yield f"AUROC of {label} ({_MEANINGS[label]}) by split:"
            yield from table("Score", columns)


def _rate(detections: Mapping[str, Detection]) -> str:
    rate = next(iter(detections.values())).base_rate
    return "unknown" if rate is None else f"{rate:.2f}"


def _areas(detections: Mapping[str, Detection], area: str) -> dict[str, Measured]:
    """Take one area by each score, with a reason in words of relaxations where there is none."""
    found = {}
    for name, detection in detections.items():
        measured: Measured = getattr(detection, area)
        if measured.value is None and detection.n:
            kind = "bad" if detection.base_rate else "good"
            measured = Measured(None, reason=f"all {detection.n} are {kind}, so it is undefined.")
        found[name] = measured
    return found


def _without_label() -> Iterator[str]:
    yield "## Warnings"
    yield "There are none to be judged: no label has both good and bad relaxations."


def _of_label(measured: Mapping[str, Any], label: str) -> Iterator[str]:
    """Lay out what is measured of one label, over all systems."""
    of = f"of {label} ({_MEANINGS[label]})"
    yield f"## Early warning {of}"
    yield "AUROC of the same scores on the first structures of a path alone:"
    columns = {
        f"first {n}": _areas(detections, "auroc")
        for n, detections in measured["early warning"].items()
    }
    whole = _areas(measured["parts"][ALL]["detection"][label], "auroc")
    yield from table("Score", columns | {"all": whole})
    yield f"## By hindsight: ways to put steps and atoms together, {of}"
    yield "The best and the worst AUROC of each quantity, which no one could have known before:"
    yield _hindsight(_areas(measured["aggregations"], "auroc"))
    yield f"## Setting the most suspect aside, {of}"
    yield from _risk_coverage(measured["risk-coverage"])
    yield f"## Alarms {of}"
    yield from _alarms(measured["lead time"])


def _hindsight(areas: Mapping[str, Measured]) -> str:
    rows = []
    for quantity in QUANTITIES:
        ways = [
            (area.value, name, area)
            for name, area in areas.items()
            if Name.split(name).quantity == quantity and area.value is not None
        ]
        if ways:
            ends = (choose(ways, key=itemgetter(0)) for choose in (max, min))
            rows.append([quantity, *(_way(Name.split(name), area) for _, name, area in ends)])
    return markdown_table(["Quantity", "Best", "Worst"], rows)


def _way(name: Name, area: Measured) -> str:
    return f"{name.step} step, {name.atom} atom: {cell(area)}"


def _risk_coverage(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    first = next(iter(found.values()))
    aside = f"{100 - 100 * KEPT:.0f} %"
    yield (
        f"The share of bad relaxations among those kept: of all, {first['risk'][-1]:.2f}; averaged "
        f"over the coverages (area, at best {first['least']:.2f}); and where {aside} are set aside."
    )
    yield from table(
        "Score",
        {
            "Area": {name: each["area"] for name, each in found.items()},
            f"{aside} set aside": {name: each["kept"] for name, each in found.items()},
        },
    )


def _alarms(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    def columns(titles: Mapping[str, str]) -> dict[str, dict[str, Measured]]:
        return {
            title: {name: each[field] for name, each in found.items()}
            for field, title in titles.items()
        }

    yield (
        "An alarm is raised at the first structure whose score, averaged over atoms, is above "
        "what 5 % of the good relaxations ever reach (where these are fewer than 20, above what "
        "any does):"
    )
    shares = {"caught": "Bad ones caught", "false_positives": "Good ones that raise it"}
    yield from table("Score", columns(shares))
    yield "From the alarm to the end, of the bad ones caught:"
    yield from table("Score", columns({"steps": "Steps, median"}), digits=0)


def _ranking(parts: Mapping[str, Any], error_name: str) -> Iterator[str]:
    of_all = parts[ALL]["ranking"]
    yield f"## Ranking relaxations by how wrong they are: {_title(ALL, parts[ALL])}"
    yield "Spearman's correlation of the scores of relaxations:"
    yield from table("Score", {name: of_all[name] for name in ("distance", "energy error")})
    yield f"## Ranking by {error_name}"
    if not of_all["steps"]:
        yield "No true forces are known."
        return
    for rows, of in (("steps", "each structure, averaged over atoms"), ("atoms", "each atom")):
        yield f"Spearman's correlation with the {error_name} of {of}:"
        columns = {_title(name, part): part["ranking"][rows] for name, part in parts.items()}
        yield from table("Score", columns)
    scales = [f"{name} {cell(part['ranking']['scale'])}" for name, part in parts.items()]
    yield f"Mean {error_name} over mean expected error: {'; '.join(scales)}."
