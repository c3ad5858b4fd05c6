"""`symopt test`: derivatives verified from the command line."""

from __future__ import annotations

import json

import pytest

from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES

TEXT = """\
data x[n], y[n]
param a > 0 init 1, b init 0.5
z[i] = log(a + x[i])^b
residual r[i] = y[i] - z[i]
"""


@pytest.fixture
def wrong_log():
    """A logarithm whose derivative is three times what it should be."""
    record = PRIMITIVES["log"]
    right = record.partials
    object.__setattr__(record, "partials", lambda x: (Constant(3.0) * right(x)[0],))
    yield
    object.__setattr__(record, "partials", right)


def test_random_data_and_points(run, program):
    result = run("test", program(TEXT), "--points", "2")
    assert result.exit_code == 0
    assert "all functions agree with all oracles at 2 of 2 points" in result.stdout
    for words in ("gauss_newton", "complex step", "dual numbers", "central differences"):
        assert words in result.stdout


def test_given_data(run):
    result = run("test", "line.sym", "--data", "points.csv", "--points", "1", "--json", "-")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["ok"]
    assert document["dims"] == {"n": 5}
    assert document["max_error"] < 1e-13
    (point,) = document["points"]
    assert {row["function"] for row in point["comparisons"]} >= {"value", "grad", "hvp", "jac"}
    assert all(row["ok"] for row in point["comparisons"])


def test_part_of_the_data_is_random(run, folder):
    (folder / "some.csv").write_text("x\n1\n2\n3\n")
    result = run("test", "line.sym", "--data", "some.csv", "--points", "1", "--json", "-")
    assert json.loads(result.stdout)["dims"] == {"n": 3}


def test_a_wrong_derivative_is_a_no(run, program, wrong_log):
    result = run(
        "test", program(TEXT), "--points", "1", "--functions", "grad", "--json", "report.json"
    )
    assert result.exit_code == 1
    assert "program.sym:3:1" in result.stdout
    assert "`log(a + x[i])` at 3:8" in result.stdout
    assert "FAILED at 0 of 1 points" in result.stdout
    from pathlib import Path

    failure = json.loads(Path("report.json").read_text())["points"][0]["failures"][0]
    assert (failure["definition"], failure["line"], failure["read"]) == ("z", 3, "a")


def test_the_seed_decides(run, program):
    path = program("param a init normal(0, 1)\ndata x\nminimize exp(a * x)\n")
    first, again, other = (
        run("test", path, "--points", "1", "--seed", seed, "--json", "-").stdout
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_table_for_each_point(run):
    result = run("test", "line.sym", "--data", "points.csv", "--points", "2", "-v")
    assert "point 1" in result.stdout
    assert "point 2" in result.stdout


def test_nowhere_finite(run, program):
    result = run("test", program("param a > 0 init 1\nminimize log(-a)\n"))
    assert result.exit_code == 1
    assert "no point was found" in result.stderr
    assert "`log(-a)` at 2:10" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--points", "0"), "--points"),
        (("--functions", "grad,hpv"), "no check of a function `hpv`"),
        (("--dim", "q=3"), "no dim `q`"),
        (("--data", "missing.csv"), "missing.csv"),
        (("--param", "slpe=1"), "did you mean `slope`?"),
        (("--data", "points.csv", "--dim", "n=9"), "n"),
    ],
)
def test_bad_input_is_refused(run, arguments, words):
    result = run("test", "line.sym", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_programs_with_errors(run, program):
    result = run("test", program("param w init 0\nminimize (w\n"))
    assert result.exit_code == 1
    assert "program.sym:2:" in result.stderr


def test_in_single_precision(run):
    """Errors are those of floats, and within what these may have."""
    result = run("test", "line.sym", "--dtype", "float32", "--points", "1", "--json", "-")
    assert result.exit_code == 0


EXPECTING = """\
data x[n], y[n] from "points.csv"
param slope init 1, offset init 0
residual r[i] = y[i] - (offset + slope * x[i])
expect finite
expect slope == 1.99 within 1e-9
"""


def test_expectations_with_the_data_of_the_file(run, program):
    result = run("test", program(EXPECTING))
    assert result.exit_code == 0, result.stderr
    assert "n = 5" in result.stdout
    assert "ok: expect finite: value and gradient are finite at the start" in result.stdout
    assert "ok: expect slope == 1.99 within 1e-9: found 1.99, which is" in result.stdout


def test_an_expectation_that_is_not_met(run, program):
    name = program(EXPECTING.replace("1.99 within", "1.98 within"))
    result = run("test", name, "--functions", "grad")
    assert result.exit_code == 1
    assert "FAILED: expect slope == 1.98 within 1e-9" in result.stdout
    assert "program.sym:5:1: error: found 1.99, which is 0.01 away" in result.stderr
    document = json.loads(run("test", name, "--functions", "grad", "--json", "-").stdout)
    assert not document["ok"] and all(point["ok"] for point in document["points"])
    first, second = document["expectations"]
    assert (first["ok"], first["text"], first["line"]) == (True, "expect finite", 4)
    assert not second["ok"] and second["found"] == pytest.approx(1.99)


def test_expectations_with_the_data_of_the_options(run, program, folder):
    (folder / "other.csv").write_text("x,y\n0,1\n1,3\n2,5\n")
    name = program(EXPECTING.replace("1.99 within", "2 within"))
    assert run("test", name, "--functions", "grad", "--data", "other.csv").exit_code == 0


def test_expectations_with_the_data_beside(run, program, folder):
    name = program(EXPECTING.replace(' from "points.csv"', ""))
    result = run("test", name, "--functions", "grad")
    assert result.exit_code == 1
    assert "error: there is no data for `x`, `y`" in result.stderr
    assert "help: put it into program.csv (or program.tsv" in result.stderr
    (folder / "points.csv").rename(folder / "program.csv")
    assert run("test", name, "--functions", "grad").exit_code == 0


def test_a_file_that_is_not_there(run, program):
    result = run("test", program(EXPECTING.replace("points", "point")))
    assert result.exit_code == 2
    assert "program.sym:1:17: error: there is no file `point.csv`" in result.stderr
    assert "did you mean `points.csv`?" in result.stderr
