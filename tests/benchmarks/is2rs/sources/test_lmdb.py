"""LMDBs of IS2RE, with records of both versions of torch_geometric, and their damage."""

import os
import pickle

import lmdb
import numpy as np
import pytest
import torch

from benchmarks.is2rs.sources.lmdb import find
from benchmarks.is2rs.sources.systems import DataError, fixed_atoms


@pytest.fixture
def write_lmdb(tmp_path):
    """Write values as an LMDB of the split val_id."""

    def write(values):
        path = tmp_path / "is2re" / "all" / "val_id" / "data.lmdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            lmdb.open(str(path), subdir=False, map_size=2**26, lock=False) as environment,
            environment.begin(write=True) as transaction,
        ):
            for key, value in values.items():
                transaction.put(key, value)
        return path

    return write


@pytest.fixture
def values(make_system, record, pickled):
    """Five records, as OC20 has them."""
    systems = [make_system(f"random{7 * k}") for k in range(5)]
    return {b"%d" % k: pickled(record(system, 7 * k)) for k, system in enumerate(systems)}


class TestReading:
    def test_first_and_relaxed_structures(self, tmp_path, write_lmdb, values, make_system):
        write_lmdb(values)
        (source,) = find(tmp_path)
        assert source.splits() == {"val_id": [f"random{7 * k}" for k in range(5)]}
        for k in range(5):
            expected, found = make_system(f"random{7 * k}"), source.load(f"random{7 * k}")
            assert (found.bulk, found.adsorbate, found.split) == ("Cu12", "CO", "val_id")
            assert (found.reference_energy, found.relaxes, len(found.frames)) == (0.0, True, 2)
            pairs = ((found.initial, expected.initial), (found.relaxed, expected.relaxed))
            for atoms, truth in pairs:
                np.testing.assert_array_equal(atoms.numbers, truth.numbers)
                np.testing.assert_array_equal(atoms.get_tags(), truth.get_tags())
                np.testing.assert_array_equal(fixed_atoms(atoms), fixed_atoms(truth))
                np.testing.assert_allclose(atoms.cell.array, truth.cell.array, rtol=1e-6)
                np.testing.assert_allclose(atoms.positions, truth.positions, rtol=1e-6)
                assert atoms.get_potential_energy() == truth.get_potential_energy()
                assert atoms.pbc.all()
                assert "forces" not in atoms.calc.results

    def test_a_length_that_is_right(self, tmp_path, write_lmdb, values):
        write_lmdb(values | {b"length": pickle.dumps(5)})
        assert len(find(tmp_path)[0].splits()["val_id"]) == 5

    def test_a_limit_chooses_some_always_the_same(self, tmp_path, write_lmdb, values):
        write_lmdb(values)
        few, more = (find(tmp_path, limit)[0].splits()["val_id"] for limit in (2, 4))
        assert len(few) == 2
        assert set(few) < set(more)
        assert find(tmp_path, 2)[0].splits()["val_id"] == few

    def test_numbers_may_be_tensors(self, tmp_path, write_lmdb, make_system, record, pickled):
        fields = record(make_system(), 3)
        fields |= {name: torch.tensor([fields[name]]) for name in ("sid", "natoms", "y_init")}
        fields |= {"fixed": fields["fixed"].bool(), "pos": fields["pos"].T.contiguous().T}
        write_lmdb({b"0": pickled(fields)})
        atoms = find(tmp_path)[0].load("random3").initial
        np.testing.assert_allclose(atoms.positions, make_system().initial.positions, rtol=1e-6)

    def test_the_source_goes_to_other_processes(self, tmp_path, write_lmdb, values):
        write_lmdb(values)
        (source,) = find(tmp_path)
        assert pickle.loads(pickle.dumps(source)).load("random7").sid == "random7"


class TestFields:
    @pytest.mark.parametrize("name", ["pos_relaxed", "y_relaxed", "y_init", "tags", "fixed"])
    def test_one_that_is_missing_is_named(
        self, tmp_path, write_lmdb, make_system, record, pickled, name
    ):
        fields = record(make_system(), 3)
        del fields[name]
        path = write_lmdb({b"0": pickled(fields)})
        with pytest.raises(DataError, match=f"record 0: no {name}; the records") as error:
            find(tmp_path)[0].load("random3")
        assert str(path) in str(error.value)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("natoms", 5, "natoms is not 14"),
            ("pos", torch.zeros(3, 3), "reshape"),
            ("cell", torch.zeros(1, 3, 3), "no cell"),
            ("cell", "cubic", "expected cell to be numbers"),
            ("tags", torch.full((14,), 0.5), "whole numbers"),
            ("tags", torch.full((14,), torch.inf), "whole numbers"),
            ("tags", torch.zeros(14), "of the adsorbate"),
            ("atomic_numbers", torch.full((14,), 200), "no element"),
            ("y_relaxed", float("nan"), "no energy"),
            ("pos_relaxed", torch.full((14, 3), torch.nan), "positions"),
        ],
    )
    def test_one_that_is_wrong_is_named(
        self, tmp_path, write_lmdb, make_system, record, pickled, name, value, message
    ):
        write_lmdb({b"0": pickled(record(make_system(), 3) | {name: value})})
        with pytest.raises(DataError, match=message):
            find(tmp_path)[0].load("random3")

    @pytest.mark.parametrize("sid", [None, "random3", 0.5, [1, 2]])
    def test_no_name(self, tmp_path, write_lmdb, make_system, record, pickled, sid):
        write_lmdb({b"0": pickled(record(make_system(), sid))})
        with pytest.raises(DataError, match="record 0"):
            find(tmp_path)


class TestDamage:
    def test_a_name_twice(self, tmp_path, write_lmdb, values):
        write_lmdb(values | {b"3": values[b"1"]})
        with pytest.raises(DataError, match="random7 more than once"):
            find(tmp_path)

    def test_a_record_missing_in_the_middle(self, tmp_path, write_lmdb, values):
        del values[b"2"]
        write_lmdb(values)
        with pytest.raises(DataError, match="no record 2"):
            find(tmp_path)

    @pytest.mark.parametrize("length", [4, 6, -1, 10**30, "5", None, [[5]]])
    def test_a_length_that_lies(self, tmp_path, write_lmdb, values, length):
        write_lmdb(values | {b"length": pickle.dumps(length)})
        with pytest.raises(DataError, match="has 5 records"):
            find(tmp_path)

    @pytest.mark.parametrize("value", [b"", b"noise", pickle.dumps({"pos": 1}), pickle.dumps(1)])
    def test_a_record_that_is_none(self, tmp_path, write_lmdb, values, value):
        write_lmdb(values | {b"3": value})
        with pytest.raises(DataError, match="record 3"):
            find(tmp_path)

    def test_a_hostile_record(self, tmp_path, write_lmdb, values):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "owned"),)

        write_lmdb(values | {b"3": pickle.dumps(Evil())})
        with pytest.raises(DataError, match=r"record 3: .* asks for posix\.mkdir"):
            find(tmp_path)
        assert not (tmp_path / "owned").exists()

    @pytest.mark.parametrize("size", [0, 100, 8192, 20_000])
    def test_a_file_that_is_cut_short(self, tmp_path, write_lmdb, values, size):
        path = write_lmdb(values)
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(DataError, match=r"not a whole LMDB|cut short"):
            find(tmp_path)

    def test_a_file_of_noise(self, tmp_path, write_lmdb, values):
        path = write_lmdb(values)
        path.write_bytes(np.random.default_rng(0).bytes(40_000))
        with pytest.raises(DataError, match=r"data\.lmdb is not a whole LMDB"):
            find(tmp_path)
