"""`symopt fit`: tables, files and exit codes, on a straight line and on bad input."""

from __future__ import annotations

import csv
import json
import signal

import numpy as np
import pytest

import symopt

FIT = ("fit", "line.sym", "--data", "points.csv")

# The line through the points by its normal equations, and the standard errors of the textbook.
X = np.arange(5.0)
Y = np.array([1, 2.9, 5.1, 7.2, 8.8])
DESIGN = np.stack([X, np.ones(5)], axis=1)
SLOPE, OFFSET = np.linalg.solve(DESIGN.T @ DESIGN, DESIGN.T @ Y)
SUM = float(np.sum((Y - SLOPE * X - OFFSET) ** 2))
ERRORS = np.sqrt(np.diag(SUM / 3 * np.linalg.inv(DESIGN.T @ DESIGN)))


def test_the_table_tells_the_fit(run):
    result = run(*FIT)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["parameter", "value", "std.", "error"]
    rows = {line[0]: line[1:] for line in lines if line}
    # Ten digits are printed of values, five of errors.
    assert float(rows["slope"][0]) == pytest.approx(SLOPE, rel=1e-9)
    assert float(rows["slope"][1]) == pytest.approx(ERRORS[0], rel=1e-4)
    assert rows["slope"][2:] == ["rise", "per", "unit"]
    assert float(rows["offset"][0]) == pytest.approx(OFFSET, rel=1e-9)
    assert float(rows["middle"][0]) == pytest.approx(OFFSET + 2 * SLOPE, rel=1e-9)
    assert float(rows["objective"][0]) == pytest.approx(SUM, rel=1e-9)
    assert rows["degrees"][2] == "3,"
    assert rows["method"][0] == "lm:"
    assert rows["stopped"][0].startswith("converged")


def test_json_has_every_digit_and_trace_every_iteration(run, folder):
    result = run(*FIT, "--quiet", "--json", "fit.json", "--trace", "trace.csv", "--seed", "3")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    document = json.loads((folder / "fit.json").read_text())
    assert document["success"] is True
    assert document["method"] == "lm"
    assert document["seed"] == 3
    assert document["degrees_of_freedom"] == 3
    # Rounding of a well-conditioned problem of five points.
    assert document["objective"] == pytest.approx(SUM, rel=1e-13)
    assert document["params"] == pytest.approx({"slope": SLOPE, "offset": OFFSET}, rel=1e-13)
    assert document["stderr"] == pytest.approx({"slope": ERRORS[0], "offset": ERRORS[1]}, 1e-10)
    assert document["reports"]["middle"] == pytest.approx(OFFSET + 2 * SLOPE, rel=1e-13)
    with open(folder / "trace.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["iteration", "value", "grad_norm", "step", "time"]
    assert [int(row["iteration"]) for row in rows] == list(range(document["iterations"] + 1))
    assert float(rows[-1]["value"]) == document["objective"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "fit.json",
        "line.sym",
        "points.csv",
        "trace.csv",
    ]


def test_json_on_standard_output_replaces_the_tables(run):
    result = run(*FIT, "--json", "-")
    assert set(json.loads(result.stdout)["params"]) == {"slope", "offset"}


def test_a_program_from_standard_input(run, folder):
    text = (folder / "line.sym").read_text()
    result = run("fit", "-", "--data", "points.csv", "--json", "-", stdin=text)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["params"]["slope"] == pytest.approx(SLOPE, rel=1e-13)


def test_param_gives_the_start_and_fix_keeps_it(run):
    result = run(*FIT, "--param", "offset=2", "--fix", "offset", "--json", "-")
    document = json.loads(result.stdout)
    assert document["params"]["offset"] == 2
    assert document["params"]["slope"] == pytest.approx(X @ (Y - 2) / (X @ X), rel=1e-13)
    assert document["stderr"]["offset"] == 0


def test_a_start_may_be_an_array(run, program, folder):
    path = program("param w[3] init 0\nminimize sumsq(w[i] - i for i)\n")
    (folder / "w.json").write_text("[5, 6, 7]")
    for text in ("w=5,6,7", "w=w.json"):
        result = run("fit", path, "--param", text, "--max-iter", "0", "--json", "-")
        assert json.loads(result.stdout)["params"]["w"] == [5, 6, 7]
        assert result.exit_code == 1


def test_dim_and_data_numbers(run, program):
    path = program("data scale = 1\nparam w[k] init 0\nminimize sum((w[i] - scale)^2 for i)\n")
    result = run("fit", path, "--dim", "k=2", "--data", "scale=3", "--json", "-")
    # The gradient test bounds the error of a quadratic by the square root of rounding.
    assert json.loads(result.stdout)["params"]["w"] == pytest.approx([3, 3], rel=1e-7)


def test_a_run_that_does_not_converge_is_exit_code_1(run):
    result = run(*FIT, "--method", "gradient-descent", "--max-iter", "1")
    assert result.exit_code == 1
    assert "not converged" in result.stdout


def test_a_maximum_is_said_to_be_one(run, program):
    result = run("fit", program("param x init 1\nmaximize 3 - (x - 2)^2\n"))
    assert result.exit_code == 0
    assert "objective" in result.stdout
    assert "3 (maximized)" in result.stdout


def test_parameters_that_cannot_all_be_identified_are_said_to_be(run, program):
    path = program("data x[n], y[n]\nparam a init 1, b init 1\nresidual r = y - (a + b) * x\n")
    result = run("fit", path, "--data", "points.csv")
    assert "rank-deficient: the data does not determine a, b" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[2:4]]
    assert [(row[0], row[2]) for row in rows] == [("a", "inf"), ("b", "inf")]


def test_large_arrays_are_summarised(run, program):
    path = program("param W[10, 20] init 1\nminimize sumsq(W)\n")
    result = run("fit", path)
    assert "W[0, 2]" in result.stdout
    assert "W[0, 3]" not in result.stdout
    assert "(10 x 20)" in result.stdout


def test_columns_of_a_matrix_on_the_command_line(run, program, folder):
    (folder / "three.csv").write_text("a,y,b,c\n1,1,0,9\n0,2,1,9\n1,3,1,9\n")
    path = program("data X[n, d], y[n]\nparam w[d] init 0\nresidual r = y - X @ w\n")
    result = run("fit", path, "--data", "three.csv", "--data", "X=three.csv:b,a", "--json", "-")
    assert json.loads(result.stdout)["params"]["w"] == pytest.approx([2, 1], rel=1e-12)


BAD_DATA = {
    "missing": ("x\n1\n", "data `y` is not given"),
    "nothing": ("q\n1\n", "data `x` is not given"),
    "non-numeric": ("x,y\n1,2\n2,abc\n", "'abc' is not a number"),
    "blank": ("x,y\n1,2\n2,\n", "column `y`, row 2: has no value"),
    "not a number": ("x,y\n1,2\n2,nan\n", "nan"),
    "empty": ("", "is empty"),
    "no rows": ("x,y\n", "no rows"),
    "ragged": ("x,y\n1,2\n3\n", "this row has 1 cell"),
    "duplicate": ("x,x,y\n1,2,3\n", "two columns are named `x`"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_exit_code_2_with_a_clear_message(run, folder, name):
    text, words = BAD_DATA[name]
    (folder / "bad.csv").write_text(text)
    result = run("fit", "line.sym", "--data", "bad.csv")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "error:" in result.stderr
    assert words in result.stderr


def test_infinite_data_are_no_place_to_start(run, folder):
    (folder / "bad.csv").write_text("x,y\n1,2\n2,inf\n")
    result = run("fit", "line.sym", "--data", "bad.csv")
    assert result.exit_code == 1
    assert "not finite" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "none.csv"), "cannot read 'none.csv'"),
        (("--data", "points.csv", "--data", "z=points.csv"), "no data `z`"),
        (("--data", "points.csv", "--method", "lmm"), "no method `lmm`"),
        (("--data", "points.csv", "--param", "slop=1"), "did you mean `slope`?"),
        (("--data", "points.csv", "--param", "slope=abc"), "slope takes numbers"),
        (("--data", "points.csv", "--param", "slope"), "takes NAME=VALUE"),
        (("--data", "points.csv", "--param", "slope=1,2"), "`slope` has shape ()"),
        (("--data", "points.csv", "--fix", "slop"), "cannot fix `slop`"),
        (("--data", "points.csv", "--dim", "q=3"), "no dim `q`"),
        (("--data", "points.csv", "--dim", "n=many"), "takes a whole number"),
        (("--data", "points.csv", "--dim", "n=7"), "n"),
        (("--data", "points.csv", "--json", "no/such/folder.json"), "cannot write"),
    ],
)
def test_bad_options_are_exit_code_2(run, options, words):
    result = run("fit", "line.sym", *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_wrong_shapes_are_refused(run, folder):
    np.savez(folder / "bad.npz", x=np.ones(3), y=np.ones(4))
    result = run("fit", "line.sym", "--data", "bad.npz")
    assert result.exit_code == 2
    assert "3" in result.stderr
    assert "4" in result.stderr
    np.savez(folder / "bad.npz", x=np.ones((3, 2)), y=np.ones(3))
    assert run("fit", "line.sym", "--data", "bad.npz").exit_code == 2


@pytest.mark.parametrize("entry", ["3", "-1", "0.5"])
def test_an_index_out_of_range_is_named(run, program, folder, entry):
    path = program(
        "data label[n] in 3, y[n]\nparam m[3] init 0\nresidual r[i] = y[i] - m[label[i]]\n"
    )
    (folder / "labels.csv").write_text(f"label,y\n0,1\n{entry},2\n2,3\n1,5\n")
    result = run("fit", path, "--data", "labels.csv")
    assert result.exit_code == 2
    assert "label[1]" in result.stderr
    assert entry in result.stderr


@pytest.mark.parametrize(
    ("text", "exit_code", "words"),
    [
        ("param s in [0, 1] init 2\nminimize s^2\n", 2, "the start of `s` is 2, above its bound 1"),
        ("param s init -0.3\nminimize log(s)\n", 1, "log of -0.3"),
        ("param w[k] init 0\nminimize sumsq(w)\n", 2, "k"),
        ("param w\nminimize w^2\n", 2, "w"),
    ],
    ids=["start outside bounds", "log of a negative number", "unknown dim", "no start"],
)
def test_starts_that_cannot_be(run, program, text, exit_code, words):
    result = run("fit", program(text))
    assert result.exit_code == exit_code
    assert words in result.stderr
    assert "error:" in result.stderr


def test_a_program_with_errors_is_exit_code_1(run, program):
    result = run("fit", program("param w init 0\nminimize ww^2\n"))
    assert result.exit_code == 1
    assert result.stderr.startswith("program.sym:2:10: error: ")
    assert "`w`" in result.stderr


def test_an_interrupt_ends_the_run_and_tells_the_point_reached(run, program, monkeypatch):
    # A banana valley that plain descent needs very many steps for; Ctrl-C comes at once.
    path = program("param x init -1.2, y init 1\nminimize 100 * (y - x^2)^2 + (1 - x)^2\n")
    minimize = symopt.minimize

    def minimize_interrupted(*arguments, **settings):
        signal.raise_signal(signal.SIGINT)
        return minimize(*arguments, **settings)

    monkeypatch.setattr(symopt, "minimize", minimize_interrupted)
    result = run("fit", path, "--method", "gradient-descent", "--tol", "0", "--trace", "trace.csv")
    assert result.exit_code == 130
    assert "interrupted" in result.stdout
    assert "gradient-descent: 1 iterations" in result.stdout
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_data_named_in_the_program(run, program, folder):
    named = 'data x[n], y[n] from "points.csv"'
    name = program((folder / "line.sym").read_text().replace("data x[n], y[n]", named))
    result = run("fit", name, "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["params"]["slope"] == pytest.approx(1.99)
    (folder / "other.csv").write_text("x,y\n0,1\n1,3\n2,5\n3,7\n")
    result = run("fit", name, "--data", "other.csv", "--json", "-")
    assert json.loads(result.stdout)["params"]["slope"] == pytest.approx(2)


def test_a_matrix_of_the_options_wins_over_that_of_the_program(run, program, folder):
    (folder / "own.csv").write_text("a,b,y\n1,0,1\n0,1,1\n1,1,2\n")
    (folder / "other.csv").write_text("a,b,y\n1,0,3\n0,1,4\n1,1,7\n")
    name = program('data X[n, d], y[n] from "own.csv"\nparam w[d] init 0\nresidual r = y - X @ w\n')
    assert json.loads(run("fit", name, "--json", "-").stdout)["params"]["w"] == pytest.approx(
        [1, 1]
    )
    result = run("fit", name, "--data", "other.csv", "--json", "-")
    assert json.loads(result.stdout)["params"]["w"] == pytest.approx([3, 4])
