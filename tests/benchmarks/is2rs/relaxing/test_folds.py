import pytest

from benchmarks.is2rs.relaxing.folds import folds, one_for_all
from benchmarks.is2rs.sources.systems import DataError


def test_official_splits_make_one_fold():
    (fold,) = folds({"train": ["a", "b"], "val_ood_cat": ["d"], "val_id": ["c"]})
    assert fold.train == ("a", "b")
    assert fold.relax == ("c", "d")


def test_without_splits_every_system_is_relaxed_once_by_a_model_that_has_not_seen_it():
    names = [f"system-{number}" for number in range(10)]
    made = folds({"all": names})
    assert sorted(sid for fold in made for sid in fold.relax) == sorted(names)
    for fold in made:
        assert sorted(fold.train + fold.relax) == sorted(names)
    assert made == folds({"all": names[::-1]})


@pytest.mark.parametrize("splits", [{}, {"train": ["a"] * 9}, {"all": ["a", "b", "c"]}])
def test_too_little_to_relax_is_refused(splits):
    with pytest.raises(DataError, match="at least 4 without a split"):
        folds(splits)


def test_a_trained_model_relaxes_all_but_the_training_set():
    assert one_for_all({"train": ["a"], "val_id": ["b"], "all": ["c"]}).relax == ("b", "c")
    with pytest.raises(DataError, match="none but of train"):
        one_for_all({"train": ["a"]})
