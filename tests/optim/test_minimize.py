"""The driver: stopping, watching, limits, non-finite values, fixed entries, results."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import OptimizeResult

from symopt.diagnostics import DataError, NonFiniteError
from symopt.optim import Needs, Point, Status, Stopping, iterate, minimize, objective
from tests.optim.known_minima import PROBLEMS
from tests.support.nist import load_problems

ROSENBROCK = PROBLEMS[0]
METHOD_NAMES = ("gradient-descent", "bfgs", "lm")


def bowl(**extra):
    return objective(lambda x: float(np.sum((x - 3) ** 2)), grad=lambda x: 2 * (x - 3), **extra)


def test_result_has_scipys_fields_and_ours():
    result = minimize(ROSENBROCK.least_squares(), "lm", x0=ROSENBROCK.start)
    assert isinstance(result, OptimizeResult)
    names = (
        "x fun grad optimality nit nfev njev nhev success status message remark method reason"
        " batch_size params trace"
    )
    fitted = "residuals covariance stderr dof"
    assert set(result) == set(f"{names} {fitted}".split())
    assert result.success is True
    assert result.status == 0
    assert result.nfev >= result.nit > 0
    assert result.nhev == 0
    np.testing.assert_array_equal(result.params["x"], result.x)
    np.testing.assert_array_equal(result.residuals, ROSENBROCK.residuals(result.x))


def test_no_statistics_without_least_squares():
    result = minimize(bowl(), x0=[0.0])
    assert not {"residuals", "covariance", "stderr", "dof"} & set(result)


def test_trace_tells_the_run():
    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start)
    trace = result.trace
    assert trace.dtype.names == ("iteration", "value", "grad_norm", "step", "time")
    np.testing.assert_array_equal(trace["iteration"], np.arange(result.nit + 1))
    assert trace["value"][0] == pytest.approx(24.2)
    assert trace["grad_norm"][0] == pytest.approx(215.6)
    assert trace["value"][-1] == result.fun
    assert trace["step"][0] == 0
    assert (trace["step"][1:] > 0).all()
    assert (np.diff(trace["time"]) >= 0).all()


def test_default_method_depends_on_the_problem():
    with_jacobian = minimize(ROSENBROCK.least_squares(), x0=ROSENBROCK.start)
    without = minimize(ROSENBROCK.function(), x0=ROSENBROCK.start)
    chosen = minimize(ROSENBROCK.least_squares(), "LM", x0=ROSENBROCK.start)
    auto = minimize(ROSENBROCK.least_squares(), "auto", x0=ROSENBROCK.start)
    assert with_jacobian.nfev == chosen.nfev == auto.nfev
    bfgs = minimize(ROSENBROCK.function(), "BFGS", x0=ROSENBROCK.start)
    assert without.nfev == bfgs.nfev


def test_default_method_avoids_a_large_dense_curvature():
    large = 301
    problem = objective(
        lambda x: float(x @ x),
        grad=lambda x: 2 * x,
        gauss_newton=lambda x: pytest.fail("a dense matrix of curvature was asked for"),
    )
    assert minimize(problem, x0=np.ones(large)).success


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_iteration_limit(method):
    result = minimize(ROSENBROCK.least_squares(), method, x0=ROSENBROCK.start, max_iter=3)
    assert (result.nit, result.success, result.status) == (3, False, 1)
    assert "limit on iterations" in result.message
    assert len(result.trace) == 4


def test_no_iterations_evaluates_the_start():
    result = minimize(bowl(), x0=[1.0], max_iter=0)
    assert (result.nit, result.fun, result.success) == (0, 4.0, False)


def test_time_limit():
    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start, max_time=0)
    assert (result.success, result.status, result.nit) == (False, 4, 0)
    assert "time limit" in result.message


def test_looser_tolerance_takes_fewer_steps():
    loose, tight = (
        minimize(ROSENBROCK.function(), "bfgs", x0=[-1.2, 1.0], tol=tol) for tol in (1e1, 1e-9)
    )
    assert loose.success
    assert tight.success
    assert loose.nit < tight.nit
    assert "gradient" in loose.message


@pytest.mark.parametrize(
    ("name", "value"), [("tol", -1.0), ("max_iter", -1), ("max_time", float("nan"))]
)
def test_limits_are_checked(name, value):
    with pytest.raises(DataError, match=f"`{name}` must be"):
        minimize(bowl(), x0=[0.0], **{name: value})


def test_callback_by_position_gets_a_copy_of_x():
    seen = []

    def watch(x):
        seen.append(x.copy())
        x[:] = np.nan

    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start, callback=watch)
    assert len(seen) == result.nit
    np.testing.assert_array_equal(seen[-1], result.x)


def test_callback_by_name_gets_a_result():
    seen = []

    def watch(intermediate_result):
        seen.append(intermediate_result)

    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start, callback=watch)
    assert [step.nit for step in seen] == list(range(1, result.nit + 1))
    assert [step.fun for step in seen] == list(result.trace["value"][1:])
    assert isinstance(seen[0], OptimizeResult)


def test_callback_may_be_a_builtin():
    seen = []
    minimize(bowl(), x0=[0.0], callback=seen.append)
    assert seen


def test_stop_iteration_ends_the_run_cleanly():
    seen = []

    def watch(*, intermediate_result):
        seen.append(intermediate_result.x)
        if len(seen) == 4:
            raise StopIteration

    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start, callback=watch)
    assert (result.nit, result.success, result.status) == (4, False, 99)
    np.testing.assert_array_equal(result.x, seen[-1])
    assert "callback" in result.message


def test_other_errors_of_a_callback_are_the_callers():
    def watch(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        minimize(bowl(), x0=[0.0], callback=watch)


def test_nonfinite_start_raises_with_an_explanation():
    with pytest.raises(NonFiniteError, match="not finite at the start") as caught:
        minimize(objective(lambda x: np.log(x[0]), grad=lambda x: 1 / x), x0=[-1.0])
    assert "the function returned nan at x = [-1.]" in caught.value.diagnostics[0].notes


def test_nonfinite_gradient_at_the_start_raises():
    with pytest.raises(NonFiniteError) as caught:
        minimize(objective(lambda x: x[0] ** 0.5, grad=lambda x: 0.5 / x**0.5), x0=[0.0])
    assert "a derivative is not finite" in str(caught.value)


@pytest.mark.parametrize("factor", ["qr", "normal"])
def test_nonfinite_jacobian_at_the_start_raises(factor):
    problem = objective(residuals=lambda x: np.sqrt(x) - 1, jac=lambda x: np.diag(0.5 / np.sqrt(x)))
    with pytest.raises(NonFiniteError):
        minimize(problem, "lm", x0=[0.0], options={"factor": factor})


def test_running_into_a_nonfinite_value_is_an_outcome():
    """A fixed step too long for x^4 overshoots further and further, up to overflow."""
    quartic = objective(lambda x: float(x[0] ** 4), grad=lambda x: 4 * x**3)
    result = minimize(quartic, "gradient-descent", x0=[2.0], options={"rate": 1.0})
    assert (result.success, result.status) == (False, 3)
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.fun)
    assert result.fun == result.trace["value"].min() == result.x[0] ** 4
    assert "the function returned inf" in result.message


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_nothing_but_nonfinite_values_ahead_is_explained(method):
    """Defined at the start alone."""

    def residuals(x):
        return x + 1 if x[0] == 1 else np.array([np.nan])

    problem = objective(residuals=residuals, jac=lambda x: np.ones((1, 1)))
    result = minimize(problem, method, x0=[1.0])
    assert (result.success, result.status) == (False, 3)
    np.testing.assert_array_equal(result.x, [1.0])
    assert "the function returned nan" in result.message


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("fixed", [("b2",), "b2", [1], 1])
def test_fixed_entries_keep_their_start(method, fixed):
    def residuals(b):
        return np.array([b[0] - 1, b[1] - 2 + 0.5 * b[0], b[2] - 3 + b[1]])

    def jacobian(b):
        return np.array([[1, 0, 0], [0.5, 1, 0], [0, 1, 1.0]])

    problem = objective(residuals=residuals, jac=jacobian, names=("b1", "b2", "b3"))
    result = minimize(problem, method, x0=[0.0, 5.0, 0.0], fixed=fixed)
    assert result.success, result.message
    # min (b1 - 1)^2 + (b1/2 + 3)^2 over b1, and b3 = 3 - 5
    np.testing.assert_allclose(result.x, [-0.4, 5.0, -2.0], atol=1e-3)
    assert result.x[1] == 5.0
    assert result.params["b2"] == 5.0
    assert result.stderr["b2"] == 0
    assert result.dof == 1
    np.testing.assert_allclose(
        result.grad, 2 * jacobian(result.x).T @ residuals(result.x), atol=1e-12
    )


def test_all_fixed():
    result = minimize(ROSENBROCK.least_squares(), "lm", x0=ROSENBROCK.start, fixed="x", max_iter=5)
    assert result.success
    assert result.nit == 0
    assert "every parameter is fixed" in result.message
    np.testing.assert_array_equal(result.covariance, np.zeros((2, 2)))


def test_units_of_the_objective_do_not_matter():
    """Stopping rules are relative: the same run, whatever the scale of the objective."""
    runs = [
        minimize(
            objective(
                lambda x, s=scale: s * (1 + float(np.sum((x - 3) ** 4))),
                grad=lambda x, s=scale: s * 4 * (x - 3) ** 3,
            ),
            "bfgs",
            x0=[0.5, 7.0],
        )
        for scale in (2.0**-40, 1.0, 2.0**40)
    ]
    assert all(run.success for run in runs)
    assert len({run.nit for run in runs}) == 1


def test_unidentified_parameters_are_named():
    problem = load_problems()["Misra1a"]

    def residuals(b):  # b3 never appears; b1 and b4 only as their product
        return problem.residuals(np.array([b[0] * b[3], b[1]]))

    def jacobian(b):
        inner = problem.jacobian(np.array([b[0] * b[3], b[1]]))
        zero = np.zeros(len(inner))
        return np.stack([inner[:, 0] * b[3], inner[:, 1], zero, inner[:, 0] * b[0]], axis=1)

    result = minimize(
        objective(residuals=residuals, jac=jacobian, names=("b1", "b2", "b3", "b4")),
        "lm",
        x0=[250.0, 5e-4, 1.0, 1.0],
    )
    assert result.success
    assert "no residual depends on b3" in result.message
    assert "does not determine b1, b4" in result.message
    assert result.stderr["b1"] == result.stderr["b3"] == result.stderr["b4"] == np.inf
    # b2 is as well known as in the certified fit, whose degrees of freedom it shares.
    np.testing.assert_allclose(result.stderr["b2"], problem.certified_stderr[1], rtol=1e-7)
    assert result.dof == len(problem.y) - 2


def test_iterate_yields_the_same_run():
    states = list(iterate(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start))
    result = minimize(ROSENBROCK.function(), "bfgs", x0=ROSENBROCK.start)
    values = {state.iteration: state.point.value for state in states}
    np.testing.assert_array_equal(list(values.values()), result.trace["value"])
    assert [state.status for state in states[:-1]] == [None] * (len(states) - 1)
    assert states[-1].status is not None
    np.testing.assert_array_equal(states[-1].point.x, result.x)


def test_iterate_refuses_at_the_call_not_at_the_first_step():
    with pytest.raises(DataError):
        iterate(bowl(), "nonesuch", x0=[0.0])


def test_iterate_speaks_of_the_whole_vector_and_the_objective_as_written():
    hill = objective(
        lambda x: -float(np.sum(x**2)), grad=lambda x: -2 * x, names=("a", "b"), maximize=True
    )
    first = next(iterate(hill, "bfgs", x0=[1.0, 2.0], fixed="a"))
    assert first.point.value == -5.0
    np.testing.assert_array_equal(first.point.x, [1.0, 2.0])
    np.testing.assert_array_equal(first.point.gradient, [0.0, -4.0])
    assert first.grad_norm == 4.0


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    point: Point
    outcome: Status | None = None


@dataclass(frozen=True, slots=True)
class _FixedValues:
    """A method of the caller's own, which returns prepared values."""

    needs: ClassVar[Needs] = Needs.VALUE
    stopping: ClassVar[Stopping] = Stopping(value=1e-6)
    max_iter: ClassVar[int] = 50

    values: tuple[float, ...] = field(default=())

    def init(self, problem, x, seed=0):
        return _Walk(Point(np.zeros(1), 100.0, np.ones(1)))

    def step(self, problem, state):
        taken = int(state.point.x[0])
        if taken == len(self.values):
            return replace(state, outcome=Status.PRECISION)
        return _Walk(Point(np.array([taken + 1.0]), self.values[taken], np.full(1, 1e-3)))


def test_value_rule_needs_three_settled_steps_in_a_row():
    settled = _FixedValues((50.0, 50.0, 50.0, 40.0, 40.0, 40.0, 40.0, 30.0))
    result = minimize(bowl(), settled, x0=[0.0])
    assert (result.nit, result.status) == (7, 0)
    assert "no longer changes" in result.message


def test_a_methods_own_verdict_ends_the_run_without_another_row():
    result = minimize(bowl(), _FixedValues((50.0, 40.0)), x0=[0.0])
    assert result.nit == 2
    assert len(result.trace) == 3
    assert "accuracy of floating point" in result.message


def test_settings_can_be_given_as_they_are_and_changed_by_options():
    result = minimize(bowl(), _FixedValues((50.0,)), x0=[0.0], options={"values": (7.0, 6.0)})
    np.testing.assert_array_equal(result.trace["value"], [100.0, 7.0, 6.0])
