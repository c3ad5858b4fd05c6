"""`symopt explain`: the overview, the details, JSON, and refusals."""

from __future__ import annotations

import json
import re

import pytest

PRIOR = "data X[n, d]\nparam w[d] init 0\nminimize sum(log(1 + exp(X @ w))) + sumsq(w)\n"


def masked(text):
    """Without what differs from run to run and from machine to machine."""
    text = re.sub(r" *\d+\.\d ms", " (time)", text)
    text = re.sub(r"processor .*", "processor (features)", text)
    text = re.sub(r"hoisted +compile time *", "hoisted compile time", text)
    return re.sub(r"─+", "─", text)


def test_the_command_is_listed_and_has_help(run):
    assert "\n  explain " in run("--help").stdout
    assert "--functions" in run("explain", "--help").stdout


def test_a_fit_is_explained(run, golden):
    result = run("explain", "line.sym", "--data", "points.csv")
    assert result.exit_code == 0
    assert result.stderr == ""
    golden("explain/line.txt", masked(result.stdout))


def test_details_are_those_of_the_functions_asked_for(run, golden):
    result = run("explain", "line.sym", "--functions", "gauss_newton")
    assert result.exit_code == 0
    golden("explain/line.gauss_newton.txt", masked(result.stdout))


def test_verbose_explains_every_function(run):
    result = run("explain", "line.sym", "-v")
    headings = re.findall(r"^(\w+): \d+ n", result.stdout, flags=re.MULTILINE)
    assert headings == ["value", "value_and_grad", "gauss_newton"]
    for word in ("lanes", "registers", "indices", "memory", "LLVM passes"):
        assert word in result.stdout


def test_without_a_cut_the_second_derivative_is_a_product(run, program):
    result = run("explain", program(PRIOR))
    assert result.exit_code == 0
    assert (
        re.findall(r"^(value|value_and_grad|hvp) ", result.stdout, flags=re.MULTILINE)[-1] == "hvp"
    )
    assert "program.sym:3:14: softplus(z) for log(1 + exp(z))" in result.stdout


def test_sizes_are_compiled_in(run, program):
    path = program(PRIOR)
    assert "left open   d, n" in run("explain", path).stdout
    known = run("explain", path, "--dim", "d=3").stdout
    assert "compiled in d = 3" in known
    assert "left open   n" in known


def test_json_has_the_same_facts(run, folder):
    result = run("explain", "line.sym", "--data", "points.csv", "--json", "-")
    document = json.loads(result.stdout)
    assert [function["name"] for function in document["functions"]] == [
        "value",
        "value_and_grad",
        "gauss_newton",
    ]
    for function in document["functions"]:
        assert function.keys() == {
            "name", "open_sizes", "operations", "once", "times_value", "nests", "passes",
            "indices", "hoisted", "buffers", "workspace_bytes", "seconds",
        }  # fmt: skip
        kinds = function["operations"]["kinds"]
        counted = sum(count["number"] for kind, count in kinds.items() if kind != "choices")
        assert function["operations"]["number"] == counted
    again = run("explain", "line.sym", "--data", "points.csv", "--json", "facts.json")
    assert "value_and_grad" in again.stdout
    written = json.loads((folder / "facts.json").read_text())
    assert written["functions"][0]["operations"] == document["functions"][0]["operations"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--functions", "value,gradd"), 2, "value, grad, value_and_grad, hvp"),
        (("--dim", "q=3"), 2, "no dim `q`"),
        (("--dim", "n=many"), 2, "NAME=SIZE"),
        (("--data", "missing.csv"), 2, "missing.csv"),
    ],
)
def test_bad_input_is_refused(run, arguments, code, words):
    result = run("explain", "line.sym", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""


def test_functions_through_a_cut_need_one(run, program):
    result = run("explain", program(PRIOR), "--functions", "jac")
    assert result.exit_code == 1
    assert "`jac` needs the model's outputs" in result.stderr


def test_programs_with_errors(run, program):
    result = run("explain", program("param w init 0\nminimize (w\n"))
    assert result.exit_code == 1
    assert "program.sym:2:" in result.stderr
