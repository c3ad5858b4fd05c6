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
                factors.insert(0, _number_text(abs(coefficient)))
            body = " ".join(factors)
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {body}" if text else (f"-{body}" if sign == "-" else body)
        return text or "0"


def number(value: int) -> Formula:
    """A number as a formula."""
    return Formula((((), Fraction(value)),) if value else ())


ZERO, ONE = number(0), number(1)


def size(value: Integer) -> Formula:
    """A size as a formula."""
    return _canonical({monomial: Fraction(c) for monomial, c in value.terms})


def points(loops: Sequence[Range], around: tuple[Range, ...] = ()) -> Formula:
    """How many points a nest has, inside loops around it: their mean, where it differs.

    No range is taken to end before it starts.
    """
    outer = frozenset(loop.index for loop in around)
    regular: list[Range] = []
    total, after_irregular = ONE, False
    for depth, loop in enumerate(loops):
        mentioned = loop.lower.indices | loop.upper.indices
        if mentioned and (after_irregular or mentioned & outer or not _is_polynomial(loop)):
            total = total * _mean(loop, (*around, *loops[:depth]))
            after_irregular = True
        else:
            regular.append(loop)
    inner = ONE
    for loop in reversed(regular):
        inner = _summed(inner, loop)
    return total * inner


def _mean(loop: Range, around: tuple[Range, ...]) -> Formula:
    """The mean length of a range, a number where the loops around it have numbers of steps."""
    mean = Mean(loop, around)
    try:
        return Formula((((), _at(mean, {}, {})),))
    except KeyError:
        return Formula((((mean,), Fraction(1)),))


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
        rest = Formula(((tuple(v for v in variables if v != here), coefficient),))
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
        total = total + power * Formula((((), share / (degree + 1)),))
        power = power * end
    return _canonical(dict(total.terms))


def _at(variable: Variable, dims: Mapping[str, int], arrays: Mapping[str, Any]) -> Fraction:
    if not isinstance(variable, Mean):
        return Fraction(int(evaluate(atom(variable), dims, {}, arrays)))
    indices, count = points_of(variable.around, dims, arrays)
    length = evaluate(variable.loop.upper - variable.loop.lower, dims, indices, arrays)
    total = int(np.sum(np.broadcast_to(np.maximum(length, 0), count)))
    return Fraction(total, max(count, 1))


def _canonical(total: Mapping[tuple[Variable, ...], Fraction]) -> Formula:
    kept = [(variables, c) for variables, c in total.items() if c]
    # The highest degree comes first, the constant last.
    kept.sort(key=lambda term: (-len(term[0]), tuple(map(_name, term[0]))))
    return Formula(tuple(kept))


def _name(variable: Variable) -> str:
    return str(variable) if isinstance(variable, Mean) else atom_text(variable)


def _power(text: str, exponent: int) -> str:
    return text if exponent == 1 else f"{text}^{exponent}"


def _number_text(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{value}"
