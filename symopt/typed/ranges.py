"""Ranges of indices: symbolic bounds, and proofs that a read stays inside its axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from symopt.types import (
    Atom,
    Clamp,
    Dim,
    Entry,
    Index,
    Integer,
    Monomial,
    Quotient,
    Range,
    Remainder,
    constant,
    depends_on,
    index,
)


def greatest(value: Integer, ranges: Mapping[str, Range], sizes: Mapping[str, Integer]) -> Integer:
    """The greatest value over all loops; `sizes` gives, per index array, the size it indexes.

    Exact for what is affine in the indices; an upper bound otherwise.
    """
    return _extreme(value, ranges, sizes, largest=True)


def least(value: Integer, ranges: Mapping[str, Range], sizes: Mapping[str, Integer]) -> Integer:
    """The least value over all loops, or a lower bound of it."""
    return _extreme(value, ranges, sizes, largest=False)


def _extreme(
    value: Integer, ranges: Mapping[str, Range], sizes: Mapping[str, Integer], *, largest: bool
) -> Integer:
    total = constant(0)
    for monomial, coefficient in value.terms:
        product = constant(coefficient)
        up = largest == (coefficient > 0)
        if _grows(monomial, ranges, sizes):
            for item in monomial:
                product = product * _extreme_atom(item, ranges, sizes, up)
        else:
            product = Integer(((monomial, coefficient),))
        total = total + product
    return total


def _grows(monomial: Monomial, ranges: Mapping[str, Range], sizes: Mapping[str, Integer]) -> bool:
    """Whether a product is greatest where its factors are: not for i*i with i from -3 on."""
    factors = [item for item in monomial if not isinstance(item, Dim)]
    return len(factors) <= 1 or all(
        nonnegative(_extreme_atom(item, ranges, sizes, False)) for item in factors
    )


def _extreme_atom(
    item: Atom, ranges: Mapping[str, Range], sizes: Mapping[str, Integer], up: bool
) -> Integer:
    match item:
        case Index(name) if name in ranges:
            loop = ranges[name]
            bound = loop.upper - 1 if up else loop.lower
            return _extreme(bound, ranges, sizes, largest=up)
        case Entry(tensor, _) if tensor in sizes:
            return sizes[tensor] - 1 if up else constant(0)
        case Clamp(_, extent):
            return extent - 1 if up else constant(0)
        case Quotient(numerator, denominator) if (denominator.value or 0) > 0:
            return _extreme(numerator, ranges, sizes, largest=up) // denominator
        case Remainder(_, denominator) if nonnegative(denominator):
            return denominator - 1 if up else constant(0)
        case _:
            return Integer((((item,), 1),))


def nonnegative(value: Integer) -> bool:
    """Whether this is at least 0 for all sizes (dims are at least 0; each term is looked at)."""
    return all(
        coefficient >= 0 and all(isinstance(item, Dim) for item in monomial)
        for monomial, coefficient in value.terms
    )


def inside(
    place: Integer,
    lower: Integer,
    upper: Integer,
    ranges: Mapping[str, Range],
    sizes: Mapping[str, Integer],
) -> bool:
    """Whether `lower <= place < upper` is certain for every point of the loops."""
    low = least(place, ranges, sizes) - lower
    high = upper - 1 - greatest(place, ranges, sizes)
    return nonnegative(low) and nonnegative(high)


def are_apart(
    one: Iterable[Integer],
    its: Mapping[str, Range],
    other: Iterable[Integer],
    others: Mapping[str, Range],
    sizes: Mapping[str, Integer] = MappingProxyType({}),
) -> bool:
    """Whether two places, each over ranges of its own, are certain to have nothing in common."""
    for a, b in zip(one, other, strict=True):
        below = least(b, others, sizes) - greatest(a, its, sizes)
        above = least(a, its, sizes) - greatest(b, others, sizes)
        if nonnegative(below - 1) or nonnegative(above - 1):
            return True
    return False


def never_negative(value: Integer, ranges: Mapping[str, Range]) -> bool:
    """Whether this is certain to be at least 0 for every point of the loops.

    Each index takes its worst end, inner loops first: `a - b` is at least 1 for b in range(a).
    """
    while names := value.indices & ranges.keys():
        name = next((name for name in names if _is_innermost(name, names, ranges)), None)
        slope = dict(value.terms).get((Index(name),), 0) if name is not None else 0
        if name is None or slope == 0 or name in (value - slope * index(name)).indices:
            return False
        loop = ranges[name]
        value = value.substitute({name: loop.lower if slope > 0 else loop.upper - 1})
    return nonnegative(value)


def _is_innermost(name: str, names: frozenset[str], ranges: Mapping[str, Range]) -> bool:
    """Whether no range of the others depends on this index."""
    return not any(name in depends_on(frozenset({other}), ranges) for other in names - {name})
