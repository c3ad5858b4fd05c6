"""Auxiliary definitions: a value that is used more than once gets a name and is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.typed.domain import Domain
from symopt.typed.program import Definition, Read
from symopt.typed.reads import free_indices
from symopt.typed.values import Value
from symopt.types import constant, index

if TYPE_CHECKING:
    from symopt.typed.elaborate import Elaborator


def shared(elaborator: Elaborator, value: Value, stem: str) -> Value:
    """The value under a name of its own, which reads it wherever the value was used."""
    if value.simple or value.broken:
        return value
    own = elaborator.loops_over(value.shape)
    places = tuple(index(loop.index) for loop in own)
    body = value.at(places)
    wanted = frozenset(free_indices(body)) - {loop.index for loop in own}
    domain = Domain(elaborator.ranges, elaborator.stored_shape, elaborator.index_sizes)
    outer = domain.loops(wanted, body)
    outer_places = tuple(index(loop.index) for loop in outer)
    shape = domain.shape(outer)
    name = elaborator.fresh(f"~{stem}")  # no name in a file starts like this
    elaborator.auxiliary_shapes[name] = shape + value.shape
    elaborator.introduced.append(
        Definition(
            name=name,
            axes=outer + own,
            target=outer_places + places,
            shape=shape + value.shape,
            origin=(constant(0),) * (len(outer) + len(own)),
            body=body,
            accumulate=False,
            auxiliary=True,
            mark=None,
            description=None,
            span=value.span,
        )
    )
    return Value(
        value.shape,
        lambda place: Read(name, outer_places + place, value.span),
        value.span,
        simple=True,
    )
