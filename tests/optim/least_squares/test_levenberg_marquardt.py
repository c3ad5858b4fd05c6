"""Levenberg-Marquardt against certified values, SciPy, and awkward problems."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from symopt.diagnostics import DataError
from symopt.optim import minimize, objective
from symopt.optim.least_squares.levenberg_marquardt import LevenbergMarquardt
from tests.optim.known_minima import PROBLEMS
from tests.support.nist import load_problems, log_relative_error

NIST = load_problems()
CASES = [(name, start) for name in NIST for start in (0, 1)]


def _fit(name, start, **options):
    problem = NIST[name]
    return minimize(problem.objective(), "lm", x0=problem.starts[start], options=options)


@pytest.fixture(scope="module")
def fits():
    return {case: _fit(*case) for case in CASES}


@pytest.mark.parametrize(("name", "start"), CASES)
def test_certified_parameters(fits, name, start):
    result = fits[name, start]
    assert result.success, result.message
    # Certified to 11 digits, so 10.5 is agreement to their rounding; leave one digit of room.
    assert log_relative_error(result.x, NIST[name].certified) >= 9.5


@pytest.mark.parametrize(("name", "start"), CASES)
def test_certified_standard_errors(fits, name, start):
    if name == "Lanczos1":
        pytest.skip("its residuals, hence its standard errors, are below rounding")
    result, problem = fits[name, start], NIST[name]
    stderr = [float(result.stderr[key]) for key in result.params]
    assert log_relative_error(stderr, problem.certified_stderr) >= 9
    assert log_relative_error(result.fun, problem.sum_of_squares) >= 9
    assert result.dof == len(problem.y) - len(problem.certified)


def test_average_accuracy(fits):
    digits = [log_relative_error(fits[case].x, NIST[case[0]].certified) for case in CASES]
    assert np.mean(digits) >= 10


@pytest.mark.parametrize("radius", [0.01, 0.3])
def test_one_step_is_the_damped_one_of_that_length(radius):
    """(J'J + λ D²) p = -J'r with D² the diagonal of J'J, and |D p| a part of |D x| (Moré)."""
    problem = PROBLEMS[0]
    x = problem.start
    jacobian, residuals = problem.jacobian(x), problem.residuals(x)
    matrix, scales = jacobian.T @ jacobian, np.linalg.norm(jacobian, axis=0)
    settings = LevenbergMarquardt(radius=radius)
    sized = problem.least_squares().sized(2)
    state = settings.step(sized, settings.init(sized, x))
    step = np.linalg.solve(matrix + state.damping * np.diag(scales**2), -jacobian.T @ residuals)
    np.testing.assert_allclose(state.point.x - x, step, rtol=1e-10)
    # Both entries are of one array, so of one size: the root mean square of the start.
    size = np.sqrt(np.mean(x**2))
    wanted = radius * size * np.linalg.norm(scales)
    np.testing.assert_allclose(np.linalg.norm(scales * step), wanted, rtol=0.1)


def test_one_step_by_damping_is_the_formula():
    """Beyond 300 unknowns a step is of one solution: (G + λ D²) p = -g with the given λ."""
    n = 301
    weights = np.linspace(1.0, 3.0, n)

    def curvature(x):
        return np.diag(weights), weights * (x - 1)

    problem = objective(lambda x: float(weights @ (x - 1) ** 2 / 2), gauss_newton=curvature).sized(
        n
    )
    settings = LevenbergMarquardt(damping=0.5, factor="normal")
    state = settings.step(problem, settings.init(problem, np.zeros(n)))
    np.testing.assert_allclose(state.point.x, np.full(n, 1 / 1.5), rtol=1e-12)


def test_a_singular_jacobian_at_the_minimum_ends_in_success():
    """Powell's singular function: the residuals halve twice a step until they are rounding."""

    def residuals(x):
        return np.array([x[0] + 10 * x[1], (x[0] - x[1]) ** 2])

    def jacobian(x):
        return np.array([[1.0, 10.0], [2 * (x[0] - x[1]), -2 * (x[0] - x[1])]])

    result = minimize(objective(residuals=residuals, jac=jacobian), "lm", x0=[3.0, -1.0])
    assert result.success, result.message
    assert result.nit < 60
    assert result.fun < 1e-28


@pytest.mark.parametrize("name", ["Misra1a", "Lanczos3", "MGH09", "Bennett5", "Nelson"])
def test_normal_equations_reach_the_certified_values_too(name):
    result = _fit(name, 1, factor="normal")
    assert log_relative_error(result.x, NIST[name].certified) >= 8


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_gauss_newton_alone_is_enough(problem):
    result = minimize(problem.gauss_newton(), "lm", x0=problem.start)
    assert result.success, result.message
    np.testing.assert_allclose(result.x, problem.minimum, rtol=1e-8)


def test_a_curved_loss_of_the_outputs():
    """Logistic regression through G = X' diag(s(1-s)) X; compared with SciPy's BFGS."""
    from scipy.optimize import minimize as scipy_minimize

    x = np.array([[1.0, t] for t in (-3, -2, -1, 0, 1, 2, 3)])
    y = np.array([0, 0, 1, 0, 1, 0, 1.0])

    def loss(w):
        return float(np.sum(np.logaddexp(0, x @ w) - y * (x @ w)))

    def curvature(w):
        s = 1 / (1 + np.exp(-x @ w))
        return x.T @ (x * (s * (1 - s))[:, None]), x.T @ (s - y)

    result = minimize(objective(loss, gauss_newton=curvature), "lm", x0=[5.0, -5.0])
    expected = scipy_minimize(loss, [0.0, 0.0], tol=1e-10)
    assert result.success
    # SciPy stops by differences of values, good to about the root of the rounding.
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-5)
    assert "stderr" not in result


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ([-np.inf, 0.0, -np.inf, 4.0], [np.inf, np.inf, 0.5, np.inf]),
        ([0.0, 0.0, 0.0, 0.0], [2.0, 0.3, 1.0, 3.0]),
        ([3.5, -np.inf, -np.inf, -np.inf], [np.inf, np.inf, np.inf, 2.0]),
    ],
)
def test_bounds_agree_with_scipy(lower, upper):
    t = np.linspace(0, 3, 25)
    y = 3 * np.exp(-0.4 * t) + 1.5 * np.exp(-3 * t) + 0.01 * np.cos(40 * t)

    def residuals(b):
        return y - b[0] * np.exp(-b[1] * t) - b[2] * np.exp(-b[3] * t)

    def jacobian(b):
        first, second = np.exp(-b[1] * t), np.exp(-b[3] * t)
        return np.stack([-first, b[0] * t * first, -second, b[2] * t * second], axis=1)

    start = np.clip([1.0, 1.0, 1.0, 2.0], lower, upper)
    bounds = list(zip(lower, upper, strict=True))
    result = minimize(objective(residuals=residuals, jac=jacobian, bounds=bounds), "lm", x0=start)
    expected = least_squares(
        residuals, start, jacobian, (lower, upper), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert result.success, result.message
    assert result.fun <= 2 * expected.cost * (1 + 1e-9)
    # SciPy keeps a little away from bounds, which costs the others some digits.
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-4)
    at_bound = np.isclose(result.x, lower, rtol=1e-12) | np.isclose(result.x, upper, rtol=1e-12)
    assert at_bound.any()
    inside = ~at_bound
    np.testing.assert_allclose(result.grad[inside], 0, atol=1e-8)


def test_nonfinite_trials_are_rejected():
    """A full step leads to the logarithm of a negative number."""

    def residuals(b):
        return np.log(b) - np.array([-3.0, 1.0])

    result = minimize(
        objective(residuals=residuals, jac=lambda b: np.diag(1 / b)),
        "lm",
        x0=[20.0, 20.0],
        options={"radius": 1e4},
    )
    assert result.success
    np.testing.assert_allclose(result.x, np.exp([-3.0, 1.0]), rtol=1e-12)


def test_nonfinite_jacobian_is_rejected():
    """The residual is finite for b <= 0, its derivative is not."""

    def residuals(b):
        return np.array([np.sqrt(max(b[0], 0.0)) - 0.1])

    def jacobian(b):
        return np.array([[0.5 / np.sqrt(b[0]) if b[0] > 0 else np.nan]])

    result = minimize(
        objective(residuals=residuals, jac=jacobian), "lm", x0=[4.0], options={"radius": 1e4}
    )
    assert result.success
    np.testing.assert_allclose(result.x, 0.01, rtol=1e-12)


def test_rank_deficient_problem_converges():
    t = np.arange(5.0)

    def jacobian(b):
        return np.stack([t, t, np.ones(5)], axis=1)

    y = 2 + 3 * t
    result = minimize(
        objective(residuals=lambda b: jacobian(b) @ b - y, jac=jacobian),
        "lm",
        x0=[1.0, 0.0, 0.0],
    )
    assert result.success
    np.testing.assert_allclose(result.x[0] + result.x[1], 3, rtol=1e-12)
    assert "does not determine x[0], x[1]" in result.message


def test_fewer_residuals_than_parameters():
    matrix = np.array([[1.0, 2.0, 3.0]])
    result = minimize(
        objective(residuals=lambda b: matrix @ b - 6.0, jac=lambda b: matrix), "lm", x0=np.zeros(3)
    )
    assert result.success
    np.testing.assert_allclose(matrix @ result.x, 6.0, rtol=1e-12)


@pytest.mark.parametrize(
    "options", [{"damping": 0.0}, {"damping": -1.0}, {"radius": 0.0}, {"factor": "lu"}]
)
def test_bad_options(options):
    with pytest.raises(DataError, match="option `"):
        minimize(PROBLEMS[0].least_squares(), "lm", x0=[0.0, 0.0], options=options)
