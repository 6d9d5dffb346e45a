"""Trajectories of is2res: OC20's own layout, its damage, and ours written in it."""

import lzma
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.is2rs.sources.systems import DataError, fixed_atoms, free_atoms
from benchmarks.is2rs.sources.trajectories import find, write_trajectories, write_trajectory


@pytest.fixture
def folder(tmp_path, write, official, make_system):
    """Two trajectories as an archive of OC20 unpacks: the table is above them."""
    root = tmp_path / "is2res_val_id_trajectories"
    inner = root / "is2res_val_id_trajectories"
    write(inner / "random1.extxyz.xz", official(make_system("random1").frames))
    write(inner / "random2.extxyz", official(make_system("random2", n_frames=2).frames))
    write(root / "system.txt", "random1,-12.5\nrandom2,0.0\n")
    return root


def _load(folder, sid="random1"):
    (source,) = find(folder)
    return source.load(sid)


class TestReading:
    def test_systems_are_those_that_were_written(self, folder, make_system, same_frames):
        (source,) = find(folder)
        assert source.splits() == {"val_id": ["random1", "random2"]}
        for sid, n_frames in (("random1", 3), ("random2", 2)):
            system = source.load(sid)
            same_frames(system.frames, make_system(sid, n_frames=n_frames).frames)
            assert (system.sid, system.split, system.relaxes) == (sid, "val_id", True)
            assert (system.bulk, system.adsorbate, system.anomaly) == ("Cu12", "CO", 0)

    def test_a_reference_of_zero_is_unknown(self, folder):
        assert _load(folder).reference_energy == -12.5
        assert _load(folder, "random2").reference_energy is None

    def test_the_table_may_be_beside_the_trajectories(self, folder, same_frames):
        expected = _load(folder)
        inner = folder / folder.name
        (folder / "system.txt").rename(inner / "system.txt")
        same_frames(_load(inner).frames, expected.frames)

    def test_wrapped_positions_stay(self, tmp_path, write, official, make_system):
        frames = make_system().frames
        frames[1].positions[3] += frames[1].cell.array[0]
        write(tmp_path / "random1.extxyz.xz", official(frames))
        write(tmp_path / "system.txt", "random1,1.0\n")
        moved = np.subtract(*(atoms.positions[3] for atoms in _load(tmp_path).frames[1::-1]))
        assert np.linalg.norm(moved) > 2

    def test_all_atoms_may_be_free(self, tmp_path, write, official, make_system):
        text = official(make_system().frames).replace(" F 0 ", " T 0 ")
        write(tmp_path / "random1.extxyz", text)
        write(tmp_path / "system.txt", "random1,1.0\n")
        assert free_atoms(_load(tmp_path).initial).all()

    def test_real_relaxations(self, data_dir):
        (source,) = find(data_dir / "oc20")
        names = source.splits()["all"]
        assert len(names) == 20
        system = source.load("random1000163")
        assert (system.bulk, system.adsorbate, len(system.frames)) == ("Mo48Rh48", "O", 27)
        assert system.relaxed.get_potential_energy() == -795.66874518
        raw = system.initial.get_forces(apply_constraint=False)
        assert raw[0] == pytest.approx([0.22724577, 0.33743101, -2.50490734])
        last = np.linalg.norm(system.relaxed.get_forces(), axis=1).max()
        assert last < 0.05  # relaxed, as far as free atoms go
        assert (system.initial.get_tags()[fixed_atoms(system.initial)] == 0).all()


# What is wrong with a trajectory of three frames, and a part of the message.
DAMAGE = {
    "no relaxed frame": (lambda text: text[: text.index('\n14\n') + 1], "a relaxed frame"),
    "no frame": (lambda text: "", "got 0"),
    "cut in a frame": (lambda text: text[: text.rindex("Cu ")], "middle of frame 2"),
    "cut in a line": (lambda text: text[:-5], "middle of a line"),
    "no number of atoms": (lambda text: "Cu\n" + text, "line 1"),
    "a number of atoms beyond all": (lambda text: "9" * 5000 + text, "line 1"),
    "no numbers": (lambda text: text.replace("0.", "O."), "not extended XYZ"),
    "no tags": (lambda text: text.replace(":tags:I:1", ":labels:I:1"), "no tags"),
    "another tag": (lambda text: text.replace(" T 2 ", " T 3 "), r"\[0, 1, 3\]"),
    "no adsorbate": (lambda text: text.replace(" T 2 ", " T 1 "), r"got \[0, 1\]"),
    "no energy": (lambda text: text.replace("energy", "enthalpy"), "no energy"),
    "no forces": (lambda text: text.replace("forces", "speeds"), "no forces"),
    "NaN in a force": (lambda text: text[: text.rindex(" ")] + " nan\n", "not finite"),
    "another element": (lambda text: "O ".join(text.rsplit("C ", 1)), "other atoms"),
    "another cell": (lambda text: "Lattice=\"9".join(text.rsplit('Lattice="', 1)), "another cell"),
    "other fixed atoms": (lambda text: " T 0 ".join(text.rsplit(" F 0 ", 1)), "other fixed"),
    "other tags": (lambda text: " F 1 ".join(text.rsplit(" F 0 ", 1)), "other tags"),
    "no lattice": (lambda text: text.replace("Lattice", "Lettuce"), "no cell"),
}  # fmt: skip


class TestDamage:
    @pytest.mark.parametrize("name", DAMAGE)
    @pytest.mark.parametrize("suffix", [".extxyz", ".extxyz.xz"])
    def test_the_file_and_what_is_wrong_are_named(self, folder, write, name, suffix):
        damage, message = DAMAGE[name]
        old = folder / folder.name / "random1.extxyz.xz"
        text = damage(lzma.decompress(old.read_bytes()).decode())
        old.unlink()
        path = write(old.with_name("random1" + suffix), text)
        with pytest.raises(DataError, match=message) as error:
            _load(folder)
        assert str(path) in str(error.value)

    def test_a_position_that_is_not_finite(self, folder, write, official, make_system):
        frames = make_system().frames
        frames[1].positions[0, 2] = np.inf
        write(folder / folder.name / "random1.extxyz.xz", official(frames))
        with pytest.raises(DataError, match="frame 1: positions"):
            _load(folder)

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_a_packed_file_that_is_cut_short(self, folder, share):
        path = folder / folder.name / "random1.extxyz.xz"
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(DataError, match=r"cannot be read|got 0"):
            _load(folder)

    def test_a_packed_file_of_noise(self, folder):
        (folder / folder.name / "random1.extxyz.xz").write_bytes(b"noise" * 100)
        with pytest.raises(DataError, match="cannot be read"):
            _load(folder)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("random1,1.0\n", "lacks systems of trajectories: random2"),
            ("random1,1.0\nrandom2,2.0\nrandom3,3.0\n", "without a trajectory: random3"),
            ("random1,1.0\nrandom2,2.0\nrandom2,2.0\n", "more than once"),
            ("random1,1.0\nrandom2\n", "line 2"),
            ("random1,1.0\nrandom2,nan\n", "line 2"),
            ("random1,1.0\nrandom2,low\n", "line 2"),
            ("random1,1.0\nrandom2,frame3,2.0\n", "line 2"),
            ("random1,1.0\n,2.0\n", "line 2"),
        ],
    )
    def test_a_table_that_does_not_fit(self, folder, write, table, message):
        write(folder / "system.txt", table)
        with pytest.raises(DataError, match=message):
            find(folder)

    def test_no_table(self, folder):
        (folder / "system.txt").unlink()
        with pytest.raises(DataError, match=r"Expected system\.txt"):
            find(folder)

    def test_a_trajectory_packed_and_unpacked(self, folder, write):
        write(folder / folder.name / "random1.extxyz", "")
        with pytest.raises(DataError, match="more than once"):
            find(folder)


class TestWriting:
    def test_what_is_written_is_read_again(self, tmp_path, make_system, same_frames):
        systems = [
            make_system("Cu-CO-1", split="train", reference_energy=-3.25),
            make_system("Cu-CO-2", n_frames=5, reference_energy=None),
            make_system("Cu-CO-3", split="all"),
        ]
        write_trajectories(systems, tmp_path)
        found = {sid: s for s in find(tmp_path) for part in s.splits().values() for sid in part}
        assert len(found) == 3
        for system in systems:
            again = found[system.sid].load(system.sid)
            same_frames(again.frames, system.frames)
            assert replace(again, frames=()) == replace(system, frames=())

    def test_cells_and_periodicity_are_kept(self, tmp_path, make_system, same_frames):
        system = make_system("s")
        for atoms in system.frames:
            atoms.pbc = (True, True, False)
            atoms.cell[0, 1] = 1 / 3
        write_trajectories([system], tmp_path)
        same_frames(_load(tmp_path, "s").frames, system.frames)

    def test_further_systems_join_those_that_are_there(self, tmp_path, make_system):
        write_trajectories([make_system("a"), make_system("b")], tmp_path)
        write_trajectories([make_system("c"), make_system("b", reference_energy=2.0)], tmp_path)
        table = tmp_path / "val_id" / "system.txt"
        assert table.read_text() == "a,-12.5\nb,2.0\nc,-12.5\n"
        assert find(tmp_path)[0].splits() == {"val_id": ["a", "b", "c"]}

    @pytest.mark.parametrize("sid", ["", "a/b", "..", "12", "a,b", "a\nb", " a"])
    def test_a_name_that_is_no_file_name(self, tmp_path, make_system, sid):
        with pytest.raises(ValueError, match="Expected a sid"):
            write_trajectory(make_system(sid), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_what_could_not_be_read_again_is_not_written(self, tmp_path, make_system):
        system = make_system()
        with pytest.raises(ValueError, match="other than 0"):
            write_trajectory(replace(system, reference_energy=0.0), tmp_path)
        with pytest.raises(ValueError, match="relaxation"):
            write_trajectory(replace(system, relaxes=False), tmp_path)
        system.relaxed.calc.results["forces"][0, 0] = np.nan
        with pytest.raises(DataError, match="frame 2: no forces"):
            write_trajectory(system, tmp_path)
        assert not list(tmp_path.iterdir())
