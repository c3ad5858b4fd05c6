"""`rotate(w, x)` against SciPy's rotations, and at w = 0 against the series of the exponential."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

import symopt
from symopt.diagnostics import SymoptError

TURNED = "data x[3], c[3]\nparam w[3] init 0\nminimize sum(c * rotate(w, x))\n"
GENERATORS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
     [[0, -1, 0], [1, 0, 0], [0, 0, 0]]], dtype=float
)  # fmt: skip


@pytest.fixture
def turned(rng: np.random.Generator) -> tuple[symopt.Problem, np.ndarray, np.ndarray]:
    x, c = rng.standard_normal((2, 3))
    return symopt.parse(TURNED).bind(x=x, c=c), x, c


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-160, 1e-12, 1e-4, 0.3, 3.0, 30.0])
def test_value(turned: tuple, size: float, rng: np.random.Generator) -> None:
    problem, x, c = turned
    w = size * rng.standard_normal(3)
    wanted = c @ Rotation.from_rotvec(w).apply(x)
    # Some ten roundings of terms no larger than |c| |x|, and that of the angle itself.
    slack = 4e-15 * (1 + size) * float(np.linalg.norm(c) * np.linalg.norm(x))
    assert problem.value(w) == pytest.approx(wanted, abs=slack)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-160, 1e-20, 1e-9])
def test_derivatives_near_zero(turned: tuple, size: float) -> None:
    """exp(W) = 1 + W + W²/2 + ...: gradient and Hessian at 0, and close to it, are exact."""
    problem, x, c = turned
    w = size * np.array([1.0, -2.0, 0.5])
    gradient = np.einsum("a,kab,b->k", c, GENERATORS, x)
    products = np.einsum("a,jab,kbd,d->jk", c, GENERATORS, GENERATORS, x)
    hessian = 0.5 * (products + products.T)
    slack = 4e-15 + 20 * size  # the next term of the series
    np.testing.assert_allclose(problem.grad(w), gradient, rtol=0, atol=slack)
    np.testing.assert_allclose(problem.hess(w), hessian, rtol=0, atol=slack)


def test_gradient_far_from_zero(turned: tuple, rng: np.random.Generator) -> None:
    """The derivative of the matrix exponential, read off the exponential of a block matrix."""
    problem, x, c = turned
    for size in (0.5, 2.0, 6.0):
        w = size * rng.standard_normal(3)
        matrix = np.einsum("k,kab->ab", w, GENERATORS)
        wanted = []
        for generator in GENERATORS:
            block = np.block([[matrix, generator], [np.zeros((3, 3)), matrix]])
            wanted.append(c @ expm(block)[:3, 3:] @ x)
        # expm of a matrix of norm 10 is exact to some 1e-14.
        np.testing.assert_allclose(problem.grad(w), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("call", ["rotate(u, x)", "rotate(x, u)", "rotate(x, 1)", "rotate(A, B)"])
def test_shapes_that_do_not_fit(call: str) -> None:
    head = "data x[3], u[2], A[4, 3], B[5, 3]\nparam t init 0\n"
    with pytest.raises(SymoptError, match="rotate"):
        symopt.parse(f"{head}minimize t * sum({call})")
