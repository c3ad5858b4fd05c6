"""Derivatives of functions of matrices, of all kinds, against complex steps and closed formulas."""

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from symopt.derive.matrices import pull_matrix
from symopt.statements.verify import verify
from tests.support.oracle import STEP, Oracle, error

FUNCTIONS = {
    "inv": "inv(M)",
    "det": "M * det(M)",
    "logdet": "M * logdet(M)",
    "cholesky": "cholesky(M)",
    "solve": "solve(M, M.T * 2 + 1)",
    "twice": "cholesky(inv(M)) * logdet(M)",
}
# What the matrix depends on decides which columns its change has, and so which rule is taken:
# single entries of a parameter, of a whole one, of those at an index, or all of these.
MATRICES = {
    "parameter": "W[g[i]]",
    "scaled": "t * A[i]",
    "dense": "A[i] + W[0] @ W[1]",
    "entries": "A[i] + W[g[i]].T * exp(W[g[i]])",
    "mixed": "t * A[i] + W[0] @ W[1] * W[g[i]]",
}
TEXT = """
data A[m, d, d], g[m] in k, C[d, d]
param W[k, d, d] init 0, t init 1.5
def f(M[d, d]) = {}
residual r[i, a, b] = C[a, b] * f({})[a, b]
minimize sum(sin(r)) + t^2
"""


def made(function: str, matrix: str) -> tuple[symopt.Problem, np.ndarray]:
    rng = np.random.default_rng(len(function))
    a = rng.normal(size=(5, 2, 2))
    data = {
        "A": a @ a.transpose(0, 2, 1) + np.eye(2),
        "g": np.array([0, 2, 1, 2, 2]),
        "C": rng.normal(size=(2, 2)),
    }
    problem = symopt.parse(TEXT.format(FUNCTIONS[function], MATRICES[matrix])).bind(data, k=3)
    w = 0.2 * rng.normal(size=(3, 2, 2)) + np.eye(2)
    return problem, problem.pack({"W": w, "t": 1.3})


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_statements(function: str, matrix: str) -> None:
    """Everything that is derived, computed by the evaluator."""
    problem, p = made(function, matrix)
    oracle = Oracle(problem)
    rng = np.random.default_rng(1)
    v = rng.normal(size=problem.n)
    programs = {name: verify(derive(oracle.task, name)) for name in ("grad", "hvp", "hess", "jac")}
    gradient, jacobian = oracle.gradient(p), oracle.jacobian(p)
    assert error(oracle.function(programs["grad"], p), gradient) < 1e-11
    assert error(oracle.function(programs["jac"], p).reshape(jacobian.shape), jacobian) < 1e-11
    # The gradient that was just found right, stepped once more.
    product = np.imag(oracle.function(programs["grad"], p + 1j * STEP * v)) / STEP
    assert error(oracle.function(programs["hvp"], p, v), product) < 1e-11
    hessian = oracle.function(programs["hess"], p).reshape(problem.n, problem.n)
    assert error(hessian @ v, product) < 1e-11


@pytest.mark.parametrize(
    ("function", "matrix"),
    [("inv", "mixed"), ("cholesky", "mixed"), ("cholesky", "parameter"), ("logdet", "entries")],
)
def test_compiled(function: str, matrix: str) -> None:
    """The sparse functions agree with what is dense, and that with complex steps."""
    problem, p = made(function, matrix)
    jacobian = Oracle(problem).jacobian(p)
    assert error(problem.jac(p), jacobian) < 1e-11
    assert error(problem.jac_sparse(p).toarray(), jacobian) < 1e-11
    assert error(problem.hess_sparse(p).toarray(), problem.hess(p)) < 1e-11
    weights = -np.sin(problem.residuals(p))
    product = jacobian.T @ (weights[:, None] * jacobian)
    found, _ = problem.gauss_newton(p)
    # Beside the residuals, t is read directly: t² adds 2.
    product[-1, -1] += 2
    assert error(found, product) < 1e-10


def test_gradients_by_closed_formulas(rng: np.random.Generator) -> None:
    a, c = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    a = a @ a.T + np.eye(4)
    x = np.linalg.inv(a)
    expected = {
        "sum(C * inv(W))": -x.T @ c @ x.T,
        "det(W)": np.linalg.det(a) * x.T,
        "logdet(W)": x.T,
        "sum(C @ solve(W, C))": -x.T @ c.T @ np.ones((4, 4)) @ (x @ c).T,
        # log det M = 2 Σ log L_ii, of the symmetric part.
        "2 * sum(log(cholesky(W)[i, i]) for i in d)": x,
    }
    for expression, gradient in expected.items():
        text = f"data C[d, d]\nparam W[d, d] init 0\nminimize {expression} + 0 * sum(C)"
        problem = symopt.parse(text).bind(C=c)
        np.testing.assert_allclose(
            problem.grad(a.ravel()).reshape(4, 4), gradient, rtol=1e-11, atol=1e-11
        )


def test_inverses_are_shared() -> None:
    """The value of `solve` and the derivative of `logdet` need the same inverse."""
    text = """
    data y[n], K[n, n]
    param s init 1
    M = s * K
    minimize dot(y, solve(M, y)) + logdet(M)
    """
    task = symopt.parse(text).stages.task
    for name in ("grad", "hvp"):
        made = [s for s in derive(task, name).statements if s.reduction == "inverse"]
        assert len(made) == 1, name


def test_a_matrix_that_is_not_differentiated_by() -> None:
    task = symopt.parse("data A[d, d]\nparam s init 1\nminimize s * logdet(A)").stages.task
    (statement,) = [s for s in task.program.statements if s.of_matrix]
    assert all(s.reduction != "inverse" for s in derive(task, "grad").statements)
    made = pull_matrix(statement, None, "A.bar", "bar", dict(task.program.tensors))
    assert [s.target for s in made] == [f"{statement.target}.bar.inverse", "A.bar"]
