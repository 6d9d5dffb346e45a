"""One way into all layouts: what is found, in which split, and how much of it."""

import pickle

import lmdb
import pytest

from benchmarks.is2rs.sources import open_source
from benchmarks.is2rs.sources.folders import choose, files
from benchmarks.is2rs.sources.mapping import write_mapping
from benchmarks.is2rs.sources.systems import DataError
from benchmarks.is2rs.sources.trajectories import write_trajectories


@pytest.fixture
def folder(tmp_path, write, official, make_system):
    """Trajectories of two splits, and frames to train on."""
    splits = ("val_id", "val_ood_cat")
    systems = [make_system(f"{split}-{k}", split=split) for split in splits for k in range(6)]
    write_trajectories(systems, tmp_path / "is2res")
    write(tmp_path / "s2ef/200k/train/0.extxyz", official(make_system().frames))
    write(tmp_path / "s2ef/200k/train/0.txt", "random1,frame0,1.5\n" * 3)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("is2re/all/val_id/data.lmdb", "val_id"),
        ("is2res_train_val_test_lmdbs/data/is2re/all/val_ood_both/data.lmdb", "val_ood_both"),
        ("is2res_train_val_test_lmdbs/data.lmdb", "all"),
        ("is2res_train_trajectories/data.lmdb", "train"),
        ("s2ef_train_200K/s2ef_train_200K/data.lmdb", "train"),
        ("train/val_id/data.lmdb", "val_id"),
        ("training/data.lmdb", "all"),
        ("data.lmdb", "all"),
    ],
)
def test_the_innermost_folder_that_names_a_split_tells_it(tmp_path, write, path, split):
    write(tmp_path / path, "")
    assert list(files(tmp_path, "*.lmdb")) == [(tmp_path / path, split)]


def test_the_folder_itself_may_name_the_split_and_those_above_it_do_not(tmp_path, write):
    path = write(tmp_path / "train" / "mine" / "data.lmdb", "")
    assert list(files(path.parent, "*.lmdb")) == [(path, "all")]
    assert list(files(path.parents[1], "*.lmdb")) == [(path, "train")]


@pytest.mark.parametrize("name", ["test_id", "test_ood_both", "is2re_test_challenge_2021"])
def test_what_oc20_tests_on_is_left_out(tmp_path, write, name):
    write(tmp_path / "train" / name / "data.lmdb", "")
    with pytest.raises(DataError, match="test splits do not count"):
        open_source(tmp_path)


def test_all_layouts_are_one_source(folder, make_system, same_frames):
    source = open_source(folder)
    assert {split: len(names) for split, names in source.splits().items()} == {
        "train": 1,
        "val_id": 6,
        "val_ood_cat": 6,
    }
    for split, names in source.splits().items():
        for sid in names:
            system = source.load(sid)
            assert (system.sid, system.split) == (sid, split)
            same_frames(system.frames, make_system(sid).frames)


def test_a_limit_counts_by_split_and_is_the_same_always(folder):
    few, more = (open_source(folder, limit).splits() for limit in (2, 4))
    assert [len(names) for names in few.values()] == [2, 2, 1]
    assert all(set(few[split]) <= set(more[split]) for split in few)
    assert open_source(folder, 2).splits() == few
    with pytest.raises(DataError, match="Expected one of 5 systems"):
        open_source(folder, 2).load(next(iter({*more["val_id"]} - {*few["val_id"]})))


def test_what_is_chosen_is_not_what_comes_first():
    shares = [sum(row < 50 for row in choose(range(100), limit)) / limit for limit in (20, 40)]
    assert all(0.2 < share < 0.8 for share in shares)
    assert choose(range(100), 40) == sorted(choose(range(100), 40))
    assert choose("abc", 5) == choose("abc", None) == ["a", "b", "c"]


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one(folder, limit):
    with pytest.raises(ValueError, match="at least 1"):
        open_source(folder, limit)


def test_the_mapping_names_bulk_adsorbate_and_anomaly(folder, make_system):
    names = [sid for part in open_source(folder).splits().values() for sid in part]
    mapped = [make_system(sid, bulk=f"mp-{k}", anomaly=k % 5) for k, sid in enumerate(names)]
    write_mapping(mapped, folder / "oc20_data_mapping.pkl")
    source = open_source(folder)
    for expected in mapped:
        system = source.load(expected.sid)
        assert (system.cluster, system.anomaly) == (expected.cluster, expected.anomaly)
    write_mapping(mapped[1:], folder / "oc20_data_mapping.pkl")
    with pytest.raises(DataError, match=f"lacks 1 systems, {mapped[0].sid}"):
        open_source(folder)
    write_mapping(mapped, folder / "is2res" / "oc20_data_mapping.pkl")
    with pytest.raises(DataError, match=r"Expected one oc20_data_mapping\.pkl"):
        open_source(folder)


def test_a_system_in_two_places(folder, make_system):
    write_trajectories([make_system("val_id-3")], folder / "more")
    with pytest.raises(DataError, match="val_id-3 in two places"):
        open_source(folder)


@pytest.mark.parametrize("make", [True, False])
def test_a_folder_without_data(tmp_path, make):
    folder = tmp_path / "empty"
    if make:
        folder.mkdir()
    with pytest.raises(DataError, match=r"Expected data in .*empty.*system\.txt.*S2EF.*LMDB"):
        open_source(folder)


def test_files_half_written_and_locks_are_no_data(folder, write):
    before = open_source(folder).splits()
    write(folder / "is2res" / "val_id" / "a.extxyz.0123.tmp", "")
    write(folder / "is2re" / "data.lmdb-lock", "")
    assert open_source(folder).splits() == before


def test_lmdbs_are_found_and_the_source_goes_to_other_processes(
    folder, make_system, record, pickled
):
    path = folder / "is2re" / "val_ood_ads" / "data.lmdb"
    path.parent.mkdir(parents=True)
    with (
        lmdb.open(str(path), subdir=False, map_size=2**24, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for k in range(3):
            transaction.put(b"%d" % k, pickled(record(make_system(), 10 + k)))
    source = pickle.loads(pickle.dumps(open_source(folder, 2)))
    names = source.splits()["val_ood_ads"]
    assert len(names) == 2
    assert {*names} < {"random10", "random11", "random12"}
    assert source.load(names[0]).split == "val_ood_ads"
