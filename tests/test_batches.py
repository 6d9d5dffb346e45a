"""Slices of bounded size, against the rows that they must make up."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from ltau._batches import batches


@given(n=st.integers(0, 200), size=st.integers(-3, 250))
def test_they_are_all_rows_in_order_and_none_is_too_large(n, size):
    parts = [list(range(n))[part] for part in batches(n, size)]
    assert list(chain.from_iterable(parts)) == list(range(n))
    assert all(1 <= len(part) <= max(1, size) for part in parts)
    assert all(len(part) == max(1, size) for part in parts[:-1])


def test_the_last_one_ends_with_the_rows():
    assert list(batches(5, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
