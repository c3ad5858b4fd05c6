"""Many points and many vectors at once, results in given arrays, and inputs of every layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symopt
from symopt.conversion import WIDTH
from symopt.problem import Problem

TEXT = """\
data X[n, d], y[n]
dim h = 3
param A[h, d] init normal(0, 1), c[h] init normal(0, 1)
a[i, j] = tanh(sum(A[j, l] * X[i, l] for l))
model z[i] = sum(c[j] * a[i, j] for j)
minimize sum((y[i] - z[i])^2 for i) + sum(c[j]^4 for j) / 7
"""
COUNTS = (0, 1, 2, 3, WIDTH, WIDTH + 1, 2 * WIDTH + 3)


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"X": rng.normal(size=(37, 4)), "y": rng.normal(size=37)}


@pytest.fixture(scope="module")
def problem(data: dict[str, np.ndarray]) -> Problem:
    return symopt.parse(TEXT).bind(data)


def _value(data: dict[str, np.ndarray], p: np.ndarray) -> Any:
    """The objective, by NumPy, at real or complex points."""
    A, c = p[:12].reshape(3, 4), p[12:]
    z = np.tanh(data["X"] @ A.T) @ c
    return ((data["y"] - z) ** 2).sum() + (c**4).sum() / 7


def _gradient(data: dict[str, np.ndarray], p: np.ndarray) -> np.ndarray:
    """By complex steps of the formula."""
    return np.array([_value(data, p + 1e-40j * unit).imag / 1e-40 for unit in np.eye(len(p))])


def _jacobian(data: dict[str, np.ndarray], p: np.ndarray) -> np.ndarray:
    A, c = p[:12].reshape(3, 4), p[12:]
    a = np.tanh(data["X"] @ A.T)
    by_A = (c * (1 - a**2))[:, :, None] * data["X"][:, None, :]
    return np.concatenate([by_A.reshape(len(a), 12), a], axis=1)


def _hessian(data: dict[str, np.ndarray], p: np.ndarray) -> np.ndarray:
    """By fourth-order differences of complex-step gradients."""
    columns = []
    for unit in np.eye(len(p)) * 1e-3:
        near = _gradient(data, p + unit) - _gradient(data, p - unit)
        far = _gradient(data, p + 2 * unit) - _gradient(data, p - 2 * unit)
        columns.append((8 * near - far) / (12 * 1e-3))
    return np.array(columns).T


# ── many points ──────────────────────────────────────────────────────────────────────────────────


def test_values_at_many_points(problem: Problem, data: dict[str, np.ndarray]) -> None:
    points = np.random.default_rng(0).normal(size=(23, problem.n))
    wanted = [_value(data, p) for p in points]
    found = problem.values(points)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)
    turned = np.asfortranarray(points)
    twice = np.repeat(points, 2, axis=0)[::2]
    for same in (turned, twice, points.tolist()):
        np.testing.assert_array_equal(problem.values(same), found)
    single = problem.values(points.astype(np.float32))
    np.testing.assert_allclose(single, found, rtol=1e-4)  # points of seven digits
    out = np.empty(46)[::2]
    assert problem.values(points, out=out) is out
    np.testing.assert_array_equal(out, found)
    assert problem.values(np.empty((0, problem.n))).shape == (0,)


@pytest.mark.parametrize("shape", [(15,), (3, 14), (2, 3, 15), ()])
def test_points_of_another_shape_are_refused(problem: Problem, shape: Any) -> None:
    with pytest.raises(symopt.DataError, match=r"points must have shape \(k, 15\)"):
        problem.values(np.zeros(shape))


# ── many vectors ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", COUNTS)
def test_products_with_many_vectors(
    problem: Problem, data: dict[str, np.ndarray], count: int
) -> None:
    rng = np.random.default_rng(count)
    p = rng.normal(size=problem.n)
    jacobian, hessian = _jacobian(data, p), _hessian(data, p)
    curvature = 2 * jacobian.T @ jacobian  # of the sum of squares, and what reads c directly
    curvature[12:, 12:] += np.diag(12 * p[12:] ** 2 / 7)
    V, U = rng.normal(size=(problem.n, count)), rng.normal(size=(37, count))
    # Sums of 37 terms of size 1; the Hessian is one of differences.
    cases = (
        (problem.hvp, V, hessian, 1e-8),
        (problem.gnvp, V, curvature, 1e-12),
        (problem.jvp, V, jacobian, 1e-12),
        (problem.vjp, U, jacobian.T, 1e-12),
    )
    for product, vectors, matrix, tolerance in cases:
        wanted = matrix @ vectors
        bound = tolerance * np.abs(matrix).max() * 10
        found = product(p, vectors)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)
        for same in (np.asfortranarray(vectors), np.repeat(vectors, 2, axis=1)[:, ::2]):
            np.testing.assert_array_equal(product(list(p), same), found)
        out = np.empty(wanted.shape)
        assert product(p, vectors, out=out) is out
        np.testing.assert_array_equal(out, found)
        out = np.empty(wanted.shape[::-1]).T
        assert product(p, vectors, out=out) is out
        np.testing.assert_array_equal(out, found)


def test_out_may_be_the_vectors(problem: Problem) -> None:
    p, room = problem.x0, np.random.default_rng(1).normal(size=(problem.n + 3, 11))
    for shift in (0, 1, 3):
        vectors = room[shift : shift + problem.n]
        kept, vectors_before = room.copy(), vectors.copy()
        wanted = problem.hvp(p, vectors)
        out = room[: problem.n]
        assert problem.hvp(p, vectors, out=out) is out
        np.testing.assert_array_equal(out, wanted)
        room[...] = kept
        np.testing.assert_array_equal(vectors, vectors_before)


def test_many_vectors_of_a_definition_and_by_names(
    problem: Problem, data: dict[str, np.ndarray]
) -> None:
    rng = np.random.default_rng(4)
    p, V = rng.normal(size=problem.n), rng.normal(size=(3, 9))
    jacobian = _jacobian(data, p)
    found = problem.jvp(p, V, wrt="c")
    np.testing.assert_allclose(found, jacobian[:, 12:] @ V, rtol=1e-11, atol=1e-13)
    U = rng.normal(size=(37 * 3, 9))
    by_c = problem.vjp(p, U, of="a", wrt="A")
    wanted = np.stack([problem.vjp(p, u, of="a", wrt="A") for u in U.T], axis=1)
    np.testing.assert_allclose(by_c, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [(14, 2), (37, 2), (15, 2, 2), (2, 15)])
def test_matrices_of_another_shape_are_refused(problem: Problem, shape: Any) -> None:
    with pytest.raises(symopt.DataError, match=r"v must have shape \(15,\)(.|\n)*\(15, k\)"):
        problem.hvp(problem.x0, np.zeros(shape))
    with pytest.raises(symopt.DataError, match=r"p must have shape \(15,\)"):
        problem.hvp(np.zeros(14), np.zeros((15, 9)))
    for out in (np.zeros((15, 8)), np.zeros(15), [[0.0]], np.zeros((15, 9), np.float32)):
        with pytest.raises(symopt.DataError, match=r"an array of float64 with shape \(15, 9\)"):
            problem.hvp(problem.x0, np.zeros((15, 9)), out=out)


@pytest.mark.parametrize("name", ["hess", "gauss_newton", "jac"])
def test_linear_operators(problem: Problem, data: dict[str, np.ndarray], name: str) -> None:
    rng = np.random.default_rng(5)
    p = rng.normal(size=problem.n)
    operator: Any = problem.operator(name, p)
    jacobian = _jacobian(data, p)
    curvature = 2 * jacobian.T @ jacobian
    curvature[12:, 12:] += np.diag(12 * p[12:] ** 2 / 7)
    wanted = {"hess": _hessian(data, p), "gauss_newton": curvature, "jac": jacobian}[name]
    p[:] = 0.0  # the operator has a point of its own
    assert operator.shape == wanted.shape
    bound = 1e-7 * np.abs(wanted).max()  # the Hessian is one of differences
    V, U = rng.normal(size=(wanted.shape[1], 5)), rng.normal(size=(wanted.shape[0], 5))
    np.testing.assert_allclose(operator @ V, wanted @ V, rtol=0, atol=bound)
    np.testing.assert_allclose(operator @ V[:, 0], wanted @ V[:, 0], rtol=0, atol=bound)
    np.testing.assert_allclose(operator @ V[:, :1], wanted @ V[:, :1], rtol=0, atol=bound)
    np.testing.assert_allclose(operator.H @ U, wanted.T @ U, rtol=0, atol=bound)


def test_an_operator_of_something_else(problem: Problem) -> None:
    with pytest.raises(symopt.DataError, match="there is no operator `hes`"):
        problem.operator("hes", problem.x0)


# ── arrays of every layout (sympy 16773) ─────────────────────────────────────────────────────────


def _layouts(array: np.ndarray) -> dict[str, Any]:
    """The same numbers in other arrays."""
    wide = np.zeros([2 * size for size in array.shape])
    wide[tuple(slice(None, None, 2) for _ in array.shape)] = array
    return {
        "fortran": np.asfortranarray(array),
        "strided": wide[tuple(slice(None, None, 2) for _ in array.shape)],
        "backward": np.ascontiguousarray(array[::-1])[::-1],
        "object": array.astype(object),
        "big-endian": array.astype(">f8"),
        "unaligned": np.frombuffer(b"." + array.tobytes(), offset=1).reshape(array.shape),
        "list": array.tolist(),
    }


@pytest.mark.parametrize("layout", _layouts(np.zeros(1)))
def test_data_points_and_vectors_of_every_layout(
    problem: Problem, data: dict[str, np.ndarray], layout: str
) -> None:
    rng = np.random.default_rng(6)
    p, v, u = (rng.normal(size=size) for size in (problem.n, problem.n, 37))
    given = {name: _layouts(array)[layout] for name, array in data.items()}
    other = problem.model.bind(given)
    q, w, s = (_layouts(array)[layout] for array in (p, v, u))
    np.testing.assert_allclose(other.value(q), _value(data, p), rtol=1e-13)
    assert other.value(q) == problem.value(p)
    np.testing.assert_array_equal(other.grad(q), problem.grad(p))
    np.testing.assert_array_equal(other.hvp(q, w), problem.hvp(p, v))
    np.testing.assert_array_equal(other.vjp(q, s), problem.vjp(p, u))
    np.testing.assert_array_equal(other.jac(q), problem.jac(p))
    np.testing.assert_array_equal(other.gauss_newton(q)[0], problem.gauss_newton(p)[0])


def test_points_of_other_numbers(problem: Problem) -> None:
    p = np.arange(problem.n) % 3 - 1
    wanted = problem.grad(p.astype(float))
    for same in (p, p.astype(np.int8), p.astype(np.float32), p.astype(np.float16), p.tolist()):
        np.testing.assert_array_equal(problem.grad(same), wanted)
    for ask in (problem.value, problem.grad):
        with pytest.raises(symopt.DataError, match="of real numbers, found complex128"):
            ask(p * 1j)


# ── out ──────────────────────────────────────────────────────────────────────────────────────────


def _outs(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Arrays of a shape, plain and not."""
    return [
        np.empty(shape),
        np.empty(shape[::-1]).T,
        np.empty([2 * n for n in shape])[_every(shape)],
    ]


def _every(shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(None, None, 2) for _ in shape)


def test_out_of_every_function(problem: Problem) -> None:
    rng = np.random.default_rng(8)
    p, v, u = (rng.normal(size=size) for size in (problem.n, problem.n, 37))
    calls: dict[Any, tuple[np.ndarray, ...]] = {
        problem.grad: (p,),
        problem.hess: (p,),
        problem.hvp: (p, v),
        problem.residuals: (p,),
        problem.jac: (p,),
        problem.jvp: (p, v),
        problem.vjp: (p, u),
        problem.gnvp: (p, v),
        problem.values: (p[None],),
    }
    for function, given in calls.items():
        wanted = function(*given)
        for out in _outs(wanted.shape):
            assert function(*given, out=out) is out
            np.testing.assert_array_equal(out, wanted)
        frozen = np.empty(wanted.shape)
        frozen.flags.writeable = False
        wrong = (np.empty(3), np.empty(wanted.shape, np.float32), frozen, wanted.tolist())
        for out in wrong:
            with pytest.raises(symopt.DataError, match="out must be an array of float64"):
                function(*given, out=out)


def test_out_of_functions_with_two_results(problem: Problem) -> None:
    p = np.linspace(-1, 1, problem.n)
    for function in (problem.gauss_newton, problem.residuals_and_jac):
        wanted = function(p)
        for outs in zip(*(_outs(part.shape) for part in wanted), strict=True):
            found = function(p, out=outs)
            assert all(a is b for a, b in zip(found, outs, strict=True))
            np.testing.assert_array_equal(found[0], wanted[0])
            np.testing.assert_array_equal(found[1], wanted[1])
        with pytest.raises(symopt.DataError, match="out must be an array of float64"):
            function(p, out=(wanted[0], np.empty(1)))
    for out in _outs((problem.n,)):
        assert problem.value_and_grad(p, out=out)[1] is out
        np.testing.assert_array_equal(out, problem.grad(p))


def test_out_of_definitions(problem: Problem, data: dict[str, np.ndarray]) -> None:
    p = np.linspace(-1, 1, problem.n)
    wanted = np.tanh(data["X"] @ p[:12].reshape(3, 4).T)
    for out in _outs((37, 3)):
        assert problem.eval("a", p, out=out) is out
        np.testing.assert_allclose(out, wanted, rtol=1e-13)
    out = np.empty((3, 4))
    assert problem.eval("A", p, out=out) is out
    np.testing.assert_array_equal(out.ravel(), p[:12])
    with pytest.raises(symopt.DataError, match=r"float64 with shape \(37, 3\), found"):
        problem.eval("a", p, out=out)


def test_out_of_sparse_matrices(problem: Problem) -> None:
    p = np.linspace(-1, 1, problem.n)
    for function in (problem.jac_sparse, problem.hess_sparse, problem.gauss_newton_sparse):
        earlier = function(p * 0)
        assert function(p, out=earlier) is earlier
        np.testing.assert_array_equal(earlier.toarray(), function(p).toarray())
