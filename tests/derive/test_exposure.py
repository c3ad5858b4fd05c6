"""Where strong zeros are left out, and that nothing finite depends on them there."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.compiler import analyse
from symopt.derive.activity import wild_tensors
from symopt.derive.exposure import unguarded
from symopt.source import Source

BARE = {
    "exp": "residual r[i] = a * exp(-b * x[i]) - 1",
    "chain": "e[i] = exp(b * x[i])\nresidual r[i] = a * e[i] / x[i] + log(e[i] + 2)",
    "division": "q[i] = 1 / (x[i] - a)\nresidual r[i] = q[i]^2 * b",
}
GUARDED = {
    "sqrt": "residual r[i] = b * sqrt(a * x[i])",
    "denominator": "residual r[i] = a / (x[i]^2 + exp(b * x[i]))",
    "saturated": "e[i] = exp(b * x[i])\nresidual r[i] = tanh(a * e[i])",
    "branch": "residual r[i] = a * exp(b * x[i]) if x[i] > 0 else b",
    "branch_below": "e[i] = exp(b * x[i])\nresidual r[i] = a * e[i] if x[i] > 0 else b",
    "maximum": "e[i] = exp(b * x[i])\nresidual r = max(a * e[i] for i)",
    "two_readers": "e[i] = exp(b * x[i])\nresidual r[i] = a * e[i]\nresidual s[i] = 1 / e[i]",
}


def _bare(body: str) -> bool:
    source = Source("<test>", f"data x[n]\nparam a init 1, b init 1\n{body}\n")
    program = analyse(source).task.program
    return unguarded(program, wild_tensors(program)) == set(range(len(program.statements)))


@pytest.mark.parametrize("name", BARE)
def test_what_shows_in_the_result_needs_no_guard(name: str) -> None:
    assert _bare(BARE[name])


@pytest.mark.parametrize("name", GUARDED)
def test_what_the_result_can_hide_keeps_its_guards(name: str) -> None:
    assert not _bare(GUARDED[name])


@pytest.mark.parametrize("name", [*BARE, "saturated", "branch", "branch_below", "maximum"])
def test_rows_of_finite_residuals_are_finite(name: str) -> None:
    """With overflow, zeros and branches not taken: where a residual is finite, so is its row."""
    body = {**BARE, **GUARDED}[name]
    model = symopt.parse(f"data x[n]\nparam a init 1, b init 1\n{body}\n")
    x = np.array([-2.0, -1.0, 0.5, 1.0, 3.0, 800.0])
    problem = model.bind(x=x)
    for p in ([0.0, 1.0], [0.0, -1.0], [1.0, 2.0], [0.5, 0.0]):
        residuals, rows = problem.residuals(p), problem.jac(p)
        finite = np.isfinite(residuals)
        assert np.isfinite(rows[finite]).all()


PROTECTED = """\
s[i] = (a - x[i])^2
root[i] = sqrt(s[i])
safe[i] = cos(root[i]) / root[i] if s[i] > 0 else 1
residual r[i] = b * safe[i]
"""


def _statement_is_bare(body: str, target: str) -> bool:
    program = analyse(Source("<test>", f"data x[n]\nparam a init 1, b init 1\n{body}")).task.program
    bare = unguarded(program, wild_tensors(program))
    return all(n in bare for n, s in enumerate(program.statements) if s.target == target)


def test_a_branch_protects_what_comes_after_it() -> None:
    """Where s is 0 the branch with the root is not taken: the slope of the rest is finite."""
    assert _statement_is_bare(PROTECTED, "r")
    for broken in (
        PROTECTED.replace("s[i] > 0", "s[i] >= 0"),
        PROTECTED.replace("s[i] > 0", "x[i] > 0"),
        PROTECTED.replace("s[i] > 0", "s[n - 1 - i] > 0"),
        PROTECTED.replace("else 1", "else root[i]"),
    ):
        assert not _statement_is_bare(broken, "r")


def test_rows_at_a_protected_root() -> None:
    problem = symopt.parse(f"data x[n]\nparam a init 1, b init 1\n{PROTECTED}").bind(x=[1.0, 2.0])
    rows = problem.jac([1.0, 0.0])
    np.testing.assert_allclose(rows, [[0.0, 1.0], [0.0, np.cos(1.0)]], rtol=1e-15, atol=0)
