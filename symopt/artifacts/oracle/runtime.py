"""What a loss in plain NumPy is written with: loops, reductions, matrices, complex steps.

Generated test files carry copies of what they use (`parts.py`), so nothing here needs more
than NumPy. All is for real and complex arrays, exact to first order in the imaginary parts:
comparisons look at real parts, and functions that NumPy has no right complex form of take the
imaginary part of the argument times their slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any  # a number or an array of NumPy, real or complex

# ── flat vectors, loops and places ───────────────────────────────────────────────────────────


def parts(flat: Array, *shapes: tuple[int, ...]) -> list[Array]:
    """A flat vector as arrays of these shapes, one after another."""
    found, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        found.append(flat[start:end].reshape(shape))
        start = end
    return found


def joined(*arrays: Array) -> Array:
    """Arrays as one flat vector."""
    return np.concatenate([np.ravel(array) for array in arrays])


def points(*loops: Any) -> tuple[Array, ...]:
    """The indices at every point of nested loops, each flat.

    A loop is a size, or its (start, end), or a function of the indices before it that gives these.
    """
    if all(isinstance(loop, int) for loop in loops):
        return tuple(np.indices([max(size, 0) for size in loops]).reshape(len(loops), -1))
    indices: list[Array] = []
    total = 1
    for loop in loops:
        bounds = loop(*indices) if callable(loop) else loop
        lower, upper = bounds if isinstance(bounds, tuple) else (0, bounds)
        counts = np.broadcast_to(np.maximum(np.subtract(upper, lower), 0), total)
        starts = np.broadcast_to(lower, total) - np.cumsum(counts) + counts
        total = int(counts.sum())
        indices = [np.repeat(index, counts) for index in indices]
        indices.append(np.arange(total) + np.repeat(starts, counts))
    return tuple(indices)


def clamp(index: Array, size: int) -> Array:
    """The index moved into range(size): of a read whose value is not used outside."""
    return np.maximum(np.minimum(index, size - 1), 0)


def flat_places(target: Array, place: tuple[Array, ...], terms: Array) -> Array:
    """Where in the flat target each of the terms goes."""
    where = np.ravel_multi_index(place, target.shape) if place else 0
    return np.broadcast_to(where, terms.shape)


def positions(packing: str, side: int) -> Array:
    """Where the entries of a packed square matrix are stored: its lower triangle row by row."""
    row, column = np.indices((side, side))
    if packing == "symmetric":
        row, column = np.maximum(row, column), np.minimum(row, column)
    strict = int(packing == "strict lower")
    before = row * (row + 1 - 2 * strict) // 2
    return np.maximum(before + np.minimum(column, row - strict), 0)


# ── reductions ───────────────────────────────────────────────────────────────────────────────


def multiply(target: Array, place: tuple[Array, ...], factors: Array) -> None:
    """Multiply the elements at places by factors, one after another."""
    factors = np.atleast_1d(factors)
    flat = target.reshape(-1)
    for where, factor in zip(flat_places(target, place, factors), factors, strict=True):
        flat[where] = flat[where] * factor


def largest(target: Array, place: tuple[Array, ...], terms: Array) -> None:
    """The first of the largest terms at each place; a nan is larger than all others."""
    terms = np.atleast_1d(terms)
    where = flat_places(target, place, terms)
    key = np.where(np.isnan(np.real(terms)), np.inf, np.real(terms))
    order = np.lexsort((np.arange(len(key)), ~np.isnan(np.real(terms)), -key, where))
    found, first = np.unique(where[order], return_index=True)
    target.reshape(-1)[found] = terms[order[first]]


def smallest(target: Array, place: tuple[Array, ...], terms: Array) -> None:
    """The first of the smallest terms at each place."""
    turned = np.array(-target)
    largest(turned, place, -terms)
    target[...] = -turned


def log_sum_exp(target: Array, place: tuple[Array, ...], terms: Array) -> None:
    """log(sum(exp(terms))) at each place, without overflow."""
    terms = np.atleast_1d(terms)
    where = flat_places(target, place, terms)
    top = np.full(target.size, -np.inf)
    np.maximum.at(top, where, np.real(terms))
    shift = np.where(np.isfinite(top), top, 0.0)
    total = np.zeros(target.size, target.dtype)
    np.add.at(total, where, np.exp(terms - shift[where]))
    here = np.unique(where)
    target.reshape(-1)[here] = shift[here] + np.log(total[here])


# ── matrices ─────────────────────────────────────────────────────────────────────────────────


def of_matrices(function: Callable[[Array], Array], entries: Array, side: int) -> Array:
    """A function of square matrices, whose entries follow each other row by row; flat."""
    count = entries.size // side**2 if side else 1
    return np.ravel(function(np.reshape(entries, (count, side, side))))


def inverse(stack: Array) -> Array:
    """The inverses; of a singular matrix all is nan."""
    found = np.full_like(stack, np.nan)
    for number, matrix in enumerate(stack):
        try:
            found[number] = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            continue
    return found


def cholesky(stack: Array) -> Array:
    """The lower factors L of the symmetric parts, L Lᵀ without conjugation."""
    symmetric = (stack + np.swapaxes(stack, 1, 2)) / 2
    found = np.zeros_like(stack)
    for k in range(stack.shape[-1]):
        rest = symmetric[:, k:, k] - np.einsum("bik,bk->bi", found[:, k:, :k], found[:, k, :k])
        pivot = np.where(np.real(rest[:, 0]) > 0, rest[:, 0], np.nan)
        found[:, k:, k] = rest / np.sqrt(pivot)[:, None]
    return found


def determinant(stack: Array) -> Array:
    """The determinants."""
    return np.linalg.det(stack)


def logdet(stack: Array) -> Array:
    """The logarithms of the determinants; nan where these are negative."""
    sign, size = np.linalg.slogdet(stack)
    if np.iscomplexobj(stack):
        size = size + np.log(np.where(sign == 0, 1.0, sign))
    return np.where(np.real(sign) < 0, np.nan, size)


# ── complex numbers to first order ───────────────────────────────────────────────────────────


def strong(a: Array, b: Array) -> Array:
    """a*b for real numbers, 0 wherever a is 0."""
    return np.where(np.equal(a, 0), 0.0, np.multiply(a, b))


def complex_of(real: Array, imaginary: Array) -> Array:
    """real + 1j*imaginary, without nan where a part is infinite."""
    real, imaginary = np.broadcast_arrays(real, imaginary)
    found = np.empty(real.shape, complex)
    found.real, found.imag = real, imaginary
    return found[()]


def first_order(function: Callable[..., Array], *slopes: Callable[..., Array]) -> Any:
    """A real function, continued to complex numbers by its slopes."""

    def continued(*arguments: Array) -> Array:
        reals = [np.real(argument) for argument in arguments]
        if not any(np.iscomplexobj(argument) for argument in arguments):
            return function(*reals)
        change: Array = 0.0
        for argument, slope in zip(arguments, slopes, strict=True):
            if np.iscomplexobj(argument):
                change = change + strong(np.imag(argument), slope(*reals))
        return complex_of(function(*reals), change)

    return continued


def of_real_parts(function: Callable[..., Array]) -> Any:
    """A piecewise constant function: its value, as a number, for the real parts."""
    return lambda *arguments: np.multiply(1.0, function(*map(np.real, arguments)))


# ── the curvature of robust losses ───────────────────────────────────────────────────────────


def robust(forms: Sequence[Any], s: Array, k: Array, near: Any, number: int) -> Array:
    """rho(s), of a sum of squares s and a scale k; `forms` are rho, rho' and rho''.

    Where `near` is a dict, a quadratic around the s that is there under `number`, or else comes
    first. A Gauss-Newton matrix takes rho'' as -rho'/2s where it is less (Triggs et al., 2000).
    """
    rho, slope, bend = forms
    if near is None:
        return rho(s, k)
    base = near.setdefault(number, np.real(s))
    least, curvature = -slope(base, k) / (2 * base), bend(base, k)
    curvature = np.where(np.real(least) > np.real(curvature), least, curvature)
    return rho(base, k) + slope(base, k) * (s - base) + curvature / 2 * (s - base) ** 2
