"""The page of structures: what is in it, what it says, and what it refuses."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from ltau.plotting import write_report


class Page(HTMLParser):
    """What a page says, what it holds as data, and what it would load."""

    def __init__(self, path):
        super().__init__()
        self.text, self.links, self.scripts, self._tag = "", [], [], ""
        self.feed(Path(path).read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self._tag == "script":
            self.scripts[-1] += data
        elif self._tag != "style":
            self.text += data

    def handle_endtag(self, tag):
        self._tag = ""

    @property
    def data(self):
        return json.loads(self.scripts[0])


@pytest.fixture
def page(tmp_path):
    def write(frames, **options):
        said = write_report(tmp_path / "report.html", frames, **options)
        written = Page(tmp_path / "report.html")
        assert said in written.text
        return written

    return write


def with_columns(n_atoms, error=0.5, score=1.0):
    atoms = Atoms(f"H{n_atoms}", np.arange(3.0 * n_atoms).reshape(-1, 3))
    atoms.arrays["forces_uncertainty"] = np.full(n_atoms, error)
    atoms.arrays["ood_score"] = np.full(n_atoms, score)
    return atoms


def test_the_page_holds_frames_of_different_atoms_and_loads_nothing(frames, page):
    written = page(frames)
    data = written.data
    assert [frame["numbers"] for frame in data["frames"]] == [f.numbers.tolist() for f in frames]
    np.testing.assert_allclose(
        data["frames"][1]["values"]["forces_uncertainty"],
        frames[1].arrays["forces_uncertainty"],
        rtol=1e-4,
    )
    assert {each["symbol"] for each in data["elements"].values()} == {"H", "C", "Cu"}
    assert data["frames"][0]["cell"] == frames[0].cell.array.tolist()
    assert data["frames"][1]["cell"] is None
    assert written.links == []
    assert "http" not in written.text + "".join(written.scripts)
    assert "Drawn: 13 atoms of 3 frames, all." in written.text


def test_what_is_not_known_is_said_and_no_number(frames, page):
    written = page(frames)
    assert written.data["frames"][2]["values"] == {
        "forces_uncertainty": [None],
        "ood_score": [None],
    }
    assert "1 of 13 atoms: NaN" in written.text


def test_frames_without_columns_beside_others_are_unknown(frames, page):
    del frames[0].arrays["ood_score"], frames[0].arrays["forces_uncertainty"]
    written = page(frames)
    assert written.data["frames"][0]["values"]["ood_score"] == [None] * 4
    assert "5 of 13 atoms" in written.text


def test_infinite_scores_are_drawn_and_called_infinite(page):
    written = page([with_columns(2, score=np.inf)])
    assert written.data["frames"][0]["values"]["ood_score"] == [1e300, 1e300]
    assert "largest ∞" in written.text


def test_names_are_text_whatever_they_hold(frames, page, tmp_path):
    bad = "</script><script>alert(1)</script><b>&amp;"
    frames[0].info["reason"] = bad
    written = page(frames, title=bad)
    assert written.data["frames"][0]["reason"] == bad
    assert len(written.scripts) == 2
    assert bad in written.text
    assert "<b>" not in (tmp_path / "report.html").read_text("utf-8")


def test_true_errors_are_those_of_the_labels(frames, page):
    errors = [np.linspace(0.1, 1, len(atoms)) for atoms in frames]
    rng = np.random.default_rng(0)
    truth = []
    for atoms, lengths in zip(frames, errors, strict=True):
        ways = rng.normal(size=(len(atoms), 3))
        ways *= lengths[:, None] / np.linalg.norm(ways, axis=1, keepdims=True)
        true = atoms.copy()
        true.calc = SinglePointCalculator(true, forces=atoms.calc.results["forces"] + ways)
        truth.append(true)
    data = page(frames, truth=truth).data
    for frame, expected in zip(data["frames"], errors, strict=True):
        np.testing.assert_allclose(frame["values"]["forces_error"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda truth: truth.pop(), "Expected 3 labelled structures, got 2"),
        (lambda truth: truth[1].rattle(0.1), "same structures, labelled: frame 1 has other"),
        (lambda truth: truth[1].numbers.sort(), "frame 1 has other elements"),
        (lambda truth: setattr(truth[1], "calc", None), "true forces in all frames, got frame 1"),
    ],
)
def test_labels_of_other_structures_are_refused(frames, page, change, message):
    truth = [atoms.copy() for atoms in frames]
    for true, atoms in zip(truth, frames, strict=True):
        true.calc = atoms.calc
    change(truth)
    with pytest.raises(ValueError, match=message):
        page(frames, truth=truth)


def test_of_many_frames_the_page_says_which_are_drawn(page):
    frames = [with_columns(2, error=0.1 + 0.01 * (i == 7777)) for i in range(10_000)]
    written = page(frames, n_atoms=1000)
    (said,) = re.findall(r"Drawn: \S+ of 20,000 atoms.*distances\.", written.text)
    assert said == (
        "Drawn: 1,000 of 20,000 atoms, 500 of 10,000 frames: the 250 frames of the largest "
        "expected errors and 250 frames at even distances."
    )
    names = [frame["name"] for frame in written.data["frames"]]
    assert len(names) == 500
    assert "frame 7777" in names
    assert "frame 9999" in names


def test_dumps_of_lammps_are_known_by_their_own_names(page):
    atoms = with_columns(2, error=0.3, score=1.2)
    for name, dumped in {"forces_uncertainty": "unc", "ood_score": "ood"}.items():
        atoms.arrays[f"d_ltau_{dumped}"] = atoms.arrays.pop(name)
    assert page([atoms]).data["frames"][0]["values"] == {
        "forces_uncertainty": [0.3, 0.3],
        "ood_score": [1.2, 1.2],
    }


def test_frames_without_steps_are_not_marked_over_those_of_a_table(frames, page, tmp_path):
    table = tmp_path / "run.csv"
    table.write_text("step,forces_uncertainty_max,ood_score_max\n0,1,2\n10,,\n20,2,3\n", "utf-8")
    without = page(frames, table=table)
    assert [frame["at"] for frame in without.data["frames"]] == [None] * 3
    assert "do not tell theirs" in without.text
    for step, atoms in zip((0, 10, 20), frames, strict=True):
        atoms.info["step"] = step
    assert [frame["at"] for frame in page(frames, table=table).data["frames"]] == [0, 10, 20]
    for atoms in frames:
        del atoms.info["step"]
    assert [frame["at"] for frame in page(frames).data["frames"]] == [0, 1, 2]


def test_columns_in_info_are_found_as_traj_files_have_them(page):
    atoms = with_columns(2)
    atoms.info["ood_score"] = atoms.arrays.pop("ood_score")
    assert page([atoms]).data["frames"][0]["values"]["ood_score"] == [1.0, 1.0]


def test_a_frame_larger_than_all_that_is_to_be_drawn_is_drawn(page):
    assert len(page([with_columns(50), with_columns(50)], n_atoms=10).data["frames"]) == 1


@pytest.mark.parametrize(
    ("atoms", "error", "message"),
    [
        (Atoms("H"), ValueError, "got none with forces_uncertainty or ood_score. `ltau nequip"),
        (Atoms(), ValueError, "structures with atoms, got empty ones"),
        (with_columns(2, error=-1.0), ValueError, "forces_uncertainty of frame 0 not to be neg"),
        (Atoms("H", [[np.nan, 0, 0]]), ValueError, "finite positions and cell, got NaN"),
        ("H2O", TypeError, "Expected ase.Atoms, got str for frame 0"),
    ],
)
def test_frames_that_do_not_hold_what_is_needed_are_refused(page, atoms, error, message):
    with pytest.raises(error, match=message):
        page([atoms])


def test_columns_of_another_shape_are_refused(page):
    atoms = with_columns(2)
    atoms.info["ood_score"] = [1.0]
    del atoms.arrays["ood_score"]
    with pytest.raises(ValueError, match=r"2 numbers in ood_score of frame 0, got shape \(1,\)"):
        page([atoms])


def test_no_structures_are_refused(page):
    with pytest.raises(ValueError, match="Expected structures, got none"):
        page([])


def test_a_page_that_cannot_be_written_is_refused_before_frames_are_read(tmp_path):
    def frames():
        raise AssertionError("read")
        yield

    for path in (tmp_path, tmp_path / "nowhere" / "report.html"):
        with pytest.raises(OSError, match=f"Cannot write {path.name}"):
            write_report(path, frames())


def test_nothing_is_left_of_a_page_that_was_refused(frames, page, tmp_path):
    table = tmp_path / "other.csv"
    table.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(ValueError, match="to be the table of a monitor"):
        page(frames, table=table)
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]
