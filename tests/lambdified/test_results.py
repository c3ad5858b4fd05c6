"""Containers and shapes, compared with those of SymPy's own `lambdify`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import symopt

x, y, z = sympy.symbols("x y z")

CONTAINERS: tuple[Any, ...] = (
    x + y,
    [x, y * x],
    (x,),
    (x, [y, (x * y,), []]),
    [[x, y], [y, x]],
    [],
    (),
    sympy.Tuple(x, y),
    sympy.Matrix([[x, y], [x * y, x - y], [x / y, y]]),
    sympy.Matrix([x, y]),
    sympy.ImmutableMatrix([[x, y]]),
    [sympy.Matrix([[x]]), y],
    sympy.Array([[x, y], [y, x]]),
    sympy.Array([[[x, y]]]),
    {x: y, "k": [x]},
    x > y,
    [x > y, sympy.And(x > 0, y > 0)],
)


def same(found: Any, wanted: Any) -> None:
    """Equal containers of equal values and shapes; numbers of ours are Python's."""
    if isinstance(wanted, list | tuple):
        assert type(found) is type(wanted) and len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, dict):
        assert type(found) is dict
        same(list(found.values()), list(wanted.values()))
    else:
        assert np.shape(found) == np.shape(wanted)
        assert np.asarray(found).dtype.kind == np.asarray(wanted).dtype.kind
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


@pytest.mark.parametrize("expression", [c for c in CONTAINERS if not isinstance(c, dict)], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
def test_like_sympy(expression: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    values = [rng.uniform(1, 2, shape) if shape else float(rng.uniform(1, 2)) for _ in range(2)]
    ours = symopt.lambdify([x, y], expression)
    wanted = sympy.lambdify([x, y], expression)(*values)
    for _ in range(2):  # the second call takes the short way
        same(ours(*values), wanted)


def test_dictionaries() -> None:
    compiled = symopt.lambdify([x, y], {x: y, x + 1: [x * y, (x,)]})
    assert compiled(2.0, 3.0) == {2.0: 3.0, 3.0: [6.0, (2.0,)]}


def test_sparse_matrices_like_sympy() -> None:
    matrix = sympy.SparseMatrix(3, 4, {(0, 1): x, (2, 3): x * y})
    found = symopt.lambdify([x, y], matrix)(2.0, 3.0)
    wanted = sympy.lambdify([x, y], matrix)(2.0, 3.0)
    assert type(found) is type(wanted)
    assert found.shape == wanted.shape and found.nnz == wanted.nnz
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())
    with pytest.raises(symopt.DataError, match="sparse matrix"):
        symopt.lambdify([x, y], matrix)(np.ones(2), 3.0)


def test_numbers_are_floats_and_truths_bools() -> None:
    assert type(symopt.lambdify([x], x)(2)) is float
    assert type(symopt.lambdify([x], x)(np.float32(2))) is float
    assert type(symopt.lambdify([x], x > 1)(2.0)) is bool
    assert type(symopt.lambdify([x], (x, [x]))(2.0)[0]) is float


def test_every_result_has_the_common_shape() -> None:
    """Constants too, and results of some of the arguments: SymPy's have shapes of their own."""
    compiled = symopt.lambdify([x, y], [x, y, sympy.Integer(3), x * y])
    found = compiled(np.ones((2, 1)), np.ones(3))
    assert [one.shape for one in found] == [(2, 3)] * 4
    matrix = symopt.lambdify([x], sympy.Matrix([[x, 1], [0, x]]))(np.arange(3.0))
    assert matrix.shape == (2, 2, 3)
    np.testing.assert_array_equal(matrix[0, 1], np.ones(3))


def test_results_are_fresh() -> None:
    compiled = symopt.lambdify([x], sympy.Matrix([[x]]))
    first = compiled(1.0)
    second = compiled(2.0)
    assert first[0, 0] == 1.0 and second[0, 0] == 2.0
    array = np.arange(3.0)
    copy = symopt.lambdify([x], x)(array)
    copy[0] = 7.0
    assert array[0] == 0.0


def test_gradient_shares_with_value() -> None:
    """What value and gradient have in common is computed once, in one pass over the samples."""
    from symopt.lambdified.arguments import declared
    from symopt.lambdified.statements import build_statements
    from symopt.lambdified.translate import Translation

    e = sympy.exp(sympy.sin(x * y))
    outputs = [e, e.diff(x), e.diff(y)]
    a, b = declared([x, y])
    translation = Translation({x: a.tensor, y: b.tensor}, {})
    formula = translation.formula([translation.of(one) for one in outputs])
    program = build_statements(formula, translation.nodes, frozenset({"a0", "a1"}), {})
    text = " ".join(str(statement.expression) for statement in program.statements)
    assert text.count("exp(") == text.count("sin(") == text.count("cos(") == 1
    values = symopt.lambdify([x, y], outputs)(0.5, 0.75)
    wanted = [float(sympy.N(one.subs({x: 0.5, y: 0.75}), 20)) for one in outputs]
    np.testing.assert_allclose(values, wanted, rtol=1e-14)
