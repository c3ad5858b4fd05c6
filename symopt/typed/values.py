"""Array values as functions of their indices: array notation turned into index form.

A `Value` answers one question: which scalar stands at a point. Broadcasting, transposing,
slicing and products are then compositions, and nothing is ever computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from symopt.source import Span
from symopt.typed.program import Number, Scalar
from symopt.types import Integer, constant

Place = tuple[Integer, ...]
Shape = tuple[Integer, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar (shape ()) or array; `at(place)` is the scalar at a point of its shape.

    `simple` values are plain reads and numbers: using one twice costs nothing. A `broken` value
    stands for a mistake already reported and silences what would follow from it.
    """

    shape: Shape
    at: Callable[[Place], Scalar]
    span: Span
    simple: bool = False
    broken: bool = False

    @property
    def scalar(self) -> Scalar:
        return self.at(())


def scalar_value(scalar: Scalar, span: Span, *, simple: bool = False) -> Value:
    return Value((), lambda _: scalar, span, simple=simple)


def broken_value(span: Span) -> Value:
    return Value((), lambda _: Number(float("nan")), span, simple=True, broken=True)


ONE = constant(1)


def broadcast_shapes(left: Shape, right: Shape) -> Shape | None:
    """The common shape by NumPy's rule, or None where two axes differ."""
    rank = max(len(left), len(right))
    a = (ONE,) * (rank - len(left)) + left
    b = (ONE,) * (rank - len(right)) + right
    axes: list[Integer] = []
    for x, y in zip(a, b, strict=True):
        if x != y and ONE not in (x, y):
            return None
        axes.append(y if x == ONE else x)
    return tuple(axes)


def broadcast_at(value: Value, shape: Shape, place: Place) -> Scalar:
    """The scalar of `value`, broadcast to `shape`, at a point of that shape."""
    own = place[len(shape) - len(value.shape) :]
    aligned = shape[len(shape) - len(value.shape) :]
    zero = constant(0)
    return value.at(
        tuple(
            zero if size == ONE and full != ONE else position
            for size, full, position in zip(value.shape, aligned, own, strict=True)
        )
    )


def mapped(
    shape: Shape,
    values: Iterable[Value],
    combine: Callable[[tuple[Scalar, ...]], Scalar],
    span: Span,
) -> Value:
    """Elementwise: `combine` applied to the values broadcast to `shape`."""
    operands = tuple(values)
    return Value(
        shape,
        lambda place: combine(tuple(broadcast_at(v, shape, place) for v in operands)),
        span,
    )


def transposed(value: Value, span: Span) -> Value:
    return Value(
        value.shape[::-1], lambda place: value.at(place[::-1]), span, value.simple, value.broken
    )
