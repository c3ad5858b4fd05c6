"""Cases that went wrong in other systems, each with the number of the report there.

Their expected values come from NumPy and from differences; growth is judged by counting statements
and instructions, never by a clock.
"""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import symopt
from symopt.compiler import Request, lower
from symopt.loops.options import Options
from tests.support.oracle import Oracle


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


# ── derivatives that were wrong without a word ───────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "minimize sum(exp(sum(A[i, j] * x[j] for j)) for i)",
        "minimize sum(exp(A @ x))",
        "def grown(v[n]) = exp(v)\nminimize sum(grown(A @ x))",
        "def at(i) = exp(sum(A[i, j] * x[j] for j))\nminimize sum(at(i) for i in range(n))",
        "z[i] += A[i, j] * x[j]\nminimize sum(exp(z))",
    ],
)
def test_a_sum_inside_a_function_stays_a_sum(body, rng) -> None:
    """sympy 10266: differentiating f(A[i, j] x[j]) dropped the implied sum over j."""
    model = symopt.parse(f"data A[n, d]\nparam x[d] init 0\n{body}\n")
    matrix, x = rng.normal(size=(4, 3)), rng.normal(size=3)
    problem = model.bind(A=matrix)
    grown = np.exp(matrix @ x)
    # Sums of a few terms in another order.
    assert problem.value(x) == pytest.approx(grown.sum(), rel=1e-14)
    np.testing.assert_allclose(problem.grad(x), matrix.T @ grown, rtol=1e-13)
    hessian = matrix.T @ (grown[:, None] * matrix)
    np.testing.assert_allclose(problem.hess(x), hessian, rtol=1e-13)


def test_the_gradient_of_a_symbolic_sum_is_not_zero(rng) -> None:
    """Symbolics.jl 461: the gradient of a sum over symbolic elements was silently 0."""
    model = symopt.parse("param x[n] init 0\ndim n = 4\nminimize sum(x[i]^2 for i)\n")
    assert str(model.derive("x")) == "2*x[i]"
    assert model.derive("x").free_symbols
    x = rng.normal(size=4)
    np.testing.assert_array_equal(model.bind().grad(x), 2 * x)


# Where the branch is not taken, its definition is infinite, or its slope is.
BRANCHES = {
    # jax 347 and 5798: where(x > 0, sqrt(x), 0) had a nan for a gradient at 0.
    "root": "r[i] = sqrt(a * x[i])\nf[i] = r[i] if x[i] > 0 else 0",
    "logarithm": "l[i] = log(a * x[i])\nf[i] = l[i] if x[i] > 0 else a",
    "quotient": "q[i] = a / x[i]\nf[i] = q[i] if x[i] != 0 else a^2",
    "power": "p[i] = (a * x[i])^0.5\nf[i] = p[i] * b if x[i] > 0 else b",
    "overflow": "e[i] = exp(800 * a * x[i])\nf[i] = e[i] if x[i] < 0 else b * x[i]",
    # symforce 445: the derivative of a norm at 0 behind a guard.
    "norm": "s[i] = (a * x[i])^2\nr[i] = sqrt(s[i])\nf[i] = sin(r[i]) / r[i] if s[i] > 0 else 1",
    "chain": "u[i] = 1 / x[i]\nv[i] = a * u[i] * exp(u[i])\nw[i] = v[i] - v[i]^2\n"
    "f[i] = w[i] if x[i] > 0.5 else a",
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_not_taken_leaves_no_nan(name) -> None:
    text = f"data x[n]\nparam a init 1, b init 2\n{BRANCHES[name]}\nmodel m = f\n"
    model = symopt.parse(text + "minimize sum(m[i]^2 + b * m[i] for i)\n")
    problem = model.bind(x=[0.0, -1.0, 2.0])
    p, v = np.array([0.7, 1.5]), np.array([1.0, -2.0])
    value, gradient, jacobian = problem.value(p), problem.grad(p), problem.jac(p)
    assert np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(jacobian).all()
    assert np.isfinite(problem.hess(p)).all() and np.isfinite(problem.gnvp(p, v)).all()
    step = 1e-5
    # Central differences are right to about step^2, in gradients of size 10 to 1e4.
    for k in range(2):
        move = step * np.eye(2)[k]
        slope = (problem.value(p + move) - problem.value(p - move)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-6, abs=1e-7)
        row = (problem.grad(p + move) - problem.grad(p - move)) / (2 * step)
        np.testing.assert_allclose(problem.hess(p)[k], row, rtol=1e-6, atol=1e-6)


# ── growth ───────────────────────────────────────────────────────────────────────────────────


def many_terms(n: int) -> str:
    """A sum of n terms, none like another."""
    terms = (f"sin({k}.5 * x + y)^{k % 3 + 2} / (1 + {k} * y^2)" for k in range(1, n + 1))
    return f"param x init 0.5, y init 0.3\nminimize {' + '.join(terms)}\n"


def long_chain(n: int) -> str:
    """n definitions, each of the one before."""
    links = (f"v{k} = sin(v{k - 1}) + {k}.5 * x" for k in range(1, n + 1))
    return "\n".join(["param x init 0.5", "v0 = x", *links, f"minimize v{n}^2", ""])


def sizes(text: str, function: str) -> tuple[int, int]:
    """The numbers of statements and of lines of LLVM IR of a function."""
    stages = symopt.parse(text).stages
    lowered = lower(stages, Request(function), Options())
    return len(lowered.statements.statements), lowered.ir.count("\n")


@pytest.mark.parametrize("function", ["value_and_grad", "hvp"])
@pytest.mark.parametrize("program", [many_terms, long_chain])
def test_code_grows_with_the_program_and_no_faster(program, function) -> None:
    one, two, three = (sizes(program(n), function) for n in (30, 60, 90))
    for a, b, c in zip(one, two, three, strict=True):
        # Equal steps: within a twentieth, for what is shared or cut here and there.
        assert c - b <= 1.05 * (b - a) + 1


def test_a_sum_of_2000_different_terms() -> None:
    p = np.array([0.4, 0.8])
    problem = symopt.parse(many_terms(2000)).bind()
    k = np.arange(1, 2001)
    inner, power, scale = (k + 0.5) * p[0] + p[1], k % 3 + 2, 1 / (1 + k * p[1] ** 2)
    terms = np.sin(inner) ** power * scale
    value, gradient = problem.value_and_grad(p)
    # 2000 terms: rounding of the sum, and of the arguments, which are up to 800.
    assert value == pytest.approx(terms.sum(), rel=1e-11)
    slopes = power * np.sin(inner) ** (power - 1) * np.cos(inner) * scale
    by_y = slopes - terms * scale * 2 * k * p[1]
    expected = [(slopes * (k + 0.5)).sum(), by_y.sum()]
    np.testing.assert_allclose(gradient, expected, rtol=1e-10)


def test_a_chain_of_5000_definitions() -> None:
    problem = symopt.parse(long_chain(5000)).bind()
    v, slope = 0.5, 1.0
    for k in range(1, 5001):
        v, slope = np.sin(v) + (k + 0.5) * 0.5, np.cos(v) * slope + k + 0.5
    value, gradient = problem.value_and_grad(np.array([0.5]))
    # Arguments of the sines are up to 2500, with roundings of as much.
    assert value == pytest.approx(v**2, rel=1e-10)
    assert gradient[0] == pytest.approx(2 * v * slope, rel=1e-10)


NETWORK = """
dim h = {width}
data X[n, d], y[n]
param A[h, d] init 1, a[h] init 0, B[h, h] init 1, b[h] init 0, c[h] init 1
u = tanh(X @ A.T + a)
v = tanh(u @ B.T + b)
model f = v @ c
minimize mean((f - y)^2)
"""


@pytest.mark.parametrize("function", ["value_and_grad", "hvp", "gauss_newton"])
def test_code_does_not_grow_with_the_width_of_a_network(function) -> None:
    """heyoka.py 255: a network of two layers of 32 did not finish compiling."""
    narrow, wide = (sizes(NETWORK.format(width=width), function) for width in (8, 32))
    assert wide == narrow


def test_a_network_of_two_layers_of_32(rng) -> None:
    """heyoka.py 255, with all sizes compiled in."""
    model = symopt.parse(NETWORK.format(width=32))
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    problem = model.bind(X=x, y=y)
    p = rng.normal(size=problem.n) / 6
    w = problem.unpack(p)
    u = np.tanh(x @ w["A"].T + w["a"])
    v = np.tanh(u @ w["B"].T + w["b"])
    by_f = 2 * (v @ w["c"] - y) / 20
    by_v = np.outer(by_f, w["c"]) * (1 - v**2)
    by_u = by_v @ w["B"] * (1 - u**2)
    expected = {
        "A": by_u.T @ x,
        "a": by_u.sum(0),
        "B": by_v.T @ u,
        "b": by_v.sum(0),
        "c": v.T @ by_f,
    }
    for name, slopes in problem.unpack(problem.grad(p)).items():
        np.testing.assert_allclose(slopes, expected[name], rtol=1e-11, atol=1e-14)
    fixed = model.fixed_by(problem.dims, {})
    lines = model.compiled("value_and_grad", None, fixed).ir.count("\n")
    assert lines < 5_000  # what is written out for 32 is a part of a loop


# ── ragged sums ──────────────────────────────────────────────────────────────────────────────


def test_nested_sums_over_ragged_index_sets(rng) -> None:
    """ExaModels.jl 101 and 102: sums over sets that depend on an outer index."""
    model = symopt.parse(
        "data off[m+1] in n+1, v[n], item[n] in k, size[m] in n\n"
        "param w[k] init 1\n"
        "inner[g] = sum(w[item[i]]^2 * v[i] for i in range(off[g], off[g+1]))\n"
        "pairs[g] = sum(w[item[i]] * w[item[j]]"
        " for i in range(off[g], off[g+1]) for j in range(off[g], i))\n"
        "short[g] = sum(sum(w[item[i]] * inner[q] for i in range(size[q])) for q in range(g))"
        " for g in range(m)\n"
        "minimize sum(exp(inner[g] / 9) + pairs[g] + sin(short[g]) for g)\n"
    )
    off, item = np.array([0, 3, 3, 4, 8]), np.array([0, 1, 1, 2, 0, 2, 2, 1])
    size, v = np.array([2, 0, 3, 1]), rng.normal(size=8)

    def loss(w: np.ndarray) -> complex:
        groups = [range(off[g], off[g + 1]) for g in range(4)]
        inner = [sum(w[item[i]] ** 2 * v[i] for i in group) for group in groups]
        pairs = [
            sum(w[item[i]] * w[item[j]] for i in group for j in range(group.start, i))
            for group in groups
        ]
        firsts = [sum(w[item[i]] for i in range(size[q])) for q in range(4)]
        short = [sum(firsts[q] * inner[q] for q in range(g)) for g in range(4)]
        return sum(np.exp(inner[g] / 9) + pairs[g] + np.sin(short[g]) for g in range(4))

    problem, w = model.bind(off=off, item=item, size=size, v=v, k=3), rng.normal(size=3)
    assert problem.value(w) == pytest.approx(loss(w), rel=1e-13)
    slopes = [np.imag(loss(w + 1e-30j * np.eye(3)[k])) / 1e-30 for k in range(3)]
    np.testing.assert_allclose(problem.grad(w), slopes, rtol=1e-12, atol=1e-13)


# ── derivatives that cost more than differences ──────────────────────────────────────────────

CURVE = """
data x[n], y[n]
param b1 init 1, b2 init 1, b3 init 1, b4 init 1, b5 init 1, b6 init 1
f[i] = b1*exp(-b2*x[i]) + b3*exp(-(x[i] - b4)^2/b5^2) + b6*sin(x[i]*b2)
minimize sum((y[i] - f[i])^2 for i)
"""


def test_a_hessian_costs_less_than_differences_of_gradients() -> None:
    """symfit 293: a fit was slower with its symbolic Hessian than with differences."""
    explanation = symopt.parse(CURVE).explain("grad", "hess", n=1000)
    grad, hess = (f.times_value(explanation.sizes) for f in explanation.functions)
    assert grad is not None and hess is not None
    assert hess <= 6 * grad  # one-sided differences by six parameters take seven gradients


def test_sympy_is_never_given_the_whole(monkeypatch) -> None:
    """symfit 293, huge expressions: nothing simplifies, sympifies text or lambdifies on the way."""

    def refused(*_, **__):
        raise AssertionError("a whole expression went to SymPy")

    for name in ("simplify", "lambdify", "diff", "hessian"):
        monkeypatch.setattr(sympy, name, refused)
    problem = symopt.parse(CURVE).bind(x=np.arange(5.0), y=np.ones(5))
    assert np.isfinite(problem.hess(np.ones(6))).all()


# ── data that does not lie row by row ────────────────────────────────────────────────────────

WEIGHED = """
data X[n, d], y[n], k[n] in q
param W[q, d] init 0
model z[i] = sum(X[i, a] * W[k[i], a] for a)
minimize mean(softplus(z) - y * z)
"""


def test_arrays_that_do_not_lie_row_by_row(rng) -> None:
    """sympy 16773: generated code read arrays as if they were contiguous and in C order."""
    X, y, k = rng.normal(size=(20, 3)), rng.normal(size=20), rng.integers(0, 2, 20)
    wide, twice = np.full((40, 9), np.nan), np.full(40, np.nan)
    wide[::2, 1::3], twice[::2] = X, y
    backward = X[::-1, ::-1].copy()[::-1, ::-1]
    model = symopt.parse(WEIGHED)
    plain = model.bind(X=X, y=y, k=k, q=2)
    p, v = rng.normal(size=plain.n), rng.normal(size=plain.n)
    for same in (np.asfortranarray(X), wide[::2, 1::3], backward):
        other = model.bind(X=same, y=twice[::2], k=np.repeat(k, 2)[::2], q=2)
        room, out = np.full(3 * other.n, np.nan), np.full((other.n, 20), np.nan).T
        assert other.value(p) == plain.value(p)
        at, along = np.repeat(p, 2)[::2], np.repeat(v, 3)[::3]
        np.testing.assert_array_equal(other.grad(at, out=room[::3]), plain.grad(p))
        np.testing.assert_array_equal(room[::3], plain.grad(p))
        np.testing.assert_array_equal(other.hvp(at, along), plain.hvp(p, v))
        np.testing.assert_array_equal(other.jac(at, out=out), plain.jac(p))
        np.testing.assert_array_equal(out, plain.jac(p))


# ── derivatives far denser than the model ────────────────────────────────────────────────────


def test_a_banded_model_has_banded_derivatives(rng) -> None:
    """casadi 3533: a derivative far denser than the model it is of."""
    model = symopt.parse(
        "data y[n]\nparam x[n] init 0\n"
        "residual r[i] = exp(x[i]) - x[i+1] * x[i+2] - y[i] for i in range(n - 2)\n"
    )
    n = 300
    problem, p = model.bind(y=rng.normal(size=n)), rng.normal(size=n) / 3
    jacobian, hessian = problem.jac_sparse(p), problem.hess_sparse(p)
    assert jacobian.nnz == 3 * (n - 2)
    assert hessian.nnz == problem.gauss_newton_sparse(p).nnz == 5 * n - 6  # five bands
    oracle, v = Oracle(problem), rng.normal(size=n)
    np.testing.assert_allclose(jacobian @ v, oracle.change_of_cut(p, v), rtol=1e-12, atol=1e-13)
    # Against differences, which are good to about 1e-11.
    found = (hessian @ v)[:8]
    np.testing.assert_allclose(found, oracle.hessian_product(p, v, range(8)), rtol=1e-8)


ADJUSTMENT = """
data cam[m] in c, pt[m] in q, seen[m, 2]
param camera[c, 4] init 0, point[q, 3] init 0
residual e[o, a] = (
    exp(camera[cam[o], 3]) * (point[pt[o], a] - camera[cam[o], a])
    / (1 + (point[pt[o], 2] - camera[cam[o], 2])^2) - seen[o, a]
) for a in 2
"""


def test_a_bundle_adjustment_has_the_blocks_of_its_observations(rng) -> None:
    """casadi 3533: a camera and a point share a block where one sees the other, and only there."""
    c, q, m = 7, 60, 150
    pairs = rng.permutation(c * q)[:m]
    cam, pt = pairs // q, pairs % q
    cam[:c], pt[:q] = np.arange(c), np.arange(q)  # all are seen
    pairs = len(set(zip(cam.tolist(), pt.tolist(), strict=True)))
    problem = symopt.parse(ADJUSTMENT).bind(cam=cam, pt=pt, seen=rng.normal(size=(m, 2)), c=c, q=q)
    p = rng.normal(size=problem.n)
    # Four numbers of a camera less the other coordinate, three of a point less that.
    assert problem.jac_sparse(p).nnz == 2 * m * (3 + 2)
    hessian = problem.hess_sparse(p)
    blocks = c * 16 + q * 9 + 2 * pairs * 12
    # Not everything in a block is an entry: x and y never meet.
    assert blocks / 2 < hessian.nnz <= blocks
    dense = problem.hess(p)
    np.testing.assert_allclose(hessian.toarray(), dense, rtol=1e-10, atol=1e-10)


# ── compile time that grows with the data ────────────────────────────────────────────────────

FLAT = {
    "sum": ("data x[n], y[n]\nparam a, b\nminimize sum((a * exp(b * x[i]) - y[i])^2 for i)\n", {}),
    "bands": (
        "data x[n]\nparam u[n] init 0\n"
        "minimize sum((u[i+1] - u[i])^2 * x[i] for i in range(n - 1)) + sum(u^4)\n",
        {},
    ),
    "steps": (
        "data x[n], y[n]\nparam a, b\nh[0] = b\n"
        "h[i] = tanh(a * h[i-1] + x[i]) for i in range(1, n)\n"
        "minimize sum((h - y)^2)\n",
        {},
    ),
    "network": (NETWORK.format(width=4), {"d": 3}),
}


@pytest.mark.parametrize("function", ["value_and_grad", "hvp"])
@pytest.mark.parametrize("name", FLAT)
def test_code_does_not_depend_on_the_number_of_samples(name, function) -> None:
    """casadi 3490 and JuMP 1355: compile time, and memory for it, that grow with n."""
    text, dims = FLAT[name]
    codes = []
    for n in (10**3, 10**6):
        model = symopt.parse(text)
        fixed = model.fixed_by({**dims, "n": n}, {})
        codes.append(lower(model.stages, Request(function, None, fixed), Options()).ir)
    small, large = codes
    assert small == large


RECURRENT = """
dim T = 3, h = 20
data x[n, T]
param V[h, 10] init 1, U[h, h] init 0.1, W[h, h] init 1
g[0, s, j] = 0 for s in n, j in h
g[t, s, j] = (
    tanh(sum((W[i, j] + U[j, i]) * g[t-1, s, i] for i) + x[s, t-1])
) for t in range(1, T + 1)
model z[s, q] = sum(V[j, q] * g[T, s, j] for j)
minimize sumsq(z)
"""


def test_code_does_not_grow_with_the_columns_of_a_jacobian() -> None:
    """casadi 3490 again: thousands of elements, filled one by one, took minutes to compile."""
    model = symopt.parse(RECURRENT)
    fixed = model.fixed_by({"T": 3, "h": 20, "n": 50}, {})
    lowered = lower(model.stages, Request("jac", None, fixed), Options())
    assert lowered.ir.count("\n") < 8_000  # 10,000 elements of ten rows of 1,000 columns
