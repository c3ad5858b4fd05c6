"""The objective: as written, or the sum over all residuals of their squares or losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symopt.primitives.robust import ROBUST_LOSSES, RobustLoss
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.program import (
    Apply,
    Definition,
    IntegerPower,
    Number,
    Read,
    Reduce,
    Scalar,
    Sum,
)
from symopt.typed.scope import Environment
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.typed.checker import Unit

OBJECTIVE = "minimize"  # a word of the language, so no definition can have this name


def build_objective(
    unit: Unit, written: tree.Objective | None, end: Span
) -> tuple[Definition | None, bool]:
    """The scalar definition to minimize, and whether it is a plain sum of squared residuals."""
    # One of each name: what several cases or sums define is one array of residuals.
    residuals = list({d.name: d for d in unit.definitions if d.mark == "residual"}.values())
    if written is not None:
        for name, loss in unit.losses.items():
            unit.report.add(errors.loss_with_minimize(loss.span, written.span))
            unit.scope.broken.add(name)
        scalar = unit.elaborator.scalar(written.value, Environment(), "the objective")
        return _define(unit, scalar, written.span), False
    if not residuals:
        only_reports = unit.report.errors or unit.scope.broken
        if not only_reports:
            empty = not (unit.data or unit.params or unit.definitions)
            unit.report.add(errors.missing_objective(end, empty))
        return None, False
    terms = tuple(_term(unit, definition) for definition in residuals)
    span = residuals[0].span
    body = terms[0] if len(terms) == 1 else Sum(terms)
    return _define(unit, body, span), not unit.losses


def _define(unit: Unit, body: Scalar, span: Span) -> Definition:
    unit.definitions.extend(unit.elaborator.introduced)
    unit.elaborator.introduced.clear()
    definition = Definition(
        name=OBJECTIVE,
        axes=(),
        target=(),
        shape=(),
        origin=(),
        body=body,
        accumulate=False,
        auxiliary=True,
        mark=None,
        description=None,
        span=span,
    )
    unit.definitions.append(definition)
    return definition


def _term(unit: Unit, residual: Definition) -> Scalar:
    """What one residual array adds to the objective."""
    loops = tuple(unit.elaborator.new_index("k", constant(0), size) for size in residual.shape)
    place = tuple(index(loop.index) for loop in loops)
    square = IntegerPower(Read(residual.name, place, residual.span), 2)
    written = unit.losses.get(residual.name)
    loss = _loss(unit, written) if written else None
    if written is None or loss is None:
        return _total(loops, square, residual.span)
    record, scale = loss
    if written.elementwise or len(loops) <= 1:
        rho = Apply(record.rho, (square, scale), written.span)
        return _total(loops, rho, residual.span)
    squares = _squares_per_observation(unit, residual, loops, square)
    rho = Apply(record.rho, (squares, scale), written.span)
    return Reduce("sum", loops[:1], rho, residual.span)


def _total(loops: tuple[Range, ...], body: Scalar, span: Span) -> Scalar:
    return Reduce("sum", loops, body, span) if loops else body


def _squares_per_observation(
    unit: Unit, residual: Definition, loops: tuple[Range, ...], square: Scalar
) -> Scalar:
    """s[o] = Σ_a e[o, a]², under a name of its own."""
    observation, *others = loops
    name = unit.elaborator.fresh(f"{residual.name}.squares")
    place: tuple[Integer, ...] = (index(observation.index),)
    unit.definitions.append(
        Definition(
            name=name,
            axes=(observation,),
            target=place,
            shape=residual.shape[:1],
            origin=(constant(0),),
            body=Reduce("sum", tuple(others), square, residual.span),
            accumulate=False,
            auxiliary=True,
            mark=None,
            description=None,
            span=residual.span,
        )
    )
    return Read(name, place, residual.span)


def _loss(unit: Unit, written: tree.Loss) -> tuple[RobustLoss, Scalar] | None:
    record = ROBUST_LOSSES.get(written.name)
    if record is None:
        unit.report.add(errors.unknown_loss(written.name, written.span, ROBUST_LOSSES))
        return None
    if len(written.arguments) > 1:
        found = len(written.arguments)
        unit.report.add(errors.wrong_arguments(written.name, "one scale", found, written.span))
        return None
    if not written.arguments:
        return record, Number(1.0)
    return record, unit.elaborator.scalar(written.arguments[0], Environment(), "the scale")
