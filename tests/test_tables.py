"""Data files: what is read, and what is said about files that cannot be."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.tables import read_table


@pytest.fixture
def write(tmp_path):
    def write(content, name="points.csv"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return str(path)

    return write


def values(table):
    return {column.name: column.values.tolist() for column in table.columns}


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_table(path)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.csv", "x,y\n1,2.5\n3,-4e-3\n"),
        ("f.CSV", "x,y\n1,2.5\n3,-4e-3"),
        ("f.tsv", "x\ty\n1\t2.5\n3\t-4e-3\n"),
        ("f.csv", "\ufeffx,y\r\n1,2.5\r\n3,-4e-3\r\n"),
        ("f.csv", "# made by hand\n\n x , y\n# half way\n1, 2.5\n\n3 ,-4e-3\n"),
        ("f.csv", '"x","y"\n"1","2.5"\n"3","-4e-3"\n'),
    ],
    ids=["csv", "upper-case suffix, no last newline", "tsv", "bom and crlf", "comments", "quotes"],
)
def test_columns_of_a_text_table(write, name, text):
    assert values(read_table(write(text, name))) == {"x": [1.0, 3.0], "y": [2.5, -0.004]}


def test_numbers_are_read_to_the_last_bit(write, rng):
    column = rng.standard_normal(500) * 10.0 ** rng.integers(-300, 300, 500)
    text = "x\n" + "\n".join(repr(float(value)) for value in column)
    assert read_table(write(text)).columns[0].values.tolist() == column.tolist()


def test_a_file_without_header_numbers_its_columns(write):
    assert values(read_table(write("1,2\n3,4\n"))) == {"0": [1.0, 3.0], "1": [2.0, 4.0]}


def test_not_a_number_and_infinity_are_numbers(write):
    (column,) = read_table(write("x\nnan\n-inf\n1\n")).columns
    assert column.fault is None
    np.testing.assert_array_equal(column.values, [np.nan, -np.inf, 1.0])


def test_a_bad_cell_is_the_fault_of_its_column_only(write):
    path = write("x,y,note\n1,2,first\n3,abc,second\n5,6,third\n")
    x, y, note = read_table(path).columns
    assert x.fault is None
    assert x.values.tolist() == [1.0, 3.0, 5.0]
    assert y.numeric
    assert y.fault is not None
    assert y.fault.message == "column `y`, row 2: 'abc' is not a number"
    assert str(y.fault.labels[0].span) == f"{path}:3:3"
    assert y.fault.labels[0].span.text == "abc"
    assert not note.numeric


@pytest.mark.parametrize("cell", ["", " ", "NA", "null"])
def test_a_cell_without_value_is_said_to_have_none(write, cell):
    table = read_table(write(f"x,y\n1,2\n{cell},4\n"))
    assert table.columns[0].fault is not None
    assert table.columns[0].fault.message == "column `x`, row 2: has no value"


def test_the_place_of_a_cell_minds_quotes_and_comments(write):
    path = write('# a comment\nname,y\n"a,b",1\n\n"c,d",oops\n')
    fault = read_table(path).columns[1].fault
    assert fault is not None
    assert str(fault.labels[0].span) == f"{path}:5:7"
    assert fault.labels[0].span.text == "oops"


def test_a_quoted_cell_may_hold_a_newline(write):
    path = write('name,y\n"two\nlines",1\nplain,x\n')
    name, y = read_table(path).columns
    assert not name.numeric
    assert y.fault is not None
    assert y.fault.labels[0].span.line == 4


@pytest.mark.parametrize("row", ["3", "3,4,5", "3,4,"])
def test_ragged_rows_are_refused_at_their_place(write, row):
    path = write(f"x,y\n1,2\n{row}\n")
    diagnostic = refusal(path)
    assert diagnostic.code == "ragged-row"
    assert str(diagnostic.labels[0].span) == f"{path}:3:1"
    assert diagnostic.message.endswith("the first one has 2")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty-file"),
        ("\n\n# only a comment\n", "empty-file"),
        ("x,y\n", "no-rows"),
        ("x,,y\n1,2,3\n", "blank-header"),
        ("x,y,x\n1,2,3\n", "duplicate-header"),
        (b"x,y\n1,\xff\xfe\n", "not-text"),
        (b"\xff\x00\x01", "not-text"),
    ],
)
def test_text_that_is_no_table_is_refused(write, content, code):
    path = write(content)
    diagnostic = refusal(path)
    assert diagnostic.code == code
    assert path in diagnostic.message


def test_random_bytes_are_refused(write, rng):
    assert refusal(write(rng.bytes(1_000_000))).code in ("not-text", "not-a-table")


def test_a_missing_file_and_an_unknown_format_are_refused(tmp_path, write):
    assert refusal(str(tmp_path / "none.csv")).code == "unreadable-file"
    assert refusal(str(tmp_path / "none.npy")).code == "unreadable-file"
    diagnostic = refusal(write("x\n1\n", "f.xlsx"))
    assert diagnostic.code == "unknown-format"
    assert ".csv" in (diagnostic.help or "")


def test_arrays_of_numpy_files(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "s.npy", np.array([(1, 2.5)], dtype=[("x", "i4"), ("y", "f8")]))
    np.savez(tmp_path / "z.npz", x=np.arange(3), t=np.array(["a", "b"]))
    assert values(read_table(str(tmp_path / "a.npy"))) == {"": [[0, 1, 2], [3, 4, 5]]}
    assert values(read_table(str(tmp_path / "s.npy"))) == {"x": [1], "y": [2.5]}
    x, t = read_table(str(tmp_path / "z.npz")).columns
    assert x.values.tolist() == [0, 1, 2]
    assert t.fault is not None
    assert t.fault.message.endswith("`t` holds text, not real numbers")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_broken_numpy_files_are_refused(write, tmp_path, suffix):
    assert refusal(write(b"", f"f{suffix}")).code == "empty-file"
    assert refusal(write(b"no array", f"g{suffix}")).code == "unreadable-file"
    np.savez(tmp_path / "z.npz", x=np.arange(30))
    cut = (tmp_path / "z.npz").read_bytes()[:60]
    assert refusal(write(cut, f"h{suffix}")).code == "unreadable-file"


def test_objects_in_numpy_files_are_never_unpickled(tmp_path):
    np.save(tmp_path / "o.npy", np.array([print], dtype=object), allow_pickle=True)
    assert refusal(str(tmp_path / "o.npy")).code == "unreadable-file"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"x": [1, 2], "s": 0.5, "A": [[1, 2], [3, 4]]}, None),
        ([{"x": 1, "y": 2.5}, {"x": 3, "y": 4}], {"x": [1, 3], "y": [2.5, 4]}),
        ([1, 2, 3], {"": [1, 2, 3]}),
    ],
    ids=["arrays", "records", "list"],
)
def test_arrays_of_json(write, content, expected):
    table = read_table(write(json.dumps(content), "f.json"))
    assert values(table) == (content if expected is None else expected)


def test_faults_of_json(write):
    # Where a trailing comma is found differs between versions of Python; a missing one does not.
    path = write('{"x": [1 2]}', "f.json")
    diagnostic = refusal(path)
    assert str(diagnostic.labels[0].span) == f"{path}:1:10"
    table = read_table(write('{"x": [[1, 2], [3]], "y": ["a"]}', "g.json"))
    assert [column.fault is not None for column in table.columns] == [True, True]
    assert refusal(write("", "h.json")).code == "empty-file"


def test_columns_of_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet is read by pyarrow")
    from pyarrow import parquet

    path = tmp_path / "points.parquet"
    columns = {"x": [1.5, 2.5, None], "k": [1, 2, 3], "label": ["a", "b", "c"]}
    parquet.write_table(pyarrow.table(columns), path)
    x, k, label = read_table(str(path)).columns
    np.testing.assert_array_equal(x.values, [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(k.values, [1, 2, 3])
    assert label.fault is not None
    path.write_bytes(b"no table")
    with pytest.raises(DataError, match="holds no Parquet table"):
        read_table(str(path))


def test_parquet_without_its_reader(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "points.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"pyarrow, which reads these, is not installed"):
        read_table(str(tmp_path / "points.parquet"))
