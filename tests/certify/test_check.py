"""`problem.check`: right programs pass by a wide margin, wrong derivatives are found and named."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.certify.report import DIFFERENCES
from symopt.derive import forward, reverse
from symopt.derive.reduction import weight_of
from symopt.primitives.record import Constant
from tests.support.small_programs import PROGRAMS

TEXT = """\
data x[n], y[n]
param a init 0.7, b init 0.3
u[i] = a * x[i] + b
model z[i] = softplus(u[i]) + log(2 + x[i] * a)
minimize sum((z[i] - y[i])^2 for i)
"""


def bound(text=TEXT):
    rng = np.random.default_rng(0)
    return symopt.parse(text, "fit.sym").bind(x=rng.uniform(0, 1, 6), y=rng.normal(size=6))


@pytest.mark.parametrize(
    "name", ["ragged_and_filtered", "extrema", "norms_and_powers", "branches", "robust"]
)
def test_right_programs_pass(name):
    problem, p, _ = PROGRAMS[name].bind(np.random.default_rng(1))
    report = problem.check(p)
    assert report.ok, str(report)
    assert not report.failures
    # Rounding alone; the tolerance is 7e-12.
    assert report.max_error < 1e-13


def test_every_function_is_looked_at():
    report = bound().check([0.7, 0.3])
    functions = {comparison.function.partition(" ")[0] for comparison in report.comparisons}
    assert functions >= {
        "value", "grad", "value_and_grad", "hvp", "hess", "hess_sparse", "fisher", "residuals",
        "jac", "jac_sparse", "residuals_and_jac", "jvp", "vjp", "gauss_newton",
        "gauss_newton_sparse", "gnvp",
    }  # fmt: skip
    oracles = {comparison.oracle for comparison in report.comparisons}
    assert oracles == {"NumPy evaluator", "complex step", "dual numbers", DIFFERENCES}


def test_a_wrong_partial_is_named_with_its_place(wrong):
    with wrong("softplus", 1.001):
        report = bound().check([0.7, 0.3], functions=("grad", "jac"))
    assert not report.ok
    assert report.max_error > 1e-4
    (failure,) = report.failures
    assert (failure.definition, failure.line, failure.read) == ("z", 4, "u[i]")
    assert "`softplus(u[i])` at 4:14" in failure.reason
    assert "grad" in failure.functions
    assert "jac" in failure.functions
    assert "fit.sym:4:1" in str(report)
    failed = {c.oracle for c in report.comparisons if not c.ok and c.function == "grad"}
    assert failed == {"complex step", DIFFERENCES}  # dual numbers use the partials, too


def test_a_wrong_second_derivative_leaves_the_gradient_alone(wrong):
    with wrong("sigmoid", 0.25):
        report = bound().check([0.7, 0.3], functions=("grad", "hvp", "hess", "hess_sparse"))
    assert {c.function for c in report.comparisons if not c.ok} == {"hvp", "hess", "hess_sparse"}
    (failure,) = report.failures
    assert (failure.definition, failure.read) == ("z", "u[i]")
    assert "second derivative" in failure.reason
    assert "`sigmoid`" in failure.reason


def test_each_wrong_read_is_named(wrong):
    text = TEXT.replace("log(2 + x[i] * a)", "hypot(a + x[i], b)")
    with wrong("hypot", 2.0):
        report = bound(text).check([0.7, 0.3], functions=["grad"])
    # Derivatives by data are derivatives, too.
    assert {failure.read for failure in report.failures} == {"a", "b", "x[i]"}


@pytest.mark.parametrize(("module", "way"), [(reverse, "adjoint"), (forward, "tangent")])
def test_a_wrong_reduction_is_named(monkeypatch, module, way):
    def halved(statement, tensors, suffix, **options):
        from dataclasses import replace

        weight = weight_of(statement, tensors, suffix, **options)
        if statement.reduction != "logsumexp":
            return weight
        return replace(weight, factor=weight.factor * Constant(0.5))

    monkeypatch.setattr(module, "weight_of", halved)
    problem = symopt.parse(
        "data x[n]\nparam a init 1\nv[i] = a*x[i]^2\ns = logsumexp(v)\nminimize s^2"
    ).bind(x=[1.0, 2.0, 0.5])
    report = problem.check([1.0], functions=("grad", "hvp"))
    (failure,) = report.failures
    assert (failure.definition, failure.line) == ("s", 4)
    assert f"the {way} of the reduction `logsumexp`" in failure.reason


def test_compiled_code_that_differs_from_its_statements(monkeypatch):
    problem = bound()
    monkeypatch.setitem(problem.__dict__, "grad", lambda p: np.array([1.0, 1.0]))
    report = problem.check([0.7, 0.3], functions=["grad"])
    (failure,) = report.failures
    assert failure.functions == ("grad",)
    assert "compiled code differs from its own statements" in failure.reason


def test_some_functions_alone():
    problem = bound()
    report = problem.check([0.7, 0.3], functions=["hvp"])
    assert {comparison.function for comparison in report.comparisons} == {"hvp"}
    with pytest.raises(symopt.DataError, match="there is no check of a function `hpv`"):
        problem.check([0.7, 0.3], functions=["hpv"])


def test_kinks_have_no_differences():
    problem = symopt.parse("param a init 0, b init 2\nminimize abs(a) + a*b").bind()
    report = problem.check(problem.x0)
    assert report.ok, str(report)
    notes = {c.note for c in report.comparisons if c.oracle == DIFFERENCES}
    assert notes == {"the point is at a kink"}
    # Just beside it there are some, of steps that stay on one side.
    report = problem.check([1e-3, 2.0])
    assert report.ok
    assert all(c.compared for c in report.comparisons if c.oracle == DIFFERENCES)


def test_no_derivative_is_a_note():
    problem = symopt.parse("param a init 0.4, b init 1\nminimize floor(a) + b^2").bind()
    report = problem.check(problem.x0)
    assert "no derivative by a" in report.notes[0]
    assert [c.function for c in report.comparisons] == ["value"]


def test_points_that_are_not_finite_are_explained():
    problem = symopt.parse("param a init 0\nminimize sqrt(a)").bind()
    report = problem.check(problem.x0)
    assert not report.ok
    assert not report.comparisons
    assert "`sqrt(a)` at 2:10, a = 0, in the gradient by a" in report.notes[0]


def test_many_parameters_are_looked_at_along_directions():
    text = "param w[n] init 0.1\nminimize sum(exp(w[i])/(2 + i) for i) + w[3]*w[5]"
    problem = symopt.parse(text).bind(n=60)
    report = problem.check(problem.x0)
    assert report.ok, str(report)
    entries = {c.entry for c in report.comparisons if c.function == "hess"}
    assert all(entry.startswith("direction") for entry in entries)


def test_a_norm_of_zeros():
    """The square of a complex step is nothing, not a negative number under a root."""
    problem = symopt.parse("data x[n]\nparam w[n] init 0\nminimize norm(w) + sumsq(w - x)").bind(
        x=[0.3, -0.5]
    )
    report = problem.check(problem.x0, functions=["grad", "hvp"])
    assert report.ok, str(report)


def test_recurrences():
    problem = symopt.parse(
        "data u[T], y[T]\nparam a init 0.5, b init 0.1, start init 0.2\nh[0] = start\n"
        "h[t] = tanh(a*h[t-1] + b*u[t-1]) for t in range(1, T+1)\n"
        "residual r[t] = y[t] - h[t+1] for t in range(T)"
    ).bind(u=np.linspace(-1, 1, 6), y=np.ones(6))
    report = problem.check(problem.x0)
    assert report.ok, str(report)


def test_complex_step_hessian_product():
    problem = bound()
    p, v = np.array([0.7, 0.3]), np.array([1.0, -2.0])
    found = problem.hvp_complex_step(p, v)
    # The complex step is exact; both round differently.
    np.testing.assert_allclose(found, problem.hvp(p, v), rtol=1e-13)
    with pytest.raises(symopt.DataError, match="v must have shape"):
        problem.hvp_complex_step(p, [1.0])


def test_a_report_prints_a_row_for_each_comparison():
    report = bound().check([0.7, 0.3], functions=["grad"])
    lines = str(report).splitlines()
    assert lines[0].split() == ["function", "oracle", "error", "tolerance"]
    assert len(lines) == 1 + len(report.comparisons)
    assert all(line.endswith(" ok") for line in lines[1:])
