"""Residuals, Jacobians and Gauss-Newton matrices beside the oracles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symopt.certify.curvature import with_raised_curvature
from symopt.certify.probe import COMPLEX, DUAL, EVALUATOR, Array, Probe
from symopt.certify.report import Comparison


def compare_residuals(probe: Probe) -> Iterator[Comparison]:
    """`residuals`: the cut itself."""
    yield from _values(probe, "residuals", probe.problem.residuals(probe.p))


def _values(probe: Probe, name: str, found: Array) -> Iterator[Comparison]:
    oracle, p = probe.oracle, probe.p
    wanted, scale = oracle.function("residuals", p), oracle.scale("residuals", p)
    yield probe.beside(name, EVALUATOR, found, wanted, scale, probe.cut)


def compare_jacobians(probe: Probe) -> Iterator[Comparison]:
    """`jac` and its kin, column by column or along directions."""
    p, oracle, problem = probe.p, probe.oracle, probe.problem
    stepped, dual, scale = probe.stepped("residuals"), probe.dual("residuals"), probe.scale("jvp")
    axes = (probe.columns, probe.cut)
    if probe.fits(oracle.cut.size, len(p)):
        products = probe.products(problem.jac(p))
        yield probe.beside("jac", COMPLEX, products, stepped, scale, *axes)
        yield probe.beside("jac", DUAL, products, dual, scale, *axes)
        residuals, matrix = problem.residuals_and_jac(p)
        yield from _values(probe, "residuals_and_jac (residuals)", residuals)
        products = probe.products(matrix)
        yield probe.beside("residuals_and_jac", COMPLEX, products, stepped, scale, *axes)
    products = probe.products(problem.jac_sparse(p))
    yield probe.beside("jac_sparse", COMPLEX, products, stepped, scale, *axes)
    yield probe.beside("jac_sparse", DUAL, products, dual, scale, *axes)
    products = probe.products(problem.residuals_and_jac(p, sparse=True)[1])
    yield probe.beside("residuals_and_jac (sparse)", COMPLEX, products, stepped, scale, *axes)


def compare_jacobian_products(probe: Probe) -> Iterator[Comparison]:
    """`jvp` along a direction, and `vjp` with weights."""
    p, v, u, oracle = probe.p, probe.direction, probe.weights, probe.oracle
    found, scale = probe.problem.jvp(p, v), oracle.scale("jvp", p, v)
    rows = probe.cut
    yield probe.beside("jvp", EVALUATOR, found, oracle.function("jvp", p, v), scale, rows)
    yield probe.beside("jvp", COMPLEX, found, oracle.complex_step("residuals", p, v), scale, rows)
    yield probe.beside("jvp", DUAL, found, oracle.dual("residuals", p, v), scale, rows)
    slope = probe.difference(lambda q: oracle.function("residuals", q))
    yield probe.differing("jvp", found, slope, np.maximum(scale, np.abs(found)), rows)
    found, scale = probe.problem.vjp(p, u), oracle.scale("vjp", p, u=u)
    yield probe.beside(
        "vjp", EVALUATOR, found, oracle.function("vjp", p, u=u), scale, probe.entries
    )
    wanted = probe.stepped("residuals") @ u
    sizes = np.abs(probe.directions) @ scale
    yield probe.beside("vjp", COMPLEX, probe.directions @ found, wanted, sizes, probe.columns)


def compare_gauss_newton(probe: Probe) -> Iterator[Comparison]:
    """`gauss_newton`, `gauss_newton_sparse` and `gnvp` beside Jᵀ ∇²l J."""
    p, v, n, oracle, problem = probe.p, probe.direction, len(probe.p), probe.oracle, probe.problem
    changes = probe.stepped("residuals")
    loss = with_raised_curvature(oracle.loss_gradient())

    def product(v: Array, along: Array) -> Array:
        """G v along each direction, from the change of the cut along v."""
        bent = oracle.bent(loss, p, oracle.cut.arrays(along), v)
        through, direct = np.split(bent, [oracle.cut.size])
        return changes @ through + probe.directions @ direct

    found, scale = problem.gnvp(p, v), oracle.scale("gnvp", p, v)
    yield probe.beside(
        "gnvp", EVALUATOR, found, oracle.function("gnvp", p, v), scale, probe.entries
    )
    sizes = np.abs(probe.directions) @ scale
    wanted = product(v, oracle.complex_step("residuals", p, v))
    yield probe.beside("gnvp", COMPLEX, probe.directions @ found, wanted, sizes, probe.columns)
    wanted = np.array([product(*pair) for pair in zip(probe.directions, changes, strict=True)])
    sizes = probe.scale("gnvp") @ np.abs(probe.directions).T
    axes = (probe.columns, probe.columns)
    if probe.fits(n, n):
        matrix, gradient = problem.gauss_newton(p)
        products = probe.products(matrix) @ probe.directions.T
        yield probe.beside("gauss_newton", COMPLEX, products, wanted, sizes, *axes)
        stepped = probe.stepped("value")[:, 0]
        slopes = np.abs(probe.directions) @ oracle.scale("grad", p)
        products = probe.directions @ gradient
        yield probe.beside(
            "gauss_newton (gradient)", COMPLEX, products, stepped, slopes, probe.columns
        )
    matrix = problem.gauss_newton_sparse(p)
    products = probe.products(matrix) @ probe.directions.T
    yield probe.beside("gauss_newton_sparse", COMPLEX, products, wanted, sizes, *axes)
