"""Rows moved whole and turned in registers: of any width, and nothing beyond the arrays."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.agreement import assert_agree, columns, model_of
from tests.support.guarded import run_guarded
from tests.support.kernels import LANES

WIDTHS = (1, 2, 3, 4, 5, 8, 9, 64, 65, 130)
SAMPLES = (0, 1, 7, 8, 9, 63, 64, 65, 127, 129, 1000)
ROWS = """\
data X[n, d], Z[n, 2, d], cam[n] in c
param P[c, d] init 0
f[i, a] = X[i, a] + 4 * P[cam[i], a] - Z[i, 1, a]
minimize sum(f)
"""
OUTPUTS = """\
data X[n, d], cam[n] in c
param P[c, d] init 0, s init 0
residual r[i, a] = X[i, a] * s + P[cam[i], a]^2
"""


@pytest.mark.parametrize(
    ("width", "lanes"),
    [*((width, 8) for width in WIDTHS), *((width, 4) for width in WIDTHS[:7]), (3, 1), (65, 1)],
)
def test_rows_of_every_width(width: int, lanes: int) -> None:
    """Read at the sample, through an index array and in a block, and written."""
    model, rng = model_of(ROWS, lanes), np.random.default_rng(width)
    for n in SAMPLES:
        # Multiples of 1/8: no sum rounds, in whichever order.
        X, Z, P = (
            np.round(8 * rng.normal(size=shape)) / 8
            for shape in ((n, width), (n, 2, width), (5, width))
        )
        cam = rng.integers(0, 5, n)
        problem = model.bind(X=X, Z=Z, cam=cam, c=5)
        assert np.array_equal(problem.eval("f", P.ravel()), X + 4 * P[cam] - Z[:, 1])


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_rows_of_results(width: int, lanes: int) -> None:
    """Residuals of two axes and their Jacobian, which has 0 where a sample does not reach."""
    model, rng = model_of(OUTPUTS, lanes), np.random.default_rng(width)
    for n in (0, 1, 7, 8, 9, 65):
        X, P, cam = rng.normal(size=(n, width)), rng.normal(size=(3, width)), rng.integers(0, 3, n)
        problem = model.bind(X=X, cam=cam, c=3)
        p = problem.pack({"P": P, "s": 0.5})
        assert_agree(problem.residuals(p), X * 0.5 + P[cam] ** 2, f"n = {n}")
        wanted = np.zeros((n, width, 3 * width + 1))
        for i, a in np.ndindex(n, width):
            wanted[i, a, cam[i] * width + a] = 2 * P[cam[i], a]
            wanted[i, a, -1] = X[i, a]
        assert_agree(problem.jac(p), wanted, f"n = {n}")


FILLED = """\
dim k = 3
data X[n, d], c[n] in k
param W[k, d] init 0
q[i, a] += W[c[i], a] * X[i, a]
residual r[i, a] = sin(q[i, a]) * X[i, 0]
"""


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("written_out", [0, 512])
def test_rows_of_a_jacobian_begin_at_zero(written_out: int, lanes: int) -> None:
    model, rng = model_of(FILLED, lanes, written_out=written_out), np.random.default_rng(5)
    for n in (1, 8, 13):
        X, c = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
        problem = model.bind(X=X, c=c)
        p = rng.normal(size=problem.n)
        problem.jac(rng.normal(size=problem.n))  # leaves its own values behind
        assert_agree(problem.jac(p), columns(problem, "residuals", p), f"n = {n}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages of memory")
def test_nothing_is_touched_beyond_the_arrays() -> None:
    """Data, parameters, results and buffers of our own lie beside protected pages."""
    assert run_guarded([3, 9], lanes=8) == ""
