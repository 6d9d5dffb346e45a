"""The shifts of the benchmark beyond the domain, and the models that are trained for it."""

import numpy as np
import pytest

for module in ("torch", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.harness.data import Dataset  # noqa: E402
from benchmarks.methods.domains import IN_DOMAIN, SYSTEM  # noqa: E402
from benchmarks.ood import acac, emt, slabs, tabular  # noqa: E402
from benchmarks.ood.tabular import SHIFTS, Table, cluster, divide, upper_range  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def alloys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alloys")
    return lambda: emt.frames(6, 6, folder)  # made once, then read


class TestTabularShifts:
    def test_the_range_is_that_of_the_feature_that_ranks_the_target_best(self, rng):
        X = rng.normal(size=(500, 3))
        y = X[:, 0] - np.exp(2 * X[:, 2])  # falls along the last, and that counts too
        beyond = upper_range(X, y)
        assert beyond.mean() == pytest.approx(0.2, abs=0.01)
        assert X[beyond, 2].min() > X[~beyond, 2].max()

    def test_a_range_keeps_equal_values_together(self, rng):
        X = rng.integers(0, 6, size=(600, 1)).astype(float)
        beyond = upper_range(X, X[:, 0])
        np.testing.assert_array_equal(beyond, X[:, 0] == 5)

    def test_a_feature_of_two_values_is_passed_over(self, rng):
        x = rng.normal(size=400)
        X = np.column_stack([np.sign(x), x + rng.normal(size=400)])
        beyond = upper_range(X, np.sign(x) + 0.01 * x)
        assert X[beyond, 1].min() > X[~beyond, 1].max()
        with pytest.raises(ValueError, match="a feature with an upper range"):
            upper_range(X[:, :1], x)

    def test_a_constant_feature_is_passed_over(self, rng):
        X = np.column_stack([np.ones(100), np.arange(100.0)])
        assert upper_range(X, X[:, 1]).sum() == 20

    def test_the_cluster_is_one_of_blobs(self, rng):
        centers = np.array([[0.0, 0], [9, 0], [0, 9], [9, 9], [20, 20]])
        labels = np.repeat(np.arange(5), [60, 60, 60, 100, 20])
        X = centers[labels] + rng.normal(scale=0.3, size=(300, 2))
        beyond = cluster(X, X[:, 0])
        assert len(set(labels[beyond])) == 1
        assert beyond.sum() == 60

    @pytest.mark.parametrize("shift", SHIFTS)
    def test_no_row_is_in_two_parts_and_none_beyond_is_learnt_from(self, shift, rng):
        X = rng.normal(size=(1000, 2))
        data = Dataset(X, X[:, 0], np.zeros((1000, 10), bool))
        rows = divide(data, Table("", shift, 1, max_train=400, max_test=90, n_members=2), seed=3)
        sizes = {name: len(part) for name, part in rows.items()}
        assert sizes == {"train": 400, "validation": 100, IN_DOMAIN: 90, shift: 90}
        together = np.concatenate(list(rows.values()))
        assert len(np.unique(together)) == len(together)
        beyond = SHIFTS[shift](X, X[:, 0])
        assert beyond[rows[shift]].all()
        assert not beyond[np.concatenate([rows["train"], rows["validation"]])].any()


class TestTabularDomain:
    def test_arrays_fit_each_other_and_are_kept(self, data_dir, tmp_path):
        table = Table("yacht", "range", n_epochs=3, max_train=120, max_test=30, n_members=3)
        domain = tabular.domain(table, 0, tmp_path)
        assert domain.trajectories["step"].shape == (120, 3)
        # What is watched after the last epoch is the error at the end.
        np.testing.assert_allclose(
            domain.trajectories["eval"][:, -1], domain.train.errors, rtol=1e-4
        )
        for samples in (domain.validation, *domain.tests.values()):
            assert len(samples.latents) == len(samples.errors) == len(samples.structures)
            assert samples.spreads.keys() == {"Ensemble of 2", "Ensemble of 3", "MC dropout"}
        again = tabular.domain(table, 0, tmp_path)
        np.testing.assert_array_equal(again.validation.errors, domain.validation.errors)
        assert again.training_seconds == domain.training_seconds


class TestAlloys:
    def test_parts_differ_in_gold_and_heat_alone(self, alloys):
        frames = alloys()
        gold = {
            part: np.mean([np.mean(a.numbers == 79) for a in structures])
            for part, structures in frames.items()
        }
        force = {
            part: np.mean([np.linalg.norm(a.get_forces(), axis=1).mean() for a in structures])
            for part, structures in frames.items()
        }
        assert [len(structures) for structures in frames.values()] == [6, 3, 6, 6, 6]
        assert gold["composition"] > 0.55 > 0.45 > gold["temperature"]
        assert force["temperature"] > 1.3 * force[IN_DOMAIN]
        again = alloys()
        np.testing.assert_array_equal(again["train"][5].positions, frames["train"][5].positions)

    def test_labels_are_those_of_emt(self, alloys):
        from ase.calculators.emt import EMT

        frame = alloys()["composition"][0]
        forces, energy = frame.get_forces(), frame.get_potential_energy()
        frame.calc = EMT()
        np.testing.assert_allclose(forces, frame.get_forces(), atol=1e-10)
        assert energy == pytest.approx(frame.get_potential_energy())


class TestSlabs:
    def test_frames_of_a_system_are_together_and_its_splits_apart(self, tmp_path):
        frames = slabs.frames(10, 1, tmp_path)
        systems = {part: [a.info[SYSTEM] for a in each] for part, each in frames.items()}
        assert [len(set(names)) for names in systems.values()] == [9, 1, 1, 1, 1, 1]
        assert len(set().union(*systems.values())) == 14
        again = slabs.frames(10, 1, tmp_path)
        for part, each in frames.items():
            for one, other in zip(each, again[part], strict=True):
                np.testing.assert_array_equal(one.get_forces(), other.get_forces())
                assert one.info == other.info
        elements = {symbol for a in frames["train"] for symbol in a.get_chemical_symbols()}
        assert elements <= set(slabs.ELEMENTS)


class TestAcetylacetone:
    def test_every_tenth_structure_is_for_validation(self, data_dir):
        if not (data_dir / "acac").is_dir():
            pytest.skip(f"no real data at {data_dir / 'acac'}")
        frames = acac.frames(20, 30)
        sizes = {part: len(structures) for part, structures in frames.items()}
        assert sizes == {"train": 20, "validation": 50, IN_DOMAIN: 30, "600 K": 30}
        energies = [a.get_potential_energy() for a in frames["train"] + frames["validation"]]
        assert len(set(energies)) == 70
        assert all(a.get_forces().shape == (15, 3) for a in frames["600 K"])
