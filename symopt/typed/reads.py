"""Which tensors and indices a scalar depends on."""

from __future__ import annotations

from collections.abc import Iterator

from symopt.typed.program import (
    Apply,
    Count,
    IntegerPower,
    Number,
    Product,
    Read,
    Reduce,
    Scalar,
    Sum,
)
from symopt.types import Atom, Entry, Index


def parts(scalar: Scalar) -> tuple[Scalar, ...]:
    """The direct parts of a scalar."""
    match scalar:
        case Sum(inner) | Product(inner) | Apply(_, inner):
            return inner
        case IntegerPower(base):
            return (base,)
        case Reduce(_, _, body):
            return (body,)
        case Number() | Count() | Read():
            return ()


def reads(scalar: Scalar) -> Iterator[Read]:
    """All reads of real tensors inside."""
    pending = [scalar]
    while pending:
        current = pending.pop()
        if isinstance(current, Read):
            yield current
        pending.extend(parts(current))


def tensors_read(scalar: Scalar) -> Iterator[str]:
    """Names of the real tensors read anywhere inside."""
    yield from (read.tensor for read in reads(scalar))


def integer_atoms(scalar: Scalar) -> frozenset[Atom]:
    """The loop indices and entries of integer data whose values a scalar depends on."""
    found: set[Atom] = set()
    pending = [scalar]
    while pending:
        current = pending.pop()
        match current:
            case Count(value):
                found.update(value.atoms())
            case Read(_, places):
                found.update(item for place in places for item in place.atoms())
        pending.extend(parts(current))
    return frozenset(item for item in found if isinstance(item, Index | Entry))


def free_indices(scalar: Scalar) -> Iterator[str]:
    """The loop indices that are not bound by a reduction inside."""
    match scalar:
        case Count(value):
            yield from value.indices
        case Read(_, places):
            for place in places:
                yield from place.indices
        case Reduce(_, loops, body):
            own = {loop.index for loop in loops}
            for place in scalar.at:
                yield from place.indices
            yield from (name for name in free_indices(body) if name not in own)
            for loop in loops:
                yield from (loop.lower.indices | loop.upper.indices) - own
        case _:
            for part in parts(scalar):
                yield from free_indices(part)
