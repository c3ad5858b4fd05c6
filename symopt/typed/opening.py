"""Looking through names: what an element of a definition is, where it is read.

Only definitions that are nothing but a formula at every point of a full array are looked into. What
is marked `model` or `residual` is not: the objective has to go through the cut as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from symopt.typed.program import (
    Apply,
    Count,
    Definition,
    IntegerPower,
    Number,
    Product,
    Read,
    Reduce,
    Scalar,
    Sum,
)
from symopt.typed.reads import free_indices, tensors_read
from symopt.types import Integer, Range, index

P = ParamSpec("P")
T = TypeVar("T")

_LEVELS = 8  # of names that stand for nothing but other names


@dataclass(slots=True)
class _Known:
    """A definition that may be looked into.

    `opened` is its body with the reductions inside it under names of their own, `parts`: what is
    read of it in two places is still reduced once. `owner` is the definition of the file that this
    belongs to, or its own name.
    """

    definition: Definition
    owner: str
    opened: Scalar
    parts: tuple[Definition, ...]
    logarithm: Definition | None = None
    asked: bool = False  # whether `logarithm` has been looked for


@dataclass(slots=True)
class Names:
    """The definitions so far, the names taken through them, and what these need in addition."""

    known: dict[str, _Known] = field(default_factory=dict)
    trail: list[Definition] = field(default_factory=list)  # looked through, in order
    bodies: dict[str, Scalar] = field(default_factory=dict)  # definitions with another body now
    before: dict[str, list[Definition]] = field(default_factory=dict)  # what to compute before one
    _proposed: dict[str, tuple[str, tuple[Definition, ...]]] = field(default_factory=dict)

    def add(self, definition: Definition, *, alone: bool) -> None:
        """Take note of a definition; `alone` if its name has no other."""
        if alone and self._is_formula(definition):
            self._note(definition, definition.name)

    def _is_formula(self, definition: Definition) -> bool:
        own = definition.mark not in ("model", "residual") and not definition.accumulate
        return own and not definition.steps and _fills(definition)

    def _note(self, definition: Definition, owner: str) -> None:
        opened, parts = _opened(definition)
        self.known[definition.name] = _Known(definition, owner, opened, parts)
        for part in parts:
            self._propose(owner, part, parts)
            self.known[part.name] = _Known(part, owner, part.body, ())

    def _propose(self, owner: str, one: Definition, together: tuple[Definition, ...]) -> None:
        self._proposed[one.name] = owner, together

    # ── looking through ──────────────────────────────────────────────────────────────────────

    def seen(self, scalar: Scalar) -> Scalar:
        """A read as the formula that stands behind it, where there is one; others as they are."""
        for _ in range(_LEVELS):
            if not isinstance(scalar, Read) or scalar.tensor not in self.known:
                return scalar
            known = self.known[scalar.tensor]
            if isinstance(known.opened, Reduce):
                return scalar
            self.trail.append(known.definition)
            scalar = moved(known.opened, _places(known.definition, scalar.indices))
        return scalar

    def logarithm(
        self, read: Read, logarithm_of: Callable[[Scalar], Scalar | None]
    ) -> Scalar | None:
        """The logarithm of an element that is a reduction, under a name that all readers share."""
        known = self.known.get(read.tensor)
        if known is None or not isinstance(known.opened, Reduce):
            return None
        definition = known.definition
        if not known.asked:
            known.asked = True
            body = logarithm_of(definition.body)
            if body is not None:
                name = f"~{definition.name.lstrip('~')}.log"
                known.logarithm = _auxiliary(definition, name, definition.axes, body)
                self._propose(known.owner, known.logarithm, (known.logarithm,))
        if known.logarithm is None:
            return None
        self.trail.append(definition)
        return Read(known.logarithm.name, read.indices, read.span)

    # ── what was looked through for good ─────────────────────────────────────────────────────

    def keep(self, scalar: Scalar) -> None:
        """Define what a formula needs of the names that were only proposed so far."""
        pending = [name for name in tensors_read(scalar) if name in self._proposed]
        while pending:
            name = pending.pop()
            if name not in self._proposed:
                continue
            owner, together = self._proposed[name]
            for one in together:
                del self._proposed[one.name]
                self.before.setdefault(owner, []).insert(0, one)
                pending.extend(tensors_read(one.body))
            if together == self.known[owner].parts:
                self.bodies[owner] = self.known[owner].opened

    def finished(self, definitions: Iterable[Definition]) -> list[Definition]:
        """All definitions in order, with those that were kept."""
        result: list[Definition] = []
        for definition in definitions:
            if definition.name in self.known:
                result.extend(self.before.pop(definition.name, ()))
                body = self.bodies.get(definition.name, definition.body)
                definition = replace(definition, body=body)
            result.append(definition)
        return result


def tried(
    find: Callable[Concatenate[Names, P], T | None],
) -> Callable[Concatenate[Names, P], T | None]:
    """`find`, which leaves no trail where it finds nothing."""

    @wraps(find)
    def attempt(names: Names, *arguments: P.args, **keywords: P.kwargs) -> T | None:
        start = len(names.trail)
        found = find(names, *arguments, **keywords)
        if found is None:
            del names.trail[start:]
        return found

    return attempt


def _fills(definition: Definition) -> bool:
    """Whether each axis of the target is one loop over all of it."""
    axes = zip(definition.target, definition.axes, definition.shape, strict=False)
    return len(definition.target) == len(definition.axes) and all(
        place == index(loop.index) - loop.lower
        and size == loop.upper - loop.lower
        and not (loop.lower.indices or loop.upper.indices)
        for place, loop, size in axes
    )


def _places(definition: Definition, indices: tuple[Integer, ...]) -> Mapping[str, Integer]:
    """What the loops of a definition are at the element stored at some place."""
    pairs = zip(definition.axes, indices, strict=True)
    return {loop.index: place + loop.lower for loop, place in pairs}


def _opened(definition: Definition) -> tuple[Scalar, tuple[Definition, ...]]:
    """The body with reductions inside it replaced by reads of definitions, and these."""
    if isinstance(definition.body, Reduce):
        return definition.body, ()
    parts: list[Definition] = []

    def named(scalar: Scalar) -> Scalar:
        if not isinstance(scalar, Reduce):
            return rebuilt(scalar, named)
        free = frozenset(free_indices(scalar))
        axes = tuple(loop for loop in definition.axes if loop.index in free)
        stem = definition.name.lstrip("~")
        part = _auxiliary(definition, f"~{stem}.part.{len(parts) + 1}", axes, scalar)
        parts.append(part)
        return Read(part.name, part.target, scalar.span)

    return named(definition.body), tuple(parts)


def _auxiliary(
    definition: Definition, name: str, axes: tuple[Range, ...], body: Scalar
) -> Definition:
    """A further definition over some axes of one."""
    numbers = [definition.axes.index(loop) for loop in axes]
    return replace(
        definition,
        name=name,
        axes=axes,
        target=tuple(definition.target[n] for n in numbers),
        shape=tuple(definition.shape[n] for n in numbers),
        origin=tuple(definition.origin[n] for n in numbers),
        body=body,
        auxiliary=True,
        mark=None,
        description=None,
    )


# ── scalars rebuilt ──────────────────────────────────────────────────────────────────────────


def rebuilt(scalar: Scalar, change: Callable[[Scalar], Scalar]) -> Scalar:
    """The scalar with its direct parts changed."""
    match scalar:
        case Number() | Count() | Read():
            return scalar
        case Product(factors):
            return Product(tuple(map(change, factors)))
        case IntegerPower(base, exponent):
            return IntegerPower(change(base), exponent)
        case Reduce(_, _, body):
            return replace(scalar, body=change(body))
        case Sum(terms, span):
            return Sum(tuple(map(change, terms)), span)
        case Apply(function, arguments, span):
            return Apply(function, tuple(map(change, arguments)), span)


def moved(scalar: Scalar, indices: Mapping[str, Integer]) -> Scalar:
    """A scalar without reductions, its loop indices replaced."""
    match scalar:
        case Read(tensor, places, span):
            return Read(tensor, tuple(place.substitute(indices) for place in places), span)
        case Count(value):
            return Count(value.substitute(indices))
        case _:
            return rebuilt(scalar, lambda part: moved(part, indices)) if indices else scalar
