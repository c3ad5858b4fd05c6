"""Data that lies with a program: files named in it, and the one beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symopt
from symopt.data_files import explain_missing, read_all
from symopt.diagnostics import DataError

REST = "param w init 1\nresidual r[i] = y[i] - w * x[i]\n"
POINTS = "x,y\n1,2\n2,3\n4,5\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "points.csv").write_text(POINTS)
    return tmp_path


def load(folder: Path, data: str, rest: str = REST, name: str = "line.sym") -> symopt.Model:
    (folder / name).write_text(f"{data}\n{rest}")
    return symopt.load(folder / name)


def bound(problem, *names: str) -> list[list[float]]:
    return [np.asarray(problem.eval(name, problem.x0)).tolist() for name in names]


@pytest.mark.parametrize(
    "data",
    [
        'data x[n], y[n] from "data/points.csv"',
        'data x[n] from "data/points.csv"\ndata y[n] "seen" from "data/points.csv"',
        'data x[n], y[n] from "data/points.csv:x,y"',
        'data x[n] from "data/points.csv:x"\ndata y[n] from "data/../data/points.csv:y"',
    ],
)
def test_columns_go_to_names(folder: Path, data: str) -> None:
    assert bound(load(folder, data).bind(), "x", "y") == [[1, 2, 4], [2, 3, 5]]


def test_columns_can_be_others_than_the_names(folder: Path) -> None:
    problem = load(folder, 'data x[n], y[n] from "data/points.csv:y,x"').bind()
    assert bound(problem, "x", "y") == [[2, 3, 5], [1, 2, 4]]


def test_a_matrix_takes_the_columns_of_no_other_name(folder: Path) -> None:
    (folder / "iris.csv").write_text("a,b,y\n1,2,0\n3,4,1\n")
    data = 'data X[n, d] from "iris.csv"\ndata y[n] from "iris.csv"'
    rest = "param w[d] init 0\nresidual r = y - X @ w\n"
    assert bound(load(folder, data, rest).bind(), "X", "y") == [[[1, 2], [3, 4]], [0, 1]]
    both = load(folder, 'data X[n, d], y[n] from "iris.csv"', rest)
    assert bound(both.bind(), "X", "y") == [[[1, 2], [3, 4]], [0, 1]]
    chosen = load(folder, 'data X[n, d] from "iris.csv:b"\ndata y[n] from "iris.csv"', rest)
    assert bound(chosen.bind(), "X") == [[[2], [4]]]


def test_arrays_of_an_archive(folder: Path) -> None:
    np.savez(folder / "points.npz", x=np.arange(3.0), y=np.ones(3), more=np.zeros((2, 2)))
    problem = load(folder, 'data x[n], y[n] from "points.npz"').bind()
    assert bound(problem, "x", "y") == [[0, 1, 2], [1, 1, 1]]


def test_objects_are_not_unpickled(folder: Path) -> None:
    np.save(folder / "points.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds no NumPy arrays of numbers"):
        load(folder, 'data x[n], y[n] from "points.npy"').bind()


def test_what_is_given_wins_name_by_name(folder: Path) -> None:
    model = load(folder, 'data x[n], y[n] from "data/points.csv"')
    assert bound(model.bind(y=[7, 8, 9]), "x", "y") == [[1, 2, 4], [7, 8, 9]]
    (folder / "data" / "points.csv").unlink()  # not even looked for where all is given
    assert bound(model.bind(x=[1], y=[2]), "x", "y") == [[1], [2]]


def test_other_data_of_a_problem_keeps_the_rest(folder: Path) -> None:
    problem = load(folder, 'data x[n], y[n] from "data/points.csv"').bind()
    assert bound(problem.rebind(y=[0, 0, 0]), "x", "y") == [[1, 2, 4], [0, 0, 0]]


def test_a_text_without_a_file_reads_in_the_current_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "data")
    problem = symopt.parse('data x[n], y[n] from "points.csv"\n' + REST).bind()
    assert bound(problem, "x") == [[1, 2, 4]]
    with pytest.raises(DataError, match="looked up in the current directory"):
        symopt.parse('data x[n], y[n] from "elsewhere"\n' + REST).bind()


def test_files_of_an_importing_program_are_its_own(folder: Path) -> None:
    (folder / "other.sym").write_text('data q[n] from "nowhere.csv"\ndef f(x) = x\nexpect finite\n')
    data = 'import "other.sym"\ndata x[n], y[n] from "data/points.csv"'
    model = load(folder, data, REST + "expect w < 2\n")
    assert bound(model.bind(), "x") == [[1, 2, 4]]
    assert [expectation.text for expectation in model.expectations] == ["expect w < 2"]


@pytest.mark.parametrize(
    ("data", "message", "help"),
    [
        ('data x[n], y[n] from "data/point.csv"', "no file `{}/data/point.csv`", "data/points.csv"),
        ('data x[n], y[n] from "none.csv"', "no file `{}/none.csv`", "beside the program"),
        ('data x[n], y[n] from "data/points.csv:x,z"', "no column `z`", ""),
        ('data x[n], y[n] from "data/points.csv:x"', "1 columns are not one for each", "own"),
        ('data x[n], q[n], y[n] from "data/points.csv"', "`q` is not given", "points.csv:x"),
        ('data x[n], y[n] from "data"', "cannot tell the format", ".csv"),
        ('data x[n], y[n] from "bad.csv"', "'two' is not a number", ""),
    ],
)
def test_mistakes_have_their_place(folder: Path, data: str, message: str, help: str) -> None:
    (folder / "bad.csv").write_text("x,y\n1,two\n")
    model = load(folder, data)
    with pytest.raises(DataError) as caught:
        model.bind()
    (diagnostic,) = caught.value.diagnostics
    assert message.format(folder) in diagnostic.message
    assert help in (diagnostic.help or "")
    assert diagnostic.labels[-1].span.text == data[data.index("from") :]


def test_all_mistakes_are_reported(folder: Path) -> None:
    model = load(folder, 'data x[n] from "a.csv"\ndata y[n] from "b.csv"')
    with pytest.raises(DataError) as caught:
        model.bind()
    assert len(caught.value.diagnostics) == 2


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".json"])
def test_the_file_beside_a_program(folder: Path, suffix: str) -> None:
    model = load(folder, "data x[n], y[n]")
    source = model.stages.source
    assert read_all(model.data, source, {}) == {}
    match suffix:
        case ".csv":
            (folder / "line.csv").write_text(POINTS)
        case ".npz":
            np.savez(folder / "line.npz", x=[1, 2, 4], y=[2, 3, 5])
        case _:
            (folder / "line.json").write_text('{"x": [1, 2, 4], "y": [2, 3, 5]}')
    found = read_all(model.data, source, {})
    assert {name: array.tolist() for name, array in found.items()} == {
        "x": [1, 2, 4],
        "y": [2, 3, 5],
    }
    found = read_all(model.data, source, {"y": np.zeros(3)})
    assert found["y"].tolist() == [0, 0, 0] and found["x"].tolist() == [1, 2, 4]


def test_a_file_that_is_named_comes_before_the_one_beside(folder: Path) -> None:
    (folder / "line.csv").write_text("x,y\n0,0\n0,0\n0,0\n")
    model = load(folder, 'data x[n] from "data/points.csv"\ndata y[n]')
    found = read_all(model.data, model.stages.source, {})
    assert {name: array.tolist() for name, array in found.items()} == {
        "x": [1, 2, 4],
        "y": [0, 0, 0],
    }


def test_where_missing_data_is_looked_for(folder: Path) -> None:
    source = load(folder, "data x[n], y[n]").stages.source
    message, fix = explain_missing(source, ["x", "y"])
    assert message == "there is no data for `x`, `y`"
    assert "line.csv (or line.tsv" in fix and 'data x[n] from "points.csv"' in fix
