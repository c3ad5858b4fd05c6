"""Recurrences and definitions by cases: several definitions that are taken up as one.

Their shapes come first, because they read each other: the hull of what all cases of a name write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from symopt.syntax import tree
from symopt.typed import recurrence_errors
from symopt.typed.definitions import elaborate_definition
from symopt.typed.order import ordered
from symopt.typed.program import Definition
from symopt.typed.ranges import greatest, least, nonnegative
from symopt.typed.scope import Axis, Environment, Variable
from symopt.typed.targets import target_of
from symopt.types import Integer, constant

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


def define_together(unit: Unit, statements: Sequence[tree.Definition]) -> None:
    """Add the definitions of a component to the program, or report what is wrong with them."""
    names = {statement.name: statement.name_span for statement in statements}
    scope = unit.scope
    for name, span in names.items():
        scope.later.pop(name, None)
        if name not in scope.broken and not unit.may_define(name, span):
            scope.broken.add(name)
    if not scope.broken.isdisjoint(names):
        scope.broken |= names.keys()
        return
    unit.elaborator.recurring |= names.keys()
    found = _definitions(unit, statements)
    unit.elaborator.recurring.clear()
    scope.axes.clear()
    scope.lengths.clear()
    if found is None:
        scope.broken |= names.keys()
        for name in names:
            scope.variables.pop(name, None)
        return
    unit.definitions.extend(found)
    unit.losses.update({s.name: s.loss for s in statements if s.loss is not None})


def _definitions(
    unit: Unit, statements: Sequence[tree.Definition]
) -> tuple[Definition, ...] | None:
    """The definitions of a component in order; None after a report."""
    shapes = _Shapes(unit, statements).found()
    if shapes is None:
        return None
    unit.scope.variables.update(shapes)
    known = len(unit.report.errors)
    cases: list[Definition] = []
    for statement in statements:
        definition = elaborate_definition(unit, statement, cases, shapes[statement.name])
        if definition is not None:
            cases.append(definition)
    if len(unit.report.errors) > known:
        return None
    result = ordered(cases, unit.elaborator.index_sizes)
    if isinstance(result, tuple):
        return result
    unit.report.add(result)
    return None


class _Shapes:
    """The shapes of the names of a component, found case by case until nothing more is found.

    A case is open while an index of it has no range, or the shape of its value is not known yet.
    """

    def __init__(self, unit: Unit, statements: Sequence[tree.Definition]) -> None:
        self.unit = unit
        self.statements = statements
        self.written: dict[int, tuple[tuple[Axis, bool], ...]] = {}  # per case and axis

    def found(self) -> dict[str, Variable] | None:
        """The variables; None after a report."""
        open_cases = list(range(len(self.statements)))
        while open_cases:
            left = [n for n in open_cases if not self.close(n, certain=True)]
            if len(left) == len(open_cases):
                left = [n for n in open_cases if not self.close(n, certain=False)]
            if len(left) == len(open_cases):
                return self.report(left[0])
            open_cases = left
            self.expose()
        variables = {s.name: self.variable(s.name) for s in self.statements}
        known = {name: found for name, found in variables.items() if found is not None}
        return known if len(known) == len(variables) else None

    def report(self, number: int) -> None:
        """Tell why a case stays open."""
        unit, statement = self.unit, self.statements[number]
        if target_of(unit.elaborator, statement, Environment()) is not None:
            unit.report.add(recurrence_errors.unknown_shape(statement.name, statement.name_span))

    def close(self, number: int, *, certain: bool) -> bool:
        """Find the axes that a case writes, if that can be told by now.

        Unless `certain`, a value that reads what is still open has the axes of other cases.
        """
        statement, elaborator = self.statements[number], self.unit.elaborator
        with elaborator.quietly():
            target = target_of(elaborator, statement, Environment())
            if target is None:
                return False
            value = elaborator.value(statement.value, target.env)
        if value.broken and certain:
            return False
        axes: list[tuple[Axis, bool]] = []
        for place in target.place:
            low = least(place, elaborator.ranges, elaborator.index_sizes)
            high = greatest(place, elaborator.ranges, elaborator.index_sizes) + 1
            axes.append((Axis(low, high, statement.name_span), bool(place.indices)))
        if value.broken:
            others = self.cases(statement.name)
            axes += others[0][len(axes) :] if others else []
        else:
            axes += [(Axis(constant(0), size, value.span), True) for size in value.shape]
            lengths = tuple(axis.upper - axis.lower if loop else None for axis, loop in axes)
            self.unit.scope.lengths.setdefault(statement.name, lengths)
        self.written[number] = tuple(axes)
        return True

    def cases(self, name: str) -> list[tuple[tuple[Axis, bool], ...]]:
        return [axes for n, axes in self.written.items() if self.statements[n].name == name]

    def expose(self) -> None:
        """Let indices be read off the axes that are certain by now."""
        scope = self.unit.scope
        for name in {statement.name for statement in self.statements}:
            cases = self.cases(name)
            complete = len(cases) == sum(s.name == name for s in self.statements)
            ranks = {len(axes) for axes in cases}
            if len(ranks) != 1:
                continue
            for number in range(ranks.pop()):
                axes = [axes[number] for axes in cases]
                plain = [axis for axis, loop in axes if loop]
                if complete:
                    scope.axes[name, number] = self.hull(axes)
                elif len(plain) == len(axes) and all(axis.same(plain[0]) for axis in plain):
                    scope.axes[name, number] = plain[0]

    def hull(self, axes: Sequence[tuple[Axis, bool]]) -> Axis:
        """From the least start to the greatest end; a loop's, where they cannot be compared."""
        ordered_axes = sorted(axes, key=lambda item: not item[1])
        result = ordered_axes[0][0]
        for axis, _ in ordered_axes[1:]:
            lower, upper = result.lower, result.upper
            lower = axis.lower if nonnegative(lower - axis.lower) else lower
            upper = axis.upper if nonnegative(axis.upper - upper) else upper
            result = Axis(lower, upper, result.span)
        return result

    def variable(self, name: str) -> Variable | None:
        cases = self.cases(name)
        span = next(s.name_span for s in self.statements if s.name == name)
        first, *others = [n for n in self.written if self.statements[n].name == name]
        for other in others:
            ranks = len(self.written[first]), len(self.written[other])
            if ranks[0] != ranks[1]:
                spans = self.statements[first].span, self.statements[other].span
                self.unit.report.add(recurrence_errors.different_ranks(name, ranks, spans))
                return None
        hulls = [self.hull([axes[number] for axes in cases]) for number in range(len(cases[0]))]
        if not self.complete(name, cases) or not self.apart(name):
            return None
        origin = tuple(_start(axis.lower) for axis in hulls)
        return Variable(name, tuple(axis.upper for axis in hulls), origin, None, span)

    def complete(self, name: str, cases: list[tuple[tuple[Axis, bool], ...]]) -> bool:
        """Whether no element before those of a range is left out, as far as numbers tell."""
        for number in range(len(cases[0])):
            axes = [axes[number] for axes in cases]
            starts = [axis.lower.value for axis, loop in axes if loop]
            fixed = {axis.lower.value for axis, loop in axes if not loop} - {None}
            if not fixed or not starts or None in starts:
                continue
            wanted = range(
                min(k for k in fixed if k is not None), min(k for k in starts if k is not None)
            )
            missing = next((place for place in wanted if place not in fixed), None)
            if missing is not None:
                span = axes[0][0].span
                error = recurrence_errors.missing_case(name, number, missing, span)
                self.unit.report.add(error)
                return False
        return True

    def apart(self, name: str) -> bool:
        """Whether no element is defined twice, as far as numbers tell."""
        own = [n for n in self.written if self.statements[n].name == name]
        for position, first in enumerate(own):
            for second in own[position + 1 :]:
                pairs = list(zip(self.written[first], self.written[second], strict=True))
                common = [_common_place(one, other) for one, other in pairs]
                if None not in common and any(place != "all" for place in common):
                    number = next(k for k, place in enumerate(common) if place != "all")
                    spans = self.statements[first].span, self.statements[second].span
                    place = common[number]
                    assert isinstance(place, int)
                    error = recurrence_errors.overlapping_cases(name, number, place, spans)
                    self.unit.report.add(error)
                    return False
        return True


def _common_place(one: tuple[Axis, bool], other: tuple[Axis, bool]) -> int | Literal["all"] | None:
    """A place that two cases certainly share on an axis; `all` where both have the same range."""
    (first, is_loop), (second, is_other_loop) = one, other
    if is_loop and is_other_loop:
        return "all" if first.same(second) else None
    place, rest, loop = (second, first, is_loop) if is_loop else (first, second, is_other_loop)
    here, start = place.lower.value, rest.lower.value
    if here is None or start is None:
        return None
    return here if start == here or (loop and start <= here) else None


def _start(lower: Integer) -> Integer:
    """Where an axis begins: at 0, if that depends on loops or data."""
    return constant(0) if lower.indices or lower.tensors else lower
