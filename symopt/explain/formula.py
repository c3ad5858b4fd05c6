"""Counts as formulas: polynomials in sizes, exact also for triangular loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import comb, prod
from typing import Any

import numpy as np

from symopt.statements.evaluate import points as points_of
from symopt.types import Atom, Dim, Index, Integer, Range, atom, atom_text, evaluate


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean length of a range over the points of the loops around it.

    For ranges whose bounds are data, so that no polynomial gives their length.
    """

    loop: Range
    around: tuple[Range, ...]

    def __str__(self) -> str:
        return f"mean({self.loop.upper - self.loop.lower})"


Variable = Atom | Mean


@dataclass(frozen=True, slots=True)
class Formula:
    """A polynomial with rational coefficients, its terms sorted and without zeros."""

    terms: tuple[tuple[tuple[Variable, ...], Fraction], ...] = ()

    def __add__(self, other: Formula) -> Formula:
        total = dict(self.terms)
        for variables, coefficient in other.terms:
            total[variables] = total.get(variables, Fraction(0)) + coefficient
        return _canonical(total)

    def __sub__(self, other: Formula) -> Formula:
        return self + other * number(-1)

    def __mul__(self, other: Formula) -> Formula:
        total: dict[tuple[Variable, ...], Fraction] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                variables = tuple(sorted(left + right, key=_name))
                total[variables] = total.get(variables, Fraction(0)) + a * b
        return _canonical(total)

    def __bool__(self) -> bool:
        return bool(self.terms)

    @property
    def value(self) -> Fraction | None:
        """The number this is, or None where it depends on a size."""
        if not self.terms:
            return Fraction(0)
        (variables, coefficient), *others = self.terms
        return coefficient if not variables and not others else None

    def at(self, dims: Mapping[str, int], arrays: Mapping[str, Any]) -> float | None:
        """The number at some sizes; None where one is not known."""
        try:
            return float(
                sum(
                    c * prod(_at(v, dims, arrays) for v in variables) for variables, c in self.terms
                )
            )
        except KeyError:
            return None

    def over(self, other: Formula) -> float | None:
        """The quotient for large sizes; None where it depends on how these grow."""
        own, others = self._leading(), other._leading()
        if own is None or others is None or own[0] != others[0]:
            return None
        return float(own[1] / others[1])

    def _leading(self) -> tuple[tuple[Variable, ...], Fraction] | None:
        """The only term of the highest degree."""
        if not self.terms:
            return None
        first, *others = self.terms
        return None if others and len(others[0][0]) == len(first[0]) else first

    def __str__(self) -> str:
        text = ""
        for variables, coefficient in self.terms:
            factors = [_power(_name(v), len(list(same))) for v, same in groupby(variables)]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            body = " ".join(factors)
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {body}" if text else (f"-{body}" if sign == "-" else body)
        return text or "0"


def number(value: int) -> Formula:
    """A number as a formula."""
    return _fraction(Fraction(value))


def _fraction(value: Fraction) -> Formula:
    return Formula((((), value),) if value else ())


ZERO, ONE = number(0), number(1)


def size(value: Integer) -> Formula:
    """A size as a formula."""
    return _canonical({monomial: Fraction(c) for monomial, c in value.terms})


def points(loops: Sequence[Range], around: tuple[Range, ...] = ()) -> Formula:
    """How many points a nest has, inside loops around it: their mean, where it differs.

    Ranges whose bounds are not numbers are not taken to end before they start.
    """
    bound = _bound((*around, *loops))
    total = ONE
    for loop in loops:
        if loop.index not in bound:
            total = total * _length(loop)
    rest = tuple(loop for loop in loops if loop.index in bound)
    return total * _chain(rest, tuple(loop for loop in around if loop.index in bound))


def _bound(loops: Sequence[Range]) -> frozenset[str]:
    """The indices of loops whose bounds mention others, and of those mentioned."""
    found: set[str] = set()
    for loop in loops:
        if mentioned := loop.lower.indices | loop.upper.indices:
            found |= {loop.index, *mentioned}
    return frozenset(found)


def _length(loop: Range) -> Formula:
    length = size(loop.upper) - size(loop.lower)
    return ZERO if length.value is not None and length.value < 0 else length


def _chain(loops: tuple[Range, ...], around: tuple[Range, ...]) -> Formula:
    """The points of loops whose bounds mention each other's indices."""
    if not loops:
        return ONE
    *outer, last = loops
    try:
        mean = _mean_length(last, (*around, *outer), {}, {})
        return _fraction(mean * _steps((*around, *outer)) / max(_steps(around), 1))
    except KeyError:
        pass  # not all are numbers
    total, regular, outside = ONE, list[Range](), frozenset(loop.index for loop in around)
    for depth, loop in enumerate(loops):
        mentioned = loop.lower.indices | loop.upper.indices
        after_mean = len(regular) < depth
        if mentioned and (after_mean or mentioned & outside or not _is_polynomial(loop)):
            total = total * Formula((((Mean(loop, (*around, *loops[:depth])),), Fraction(1)),))
        else:
            regular.append(loop)
    inner = ONE
    for loop in reversed(regular):
        inner = _summed(inner, loop)
    return total * inner


def _is_polynomial(loop: Range) -> bool:
    return all(
        isinstance(a, Dim | Index) for edge in (loop.lower, loop.upper) for a in edge.atoms()
    )


def _summed(term: Formula, loop: Range) -> Formula:
    """The sum of a polynomial over the range of one of its variables."""
    here, total = Index(loop.index), ZERO
    lower, upper = size(loop.lower), size(loop.upper)
    for variables, coefficient in term.terms:
        degree = variables.count(here)
        rest = _canonical({tuple(v for v in variables if v != here): coefficient})
        total = total + rest * (_powers_below(upper, degree) - _powers_below(lower, degree))
    return total


def _powers_below(end: Formula, degree: int) -> Formula:
    """The sum of k^degree for k in range(end), by Faulhaber's formula."""
    bernoulli = [Fraction(1)]
    for m in range(1, degree + 1):
        known = sum((comb(m + 1, j) * b for j, b in enumerate(bernoulli)), Fraction(0))
        bernoulli.append(-known / (m + 1))
    total, power = ZERO, end
    for exponent in range(1, degree + 2):
        share = comb(degree + 1, exponent) * bernoulli[degree + 1 - exponent]
        total = total + power * _fraction(share / (degree + 1))
        power = power * end
    return total


def _at(variable: Variable, dims: Mapping[str, int], arrays: Mapping[str, Any]) -> Fraction:
    if isinstance(variable, Mean):
        return _mean_length(variable.loop, variable.around, dims, arrays)
    return Fraction(int(evaluate(atom(variable), dims, {}, arrays)))


def _mean_length(
    loop: Range, around: tuple[Range, ...], dims: Mapping[str, int], arrays: Mapping[str, Any]
) -> Fraction:
    indices, count = points_of(around, dims, arrays)
    length = evaluate(loop.upper - loop.lower, dims, indices, arrays)
    total = int(np.sum(np.broadcast_to(np.maximum(length, 0), count)))
    return Fraction(total, max(count, 1))


def _steps(loops: tuple[Range, ...]) -> int:
    """How many points a nest of numbers has."""
    return points_of(loops, {}, {})[1]


def _canonical(total: Mapping[tuple[Variable, ...], Fraction]) -> Formula:
    kept = [(variables, c) for variables, c in total.items() if c]
    # The highest degree comes first, the constant last.
    kept.sort(key=lambda term: (-len(term[0]), tuple(map(_name, term[0]))))
    return Formula(tuple(kept))


def _name(variable: Variable) -> str:
    return str(variable) if isinstance(variable, Mean) else atom_text(variable)


def _power(text: str, exponent: int) -> str:
    return text if exponent == 1 else f"{text}^{exponent}"
