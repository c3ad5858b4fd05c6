"""`symopt eval`: value, gradient and definitions at a point."""

from __future__ import annotations

import json

EVAL = ("eval", "line.sym", "--data", "points.csv")


def test_value_and_gradient_at_the_start(run):
    # Residuals of y = x at the points: 1, 1.9, 3.1, 4.2, 4.8; the gradient is -2 J'r.
    result = run("eval", "line.sym", "--data", "points.csv", "--json", "-")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    residuals = [1, 1.9, 3.1, 4.2, 4.8]
    assert abs(found["value"] - sum(r * r for r in residuals)) < 1e-12
    assert abs(found["gradient"]["offset"] + 2 * sum(residuals)) < 1e-12
    slope = -2 * sum(x * r for x, r in enumerate(residuals))
    assert abs(found["gradient"]["slope"] - slope) < 1e-12


def test_one_number_as_text(run):
    result = run(*EVAL, "middle", "--param", "slope=2.5", "--param", "offset=1")
    assert (result.exit_code, result.stdout) == (0, "middle = 6.0\n")
    assert run(*EVAL, "gradient").stdout.startswith("gradient slope = ")


def test_an_array_as_text(run):
    result = run(*EVAL, "f", "--param", "slope=0.5")
    assert result.stdout == "f = [0.  0.5 1.  1.5 2. ]\n"


def test_an_unknown_definition_is_bad_input(run):
    result = run(*EVAL, "midle")
    assert result.exit_code == 2
    assert "did you mean `middle`?" in result.stderr


def test_in_single_precision(run):
    """A tenth is no float: what is computed of it shows the digits of the nearest one."""
    result = run(*EVAL, "f", "--param", "slope=0.1", "--dtype", "float32")
    assert result.stdout == "f = [0.  0.1 0.2 0.3 0.4]\n"
    value = run(*EVAL, "middle", "--param", "offset=0.1", "--dtype", "float32").stdout
    assert value != run(*EVAL, "middle", "--param", "offset=0.1").stdout
    unknown = run(*EVAL, "--dtype", "float16")
    assert unknown.exit_code == 2
    assert "'float64', 'float32'" in unknown.stderr
