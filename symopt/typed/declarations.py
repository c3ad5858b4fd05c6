"""Declarations: dims, data and parameters, with their defaults, starts and bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symopt.syntax import tree
from symopt.typed import errors, index_errors
from symopt.typed.packing import positions_name
from symopt.typed.program import Data, Definition, Param, Side
from symopt.typed.reads import reads
from symopt.typed.scope import Environment, Variable
from symopt.typed.subscripts import integer
from symopt.typed.values import Shape, Value, broadcast_at, broadcast_shapes
from symopt.types import Integer, constant, index

if TYPE_CHECKING:
    from symopt.typed.checker import Unit


def set_default(unit: Unit, statement: tree.DimDeclaration) -> None:
    """Give a dim its default, which must be a whole number."""
    if statement.default is None:
        return
    value = integer(unit.elaborator, statement.default, Environment(), size=True)
    if value is None:
        return
    default, span = value.value, statement.default.span
    if default is None or default < 0:
        negative = default is not None
        unit.report.add(errors.dim_default(statement.name, f"`{span.text}`", span, negative))
        return
    info = unit.scope.dims[statement.name]
    unit.scope.dims[statement.name] = replace(info, default=default)


def _shape(unit: Unit, sizes: tuple[tree.Expression, ...]) -> Shape | None:
    shape: list[Integer] = []
    for size in sizes:
        value = integer(unit.elaborator, size, Environment(), size=True)
        if value is None:
            return None
        if value.tensors:
            unit.report.add(index_errors.real_size(size.span, "data"))
            return None
        if value.value is not None and value.value < 0:
            unit.report.add(index_errors.negative_size(size.span))
            return None
        shape.append(value)
    return tuple(shape)


def declare_data(unit: Unit, statement: tree.DataDeclaration) -> None:
    """An array given at run time, perhaps with a default."""
    name = statement.name
    if not unit.may_define(name, statement.name_span):
        return
    shape = _shape(unit, statement.shape)
    index_of = None
    if statement.index_of is not None:
        index_of = integer(unit.elaborator, statement.index_of, Environment(), size=True)
    if shape is None or (statement.index_of is not None and index_of is None):
        unit.scope.broken.add(name)
        return
    default = None
    if statement.default is not None:
        default = _setup(unit, f"{name}.default", "the default", statement.default, shape)
    unit.data[name] = Data(
        name, shape, index_of, default, statement.description, statement.file, statement.name_span
    )
    origin = (constant(0),) * len(shape)
    unit.scope.variables[name] = Variable(name, shape, origin, index_of, statement.name_span)


def declare_param(unit: Unit, statement: tree.ParamDeclaration) -> None:
    """An array of unknowns, perhaps with a start and bounds."""
    name = statement.name
    if not unit.may_define(name, statement.name_span):
        return
    shape = _shape(unit, statement.shape)
    packing = statement.packing
    if shape is not None and packing is not None and (len(shape) < 2 or shape[-1] != shape[-2]):
        unit.report.add(errors.not_square(name, packing, shape, statement.name_span))
        shape = None
    if shape is None:
        unit.scope.broken.add(name)
        return
    elaborator = unit.elaborator
    elaborator.random_shape = shape
    init = None
    if statement.init is not None:
        init = _setup(unit, f"{name}.init", "the start", statement.init, shape)
    elaborator.random_shape = None
    sides: list[Side | None] = []
    for word, bound in (("lower", statement.lower), ("upper", statement.upper)):
        what = f"the {word} bound"
        found = _setup(unit, f"{name}.{word}", what, bound.value, shape) if bound else None
        sides.append(Side(found, bound.open) if bound and found else None)
    lower, upper = sides
    unit.params[name] = Param(
        name, shape, init, lower, upper, statement.description, packing, span=statement.name_span
    )
    origin = (constant(0),) * len(shape)
    unit.scope.variables[name] = Variable(name, shape, origin, None, statement.name_span, packing)
    if packing is not None:
        elaborator.auxiliary_shapes[positions_name(name)] = shape[-2:]


def _setup(
    unit: Unit, name: str, what: str, expression: tree.Expression, shape: Shape
) -> str | None:
    """A definition evaluated once when data is bound: a start, a bound or a default."""
    what = f"{what} of `{name.partition('.')[0]}`"
    elaborator = unit.elaborator
    value = elaborator.value(expression, Environment())
    unit.setup.extend(elaborator.introduced)
    elaborator.introduced.clear()
    if value.broken:
        return None
    if not _reads_allowed(unit, value, what):
        return None
    if isinstance(expression, tree.Array) and _may_fit(value.shape, shape):
        shape = value.shape  # whether the sizes agree is seen when data is bound
    if broadcast_shapes(value.shape, shape) != shape:
        unit.report.add(errors.wrong_shape(what, shape, value.shape, expression.span))
        return None
    axes = elaborator.loops_over(shape)
    place = tuple(index(axis.index) for axis in axes)
    unit.setup.append(
        Definition(
            name=name,
            axes=axes,
            target=place,
            shape=shape,
            origin=(constant(0),) * len(shape),
            body=broadcast_at(value, shape, place),
            accumulate=False,
            auxiliary=True,
            mark=None,
            description=None,
            span=expression.span,
        )
    )
    return name


def _may_fit(written: Shape, declared: Shape) -> bool:
    """Whether an array written out can have the declared shape for some values of the dims."""
    return len(written) == len(declared) and all(
        a.value is not None and (b.value is None or a == b)
        for a, b in zip(written, declared, strict=True)
    )


def _reads_allowed(unit: Unit, value: Value, what: str) -> bool:
    place = tuple(index(loop.index) for loop in unit.elaborator.loops_over(value.shape))
    for read in reads(value.at(place)):
        name = read.tensor
        if name in unit.params or any(name == d.name for d in unit.definitions):
            unit.report.add(errors.reads_unknowns(name, read.span, what))
            return False
    return True
