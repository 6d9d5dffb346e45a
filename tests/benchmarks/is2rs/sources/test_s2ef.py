"""Frames of S2EF: OC20's own layout, and its damage."""

import pytest

from benchmarks.is2rs.sources.s2ef import find
from benchmarks.is2rs.sources.systems import DataError


@pytest.fixture
def folder(tmp_path, write, official, make_system):
    """Two pairs of files; random1 has frames in both."""
    first, second = make_system("random1", n_frames=2), make_system("random2", n_frames=1)
    root = tmp_path / "s2ef_train_200K" / "s2ef_train_200K"
    write(root / "0.extxyz.xz", official([first.frames[0], *second.frames]))
    write(root / "0.txt.xz", "random1,frame7,-12.5\nrandom2,frame0,3.5\n")
    write(root / "1.extxyz", official([first.frames[1]]))
    write(root / "1.txt", "random1,frame3,-12.5\n")
    return root


def test_frames_are_grouped_by_system(folder, make_system, same_frames):
    (source,) = find(folder)
    assert source.splits() == {"train": ["random1", "random2"]}
    first, second = (source.load(sid) for sid in ("random1", "random2"))
    same_frames(first.frames, make_system("random1", n_frames=2).frames)
    same_frames(second.frames, make_system("random2", n_frames=1).frames)
    assert (first.reference_energy, second.reference_energy) == (-12.5, 3.5)
    assert not first.relaxes
    assert (first.split, first.bulk, first.adsorbate) == ("train", "Cu12", "CO")


@pytest.mark.parametrize(
    ("name", "split"),
    [("val_ood_ads", "val_ood_ads"), ("s2ef_val_id_uncompressed", "val_id"), ("md", "train")],
)
def test_the_split_is_that_of_the_folder_or_to_train_on(
    tmp_path, write, official, make_system, name, split
):
    write(tmp_path / name / "0.extxyz", official(make_system().frames[:1]))
    write(tmp_path / name / "0.txt", "random1,frame0,-12.5\n")
    assert find(tmp_path)[0].splits() == {split: ["random1"]}


@pytest.mark.parametrize("lines", ["", "random1,frame3,-12.5\nrandom1,frame4,-12.5\n"])
def test_more_or_fewer_lines_than_frames(folder, write, lines):
    write(folder / "1.txt", lines or "random3,frame1,1.0\nrandom1,frame3,-12.5\n")
    with pytest.raises(DataError, match=r"as many frames in .*1\.extxyz .* 1 and 2"):
        find(folder)[0].load("random1")


@pytest.mark.parametrize(
    "line", ["random1,-12.5", "random1,frame3,-12.5,1", "random1,frame3,?", "", ",frame3,1.0"]
)
def test_a_line_that_is_none(folder, write, line):
    write(folder / "1.txt", f"random4,frame1,1.0\n{line}\nrandom5,frame1,1.0\n")
    with pytest.raises(DataError, match=r"1\.txt, line 2"):
        find(folder)


def test_two_references_of_a_system(folder, write):
    write(folder / "1.txt", "random1,frame3,-12.25\n")
    with pytest.raises(DataError, match="one split and reference energy"):
        find(folder)


def test_two_splits_of_a_system(folder, write, official, make_system):
    write(folder / "val_id" / "0.extxyz", official(make_system().frames[:1]))
    write(folder / "val_id" / "0.txt", "random1,frame0,-12.5\n")
    with pytest.raises(DataError, match="one split"):
        find(folder)


def test_no_lines(folder):
    (folder / "1.txt").unlink()
    with pytest.raises(DataError, match=r"Expected 1\.txt or 1\.txt\.xz beside"):
        find(folder)


def test_damage_of_a_frame_is_said(folder, write, official, make_system):
    text = official([make_system("random1", n_frames=2).frames[1]])
    path = write(folder / "1.extxyz", text.replace("Lattice", "Lettuce"))
    with pytest.raises(DataError, match="no cell") as error:
        find(folder)[0].load("random1")
    assert str(path.parent) in str(error.value)
