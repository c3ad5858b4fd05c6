"""Sparse Jacobians: the same numbers as complex steps give, and nothing but what can be reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import symopt
from symopt.problem import Problem
from tests.oracles.test_every_program import MAKERS
from tests.support.oracle import STEP, WIDTHS, Oracle, error

EXACT = 1e-12  # first derivatives: a few roundings, relative to the greatest entry


@dataclass(frozen=True)
class Sparse:
    """A program, its data, and how many entries each row of its Jacobian has at most."""

    text: str
    data: dict[str, Any]
    width: int
    in_order: bool = True  # whether the values computed are the entries as they are


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


BUNDLE = """
data cam[m] in n, pt[m] in q, y[m, 2]
param C[n, 9], P[q, 3]
w[o, a] = C[cam[o], a] for a in 3
x[o, a] = P[pt[o], a]
cross[o, a] = w[o, (a + 1) % 3] * x[o, (a + 2) % 3] - w[o, (a + 2) % 3] * x[o, (a + 1) % 3] \
    for a in 3
angle[o] = sqrt(sumsq(w[o]))
turned[o, a] = (
    x[o, a] * cos(angle[o]) + cross[o, a] * sin(angle[o]) / angle[o] if angle[o] > 0 else x[o, a]
)
moved[o, a] = turned[o, a] + C[cam[o], 3 + a] for a in 3
at[o, a] = -moved[o, a] / moved[o, 2] for a in 2
radius[o] = sumsq(at[o])
bend[o] = 1 + C[cam[o], 7] * radius[o] + C[cam[o], 8] * radius[o]^2
residual r[o, a] = C[cam[o], 6] * bend[o] * at[o, a] - y[o, a]
"""
CAMERAS = {"cam": [0, 2, 2, 0, 1, 2, 0], "pt": [1, 4, 1, 0, 0, 3, 4], "y": _numbers(7, 2)}

CASES = {
    "bundle_adjustment": Sparse(BUNDLE, {**CAMERAS, "n": 3, "q": 5}, 12),
    "chain": Sparse(
        "param x[n]\nresidual r[i] = sin(x[i + 1]) - x[i]^2 for i in n - 1", {"n": 6}, 2
    ),
    "chain_with_ends": Sparse(
        """
        data k[n]
        param x[n], s
        residual r[i] = (x[i - 1] if i > 0 else s) * k[i] + (x[i + 1] if i < n - 1 else 1) * x[i] \
            for i in n
        """,
        {"k": _numbers(5)},
        4,
        in_order=False,
    ),
    "shifted_definition": Sparse(
        """
        param x[n]
        d[t] = x[t]^2 - x[t - 1] for t in range(1, n)
        residual r[t] = d[t] * d[t - 1] for t in range(2, n)
        residual q = d[1]
        """,
        {"n": 7},
        3,
    ),
    "grouped_regressions": Sparse(
        """
        data X[n, d], g[n] in q, y[n]
        param W[q, d], b[q], s
        residual r[i] = exp(s) * (sum(W[g[i], j] * X[i, j] for j) + b[g[i]] - y[i])
        """,
        {"X": _numbers(8, 3), "g": [0, 3, 1, 1, 0, 3, 3, 1], "y": _numbers(8), "q": 4},
        5,
    ),
    "dense_rows": Sparse(
        """
        data X[n, d], y[n]
        param w[d], b
        residual r[i] = tanh(sum(X[i, j] * w[j] for j) + b) - y[i]
        """,
        {"X": _numbers(5, 4), "y": _numbers(5)},
        5,
    ),
    "network": Sparse(
        """
        data X[n, d]
        dim h = 3, k = 2
        param U[d, h], a[h], V[h, k], c[k]
        hidden = tanh(X @ U + a)
        model z = hidden @ V + c
        minimize sumsq(z)
        """,
        {"X": _numbers(4, 2)},
        2 * 3 + 3 + 3 + 1,
    ),
    "layer": Sparse(
        """
        data X[n, d]
        dim h = 3
        param U[d, h], a[h]
        model z = tanh(X @ U + a)
        minimize sumsq(z)
        """,
        {"X": _numbers(4, 2)},
        3,
    ),
    "several_definitions": Sparse(
        """
        data g[n] in q, y[n]
        param x[q], s
        residual e[i] = s * x[g[i]] - y[i]
        residual prior[k] = 0.3 * x[k] for k in q
        residual total = sum(x[k]^2 for k) * s
        residual fixed[k] = floor(x[k]) for k in q
        """,
        {"g": [2, 0, 2, 1], "y": _numbers(4), "q": 3},
        4,
    ),
    "softmax_rows": Sparse(
        """
        data g[n] in q
        param L[q, k]
        model p[i] = softmax(L[g[i]])
        minimize sumsq(p)
        """,
        {"g": [1, 0, 1], "q": 2, "k": 4},
        4,
    ),
    "logsumexp_of_scores": Sparse(
        """
        data x[n]
        param a[k], c[k]
        model f[i] = logsumexp(a[j] * x[i] + c[j] for j)
        minimize sum(f)
        """,
        {"x": _numbers(5), "k": 3},
        6,
    ),
    "extrema_and_products": Sparse(
        """
        data g[n, k] in q
        param x[q], y[n]
        model top[i] = max(x[g[i, j]] for j) * y[i]
        model all[i] = prod(x[g[i, j]] + y[i] for j)
        minimize sum(top) + sum(all)
        """,
        {"g": [[0, 3], [2, 2], [4, 1]], "q": 5},
        3,
        in_order=False,
    ),
    "windows": Sparse(
        """
        data c[k]
        param x[n]
        y[i] = sum(c[j] * x[i + j]^2 for j in k) for i in range(n - k + 1)
        residual r[i] = y[i + 1] * y[i] for i in range(n - k)
        """,
        {"c": _numbers(3), "n": 9},
        4,
    ),
    "grid": Sparse(
        """
        param u[m, n]
        residual right[i, j] = exp(u[i, j + 1]) - u[i, j] for i in m, j in n - 1
        residual down[i, j] = u[i + 1, j] * u[i, j] for i in m - 1, j in n
        """,
        {"m": 4, "n": 5},
        2,
    ),
    "collisions": Sparse(
        "data a[n] in q, b[n] in q\nparam x[q]\nresidual r[i] = x[a[i]]^2 - sin(x[b[i]])",
        {"a": [0, 1, 2, 3], "b": [3, 1, 2, 0], "q": 4},
        2,
        in_order=False,
    ),
    "neighbours": Sparse(
        "data near[n, k] in n\nparam x[n]\nresidual r[i] = x[i] * sum(x[near[i, j]]^2 for j)",
        {"near": [[1, 2], [0, 2], [2, 2], [0, 1]]},
        3,
        in_order=False,
    ),
    "matrix_of_groups": Sparse(
        "data g[n] in q\nparam W[q, d]\nresidual r[i, j] = exp(W[g[i], j]) * W[g[i], 0]",
        {"g": [1, 0, 2, 2], "q": 3, "d": 3},
        2,
        in_order=False,
    ),
    "ragged": Sparse(
        """
        data off[q + 1] in n + 1, v[n]
        param x[n], s[q]
        residual r[p] = s[p] * sum(v[j] * x[j]^2 for j in range(off[p], off[p + 1])) for p in q
        """,
        {"off": [0, 2, 2, 5], "v": _numbers(5)},
        6,
    ),
    "scattered": Sparse(
        """
        data g[n] in q, y[n]
        param C[q], x[n]
        total[g[i]] += C[g[i]] * x[i]^2 + y[i]
        residual r[p] = total[p]^2 for p in q
        """,
        {"g": [1, 1, 0, 3], "y": _numbers(4), "q": 4},
        5,
    ),
    "finished_sum": Sparse(
        """
        data g[n] in q
        param x[n], s[q]
        mean_x = mean(x)
        residual r[i] = (x[i] - mean_x) * s[g[i]]
        """,
        {"g": [1, 0, 1], "q": 2},
        4,
    ),
    "one_number": Sparse("param a, b, x[n]\nresidual r = a * b + x[2]^2", {"n": 4}, 3),
    "not_a_number_of_rows": Sparse("data y[n]\nparam a, x[n]\nresidual r[i] = a * x[i] - y[i]",
                                   {"y": np.zeros(0)}, 2),
    "empty_windows": Sparse(
        """
        data c[k]
        param x[n], s
        residual r[i] = s + sum(c[j] * x[i + j] for j in k) for i in range(n - 1)
        """,
        {"c": np.zeros(0), "n": 4},
        1,
    ),
    "empty_parameters": Sparse(
        "data X[n, d], y[n]\nparam w[d], b\nresidual r[i] = sum(X[i, j] * w[j] for j) + b - y[i]",
        {"X": np.zeros((3, 0)), "y": np.ones(3)},
        1,
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("name", CASES)


def _bound(name: str) -> tuple[Problem, np.ndarray]:
    case = CASES[name]
    problem = symopt.parse(case.text).bind(case.data)
    return problem, np.random.default_rng(len(name)).uniform(0.2, 1.2, problem.n)


def _of(oracle: Oracle, name: str) -> Oracle:
    """The oracle with another definition as the cut."""
    other = Oracle(oracle.problem)
    other.task = replace(oracle.task, cut=(name,))
    other.rows = type(oracle.rows)({name: oracle.shape(name)})
    return other


def _agree(found: Any, wanted: np.ndarray) -> None:
    assert isinstance(found, scipy.sparse.csr_array)
    assert found.shape == wanted.shape
    assert error(found.toarray(), wanted) < EXACT
    # Rows in order, without repetitions, and as they say themselves.
    assert found.has_canonical_format
    honest = scipy.sparse.csr_array((found.data, found.indices, found.indptr), found.shape)
    assert honest.has_canonical_format
    if found.nnz:
        found.check_format(full_check=True)


def _jacobian(oracle: Oracle, p: np.ndarray) -> np.ndarray:
    """By complex steps, (rows, n) also where there are no rows."""
    steps = [np.imag(oracle.cut(p + 1j * STEP * unit)) / STEP for unit in np.eye(len(p))]
    return np.array(steps).reshape(len(p), oracle.rows.size).T


@every_case
def test_against_complex_steps(name: str) -> None:
    problem, p = _bound(name)
    wanted = _jacobian(Oracle(problem), p)
    found = problem.jac_sparse(p)
    _agree(found, wanted)
    assert np.diff(found.indptr).max(initial=0) <= CASES[name].width
    assert error(problem.jac(p), wanted) < EXACT


@every_case
def test_entries_are_computed_where_they_stand(name: str) -> None:
    """No copy, no sorting and no adding up, where index maps are in order."""
    problem, _ = _bound(name)
    pattern = problem._calls._pattern("jac_sparse", None, None)
    assert (pattern.order is None) == CASES[name].in_order
    assert pattern.indices.dtype == pattern.indptr.dtype == np.int32


@every_case
def test_residuals_in_the_same_pass(name: str) -> None:
    problem, p = _bound(name)
    oracle = Oracle(problem)
    wanted = _jacobian(oracle, p)
    residuals, jacobian = problem.residuals_and_jac(p)
    assert error(residuals, np.real(oracle.cut(p))) < EXACT
    assert error(jacobian, wanted) < EXACT
    residuals, sparse = problem.residuals_and_jac(p, sparse=True)
    assert error(residuals, np.real(oracle.cut(p))) < EXACT
    _agree(sparse, wanted)


@pytest.mark.parametrize("name", [name for name in MAKERS if MAKERS[name]()[0].n <= 100])
def test_every_definition_of_every_program(name: str) -> None:
    problem, p, _ = MAKERS[name]()
    for definition in (None, *problem.model.definitions):
        try:
            dense = problem.jac(p, of=definition)
        except symopt.DerivativeUnavailable:
            continue
        found = problem.jac_sparse(p, of=definition)
        if np.isfinite(dense).all():
            _agree(found, dense)
        else:
            np.testing.assert_allclose(found.toarray(), dense, rtol=EXACT)


def test_entries_that_are_certain_to_be_zero_are_not_stored() -> None:
    problem, p = _bound("bundle_adjustment")
    assert problem.jac_sparse(p).nnz == 7 * 2 * 12
    problem, p = _bound("chain_with_ends")
    # Row 0 has no x[-1], whose clamped place is that of x[0]; every row could read s.
    assert problem.jac_sparse(p).nnz == 5 + (2 + 3 + 3 + 3 + 2)
    problem, p = _bound("collisions")
    assert np.diff(problem.jac_sparse(p).indptr).tolist() == [2, 1, 1, 2]


def test_of_a_definition() -> None:
    problem, p = _bound("bundle_adjustment")
    found = problem.jac_sparse(p, of="angle")
    _agree(found, _jacobian(_of(Oracle(problem), "angle"), p))
    assert np.diff(found.indptr).tolist() == [3] * 7
    values, same = problem.residuals_and_jac(p, of="angle", sparse=True)
    np.testing.assert_array_equal(values, problem.eval("angle", p))
    assert (same != found).nnz == 0


def test_results_are_fresh_and_share_their_pattern() -> None:
    problem, p = _bound("grouped_regressions")
    first, second = problem.jac_sparse(p), problem.jac_sparse(2 * p)
    assert not np.shares_memory(first.data, second.data)
    assert np.shares_memory(first.indices, second.indices)
    kept = first.toarray()
    problem.jac_sparse(-p)
    np.testing.assert_array_equal(first.toarray(), kept)
    first.data *= 2
    np.testing.assert_array_equal(first.toarray(), 2 * kept)
    with pytest.raises(ValueError, match="read-only"):
        first.indices[0] = 1


@pytest.mark.parametrize("name", ["grouped_regressions", "chain_with_ends", "extrema_and_products"])
def test_out_is_an_earlier_result(name: str) -> None:
    """In order as computed, in another order, and with entries added up."""
    problem, p = _bound(name)
    first, wanted = problem.jac_sparse(2 * p), problem.jac(p)
    assert problem.jac_sparse(p, out=first) is first
    _agree(first, wanted)
    pair = problem.residuals_and_jac(2 * p, sparse=True)
    residuals, sparse = problem.residuals_and_jac(p, sparse=True, out=pair)
    assert residuals is pair[0]
    assert sparse is pair[1]
    _agree(sparse, wanted)
    full = problem.residuals_and_jac(2 * p)
    residuals, dense = problem.residuals_and_jac(p, out=full)
    assert residuals is full[0]
    assert dense is full[1]
    assert error(dense, wanted) < EXACT
    np.testing.assert_allclose(residuals, problem.residuals(p), rtol=EXACT, atol=EXACT)


def test_out_of_another_pattern_is_refused() -> None:
    problem, p = _bound("collisions")
    other = problem.rebind(a=[1, 1, 1, 1])
    for wrong in (other.jac_sparse(p), problem.jac_sparse(p).copy(), problem.jac(p)):
        with pytest.raises(symopt.DataError, match="earlier sparse matrix"):
            problem.jac_sparse(p, out=wrong)  # type: ignore[arg-type]


def test_other_data_has_another_pattern() -> None:
    problem, p = _bound("collisions")
    other = problem.rebind(a=[1, 1, 1, 1])
    _agree(other.jac_sparse(p), _jacobian(Oracle(other), p))
    assert other.model is problem.model


def test_scipy_takes_them() -> None:
    problem, p = _bound("grouped_regressions")
    found = problem.jac_sparse(p)
    v, u = np.arange(problem.n) / 7, np.arange(8.0)
    np.testing.assert_allclose(found @ v, problem.jvp(p, v), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(u @ found, problem.vjp(p, u), rtol=1e-12, atol=1e-13)
    square = (found.T @ found).toarray()
    np.testing.assert_allclose(2 * square, problem.gauss_newton(p)[0], rtol=1e-11, atol=1e-13)
    result = scipy.optimize.least_squares(
        problem.residuals, p, jac=problem.jac_sparse, x_scale="jac", method="trf"
    )
    assert result.success
    assert 2 * result.cost <= problem.value(p)


def test_without_a_cut_there_is_nothing_to_derive() -> None:
    plain = symopt.parse("param x init 1\nminimize x^4").bind()
    for ask in (plain.jac_sparse, plain.residuals_and_jac):
        with pytest.raises(symopt.DerivativeUnavailable, match="model z"):
            ask([1.0])
    with pytest.raises(symopt.DataError, match="there is no definition `zz`"):
        plain.jac_sparse([1.0], of="zz")


# ── second derivatives ───────────────────────────────────────────────────────────────────────────

SECOND = 1e-10  # against fourth-order differences of complex-step gradients


def _agrees_with_differences(found: Any, product: Any, p: np.ndarray) -> None:
    """Symmetric to the last bit, and times a direction what differences say."""
    v = np.random.default_rng(1).normal(size=len(p))
    assert isinstance(found, scipy.sparse.csr_array)
    assert found.has_canonical_format
    assert (found.toarray() == found.toarray().T).all()
    wanted = [product(p, v, width=width) for width in WIDTHS]
    top = max(np.abs(wanted).max(), 1e-3)  # below: differences of what does not change
    assert any(np.abs(found @ v - one).max() < SECOND * top for one in wanted)


@pytest.mark.parametrize("name", [name for name in CASES if name != "not_a_number_of_rows"])
def test_hessian_and_gauss_newton(name: str) -> None:
    problem, p = _bound(name)
    oracle = Oracle(problem)
    _agrees_with_differences(problem.hess_sparse(p), oracle.hessian_product, p)
    _agrees_with_differences(problem.gauss_newton_sparse(p), oracle.gauss_newton_product, p)


@pytest.mark.parametrize("name", [name for name in MAKERS if name.startswith("small/")])
def test_second_derivatives_of_every_program(name: str) -> None:
    """Dense ones are compared with differences elsewhere: tests/oracles/test_every_program.py."""
    problem, p, scale = MAKERS[name]()
    dense = problem.hess(p)
    assert error(problem.hess_sparse(p).toarray() * scale, dense * scale, scale[:, None]) < 1e-11
    if problem.model.cut:
        dense = problem.gauss_newton(p)[0]
        found = problem.gauss_newton_sparse(p).toarray()
        assert error(found * scale, dense * scale, scale[:, None]) < 1e-11


def test_as_many_entries_as_the_structure_has() -> None:
    """What CasADi's issue 3533 reports, a Hessian far denser than the model, must not happen."""
    problem, p = _bound("bundle_adjustment")
    seen = {(int(c), int(q)) for c, q in zip(CAMERAS["cam"], CAMERAS["pt"], strict=True)}
    cameras, points = ({pair[k] for pair in seen} for k in (0, 1))
    entries = len(cameras) * 81 + len(points) * 9 + len(seen) * 2 * 27
    assert problem.hess_sparse(p).nnz == entries
    assert problem.gauss_newton_sparse(p).nnz == entries
    problem, p = _bound("chain")
    assert problem.hess_sparse(p).nnz == 6 + 2 * 5
    problem, p = _bound("grouped_regressions")  # 4 groups of 3 + 1, one without samples; s
    assert problem.hess_sparse(p).nnz == 3 * 16 + 2 * 12 + 1


@pytest.mark.parametrize("name", ["bundle_adjustment", "chain", "network"])
def test_symmetric_out_is_an_earlier_result(name: str) -> None:
    problem, p = _bound(name)
    for function, dense in (
        (problem.hess_sparse, problem.hess(p)),
        (problem.gauss_newton_sparse, problem.gauss_newton(p)[0]),
    ):
        first = function(2 * p)
        kept = first.indices
        assert function(p, out=first) is first
        assert first.indices is kept
        assert error(first.toarray(), dense) < 1e-11
        with pytest.raises(symopt.DataError, match="earlier sparse matrix"):
            function(p, out=problem.jac_sparse(p))


def test_other_index_data_has_other_blocks() -> None:
    text = "data a[n] in q, b[n] in q\nparam x[q]\nminimize sum(exp(x[a[i]] * x[b[i]]) for i)"
    problem = symopt.parse(text).bind(a=[0, 1, 1], b=[1, 1, 0], q=4)
    p = np.array([0.3, -0.4, 0.2, 0.7])
    assert problem.hess_sparse(p).nnz == 4
    other = problem.rebind(a=[0, 1, 3], b=[1, 1, 2])
    found = other.hess_sparse(p)
    assert found.nnz == 8
    assert error(found.toarray(), Oracle(other).hessian(p)) < SECOND
    # x[1]^2 has twice the product of its slopes on the diagonal.
    wanted = np.exp(p[1] ** 2) * (2 + 4 * p[1] ** 2) + np.exp(p[0] * p[1]) * p[0] ** 2
    np.testing.assert_allclose(found.toarray()[1, 1], wanted, rtol=1e-12)


def test_many_observations_take_no_dense_array() -> None:
    """2.4 million entries; dense, they would be 200,000 by 66,144."""
    m, n, q = 100_000, 16, 22_000
    rng = np.random.default_rng(8)
    data = {"cam": rng.integers(0, n, m), "pt": rng.integers(0, q, m), "y": np.zeros((m, 2))}
    small, _ = _bound("bundle_adjustment")
    problem = small.rebind({**data, "n": n, "q": q})
    p = rng.uniform(0.2, 1.2, problem.n)
    found = problem.jac_sparse(p)
    assert found.shape == (2 * m, 9 * n + 3 * q)
    assert found.nnz == 24 * m
    change = problem.jvp(p, v := rng.normal(size=problem.n))
    np.testing.assert_allclose(found @ v, change, rtol=1e-9, atol=1e-9 * np.abs(change).max())
    hessian = problem.gauss_newton_sparse(p)
    pairs = len(np.unique(data["cam"] * q + data["pt"]))
    assert hessian.nnz == n * 81 + len(np.unique(data["pt"])) * 9 + pairs * 2 * 27
    np.testing.assert_allclose(hessian @ v, problem.gnvp(p, v), rtol=1e-8, atol=1e-8 * pairs)
