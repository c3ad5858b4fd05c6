"""Slopes: named where that saves work, and zeros that win over what is not finite."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from symopt.statements.printer import print_statement
from symopt.statements.verify import verify
from tests.support.oracle import Oracle


def named(text: str, function: str = "jac") -> list[str]:
    """The slopes that have statements of their own."""
    found = verify(derive(symopt.parse(text).stages.task, function))
    return [print_statement(s) for s in found.statements if ".slope." in s.target]


def test_a_slope_is_computed_once_for_all_columns() -> None:
    text = """
    data X[n, d]
    param w[d]
    z = X @ w
    model p = sigmoid(z)
    minimize sum(p)
    """
    assert named(text) == ["p.slope.1[i] = p[i]*sigmoid(-z[i]) for i in range(n)"]
    assert named(text, "jac_sparse") == named(text)


@pytest.mark.parametrize(
    "line",
    [
        "model p[i] = 2 * z[i]",  # a number
        "model p[i] = z[i] + w[0]",
        "model p[i] = -z[i] * y[i]",  # a read times a number
        "model p[i] = exp(z[i])",  # the target itself
    ],
)
def test_what_is_as_quick_to_compute_is_not_named(line: str) -> None:
    text = f"data X[n, d], y[n]\nparam w[d]\nz = X @ w\n{line}\nminimize sum(p)"
    assert named(text) == []


def test_a_slope_takes_no_more_room_than_there_is() -> None:
    """sin(z) cos(y) has n·m values; neither what is summed nor what is read has as many."""
    text = """
    data X[n, d], Y[m, d]
    param w[d]
    z = X @ w
    y = Y @ w
    model p[i] = sum(sin(z[i]) * sin(y[j]) for j)
    minimize sum(p)
    """
    assert named(text) == []
    wide = text.replace("sum(sin(z[i]) * sin(y[j]) for j)", "sum(sin(z[i])^k for k in 3)")
    assert len(named(wide)) == 1


def test_a_ragged_slope_is_not_named() -> None:
    """It would take a place for every pair of a group and a member of any group."""
    text = """
    data off[m + 1] in n + 1, X[n, d]
    param w[d]
    z = X @ w
    model p[g] = sum(sin(z[i])^2 for i in range(off[g], off[g + 1])) for g in m
    minimize sum(p)
    """
    assert all(" for i in range(n)" in line for line in named(text))


# ── zeros ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "p", "expected"),
    [
        # A finite value with an infinite slope, times 0.
        ("param p, k\nroot = sqrt(p)\nresidual r = floor(k) * root + k", [0.0, 0.5], [0, 1]),
        # A change of 0 on the way to an infinite slope.
        ("param x[2]\ny[i] = 2 * x[i]\nresidual r = norm(y)", [0.0, 0.0], [0, 0]),
        # An overflow in a branch not taken, one statement and several before the choice.
        ("param x\ne = exp(x)\nresidual r = e * e if x < 300 else x", [1000.0], [1]),
        ("param x\ne = exp(x)\nf = e * e\nresidual r = f if x < 300 else x", [1000.0], [1]),
        # A choice between two that are both not finite, divided by something that may be 0.
        (
            "param x, y\na = log(x)\nb = 1 / y\nc = (a if x > 0 else y) / (b if y > 0 else 2)\n"
            "residual r = c",
            [-1.0, -3.0],
            [0, 0.5],
        ),
        ("param x[3]\nd[i] = x[i] / 2\nresidual r = max(d[i] for i)", [2.0, 5.0, 5.0], [0, 0.5, 0]),
    ],
)
def test_zeros_win(text: str, p: list[float], expected: list[float]) -> None:
    problem = symopt.parse(text).bind()
    point = np.array(p)
    assert problem.jac(point).tolist() == [expected]
    assert problem.jac_sparse(point).toarray().tolist() == [expected]
    back = problem.vjp(point, np.ones(1))
    assert back.tolist() == expected
    for function in ("jac", "vjp"):
        weights = np.ones(1) if function == "vjp" else None
        found = Oracle(problem).function(
            derive(problem.model.stages.task, function), point, u=weights
        )
        assert found.tolist() == expected
