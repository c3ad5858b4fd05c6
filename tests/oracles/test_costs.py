"""What derivatives cost, in counted operations of the compiled loops.

A gradient costs at most 4 values, a Hessian-vector product at most 3 gradients, a Gauss-Newton
product no more than a Hessian-vector product. Small sums that are done once count as much as those
over samples, so programs are bound to some dozens of samples.
"""

from __future__ import annotations

import functools

import pytest

from symopt.compiler import Request, lower
from symopt.explain import Sizes
from symopt.explain.counts import operation_counts
from symopt.problem import Problem
from tests.oracles.test_every_program import MAKERS

NAMES = [name for name in MAKERS if name.startswith(("examples/", "small/"))]
# The factors before and after each one are multiplied up anew: dividing is wrong at zeros.
PRODUCTS = ("small/products", "small/products_with_zeros")


def _operations(problem: Problem, function: str) -> float:
    sizes = Sizes(problem._bound.dims, problem._bound.arrays)
    fixed = problem.model.fixed_by(sizes.dims, sizes.arrays)
    model = problem.model
    lowered = lower(model.stages, Request(function, None, fixed), model._options)
    found = operation_counts(lowered.kernel).total.total.at(sizes.dims, sizes.arrays)
    assert found is not None
    return float(found)


@functools.cache
def _costs(name: str) -> dict[str, float]:
    problem, _, _ = MAKERS[name]()
    wanted = ["value", "grad", "hvp"] + ["gnvp"] * bool(problem.model.cut)
    return {function: _operations(problem, function) for function in wanted}


@pytest.mark.parametrize("name", [n for n in NAMES if n not in PRODUCTS])
def test_a_gradient_costs_at_most_four_values(name: str) -> None:
    costs = _costs(name)
    assert costs["grad"] <= 4 * costs["value"]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in PRODUCTS])
def test_a_hessian_product_costs_at_most_three_gradients(name: str) -> None:
    costs = _costs(name)
    assert costs["hvp"] <= 3 * costs["grad"]


@pytest.mark.parametrize("name", NAMES)
def test_a_gauss_newton_product_costs_no_more_than_a_hessian_product(name: str) -> None:
    costs = _costs(name)
    if "gnvp" in costs:
        assert costs["gnvp"] <= costs["hvp"]


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_not_far_from_that(name: str) -> None:
    costs = _costs(name)
    assert costs["grad"] <= 5.2 * costs["value"]
    assert costs["hvp"] <= 3.2 * costs["grad"]
