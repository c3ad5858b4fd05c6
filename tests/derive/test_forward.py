"""Forward mode: along one direction, and along every column at once."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.derive.forward import by_columns, directional
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.evaluate import evaluate
from symopt.statements.printer import print_statement
from symopt.statements.program import Program, Role
from symopt.statements.verify import verify
from symopt.types import constant, dim, flat_place, index
from tests.support.hand_built import assign, loop, program, read, same, size, tensor

I, J = loop("i", "n"), loop("j", "d")  # noqa: E741 (as in the mathematics)
X, W = tensor("x", "n", "d", role=Role.DATA), tensor("w", "d", role=Role.PARAM)
B, V = tensor("b", role=Role.PARAM), tensor("v", "d", role=Role.SEED)
EXP, SQRT, FLOOR = (PRIMITIVES[name] for name in ("exp", "sqrt", "floor"))
TENSORS = (X, W, B, V, tensor("z", "n"), tensor("e", "n"), tensor("s"))
Z = assign(read("z", "i"), (I, J), "sum", lambda x, w: x * w, read("x", "i", "j"), read("w", "j"))
SHIFT = assign(read("z", "i"), (I,), "sum", same, read("b"))
E = assign(read("e", "i"), (I,), "=", EXP, read("z", "i"))
S = assign(read("s"), (I,), "sum", lambda e, b: e * b, read("e", "i"), read("b"))


def whole() -> Program:
    return program(*TENSORS, Z, SHIFT, E, S)


def text(after: Program) -> list[str]:
    verify(after)
    return [print_statement(s) for s in after.statements if s.target.endswith(".dot")]


def test_each_statement_is_followed_by_its_change() -> None:
    moved = directional(whole(), {"w": "v"})
    assert text(moved) == [
        "z.dot[i] sum= v[j]*x[i, j] for i in range(n), j in range(d)",
        "e.dot[i] = smul(z.dot[i], exp(z[i])) for i in range(n)",
        "s.dot sum= smul(b, e.dot[i]) for i in range(n)",
    ]
    assert [s for s in moved.statements if not s.target.endswith(".dot")] == list(
        whole().statements
    )


def test_columns_substitute_the_deltas_of_the_start() -> None:
    moved = by_columns(whole(), {"w": constant(0), "b": dim("d")}, dim("d") + 1)
    assert text(moved) == [
        "z.dot[i, j] sum= x[i, j] for i in range(n), j in range(d)",
        "z.dot[i, d] sum= 1 for i in range(n)",
        "e.dot[i, column] sum= e[i]*z.dot[i, column] for i in range(n), column in range(d + 1)",
        "s.dot[d] sum= e[i] for i in range(n)",
        "s.dot[column] sum= b*e.dot[i, column] for i in range(n), column in range(d + 1)",
    ]


def test_values_of_both(rng: np.random.Generator) -> None:
    x, w, b, v = rng.normal(size=(4, 3)), rng.normal(size=3), 0.7, rng.normal(size=3)
    given, dims = {"x": x, "w": w, "b": np.array(b), "v": v}, {"n": 4, "d": 3}
    e = np.exp(x @ w + b)
    jacobian = np.append(b * e @ x, b * e.sum() + e.sum())
    moved = evaluate(directional(whole(), {"w": "v"}), dims, given)
    assert moved.tensors["s.dot"] == pytest.approx(jacobian[:3] @ v, rel=1e-14)
    columns = by_columns(whole(), {"w": constant(0), "b": dim("d")}, dim("d") + 1)
    assert evaluate(columns, dims, given).tensors["s.dot"] == pytest.approx(jacobian, rel=1e-14)


def test_what_does_not_move_has_no_statement() -> None:
    step = assign(read("e", "i"), (I,), "=", FLOOR, read("z", "i"))
    fixed = program(*TENSORS, Z, step, S)
    assert "e.dot" not in directional(fixed, {"w": "v"}).tensors
    assert "s.dot" not in directional(fixed, {"w": "v"}).tensors
    columns = by_columns(fixed, {"w": constant(0)}, dim("d"))
    assert "s.dot" not in columns.tensors


def test_a_zero_factor_wins_over_an_infinite_change() -> None:
    """w*sqrt(p) at w = p = 0, the root in a statement of its own: 0, as in reverse mode."""
    p = tensor("p", role=Role.PARAM)
    u = tensor("u", role=Role.SEED)
    k = tensor("k", role=Role.DATA)
    root = assign(read("r"), (), "=", SQRT, read("p"))
    masked = assign(read("s"), (), "=", lambda a, r: a * r, read("k"), read("r"))
    both = program(p, u, k, tensor("r"), tensor("s"), root, masked)
    given = {"p": np.array(0.0), "u": np.array(1.0), "k": np.array(0.0)}
    along = evaluate(verify(directional(both, {"p": "u"})), {}, given).tensors
    assert np.isinf(along["r.dot"])
    assert along["s.dot"] == 0.0
    columns = verify(by_columns(both, {"p": constant(0)}, constant(1)))
    assert evaluate(columns, {}, given).tensors["s.dot"].tolist() == [0.0]


def test_flat_places_are_row_major() -> None:
    place = (index("i"), index("j"), index("k"))
    shape = (size("n"), size("d"), constant(3))
    found = flat_place(place, shape)
    assert found == (index("i") * dim("d") + index("j")) * 3 + index("k")
    assert flat_place((), ()) == constant(0)
