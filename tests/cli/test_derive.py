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
