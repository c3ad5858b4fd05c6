"""`symopt derive`: derivatives for people, judged by their values."""

from __future__ import annotations

import pytest
import sympy


def test_the_derivative_of_a_closed_objective(run, program):
    path = program("param a init 1, b init 1\nminimize a^2 * b + 3 * a\n")
    result = run("derive", path, "--wrt", "a", "--format", "sympy")
    assert result.exit_code == 0
    shown = sympy.sympify(result.stdout.removeprefix("# by a\n"))
    values = {str(symbol): symbol for symbol in shown.free_symbols}
    assert set(values) == {"a", "b"}
    assert shown.subs({values["a"]: 2, values["b"]: 5}) == 23


@pytest.mark.parametrize("style", ["text", "latex", "sympy"])
def test_every_parameter_without_a_name(run, style):
    result = run("derive", "line.sym", "--format", style)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) >= 2


def test_an_unknown_parameter_is_bad_input(run):
    result = run("derive", "line.sym", "--wrt", "slop")
    assert result.exit_code == 2
    assert "did you mean `slope`?" in result.stderr


def test_latex_is_what_people_paste(run, program):
    path = program("data x[n]\nparam b1 init 1\nminimize sum(exp(-b1 * x[i]) for i)\n")
    result = run("derive", path, "--wrt", "b1", "--format", "latex")
    assert result.exit_code == 0
    assert result.stdout == "% by b1\n- \\sum_{i=0}^{n - 1} e^{- b_{1} {x}_{i}} {x}_{i}\n"


def test_what_has_no_closed_form_does_not_hide_the_rest(run, program):
    path = program(
        "data x[n]\nparam a[n] init 1, s init 1\nminimize s^2 + max(a[i] * x[i] for i)\n"
    )
    result = run("derive", path)
    assert result.exit_code == 1
    assert result.stdout == "by s: 2*s\n"
    assert result.stderr.count("error:") == 1
    assert "no closed form" in result.stderr


def test_long_derivatives_go_definition_by_definition(run, program):
    path = program(
        "data X[n, d], y[n]\nparam W[h, d] init 1, u[h] init 1, c init 0\n"
        "p[i, j] = tanh(sum(W[j, k] * X[i, k] for k) + c)\n"
        "q[i] = sigmoid(sum(u[j] * p[i, j] for j))\n"
        "minimize sum((q[i] - y[i])^2 for i)\n"
    )
    result = run("derive", path)
    assert result.exit_code == 0
    heads = [line.split(" = ")[0].split(": ")[0] for line in result.stdout.splitlines()]
    assert heads == ["q̄[i]", "p̄[i, j]", "by W[j, k]", "by u[j]", "by c"]
    latex = run("derive", path, "--wrt", "c", "--format", "latex")
    assert r"{\bar{q}}_{i} = " in latex.stdout
    assert latex.stdout.count("{") == latex.stdout.count("}")


def test_recurrences_are_derived_as_recurrences(run, program):
    path = program(
        "data y[n]\nparam a init 0.5\nh[0] = 1\n"
        "h[t] = sin(a * h[t - 1]) for t in range(1, n)\n"
        "minimize sum((h[t] - y[t])^2 for t in range(n))\n"
    )
    result = run("derive", path)
    assert result.exit_code == 0
    assert "h̄[t + 1]" in result.stdout
