"""Files that are cut anywhere, as by the end of a process, and gone on with."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("ase")

from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read

from ltau.adapters._forces.run_files import RunTable, append_frame, cut_frames

HEADER = b"step,a,b\n"
ROWS = [b"0,1.5,\n", b"10,-2,3\n", b"20,1e-05,inf\n"]


@given(n_bytes=st.integers(0, len(HEADER + b"".join(ROWS))))
@settings(deadline=None)
def test_a_table_cut_anywhere_keeps_its_whole_rows(n_bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.csv")
        path.write_bytes((HEADER + b"".join(ROWS))[:n_bytes])
        whole = path.read_bytes().count(b"\n") - 1  # without the header
        table = RunTable(path, ("step", "a", "b"))
        assert path.read_bytes() == HEADER + b"".join(ROWS[: max(whole, 0)])
        assert table.last.get("step") == {1: "0", 2: "10", 3: "20"}.get(whole)


@pytest.mark.parametrize(("last_step", "kept"), [(None, 3), (20, 3), (19, 2), (0, 1)])
def test_rows_after_the_last_step_are_dropped(last_step, kept, tmp_path):
    path = tmp_path / "run.csv"
    path.write_bytes(HEADER + b"".join(ROWS))
    RunTable(path, ("step", "a", "b"), last_step)
    assert path.read_bytes() == HEADER + b"".join(ROWS[:kept])


def test_numbers_are_written_as_they_are_read(tmp_path):
    table = RunTable(tmp_path / "run.csv", ("step", "a", "b"))
    for step, a, b in [(0, 1.5, None), (10, -2.0, 3.0), (20, 1e-5, float("inf"))]:
        table.append({"step": step, "a": a, "b": b, "not a column": 1.0})
    assert (tmp_path / "run.csv").read_bytes() == HEADER + b"".join(ROWS)


@pytest.fixture(scope="module")
def frames(make_cluster):
    """The bytes of three frames."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.xyz")
        parts = []
        for step in (0, 10, 20):
            atoms = make_cluster(seed=step)
            atoms.info = {"name": "a step=7", "step": 7, "my_step": 7}
            atoms.calc = SinglePointCalculator(atoms, energy=1.0)
            append_frame(path, atoms, step=step, reason=f"stopped at step={step}1")
            parts.append(path.read_bytes()[sum(map(len, parts)) :])
    return parts


@given(data=st.data())
@settings(deadline=None)
def test_frames_cut_anywhere_keep_the_whole_ones(data, frames):
    content = b"".join(frames)
    n_bytes = data.draw(st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.xyz")
        path.write_bytes(content[:n_bytes])
        cut_frames(path, last_step=100)
        ends = [sum(map(len, frames[:n])) for n in range(4)]
        assert path.stat().st_size == max(end for end in ends if end <= n_bytes)


@pytest.mark.parametrize(("last_step", "kept"), [(20, 3), (19, 2), (-1, 0)])
def test_frames_after_the_last_step_are_dropped(last_step, kept, frames, tmp_path):
    path = tmp_path / "run.xyz"
    path.write_bytes(b"".join(frames))
    cut_frames(path, last_step)
    assert path.read_bytes() == b"".join(frames[:kept])
    if kept:
        assert len(read(path, ":")) == kept


def test_frames_that_are_not_there_are_not_cut(tmp_path):
    cut_frames(tmp_path / "run.xyz", 5)
    assert not (tmp_path / "run.xyz").exists()
