"""The mapping of OC20: its own layout, hostile and damaged ones, and ours."""

import os
import pickle

import numpy as np
import pytest

from benchmarks.is2rs.sources.mapping import Entry, read_mapping, write_mapping
from benchmarks.is2rs.sources.systems import DataError

OFFICIAL = {
    "random2181546": {
        "bulk_id": 6510,
        "ads_id": 69,
        "bulk_mpid": "mp-22179",
        "bulk_symbols": "Si2Ti2Y2",
        "ads_symbols": "*N2",
        "miller_index": (2, 0, 1),
        "shift": 0.145,
        "top": True,
        "adsorption_site": (tuple(np.array([4.5, 12.85, 16.13])),),
        "class": 1,
        "anomaly": 3,
        "split": "train",
    }
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "oc20_data_mapping.pkl"


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_official_layout(path, protocol):
    path.write_bytes(pickle.dumps(OFFICIAL, protocol=protocol))
    assert read_mapping(path) == {"random2181546": Entry("mp-22179", "*N2", 3)}


def test_what_is_written_is_read_again(path, make_system):
    systems = [make_system("a", bulk="Cu3Pt", anomaly=2), make_system("b", adsorbate="OH")]
    write_mapping(systems, path)
    assert read_mapping(path) == {"a": Entry("Cu3Pt", "CO", 2), "b": Entry("Cu12", "OH", 0)}
    plain = pickle.loads(path.read_bytes())
    assert plain["a"].keys() <= OFFICIAL["random2181546"].keys()


def test_a_hostile_one_runs_nothing(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    path.write_bytes(pickle.dumps(OFFICIAL | {"random1": Evil()}))
    with pytest.raises(DataError, match=r"mapping\.pkl.*asks for posix\.mkdir"):
        read_mapping(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("size", [0, 1, 50, -1])
def test_one_that_is_cut_short(path, size):
    path.write_bytes(pickle.dumps(OFFICIAL)[:size])
    with pytest.raises(DataError, match=r"mapping\.pkl"):
        read_mapping(path)


def test_one_that_is_not_there(path):
    with pytest.raises(DataError, match=r"mapping\.pkl"):
        read_mapping(path)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], "Expected a dict"),
        ({"random1": None}, "random1"),
        ({"random1": {"bulk_mpid": "mp-1", "ads_symbols": "*O"}}, "anomaly"),
        ({"random1": {"bulk_mpid": "", "ads_symbols": "*O", "anomaly": 0}}, "bulk"),
        ({"random1": {"bulk_mpid": 1, "ads_symbols": "*O", "anomaly": 0}}, "two names"),
        ({"random1": {"bulk_mpid": "mp-1", "ads_symbols": "*O", "anomaly": 5}}, "0 to 4"),
    ],
)
def test_one_that_is_another(path, mapping, message):
    path.write_bytes(pickle.dumps(mapping))
    with pytest.raises(DataError, match=message):
        read_mapping(path)
