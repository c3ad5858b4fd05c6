"""`rotate(w, x)`: vectors turned by an angle-axis vector, smooth at w = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.primitives.record import Elementwise
from symopt.primitives.rotation import rotation_cosine, rotation_rest, rotation_sine
from symopt.source import Span
from symopt.typed import errors
from symopt.typed.program import Apply, Number, Product, Scalar, Sum
from symopt.typed.sharing import shared
from symopt.typed.values import Place, Value, broadcast_at, broadcast_shapes, mapped
from symopt.types import Integer, constant

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator

THREE = constant(3)


def rotate(elaborator: Elaborator, w: Value, x: Value, span: Span) -> Value:
    """x cos θ + (w × x) sin(θ)/θ + w (w·x) (1 - cos θ)/θ², with θ² = w·w (Rodrigues).

    Over the last axis; the axes before it are broadcast.
    """
    for value in (w, x):
        if value.shape[-1:] != (THREE,):
            expected = (*value.shape[:-1], THREE)
            diagnostic = errors.wrong_shape(
                "what `rotate` takes", expected, value.shape, value.span
            )
            return elaborator.fail(diagnostic, span)
    batch = broadcast_shapes(w.shape[:-1], x.shape[:-1])
    if batch is None:
        diagnostic = errors.cannot_combine("rotate", w.shape, x.shape, w.span, x.span, span)
        return elaborator.fail(diagnostic, span)
    w, x = shared(elaborator, w, "w"), shared(elaborator, x, "x")
    square = shared(elaborator, _dot(elaborator, w, w, span), "square")
    cosine_of, sine_of, rest_of = (
        shared(elaborator, _of_square(record, square, span), record.name)
        for record in (rotation_cosine, rotation_sine, rotation_rest)
    )
    # Names for what all three components share: what follows from it comes back to it once.
    along = shared(elaborator, _dot(elaborator, w, x, span), "along")
    kept = mapped(batch, (along, rest_of), Product, span)
    kept = shared(elaborator, kept, "kept")
    shape = (*batch, THREE)

    def at(place: Place) -> Scalar:
        outer, j = place[:-1], place[-1]
        cosine, sine = (broadcast_at(weight, batch, outer) for weight in (cosine_of, sine_of))

        def component(of: Value, k: Integer) -> Scalar:
            return broadcast_at(of, shape, (*outer, k))

        following, last = (j + 1) % THREE, (j + 2) % THREE
        cross = Sum(
            (
                Product((component(w, following), component(x, last))),
                Product((Number(-1.0), component(w, last), component(x, following))),
            ),
            span,
        )
        turned = Product((component(w, j), broadcast_at(kept, batch, outer)))
        return Sum((Product((component(x, j), cosine)), Product((cross, sine)), turned), span)

    # Under a name: each of its many factors has a slope of its own, times what follows from it.
    return shared(elaborator, Value(shape, at, span), "rotate")


def _dot(elaborator: Elaborator, a: Value, b: Value, span: Span) -> Value:
    """The sum of products over the last axis, the axes before it broadcast."""
    batch = broadcast_shapes(a.shape[:-1], b.shape[:-1])
    assert batch is not None
    shape = (*batch, THREE)

    def at(place: Place) -> Scalar:
        terms = (
            Product((broadcast_at(a, shape, (*place, k)), broadcast_at(b, shape, (*place, k))))
            for k in map(constant, range(3))
        )
        return Sum(tuple(terms), span)

    return Value(batch, at, span)


def _of_square(record: Elementwise, square: Value, span: Span) -> Value:
    return mapped(square.shape, (square,), lambda scalars: Apply(record, scalars, span), span)
