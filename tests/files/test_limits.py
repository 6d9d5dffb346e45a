"""Headers and numbers of parts are limited, by more in large files."""

import numpy as np
import pytest

from ltau._files import archive
from ltau._files.limits import check_header, most_parts

GIB = 1 << 30


def test_a_large_file_may_have_more():
    assert most_parts(0) == 1 << 15
    assert most_parts(GIB) == (1 << 15) + GIB // 2048
    text = b" " * (5 << 20)
    check_header(text, GIB)
    with pytest.raises(ValueError, match="at most 4,194,304 bytes, got 5,242,880"):
        check_header(text, 10 << 20)


@pytest.mark.parametrize("value", [b"1,", b"{}", b"[]", b'"":'])
def test_values_are_counted_whatever_they_are(value):
    check_header(value * (1 << 17), 0)
    with pytest.raises(ValueError, match="values"):
        check_header(value * ((1 << 18) + 1), 0)


def test_what_could_not_be_read_is_not_written(path):
    with pytest.raises(ValueError, match="header of at most"):
        archive.write(path, {"notes": "x" * (5 << 20)}, {})
    with pytest.raises(ValueError, match=r"at most 32,\d+ arrays"):
        archive.write(path, {}, dict.fromkeys(map(str, range(33_000)), np.zeros(())))
    assert not path.exists()
