"""Packed parameters from the program to the fit, against plain NumPy and SciPy."""

import numpy as np
import pytest
from scipy import stats

import symopt
from symopt.diagnostics import DataError

LINEAR = """
data X[n, d], Y[n, d]
param A[d, d] as symmetric init 0
param S[d, d] as strict lower init 0
model z = X @ A + X^2 @ S.T
residual r = Y - z
report trace = sum(A[a, a] for a)
"""


def linear_data(rng, n=30, d=3):
    X = rng.normal(size=(n, d))
    A = rng.normal(size=(d, d))
    truth = {"A": A + A.T, "S": np.tril(rng.normal(size=(d, d)), -1)}
    Y = X @ truth["A"] + X**2 @ truth["S"].T + 0.01 * rng.normal(size=(n, d))
    return X, Y, truth


def design(problem, X):
    """The derivative of z by each unknown, from unit matrices."""
    columns = []
    for entry in np.eye(problem.n):
        parts = problem.unpack(entry)
        columns.append((X @ parts["A"] + X**2 @ parts["S"].T).ravel())
    return np.stack(columns, axis=1)


def test_a_linear_fit_is_that_of_the_normal_equations(rng):
    X, Y, truth = linear_data(rng)
    problem = symopt.parse(LINEAR).bind(X=X, Y=Y)
    assert problem.n == 6 + 3
    J = design(problem, X)
    wanted, squares, *_ = np.linalg.lstsq(J, Y.ravel())
    result = symopt.minimize(problem, "lm")
    np.testing.assert_allclose(result.x, wanted, rtol=1e-9)
    covariance = squares[0] / (Y.size - problem.n) * np.linalg.inv(J.T @ J)
    # The covariance is that of G = 2 J'J at the last point: rounding times its condition.
    np.testing.assert_allclose(result.covariance, covariance, rtol=1e-8, atol=1e-14)
    errors = problem.unpack(np.sqrt(np.diag(covariance)))
    for name in ("A", "S"):
        np.testing.assert_allclose(result.stderr[name], errors[name], rtol=1e-8)
        np.testing.assert_allclose(result.params[name], truth[name], atol=0.05)
    assert (result.params["A"] == result.params["A"].T).all()
    assert not np.triu(result.params["S"]).any()
    np.testing.assert_array_equal(problem.eval("S", result.x), result.params["S"])


def test_jacobians_have_a_column_for_each_unknown(rng):
    X, Y, _ = linear_data(rng)
    problem = symopt.parse(LINEAR).bind(X=X, Y=Y)
    p, J = rng.normal(size=problem.n), design(problem, X)
    np.testing.assert_allclose(problem.jac(p, of="z"), J, atol=1e-14)
    sparse = problem.jac_sparse(p, of="z")
    np.testing.assert_allclose(sparse.toarray(), J, atol=1e-14)
    # Row a has d entries of A, and a of S; row 0 stores a zero where no unknown is read.
    assert sparse.nnz == len(X) * (3 * 3 + (1 + 1 + 2))
    G, _ = problem.gauss_newton(p)
    np.testing.assert_allclose(G, 2 * J.T @ J, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(problem.hess(p), 2 * J.T @ J, rtol=1e-12, atol=1e-12)


def test_a_normal_distribution_has_its_maximum_at_the_sample_moments(rng):
    X = rng.multivariate_normal([1, 2, 3], [[2, 0.3, 0.1], [0.3, 1, 0.2], [0.1, 0.2, 0.5]], 200)
    text = """
        data X[n, d], start[d, d]
        param mu[d] init 0
        param L[d, d] as lower init start
        u = (X - mu) @ L
        loglik = n * sum(log(abs(L[a, a])) for a) - sumsq(u) / 2 - n * d / 2 * log(2 * pi)
        maximize loglik
    """
    problem = symopt.parse(text).bind(X=X, start=np.eye(3))
    p = problem.pack({"mu": [1, 2, 3], "L": np.tril(rng.normal(size=(3, 3))) + 3 * np.eye(3)})
    parts = problem.unpack(p)
    known = stats.multivariate_normal(parts["mu"], np.linalg.inv(parts["L"] @ parts["L"].T))
    assert problem.value(p) == pytest.approx(known.logpdf(X).sum(), rel=1e-12)
    result = symopt.minimize(problem, "bfgs")
    precision = result.params["L"] @ result.params["L"].T
    np.testing.assert_allclose(np.linalg.inv(precision), np.cov(X.T, bias=True), atol=1e-5)


# ── starts and bounds ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("L[d, d] as lower init M", [1, 4, 5, 7, 8, 9]),
        ("L[d, d] as strict lower init M", [4, 7, 8]),
        ("L[d, d] as symmetric init M + M.T", [2, 6, 10, 10, 14, 18]),
        ("L[2, d, d] as strict lower init M", [4, 7, 8] * 2),
        ("L[d, d] as lower init 0.5", [0.5] * 6),
    ],
)
def test_starts_are_full_arrays(declared, wanted):
    text = f"data M[d, d]\nparam {declared}\nminimize sumsq(L) + sum(M)"
    M = np.arange(1.0, 10).reshape(3, 3)
    np.testing.assert_array_equal(symopt.parse(text).bind(M=M).x0, wanted)


def test_random_starts_are_drawn_for_full_arrays():
    text = "dim d = 4\nparam A[d, d] as symmetric init normal(2, 0.5)\nminimize sumsq(A)"
    problem = symopt.parse(text).bind()
    assert problem.n == 10
    assert len(np.unique(problem.start(3))) == 10
    assert (problem.start(3) == problem.start(3)).all()
    assert (problem.start(3) != problem.start(4)).all()


def test_a_start_that_is_not_symmetric_is_refused():
    text = "data M[d, d]\nparam A[d, d] as symmetric init M\nminimize sumsq(A)"
    with pytest.raises(DataError, match=r"start of `A` is not symmetric: \[0, 1\] is 2"):
        symopt.parse(text).bind(M=[[1, 2], [3, 4]])


def test_bounds_are_those_of_the_unknowns():
    text = "data B[d, d]\nparam L[d, d] >= B as lower init B + 1\nminimize sumsq(L)"
    B = -np.arange(1.0, 10).reshape(3, 3)
    problem = symopt.parse(text).bind(B=B)
    np.testing.assert_array_equal(problem.bounds[0], [-1, -4, -5, -7, -8, -9])
    # A zero above the diagonal is no unknown: a bound that it breaks does not count.
    beyond = symopt.parse("param L[2, 2] >= 1 as lower init 2\nminimize sumsq(L)").bind()
    np.testing.assert_array_equal(beyond.bounds[0], [1, 1, 1])
    outside = symopt.parse("param L[2, 2] >= 1 as lower init 0\nminimize sumsq(L)")
    with pytest.raises(DataError, match=r"start of `L\[0, 0\]` is 0"):
        outside.bind()


# ── what is given by name ────────────────────────────────────────────────────────────────────


def test_values_by_name_are_full_arrays(rng):
    X, Y, truth = linear_data(rng)
    problem = symopt.parse(LINEAR).bind(X=X, Y=Y)
    p = problem.pack(truth)
    again = problem.unpack(p)
    np.testing.assert_allclose(again["A"], truth["A"], rtol=1e-12)
    np.testing.assert_array_equal(again["S"], truth["S"])
    np.testing.assert_array_equal(problem.pack({"S": truth["S"]})[:6], np.zeros(6))
    with pytest.raises(DataError, match=r"`S` is strict lower, but S\[0, 0\] = 1.0"):
        problem.pack({"S": np.ones((3, 3))})


def test_entries_are_fixed_by_their_full_index(rng):
    X, Y, _ = linear_data(rng)
    problem = symopt.parse(LINEAR).bind(X=X, Y=Y)
    result = symopt.minimize(problem, "lm", fixed=("S", "A[2,1]"))
    assert not result.params["S"].any()
    assert result.params["A"][2, 1] == result.params["A"][1, 2] == 0
    assert result.params["A"][0, 1] != 0


def test_matrices_of_one_row():
    lower = symopt.parse("param L[d, d] as lower init 2\nminimize sumsq(L)").bind(d=1)
    assert lower.names == ("L[0, 0]",) and lower.value(lower.x0) == 4
    strict = symopt.parse("param L[d, d] as strict lower init 2\nminimize sumsq(L)")
    with pytest.raises(DataError, match="`L` is strict lower, but of 1 x 1 matrices"):
        strict.bind(d=1)
    assert strict.bind(d=2).names == ("L[1, 0]",)


# ── what is compiled ─────────────────────────────────────────────────────────────────────────


def test_a_sum_inside_the_pattern_costs_what_one_packed_by_hand_does(rng):
    tail = "minimize sum(z^3)"
    packed = symopt.parse(f"""
        data X[n, d]
        param L[K, d, d] as strict lower init 1
        z[i, k, a] = sum(L[k, a, b] * X[i, b] for b in range(a))
        {tail}
    """)
    by_hand = symopt.parse(f"""
        data X[n, d], pos[d, d] in q
        param L[K, q] init 1
        z[i, k, a] = sum(L[k, pos[a, b]] * X[i, b] for b in range(a))
        {tail}
    """)
    X = rng.normal(size=(50, 4))
    pos = np.zeros((4, 4), int)
    pos[np.tril_indices(4, -1)] = np.arange(6)
    first, second = packed.bind(X=X, K=2), by_hand.bind(X=X, pos=pos, K=2, q=6)
    p = rng.normal(size=12)
    assert first.value(p) == second.value(p)
    np.testing.assert_array_equal(first.grad(p), second.grad(p))
    for name in ("value", "value_and_grad", "hess"):
        counts = [
            problem.explain(name).functions[0].counts.total.total for problem in (first, second)
        ]
        assert str(counts[0]) == str(counts[1])
