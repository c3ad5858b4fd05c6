"""The weights of reductions: what a change at one point does to the whole, twice over.

Values and wanted derivatives are plain NumPy of the definitions; the statements are derived and
run by the evaluator.
"""

from __future__ import annotations

import numpy as np
import pytest

from symopt.derive.forward import by_columns, directional
from symopt.derive.reverse import adjoint
from symopt.primitives.operators import ONE, ZERO, greater, select
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.evaluate import evaluate
from symopt.statements.program import Program, Role, Winner, count_of
from symopt.statements.verify import verify
from symopt.types import constant, index
from tests.support.hand_built import assign, loop, program, read, same, size, tensor

INF = np.inf
I = loop("i", "n")  # noqa: E741 (as in the mathematics)
P, S = tensor("p", "n", role=Role.PARAM), tensor("s")
V = tensor("v", "n", role=Role.SEED)


def reducing(reduction: str, build=same) -> Program:
    """`s ⊕= build(p[i])`."""
    winner = Winner("s.winner", index("i")) if reduction in ("max", "min") else None
    made = assign(read("s"), (I,), reduction, build, read("p", "i"), winner=winner)
    return verify(program(P, V, S, tensor("s.winner"), made))


def gradient(whole: Program, p) -> np.ndarray:
    back = verify(adjoint(whole, {"s": None}, ["p"]))
    return evaluate(back, {"n": len(p)}, {"p": np.array(p)}).tensors["p.bar"]


def tangent(whole: Program, p, v) -> float:
    moved = verify(directional(whole, {"p": "v"}))
    found = evaluate(moved, {"n": len(p)}, {"p": np.array(p), "v": np.array(v)})
    return found.tensors["s.dot"][()]


def row(whole: Program, p) -> np.ndarray:
    moved = verify(by_columns(whole, {"p": constant(0)}, size("n")))
    return evaluate(moved, {"n": len(p)}, {"p": np.array(p)}).tensors["s.dot"]


def hessian(whole: Program, p) -> np.ndarray:
    back = adjoint(whole, {"s": None}, ["p"])
    moved = verify(by_columns(back, {"p": constant(0)}, size("n")))
    found = evaluate(moved, {"n": len(p)}, {"p": np.array(p)}).tensors
    return found.get("p.bar.dot", np.zeros((len(p), len(p))))


def product(whole: Program, p, v) -> np.ndarray:
    moved = verify(directional(adjoint(whole, {"s": None}, ["p"]), {"p": "v"}))
    found = evaluate(moved, {"n": len(p)}, {"p": np.array(p), "v": np.array(v)}).tensors
    return found.get("p.bar.dot", np.zeros(len(p)))


def product_slopes(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = range(len(p))
    first = np.array([np.prod(np.delete(p, i)) for i in n])
    second = [[np.prod(np.delete(p, [i, j])) if i != j else 0.0 for j in n] for i in n]
    return first, np.array(second)


def logsumexp_slopes(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = np.exp(p - np.logaddexp.reduce(p))
    return share, np.diag(share) - np.outer(share, share)


def first_of(choose):
    def slopes(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(len(p))[choose(p)], np.zeros((len(p), len(p)))

    return slopes


SLOPES = {
    "prod": product_slopes,
    "logsumexp": logsumexp_slopes,
    "max": first_of(np.argmax),
    "min": first_of(np.argmin),
    "sum": lambda p: (np.ones(len(p)), np.zeros((len(p), len(p)))),
}
POINTS = {
    "plain": [0.5, -2.0, 1.25, 3.0],
    "one": [1.5],
    "one zero": [2.0, 0.0, 3.0],
    "two zeros": [0.0, 0.0, 5.0],
    "three zeros": [0.0, 0.0, 0.0],
    "ties": [1.0, 2.0, 2.0, 1.0],
    "huge and tiny": [700.0, -700.0, 1e-200],
    "a missing term": [0.3, -INF, 0.7],
}


# For logsumexp, and for it alone, -inf is a term that is not there.
CASES = [(r, w) for r in SLOPES for w in POINTS if w != "a missing term" or r == "logsumexp"]


@pytest.mark.parametrize(("reduction", "where"), CASES)
def test_both_modes_and_both_orders(reduction: str, where: str) -> None:
    p = np.array(POINTS[where])
    first, second = SLOPES[reduction](p)
    whole, v = reducing(reduction), np.cos(np.arange(len(p)))
    close = {"rtol": 1e-14, "atol": 1e-300}
    np.testing.assert_allclose(gradient(whole, p), first, **close)
    np.testing.assert_allclose(row(whole, p), first, **close)
    np.testing.assert_allclose(tangent(whole, p, v), first @ v, rtol=1e-13)
    np.testing.assert_allclose(hessian(whole, p), second, rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(product(whole, p, v), second @ v, rtol=1e-13, atol=1e-16)


def test_the_mixed_second_derivative_of_a_product_with_two_zeros_is_the_third_factor() -> None:
    """d2(abc)/da db at (0, 0, 5) is 5; dividing by the factors would make it nan."""
    assert hessian(reducing("prod"), [0.0, 0.0, 5.0])[0, 1] == 5.0
    assert product(reducing("prod"), [0.0, 0.0, 5.0], [1.0, 0.0, 0.0]).tolist() == [0.0, 5.0, 0.0]


def test_terms_with_infinite_slope_that_have_no_share() -> None:
    """logsumexp(log p) at p = 0: the share of the term is 0, and wins over the slope 1/p."""
    log = reducing("logsumexp", PRIMITIVES["log"])
    p, v = np.array([0.0, 1.0, 3.0]), np.ones(3)
    wanted = np.array([0.0, 0.25, 0.25])
    assert gradient(log, p) == pytest.approx(wanted, rel=1e-15)
    assert row(log, p) == pytest.approx(wanted, rel=1e-15)
    assert tangent(log, p, v) == pytest.approx(0.5, rel=1e-15)
    assert hessian(log, p) == pytest.approx(-np.outer(wanted, wanted), rel=1e-14)
    assert product(log, p, v) == pytest.approx(-wanted / 2, rel=1e-14)


def test_a_factor_with_infinite_slope_next_to_a_zero_factor() -> None:
    """prod(f(p)) with sqrt: the other factors are 0, so the infinite slope does not count."""
    root = reducing("prod", PRIMITIVES["sqrt"])
    assert gradient(root, [0.0, 0.0, 4.0]).tolist() == [0.0, 0.0, 0.0]
    assert tangent(root, [0.0, 0.0, 4.0], [1.0, 1.0, 1.0]) == 0.0
    assert row(root, [0.0, 0.0, 4.0]).tolist() == [0.0, 0.0, 0.0]


def test_products_that_do_not_overflow_in_parts() -> None:
    """Each derivative is a product of its own: no division of an overflown whole."""
    p = np.array([1e200, 1e200, 1e-250])
    assert gradient(reducing("prod"), p) == pytest.approx([1e-50, 1e-50, INF])


def test_empty_reductions_have_empty_derivatives() -> None:
    for reduction in SLOPES:
        assert gradient(reducing(reduction), np.zeros(0)).shape == (0,)
        assert tangent(reducing(reduction), np.zeros(0), np.zeros(0)) == 0.0


def test_winners_are_held_fixed_at_second_order() -> None:
    """max(p^2): the second derivative of the winner alone."""
    squared = reducing("max", lambda x: x * x)
    p = np.array([1.0, -3.0, 3.0])
    assert gradient(squared, p).tolist() == [0.0, -6.0, 0.0]
    assert np.diag(hessian(squared, p)).tolist() == [0.0, 2.0, 0.0]


def test_extrema_over_two_indices_count_positions_in_order() -> None:
    j = loop("j", "m")
    grid = tensor("q", "n", "m", role=Role.PARAM)
    winner = Winner("s.winner", index("i") * size("m") + index("j"))
    made = assign(read("s"), (I, j), "max", same, read("q", "i", "j"), winner=winner)
    whole = program(grid, S, tensor("s.winner"), made)
    q = np.array([[1.0, 5.0], [5.0, 2.0], [0.0, 5.0]])
    back = verify(adjoint(whole, {"s": None}, ["q"]))
    found = evaluate(back, {"n": 3, "m": 2}, {"q": q}).tensors["q.bar"]
    assert found.tolist() == [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_products_over_part_of_the_loops_and_over_dependent_ranges() -> None:
    """f[i] = prod over j <= i of p[j] * (i + 1): every row has products of its own."""
    j = loop("j", index("i") + 1)
    count = count_of(index("i") + 1)
    rows = assign(read("f", "i"), (I, j), "prod", lambda x, c: x * c, read("p", "j"), count)
    total = assign(read("s"), (I,), "sum", same, read("f", "i"))
    whole = verify(program(P, V, tensor("f", "n"), S, rows, total))
    p = np.array([0.5, 0.0, 2.0])

    def value(q: np.ndarray) -> complex:
        return sum(np.prod(q[: k + 1] * (k + 1)) for k in range(3))

    wanted = [np.imag(value(p + 1e-40j * unit)) / 1e-40 for unit in np.eye(3)]
    assert gradient(whole, p) == pytest.approx(wanted, rel=1e-14)
    assert row(whole, p) == pytest.approx(wanted, rel=1e-14)
    v = np.array([1.0, -2.0, 0.5])
    assert product(whole, p, v) == pytest.approx(hessian(whole, p) @ v, rel=1e-14)


def test_selected_terms_of_a_product() -> None:
    """A filter is a selection of the identity: its factors have no derivative."""
    whole = reducing("prod", lambda x: select(greater(x, ZERO), x, ONE))
    assert gradient(whole, [2.0, -1.0, 3.0]).tolist() == [3.0, 0.0, 2.0]
