"""NumPy meanings that are exact to first order on complex arrays, for the complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Values = Any  # numbers or arrays of NumPy, real or complex, or numbers of mpmath


def has_imaginary_part(*values: Values) -> bool:
    """Whether any of the arrays is complex."""
    return any(np.iscomplexobj(value) for value in values)


def complex_from_parts(real: Values, imaginary: Values) -> Values:
    """`real + 1j*imaginary` without the products, which make nan of an infinite part."""
    real, imaginary = np.broadcast_arrays(real, imaginary)
    joined = np.empty(real.shape, dtype=np.complex128)
    joined.real, joined.imag = real, imaginary
    return joined[()]


def real_strong_product(a: Values, b: Values) -> Values:
    """a·b for real arrays, 0 wherever a is 0."""
    with np.errstate(invalid="ignore"):
        return np.where(np.equal(a, 0), 0.0, np.multiply(a, b))


def to_first_order(
    value: Callable[..., Any], *derivatives: Callable[..., Any]
) -> Callable[..., Any]:
    """`value` on real arrays, and value + 1j * Σ imag·derivative on complex ones.

    NumPy's complex functions follow branch cuts where the real function is nan, and some lose the
    tiny imaginary part of a complex step; this does neither.
    """

    def reference(*arguments: Values) -> Values:
        if not has_imaginary_part(*arguments):
            return value(*arguments)
        reals = tuple(np.real(argument) for argument in arguments)
        changes: Any = 0.0
        for argument, derivative in zip(arguments, derivatives, strict=True):
            if np.iscomplexobj(argument):
                change = real_strong_product(np.imag(argument), derivative(*reals))
                changes = changes + change
        return complex_from_parts(value(*reals), changes)

    return reference
