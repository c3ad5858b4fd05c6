"""Calls: kinds of arguments, broadcasting, the short and the long way, and what is refused."""

from __future__ import annotations

import inspect
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

import symopt
from symopt.lambdified import calling

x, y, z, t = sympy.symbols("x y z t")


@pytest.fixture(params=["short", "long"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the method in native code, and where there is none."""
    if request.param == "long":
        monkeypatch.setattr(calling, "_method", lambda: None)
    return request.param


ARGUMENTS: tuple[tuple[Any, Any], ...] = (
    (2.0, 3.0),
    (2, 3),
    (-1, 3.0),
    (True, np.float64(3.0)),
    (np.float32(2.5), np.int64(3)),
    (np.array(2.0), 3.0),
    (Fraction(1, 4), sympy.Rational(1, 2)),
    (np.arange(5.0), 3.0),
    (3, np.arange(5)),
    (np.arange(5.0), np.arange(5.0, 10.0)),
    (np.arange(20.0)[::2], np.arange(10.0)),
    (np.arange(12.0).reshape(3, 4), np.arange(4.0)),
    (np.arange(3.0)[:, None], np.arange(4.0)),
    (np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(12.0).reshape(3, 4)),
    (np.arange(24.0).reshape(2, 3, 4).T, 1.0),
    (np.arange(5, dtype=np.float32), np.arange(5, dtype=np.int16)),
    (np.arange(5.0).astype(">f8"), 2.0),
    ([1.0, 2.0, 3.0], (4.0, 5.0, 6.0)),
    (np.array([2.0]), 3.0),
    (np.array([2.0]), np.arange(3.0)),
    (np.zeros(0), 3.0),
    (np.zeros((0, 3)), np.ones(3)),
    (np.array([1, 2], dtype=object), 1.0),
    (np.arange(1000.0), 0.5),
    (np.array([True, False]), 1.0),
)


@pytest.mark.parametrize("values", ARGUMENTS, ids=lambda v: " ".join(type(a).__name__ for a in v))
def test_arguments_of_every_kind(values: tuple[Any, Any], way: str) -> None:
    compiled = COMPILED.setdefault(way, symopt.lambdify([x, y], [3 * x + y, x * y]))
    a, b = (np.asarray(value, dtype=np.float64) for value in values)
    for _ in range(2):
        first, second = compiled(*values)
        assert np.shape(first) == np.shape(a + b)
        np.testing.assert_array_equal(first, 3 * a + b)
        np.testing.assert_array_equal(second, a * b)


COMPILED: dict[str, Any] = {}


def test_a_single_symbol_is_an_argument() -> None:
    assert symopt.lambdify(x, x + 1)(1.0) == 2.0
    assert symopt.lambdify((x, y), x + y)(1.0, 2.0) == 3.0


def test_unused_arguments_take_part_in_the_shape() -> None:
    compiled = symopt.lambdify([x, y], 2 * x)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(1.5, np.arange(3)), [3.0] * 3)
        np.testing.assert_array_equal(compiled(np.arange(3.0), np.zeros((2, 1))), [[0, 2, 4]] * 2)


def test_nested_arguments() -> None:
    compiled = symopt.lambdify([[x, (y,)], z], x + 10 * y + 100 * z)
    assert compiled([1, (2,)], 3) == 321.0
    np.testing.assert_array_equal(compiled([np.arange(2), [2]], 3), [320.0, 321.0])
    with pytest.raises(symopt.DataError, match="sequence of 2 values"):
        compiled([1], 3)
    with pytest.raises(symopt.DataError, match="found float"):
        compiled(1.0, 3)


def test_a_matrix_of_symbols() -> None:
    matrix = sympy.Matrix([[x, y], [z, t]])
    compiled = symopt.lambdify([matrix], matrix.det())
    assert compiled(np.array([[1.0, 2.0], [3.0, 5.0]])) == -1.0
    assert compiled([1.0, 2.0, 3.0, 5.0]) == -1.0  # as SymPy takes it
    stack = np.arange(24.0).reshape(2, 2, 6) ** 2
    np.testing.assert_allclose(compiled(stack), np.linalg.det(np.moveaxis(stack, -1, 0)))


def test_matrix_symbols() -> None:
    A, b = sympy.MatrixSymbol("A", 2, 3), sympy.MatrixSymbol("b", 3, 1)
    values = np.arange(6.0).reshape(2, 3), np.array([[1.0], [2.0], [4.0]])
    found = symopt.lambdify([A, b], A * b)(*values)
    np.testing.assert_array_equal(found, values[0] @ values[1])
    one = symopt.lambdify([A, x], A[1, 2] * x)
    np.testing.assert_array_equal(one(values[0], np.arange(3)), [0.0, 5.0, 10.0])
    with pytest.raises(symopt.DataError, match=r"`A` must have shape \(2, 3\), found \(3, 2\)"):
        one(values[0].T, 1.0)
    with pytest.raises(symopt.DataError, match="as_explicit"):
        symopt.lambdify([sympy.MatrixSymbol("M", 9, 9)], sympy.MatrixSymbol("M", 9, 9).inv())


def test_dummies_functions_and_odd_names() -> None:
    d, e = sympy.Dummy("x"), sympy.Dummy("x")
    assert symopt.lambdify([d, e, x], d + 10 * e + 100 * x)(1, 2, 3) == 321.0
    f = sympy.Function("f")(t)
    assert symopt.lambdify([f, f.diff(t), t], f + 10 * f.diff(t) + 100 * t)(1, 2, 3) == 321.0
    odd = sympy.symbols("a.b lambda x_{1} 2x", cls=sympy.Symbol)
    assert symopt.lambdify(odd, sum(odd))(1, 2, 3, 4) == 10.0


def test_symbols_of_one_name_are_one_argument() -> None:
    """As for SymPy, which goes by names."""
    assert symopt.lambdify([x], sympy.Symbol("x", positive=True) + 1)(2) == 3.0


def test_keywords_and_signature(way: str) -> None:
    compiled = symopt.lambdify([x, y], x - y)
    assert compiled(y=1, x=3) == compiled(3, y=1) == 2.0
    assert list(inspect.signature(compiled).parameters) == ["x", "y"]
    assert "x - y" in (compiled.__doc__ or "")
    for arguments, named in (
        ((), {}),
        ((1,), {}),
        ((1, 2, 3), {}),
        ((1,), {"x": 1}),
        ((1, 2), {"q": 1}),
    ):
        with pytest.raises(TypeError, match=r"lambdified\(x, y\): "):
            compiled(*arguments, **named)


def test_refused_values(way: str) -> None:
    compiled = symopt.lambdify([x, y], x * y)
    with pytest.raises(symopt.DataError, match="found complex numbers"):
        compiled(1j, 1.0)
    with pytest.raises(symopt.DataError, match="found complex numbers"):
        compiled(np.ones(2) * 1j, 1.0)
    with pytest.raises(symopt.DataError, match=r"`y` must be a real number .* found str"):
        compiled(1.0, "2")
    with pytest.raises(symopt.DataError, match="found NoneType"):
        compiled(None, 1.0)
    with pytest.raises(symopt.DataError, match=r"`x` \(2,\), `y` \(3,\)"):
        compiled(np.ones(2), np.ones(3))


def test_huge_integers() -> None:
    assert symopt.lambdify([x], x)(10**300) == 1e300
    assert symopt.lambdify([x], x)(-1) == -1.0
    with pytest.raises((symopt.DataError, OverflowError)):
        symopt.lambdify([x], x)(10**400)


def test_many_arguments_and_results() -> None:
    """More than a word has bits, and more than the short way takes."""
    symbols = sympy.symbols("s0:70")
    compiled = symopt.lambdify(symbols, sum(symbols))
    assert compiled(*range(70)) == 2415.0
    values = [np.full(3, k) if k == 65 else float(k) for k in range(70)]
    np.testing.assert_array_equal(compiled(*values), [2415.0] * 3)


def test_threads_share_a_function() -> None:
    compiled = symopt.lambdify([x, y], sympy.sin(x) + y)
    samples = np.linspace(0, 1, 5000)
    failures: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            many, one = compiled(samples, float(k)), compiled(0.0, float(k))
            if one != k or not np.allclose(many, np.sin(samples) + k, rtol=1e-14):
                failures.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_functions_outlive_what_made_them() -> None:
    import gc

    functions = [symopt.lambdify([x], x + k) for k in range(20)]
    gc.collect()
    assert [f(1.0) for f in functions] == [1.0 + k for k in range(20)]


def test_functions_go_with_their_last_reference() -> None:
    import gc
    import weakref

    compiled = symopt.lambdify([x], x + 1)
    assert compiled(1.0) == 2.0
    owner = weakref.ref(compiled.__self__.keep[-1])  # type: ignore[attr-defined]
    del compiled
    gc.collect()
    assert owner() is None
