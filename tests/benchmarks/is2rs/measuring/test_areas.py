"""The quick areas against the slow ones."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.is2rs.measuring.areas import precision_recall_area, roc_area
from ltau.metrics import UndefinedMetricError, auprc, auroc

AREAS = pytest.mark.parametrize(
    ("quick", "slow"), [(roc_area, auroc), (precision_recall_area, auprc)]
)
scores = st.one_of(st.integers(-5, 5).map(float), st.floats(-1, 1), st.just(np.inf))


@AREAS
@given(rows=st.lists(st.tuples(scores, st.booleans()), min_size=2, max_size=30))
def test_they_agree(quick, slow, rows):
    score, bad = (np.array(column) for column in zip(*rows, strict=True))
    assume(bad.any() and not bad.all())
    assert quick(bad, score) == pytest.approx(slow(bad, score))


@AREAS
@pytest.mark.parametrize(("label", "kind"), [(True, "bad"), (False, "good")])
def test_one_class_has_no_area(quick, slow, label, kind):
    for area in (quick, slow):
        with pytest.raises(UndefinedMetricError):
            area(np.full(3, label), np.arange(3.0))
    with pytest.raises(UndefinedMetricError, match=f"got only {kind} ones"):
        quick(np.full(3, label), np.arange(3.0))
