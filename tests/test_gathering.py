"""What `--data` options give to which data name, and what is said when they cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.gathering import File, Number, gather_data, parse_option


@dataclass(frozen=True)
class Declared:
    name: str
    shape: tuple[str, ...] = ("n",)
    default: str | None = None
    file: str | None = None


def declare(*declarations):
    return {declaration.name: declaration for declaration in declarations}


VECTORS = declare(Declared("x"), Declared("y"))
MATRIX = declare(
    Declared("X", ("n", "d")), Declared("y"), Declared("ridge", (), default="ridge$default")
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, text):
        (tmp_path / name).write_text(text)
        return name

    return write


def lists(arrays):
    return {name: array.tolist() for name, array in arrays.items()}


def refusals(declarations, *options):
    with pytest.raises(DataError) as caught:
        gather_data(declarations, options)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("f.csv", File(None, "f.csv", ())),
        ("x=f.csv", File("x", "f.csv", ())),
        ("X=f.csv:a,b", File("X", "f.csv", ("a", "b"))),
        ("ridge=1e-3", Number("ridge", 0.001)),
        ("./a=b/f.csv", File(None, "./a=b/f.csv", ())),
    ],
)
def test_options_are_taken_apart(file, text, option):
    assert parse_option(text) == option


def test_a_colon_may_be_part_of_a_file_name(file):
    file("12:30.csv", "x\n1\n")
    assert parse_option("x=12:30.csv") == File("x", "12:30.csv", ())
    assert parse_option("x=12:30.csv:x") == File("x", "12:30.csv", ("x",))


def test_columns_go_to_the_names_they_carry(file):
    path = file("f.csv", "y,extra,x,label\n1,7,2,a\n3,8,4,b\n")
    assert lists(gather_data(VECTORS, [path])) == {"x": [2, 4], "y": [1, 3]}


def test_columns_may_come_from_several_files(file):
    paths = [file("a.csv", "x\n1\n"), file("b.tsv", "y\tz\n2\t3\n")]
    assert lists(gather_data(VECTORS, paths)) == {"x": [1], "y": [2]}


def test_an_option_with_a_name_wins(file):
    path = file("f.csv", "x,y,z\n1,2,3\n")
    assert lists(gather_data(VECTORS, [path, f"y={path}:z"])) == {"x": [1], "y": [3]}


def test_a_matrix_takes_the_numeric_columns_left_in_file_order(file):
    path = file("f.csv", "c,y,kind,a\n1,2,red,3\n4,5,blue,6\n")
    arrays = gather_data(MATRIX, [path])
    assert lists(arrays) == {"X": [[1, 3], [4, 6]], "y": [2, 5]}
    assert arrays["X"].flags.c_contiguous


def test_a_matrix_takes_the_columns_it_is_given(file):
    path = file("f.csv", "c,y,a\n1,2,3\n4,5,6\n")
    assert lists(gather_data(MATRIX, [path, f"X={path}:a,c"]))["X"] == [[3, 1], [6, 4]]
    assert lists(gather_data(MATRIX, [path, f"X={path}:a"]))["X"] == [[3], [6]]
    assert lists(gather_data(MATRIX, [f"X={path}", f"y={path}"]))["X"] == [[1, 3], [4, 6]]


def test_a_number_serves_a_scalar(file):
    path = file("f.csv", "a,y\n1,2\n")
    assert gather_data(MATRIX, [path, "ridge=0.5"])["ridge"].tolist() == 0.5


def test_arrays_of_any_rank_come_from_numpy_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cube = np.arange(24.0).reshape(2, 3, 4)
    np.savez("z.npz", cube=cube, y=np.ones(2))
    np.save("y.npy", np.zeros(2))
    declarations = declare(Declared("cube", ("a", "b", "c")), Declared("y"))
    arrays = gather_data(declarations, ["z.npz", "y=y.npy"])
    assert lists(arrays) == {"cube": cube.tolist(), "y": [0, 0]}


def test_a_table_without_header_can_be_named_by_position(file):
    path = file("f.csv", "1,2,3\n4,5,6\n")
    arrays = gather_data(VECTORS, [f"x={path}:0", f"y={path}:2"])
    assert lists(arrays) == {"x": [1, 4], "y": [3, 6]}


@pytest.mark.parametrize(
    ("declarations", "options", "code", "words"),
    [
        (VECTORS, ["f.csv"], "missing-data", "data `y` is not given; columns available: x, yy"),
        (VECTORS, [], "missing-data", "data `x` is not given"),
        (VECTORS, ["f.csv", "q=f.csv"], "unknown-data", "no data `q`"),
        (VECTORS, ["x=1", "x=2"], "data-given-twice", "`x` is given twice"),
        (VECTORS, ["x=f.csv:xx"], "no-such-column", "no column `xx`; its columns: x, yy"),
        (VECTORS, ["y=f.csv"], "no-such-column", "no column `y`"),
        (VECTORS, ["f.csv:x"], "columns-without-name", "for no name"),
        (VECTORS, ["x=1", "y=2", "f.csv"], "unused-data", "nothing in 'f.csv'"),
        (VECTORS, ["none.csv"], "unreadable-file", "No such file"),
        (VECTORS, ["f.csv", "g.csv", "y=1"], "ambiguous-data", "'f.csv' and 'g.csv'"),
        (MATRIX, ["f.csv", "h.csv"], "ragged-matrix", "do not have one length"),
        (
            declare(Declared("A", ("n", "d")), Declared("B", ("n", "e"))),
            ["f.csv"],
            "ambiguous-matrix",
            "which columns go to which of A, B",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(file, declarations, options, code, words):
    file("f.csv", "x,yy\n1,2\n3,4\n")
    file("g.csv", "x\n1\n")
    file("h.csv", "y,z\n1,1\n2,2\n3,3\n")
    diagnostic = refusals(declarations, *options)[0]
    assert diagnostic.code == code
    assert words in diagnostic.message


def test_a_near_column_is_suggested(file):
    path = file("f.csv", "x,weigth\n1,2\n")
    (diagnostic,) = refusals(declare(Declared("weight")), path)
    assert diagnostic.help == "did you mean `weigth`? --data weight=f.csv:weigth"


def test_a_bad_cell_matters_where_it_is_used(file):
    path = file("f.csv", "x,y,z\n1,2,oops\n3,4,5\n")
    assert lists(gather_data(VECTORS, [path])) == {"x": [1, 3], "y": [2, 4]}
    (diagnostic,) = refusals(MATRIX, path)
    assert diagnostic.message == "column `z`, row 1: 'oops' is not a number"


def test_independent_mistakes_are_reported_together(file):
    path = file("f.csv", "x,y\n1,a\n3,b\nc,5\n")
    assert [d.code for d in refusals(VECTORS, path)] == ["non-numeric-cell"] * 2
    assert [d.code for d in refusals(VECTORS, "q=1", "none.csv")] == [
        "unknown-data",
        "unreadable-file",
    ]
