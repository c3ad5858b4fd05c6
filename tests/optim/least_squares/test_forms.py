"""The forms of Levenberg-Marquardt steps: which is chosen, and that all reach the minimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import symopt
from symopt.diagnostics import DataError
from symopt.optim.least_squares.forms import choose_form
from symopt.optim.single import DoubledProblem
from tests.optim.least_squares.photographs import dubrovnik, photographed


@pytest.fixture(scope="module")
def village():
    return photographed(120)


@pytest.fixture(scope="module")
def hamlet():
    return photographed(30)


def test_block_elimination_is_chosen_and_reported(village):
    result = symopt.minimize(village, "lm", max_iter=12)
    assert result.remark == (
        "lm with block elimination of point (120 blocks of 3), reduced system 72"
    )
    assert result.remark in result.message
    # 960 residuals of unit variance, with 432 - 7 parameters that they determine.
    np.testing.assert_allclose(result.fun, 960 - 425, rtol=0.2)
    dense = symopt.minimize(village, "lm", max_iter=12, options={"factor": "qr"})
    assert dense.remark == ""
    np.testing.assert_allclose(result.fun, dense.fun, rtol=1e-9)


@pytest.mark.parametrize("factor", ["auto", "schur", "sparse", "krylov"])
def test_dubrovnik_goes_to_zero(factor):
    problem = dubrovnik()
    assert problem.value(problem.x0) == pytest.approx(5528.439968844314, rel=1e-12)
    result = symopt.minimize(problem, "lm", options={"factor": factor}, max_iter=300)
    assert result.fun < 1e-10


@pytest.mark.parametrize("factor", ["sparse", "schur"])
def test_bounds_are_kept(hamlet, factor):
    """Depths up to 0.5, with two cameras fixed, so that the whole cannot just move away."""
    upper = np.full(hamlet.n, np.inf)
    depth = [hamlet.names.index(f"point[{p}, 2]") for p in range(30)]
    upper[depth] = 0.5
    bounded = symopt.objective(
        residuals=hamlet.residuals,
        jac=hamlet.jac,
        jac_sparse=hamlet.jac_sparse,
        bounds=list(zip(np.full(hamlet.n, -np.inf), upper, strict=True)),
        names=hamlet.names,
    )
    start = np.minimum(hamlet.x0, upper)
    kept = range(18)
    found = symopt.minimize(
        bounded, "lm", x0=start, fixed=kept, max_iter=60, options={"factor": factor}
    )
    dense = symopt.minimize(bounded, "lm", x0=start, fixed=kept, max_iter=60)
    assert "dense" not in found.remark and found.remark
    assert (found.x <= upper).all()
    held = found.x[depth] == 0.5
    assert np.count_nonzero(held) > 3
    # Uphill is outwards there.
    assert (found.grad[depth][held] < 0).all()
    np.testing.assert_allclose(found.fun, dense.fun, rtol=1e-8)


def test_fixed_parameters_leave_smaller_blocks(village):
    """Without what is fixed: 119 points, and one of which two coordinates are left."""
    fixed = ("camera", "point[5, 1]")
    found = symopt.minimize(village, "lm", fixed=fixed, max_iter=30)
    dense = symopt.minimize(village, "lm", fixed=fixed, max_iter=30, options={"factor": "qr"})
    assert "(120 blocks of 2 to 3), reduced system 0" in found.remark
    np.testing.assert_allclose(found.fun, dense.fun, rtol=1e-12)


CHAIN = """
dim n = 2000
param x[n] init 0
residual step[i] = x[i + 1] - 0.5*x[i] - 0.3*sin(x[i]) - 0.1 for i in n - 1
residual start = x[0] - 1
"""
REGRESSION = """
data X[n, d], y[n]
param w[d] init 0
residual r[i] = sum(X[i, j] * w[j] for j) - y[i]
"""


def test_a_chain_is_factored(rng):
    problem = symopt.parse(CHAIN).bind()
    result = symopt.minimize(problem, "lm")
    assert result.remark == "lm with sparse normal equations (2000 unknowns, 5998 entries)"
    assert result.fun < 1e-20
    # The residuals are zero along the recurrence.
    x = [1.0]
    for _ in range(1999):
        x.append(0.5 * x[-1] + 0.3 * np.sin(x[-1]) + 0.1)
    np.testing.assert_allclose(result.x, x, rtol=1e-9)


def test_what_would_fill_up_is_iterated(rng):
    """Differences between places drawn at random: a graph whose factors are nearly full."""
    text = """
    data a[m] in n, b[m] in n, y[m]
    param x[n] init 0
    residual r[i] = x[a[i]] - x[b[i]] - y[i]
    residual small[i] = 0.3 * x[i] for i in n
    """
    size = 6000
    data = {name: rng.integers(size, size=3 * size) for name in ("a", "b")}
    problem = symopt.parse(text).bind(data, y=rng.normal(size=3 * size), n=size)
    result = symopt.minimize(problem, "lm", max_iter=60)
    assert result.remark.endswith("entries) by conjugate gradients")
    # The curvature is at least 0.18; entries are about 1.
    np.testing.assert_allclose(result.grad, 0, atol=1e-7)


@pytest.mark.parametrize(
    ("unknowns", "remark"),
    [(400, ""), (3100, "lm with Gauss-Newton-vector products (3100 unknowns)")],
)
def test_what_is_full_is_dense_or_by_products(rng, unknowns, remark):
    problem = symopt.parse(REGRESSION).bind(X=rng.normal(size=(5, unknowns)), y=np.ones(5))
    assert choose_form(problem, problem.x0, "auto", 0).remark == remark


def test_a_large_reduced_system_is_iterated(rng):
    """A thousand cameras that meet a hundred others each: too many to hold, or to factor."""
    text = """
    data a[m] in q, b[m] in p, k[m]
    param camera[q, 4] init 1, point[p, 2] init 1
    residual r[i] = k[i] * sumsq(camera[a[i]]) * sum(point[b[i], j] for j) - 1
    residual prior[i, j] = camera[i, j] - 1.5 for i in q, j in 4
    residual near[i, j] = point[i, j] - 1 for i in p, j in 2
    """
    sights = 12_500
    data = {"a": rng.integers(1000, size=sights), "b": np.arange(sights) // 5}
    problem = symopt.parse(text).bind(data, k=rng.uniform(0.1, 0.2, sights), q=1000, p=sights // 5)
    result = symopt.minimize(problem, "lm", max_iter=60)
    assert result.remark == (
        "lm with block elimination of point (2500 blocks of 2), reduced system 4000"
        " by conjugate gradients"
    )
    # The curvature is at least 2, by the last two residuals; entries are about 1.
    np.testing.assert_allclose(result.grad, 0, atol=1e-6)


def test_how_many_entries_is_known_beforehand(village, rng):
    entries = village.gauss_newton_sparse(village.x0).nnz
    assert entries <= village.gauss_newton_entries <= village.n**2
    full = symopt.parse(REGRESSION).bind(X=rng.normal(size=(5, 40)), y=np.ones(5))
    assert full.gauss_newton_entries == 40**2
    groups = symopt.parse(
        "data g[n] in q, X[n, d]\nparam W[q, d]\nresidual r[i] = sum(X[i, j] * W[g[i], j] for j)"
    ).bind(g=rng.integers(50, size=9000), X=rng.normal(size=(9000, 3)), q=50)
    # Many rows of the Jacobian share the same 50 blocks of 3 x 3; half-blocks count twice.
    assert 50 * 9 <= groups.gauss_newton_entries <= 2 * 50 * 9
    assert DoubledProblem(groups).gauss_newton_entries == groups.gauss_newton_entries


def test_blocks_that_do_not_exist_are_refused(rng):
    problem = symopt.parse(REGRESSION).bind(X=rng.normal(size=(5, 3)), y=np.ones(5))
    with pytest.raises(DataError, match="no parameter can be eliminated"):
        symopt.minimize(problem, "lm", options={"factor": "schur"})


def test_a_sparse_form_needs_a_sparse_jacobian():
    plain = symopt.objective(residuals=lambda b: b, jac=lambda b: np.eye(2))
    with pytest.raises(DataError, match="jac_sparse"):
        symopt.minimize(plain, "lm", x0=np.ones(2), options={"factor": "sparse"})


def test_python_functions_have_blocks_too():
    """1000 unknowns, each with a residual of its own and the common last."""

    def residuals(x):
        return np.concatenate([x[:-1] * x[-1] - 2, [x[-1] - 2]])

    def jacobian(x):
        count = len(x)
        rows = np.r_[np.arange(count - 1), np.arange(count - 1), count - 1]
        columns = np.r_[np.arange(count - 1), np.full(count - 1, count - 1), count - 1]
        data = np.r_[np.full(count - 1, x[-1]), x[:-1], 1.0]
        return scipy.sparse.csr_array((data, (rows, columns)))

    names = (*(f"x[{i}]" for i in range(1000)), "s")
    made = symopt.objective(residuals=residuals, jac_sparse=jacobian, names=names)
    result = symopt.minimize(made, "lm", x0=np.full(1001, 1.5))
    assert "(1000 blocks of 1), reduced system 1" in result.remark
    np.testing.assert_allclose(result.x, [*np.ones(1000), 2], rtol=1e-9)
    assert len(result.residuals) == 1001
    assert "covariance" not in result
    assert "standard errors are left out: 1001 parameters" in result.message
