"""The report as it is written."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.is2rs.report import writing  # noqa: E402

ABOUT = {"data": "made up", "seconds": {"train": 12.34567}, "pipe": "a|b"}


def read(folder):
    return json.loads(
        (folder / "results.json").read_text("utf-8"), parse_constant=lambda name: pytest.fail(name)
    )


def rows(text, title):
    """Read the table that follows a line, by row and column."""
    lines = text[text.index(f"\n{title}\n") :].splitlines()[3:]
    header, _, *body = [
        [part.strip() for part in line.strip("|").split(" | ")] for line in lines[: lines.index("")]
    ]
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in body}


@pytest.fixture(scope="module")
def output(relax, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    lost = {"s50": "unknown element", "s51": "unknown element", "s52": "a\nline | more"}
    text = writing.write(relax(18, ensemble=True), lost, ABOUT, folder, n_resamples=20)
    assert (folder / "results.md").read_text("utf-8") == text
    return folder, text


def test_what_was_run_and_lost_is_said(output):
    _, text = output
    assert "| data | made up |" in text
    assert "| seconds | train: 12.35 |" in text
    assert "| pipe | a\\|b |" in text
    assert "Of 21 systems, 3 were lost:" in text
    assert "- s50, s51: unknown element" in text
    assert "- s52: a line \\| more" in text


def test_numbers_of_the_tables_are_those_of_the_json(output):
    folder, text = output
    results = read(folder)
    found = results["parts"]["all"]["detection"]["L2 0.3"]
    table = rows(text, "AUROC of L1 and L2:")
    assert list(table) == list(found)
    for name, row in table.items():
        value, low, high, _ = found[name]["auroc"].values()
        assert row["L2 0.3"] == f"{value:.2f} [{low:.2f}, {high:.2f}]"
    by_split = rows(text, "AUROC of L2 0.3 (structure wrong by 0.3 Å or more) by split:")
    assert len(by_split["spread"]) == 3
    assert all("(6 systems, " in title for title in by_split["spread"])


def test_a_label_of_one_class_is_a_dash_with_its_reason(output):
    _, text = output
    table = rows(text, "AUROC of L3 and any:")
    assert {row["L3 1.0"] for row in table.values()} == {"-"}
    assert re.search("\n- .*L3 1.0: all 18 are good, so it is undefined.\n", text)
    assert "AUROC of L3 1.0" not in text


def test_best_and_worst_way_are_said_to_be_hindsight(output):
    folder, text = output
    found = read(folder)["aggregations"]
    ways = {
        name.removeprefix("OOD score, "): each["auroc"]["value"]
        for name, each in found.items()
        if name.startswith("OOD score")
    }
    assert len(ways) == 6
    start = text.index("## By hindsight")
    (line,) = [line for line in text[start:].splitlines() if line.startswith("| OOD score |")][:1]
    best, worst = (part.split(":")[0].strip() for part in line.split("|")[2:4])
    assert ways[best] == max(ways.values())
    assert ways[worst] == min(ways.values())


def test_every_system_is_in_the_json_with_all_its_scores(output):
    folder, _ = output
    systems = read(folder)["systems"]
    assert list(systems) == [f"s{number}" for number in range(18)]
    assert len(systems["s0"]["scores"]) == 5 * 6 + 5
    assert set(systems["s0"]["labels"]) >= {"L1", "L2 0.3", "L4", "any"}


def test_without_true_forces_errors_are_those_on_the_dft_path(relax, tmp_path):
    text = writing.write(relax(6, true_forces=False), {}, ABOUT, tmp_path, 5)
    assert "## Ranking by error on the DFT path" in text
    assert "All of 6 systems were relaxed." in text
    assert "true force error" not in text
    assert "AFbT" not in text


def test_without_any_true_forces_that_is_said(relax, tmp_path):
    unknown = [replace(each, reference=None) for each in relax(6, true_forces=False)]
    assert "No true forces are known." in writing.write(unknown, {}, ABOUT, tmp_path, 5)


def test_where_all_are_alike_there_is_nothing_to_warn_of(relax, tmp_path):
    one = relax(1)
    text = writing.write(one, {}, ABOUT, tmp_path, 5)
    assert "no label has both good and bad relaxations" in text
    assert read(tmp_path)["main label"] is None
    assert "No interval: all are of one cluster." in text


def test_infinite_scores_are_kept_as_words(relax, tmp_path):
    relaxed = relax(6)
    path = replace(relaxed[0].path, ood_score=np.full_like(relaxed[0].path.ood_score, np.inf))
    writing.write([replace(relaxed[0], path=path), *relaxed[1:]], {}, ABOUT, tmp_path, 5)
    found = read(tmp_path)["systems"]["s0"]["scores"]
    assert found["OOD score, last step, max atom"] == "inf"


def test_no_relaxed_system_is_refused_with_the_reasons(tmp_path):
    with pytest.raises(ValueError, match=r"at least one relaxed system, got none. s1: crashed"):
        writing.write([], {"s1": "crashed"}, ABOUT, tmp_path, 5)
    assert not list(tmp_path.iterdir())
