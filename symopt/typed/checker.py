"""The checker: a syntax tree becomes a typed program, or every mistake in it is reported."""

from __future__ import annotations

from dataclasses import dataclass, field

from symopt.diagnostics import Diagnostic, Report
from symopt.source import Span
from symopt.syntax import tree
from symopt.typed import errors
from symopt.typed.components import turns
from symopt.typed.declarations import declare_data, declare_param, set_default
from symopt.typed.definitions import define
from symopt.typed.elaborate import Elaborator
from symopt.typed.expectations import check_expectations
from symopt.typed.function_check import announce_functions, check_uncalled, define_function
from symopt.typed.imports import Imports
from symopt.typed.objective import build_objective
from symopt.typed.program import Data, Definition, DimInfo, Param, Program
from symopt.typed.reads import tensors_read
from symopt.typed.recurrences import define_together
from symopt.typed.scope import Scope
from symopt.typed.stable import stabilise
from symopt.typed.walk import children

_ARRAYS = (tree.DataDeclaration, tree.ParamDeclaration)


@dataclass(slots=True)
class Unit:
    """What the checker has found so far."""

    scope: Scope = field(default_factory=Scope)
    report: Report = field(default_factory=Report)
    data: dict[str, Data] = field(default_factory=dict)
    params: dict[str, Param] = field(default_factory=dict)
    setup: list[Definition] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    losses: dict[str, tree.Loss] = field(default_factory=dict)
    elaborator: Elaborator = field(init=False)

    def __post_init__(self) -> None:
        self.elaborator = Elaborator(self.scope, self.report)

    def may_define(self, name: str, span: Span) -> bool:
        """Whether a name is free; a report otherwise."""
        first = self.scope.span_of(name)
        if first is not None:
            self.report.add(errors.duplicate_name(name, span, first))
        return first is None


def check(
    file: tree.File, mistakes: tuple[Diagnostic, ...] = ()
) -> tuple[Program, tuple[Diagnostic, ...]]:
    """The typed program and its warnings; raises all errors of the file together.

    `mistakes` are those found before, in statements of which the file only has `Unread`.
    """
    unit = Unit()
    for mistake in mistakes:
        unit.report.add(mistake)
    _announce(unit, file)
    imports = Imports.of(file)
    announce_functions(unit, file, imports)
    objective, sample = _take_up(unit, file, imports)
    unit.scope.defining = None
    body, least_squares = build_objective(unit, objective, _whole(file))
    expectations = check_expectations(unit, file, objective)
    check_uncalled(unit)
    if not mistakes:  # what seems to be missing may be in what could not be read
        _check_params(unit, file, body)
    unit.report.stop_if_errors()
    setup, rewritten_setup = stabilise(unit.setup)
    definitions, rewritten = stabilise(unit.definitions)
    program = Program(
        source=file.source,
        sources=(file.source, *imports.sources),
        dims=unit.scope.dims,
        data=unit.data,
        params=unit.params,
        draws=tuple(unit.elaborator.draws),
        setup=tuple(setup),
        definitions=tuple(definitions),
        objective=body.name if body else None,
        maximize=objective is not None and objective.sense == "maximize",
        least_squares=least_squares,
        sample=sample,
        rewrites=tuple(rewritten_setup + rewritten),
        expectations=expectations,
    )
    return program, unit.report.warnings


def _take_up(
    unit: Unit, file: tree.File, imports: Imports
) -> tuple[tree.Objective | None, str | None]:
    """Every statement in its turn; the objective and the sample dim that the file names."""
    objective: tree.Objective | None = None
    sample: str | None = None
    parts = turns((*file.statements, *imports.functions))
    for statement in file.statements:
        match statement:
            case tree.DimDeclaration():
                pass  # known before anything else
            case tree.DataDeclaration():
                declare_data(unit, statement)
            case tree.ParamDeclaration():
                declare_param(unit, statement)
            case tree.SampleDeclaration(dim, span):
                sample = dim
                if dim not in unit.scope.dims:
                    unit.report.add(errors.unknown_dim(dim, span, unit.scope.dims))
            case tree.Definition():
                for part in parts.get(id(statement), ()):
                    if part.together:
                        define_together(unit, part.definitions)
                    else:
                        define(unit, part.definitions[0])
            case tree.FunctionDefinition():
                define_function(unit, statement)
            case tree.Import():
                imports.bring_in(unit, statement)
            case tree.FiniteExpectation() | tree.Expectation():
                pass  # about everything else, so they come last
            case tree.Unread():
                pass  # its names are known to be broken
            case tree.Objective(_, _, span):
                if objective is not None:
                    unit.report.add(errors.second_objective(span, objective.span))
                objective = objective or statement
    return objective, sample


def _whole(file: tree.File) -> Span:
    length = len(file.source.text)
    return Span(file.source, max(length - 1, 0), length)


def _announce(unit: Unit, file: tree.File) -> None:
    """Note what is known before its statement is reached: dims, and names that come later."""
    declared: list[tree.DimDeclaration] = []
    for statement in file.statements:
        match statement:
            case tree.DimDeclaration(name, _, description, name_span):
                if unit.may_define(name, name_span):
                    unit.scope.dims[name] = DimInfo(name, None, description, name_span)
                    declared.append(statement)
            case tree.Definition(name, _, _, _, _, _, _, _, _, name_span):
                unit.scope.later.setdefault(name, name_span)
            case tree.DataDeclaration() | tree.ParamDeclaration():
                unit.scope.later.setdefault(statement.name, statement.name_span)
            case tree.Unread(names):
                unit.scope.broken |= names
            case _:
                pass
    arrays = [s for s in file.statements if isinstance(s, _ARRAYS)]
    names = {statement.name for statement in arrays}
    for statement in arrays:
        _dims_of_shape(unit, statement, names)
    for statement in declared:
        set_default(unit, statement)


def _dims_of_shape(
    unit: Unit, statement: tree.DataDeclaration | tree.ParamDeclaration, arrays: set[str]
) -> None:
    """A size named in a shape is a dim, declared or not."""
    pending: list[tree.Expression] = [*statement.shape]
    if isinstance(statement, tree.DataDeclaration) and statement.index_of is not None:
        pending.append(statement.index_of)
    while pending:
        part = pending.pop()
        if isinstance(part, tree.Name):
            if part.name not in unit.scope.dims and part.name not in arrays:
                unit.scope.dims[part.name] = DimInfo(part.name, None, None, part.span)
        else:
            inner = children(part)
            pending.extend(c for c in inner if not isinstance(c, tree.Generator | tree.Slice))


def _check_params(unit: Unit, file: tree.File, objective: Definition | None) -> None:
    if not unit.params and not any(isinstance(s, tree.ParamDeclaration) for s in file.statements):
        if file.statements:
            unit.report.add(errors.no_params(_whole(file)))
        return
    if objective is None or unit.report.errors:
        return
    used = _reachable(unit, objective.name)
    for name, param in unit.params.items():
        if name not in used:
            unit.report.add(errors.never_used(name, param.span))


def _reachable(unit: Unit, name: str) -> set[str]:
    by_name: dict[str, list[Definition]] = {}
    for definition in unit.definitions:
        by_name.setdefault(definition.name, []).append(definition)
    found: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            for definition in by_name.get(current, ()):
                pending.extend(tensors_read(definition.body))
    return found
