"""The objective and its derivatives beside the oracles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symopt.certify.comparisons import Axis
from symopt.certify.probe import COMPLEX, DUAL, EVALUATOR, Probe
from symopt.certify.report import Comparison
from symopt.diagnostics import DerivativeUnavailable


def compare_value(probe: Probe) -> Iterator[Comparison]:
    """The value."""
    yield from _values(probe, "value", probe.problem.value(probe.p))


def _values(probe: Probe, name: str, found: float) -> Iterator[Comparison]:
    oracle, p = probe.oracle, probe.p
    wanted, scale = oracle.function("value", p), oracle.scale("value", p)
    axis = Axis(("the objective",))
    yield probe.beside(name, EVALUATOR, np.array([found]), wanted, scale, axis)


def compare_gradients(probe: Probe) -> Iterator[Comparison]:
    """`grad` and `value_and_grad`."""
    p, oracle, entries, columns = probe.p, probe.oracle, probe.entries, probe.columns
    own, scale = oracle.function("grad", p), oracle.scale("grad", p)
    sizes = np.abs(probe.directions) @ scale
    stepped, dual = probe.stepped("value")[:, 0], probe.dual("value")[:, 0]
    value, joint = probe.problem.value_and_grad(p)
    yield from _values(probe, "value_and_grad (value)", value)
    gradient = probe.problem.grad(p)
    for name, found in (("grad", gradient), ("value_and_grad", joint)):
        products = probe.products(found[np.newaxis])[:, 0]
        yield probe.beside(name, EVALUATOR, found, own, scale, entries)
        yield probe.beside(name, COMPLEX, products, stepped, sizes, columns)
        yield probe.beside(name, DUAL, products, dual, sizes, columns)
    slope = probe.difference(lambda q: oracle.function("value", q))
    size = np.abs(probe.direction) @ np.maximum(scale, np.abs(gradient))
    product = np.array([gradient @ probe.direction])
    yield probe.differing("grad", product, slope, np.array([size]), Axis(("a direction",)))


def compare_hessian_products(probe: Probe) -> Iterator[Comparison]:
    """`hvp`, beside the change of the gradient."""
    p, v, oracle, entries = probe.p, probe.direction, probe.oracle, probe.entries
    found, scale = probe.problem.hvp(p, v), oracle.scale("hvp", p, v)
    yield probe.beside("hvp", EVALUATOR, found, oracle.function("hvp", p, v), scale, entries)
    yield probe.beside("hvp", COMPLEX, found, oracle.complex_step("grad", p, v), scale, entries)
    yield probe.beside("hvp", DUAL, found, oracle.dual("grad", p, v), scale, entries)
    slope = probe.difference(lambda q: oracle.function("grad", q))
    size = np.maximum(scale, np.abs(found))
    yield probe.differing("hvp", found, slope, size, entries)


def compare_hessians(probe: Probe) -> Iterator[Comparison]:
    """`hess` and `hess_sparse`, column by column or along directions."""
    p, n = probe.p, len(probe.p)
    stepped, scale = probe.stepped("grad"), probe.scale("hvp")
    axes = (probe.columns, probe.entries)
    if probe.fits(n, n):
        products = probe.products(probe.problem.hess(p))
        yield probe.beside("hess", COMPLEX, products, stepped, scale, *axes)
    products = probe.products(probe.problem.hess_sparse(p))
    yield probe.beside("hess_sparse", COMPLEX, products, stepped, scale, *axes)


def compare_fisher(probe: Probe) -> Iterator[Comparison]:
    """`fisher`, the empirical one, beside the gradients of the samples' summands."""
    try:
        rows = probe.oracle.summand_gradients(probe.p, probe.directions)
    except DerivativeUnavailable:
        return  # an objective that is no sum over samples
    if probe.fits(len(probe.p), len(probe.p)):
        products = probe.products(probe.problem.fisher(probe.p)) @ probe.directions.T
        # Gradients of samples that are rounding alone have squares that are that, too.
        sizes = np.abs(probe.directions) @ probe.oracle.scale("grad", probe.p)
        rounding = np.finfo(np.float64).eps * np.outer(sizes, sizes)
        scale = np.abs(rows) @ np.abs(rows).T + rounding
        axes = (probe.columns, probe.columns)
        yield probe.beside("fisher", COMPLEX, products, rows @ rows.T, scale, *axes)
