"""Tables in CSV files, and what is refused of them."""

import numpy as np
import pytest

from ltau._inputs.csv_files import read_csv


@pytest.fixture
def read(tmp_path):
    def read(text, encoding="utf-8"):
        path = tmp_path / "data.csv"
        path.write_bytes(text.encode(encoding))
        return read_csv(path)

    return read


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_columns_are_numbers_or_text(read, separator, encoding):
    lines = ["size,town", "1.5,Köln", " 2e3 , Oslo ", "", "-3,Köln"]
    table = read("\r\n".join(lines).replace(",", separator) + "\n", encoding)
    assert table.names == ["size", "town"]
    np.testing.assert_array_equal(table.column("size"), [1.5, 2000, -3])
    assert table.column("town").tolist() == ["Köln", "Oslo", "Köln"]
    assert table.text("size").tolist() == ["1.5", "2e3", "-3"]


def test_it_reads_what_pandas_reads(read, tmp_path):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a, b": rng.normal(size=50), 'say "c"': rng.choice(["x\ny", "z"], 50)})
    frame.to_csv(tmp_path / "of_pandas.csv", index=False)
    table = read_csv(tmp_path / "of_pandas.csv")
    assert table.names == list(frame.columns)
    np.testing.assert_array_equal(table.column("a, b"), frame["a, b"])
    np.testing.assert_array_equal(table.column('say "c"'), frame['say "c"'])


@pytest.mark.parametrize("missing", ["", "NA", "nan", " None ", "<NA>", "null"])
def test_missing_values_are_refused_with_their_row(read, missing):
    table = read(f"a,b\n1,x\n{missing},y\n3,z\n")
    for read_column in (table.column, table.numbers, table.text):
        with pytest.raises(ValueError, match=r"'a' of data.csv without .* 1 missing of 3.* row 2"):
            read_column("a")


def test_text_among_numbers_is_refused_with_its_row(read):
    table = read("a\n1\n2\ndear\n4_000\n")
    with pytest.raises(
        ValueError, match=r"numbers in column 'a' of data\.csv, got 'dear' in row 3"
    ):
        table.numbers("a")
    assert table.column("a").tolist() == ["1", "2", "dear", "4_000"]
    with pytest.raises(ValueError, match=r"a column 'price' in data\.csv, got a"):
        table.numbers("price")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got no rows"),
        ("a,b\n", "got no rows"),
        ("a,b,a\n1,2,3\n", r"different names, got \['a'\] twice"),
        ("a,b\n1,2\n1,2,3\n", "2 values in each row of data.csv, got 3 in row 2"),
        ("a,b\n1\n", "2 values in each row of data.csv, got 1 in row 1"),
    ],
)
def test_what_is_no_table_is_refused(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_another_encoding_is_refused(read):
    with pytest.raises(ValueError, match=r"CSV file in UTF-8, got data\.csv"):
        read("a\nKöln\n", "latin-1")


def test_empty_cells_may_stand_for_a_number(read):
    table = read("a,b\n1,2\n,3\n")
    np.testing.assert_array_equal(table.numbers("a", empty=np.nan), [1, np.nan])
    with pytest.raises(ValueError, match="without missing values"):
        table.numbers("a")
