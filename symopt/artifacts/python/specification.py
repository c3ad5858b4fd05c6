"""What the Python module knows of a loss, as Python (`runtime/specification.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import symopt
from symopt.artifacts import interface as offered
from symopt.artifacts.interface import Interface, Operand
from symopt.artifacts.python.integers import computed, expression
from symopt.artifacts.python.text import Call, call, flat, several, text, texts
from symopt.bind_errors import as_written
from symopt.binding import setup_values
from symopt.diagnostics import Diagnostic, Kind, Label, render
from symopt.source import Span
from symopt.statements.build import build_statements
from symopt.statements.program import Program, Statement
from symopt.typed import program as typed
from symopt.typed.ranges import inside
from symopt.types import Entry, Integer, Quotient, Range, Remainder, constant


def specification(interface: Interface) -> Call:
    program = interface.program
    return call(
        "Specification",
        stem=text(interface.stem),
        program=text(program.source.name),
        version=text(symopt.__version__),
        build=text(interface.fingerprint),
        dtype=text(interface.precision),
        dims=several(_dim(dim, interface.sizes.get(dim.name)) for dim in program.dims.values()),
        data=several(_data(interface, data) for data in program.data.values()),
        params=several(map(_param, program.params.values())),
        functions=several(map(_entry, interface.functions)),
        setups=several(map(_entry, interface.setups)),
        draws=several(
            call("Draw", shape=_sizes(draw.shape), distribution=text(draw.distribution))
            for draw in program.draws
        ),
        definitions=texts(dict.fromkeys(d.name for d in program.definitions if not d.auxiliary)),
        cut=several(several([text(n), _sizes(shape)]) for n, shape in interface.cut.items()),
        lookups=several(_lookups(program) if interface.checks else ()),
        maximize=str(program.maximize),
        least_squares=str(program.least_squares),
    )


def _dim(dim: typed.DimInfo, compiled: int | None) -> Call:
    return call(
        "Dim",
        name=text(dim.name),
        default=str(dim.default),
        compiled=str(compiled),
        description=text(dim.description),
        place=_place(dim.span),
    )


def _data(interface: Interface, data: typed.Data) -> Call:
    below = "None" if data.index_of is None else _size(data.index_of)
    return call(
        "Data",
        name=text(data.name),
        shape=_sizes(data.shape),
        below=below,
        default=_default(interface, data),
        description=text(data.description),
        place=_place(data.span),
    )


def _default(interface: Interface, data: typed.Data) -> str:
    """A number, an array that is written out, or the function that computes it."""
    known = {field.name: field.default for field in interface.fields}[data.name]
    if data.default is None or known is not None:
        return repr(known)
    setup = build_statements(interface.program, interface.program.setup)
    shape = setup.tensors[data.default].shape
    if shape == data.shape or any(size.value is None for size in shape):
        (entry,) = (one for one in interface.setups if _computes(one, data))
        return text(entry.name)
    array: Any = setup_values(setup, (data.default,), {}, {})[data.default]
    return _nested(np.asarray(array).tolist())


def _computes(entry: offered.Entry, data: typed.Data) -> bool:
    """Whether a function computes the default of some data."""
    return any(part.tensor == data.default for one in entry.outputs for part in one.parts)


def _nested(values: Any) -> str:
    if not isinstance(values, list):
        return repr(values)
    return f"({', '.join(map(_nested, values))}{',' if len(values) == 1 else ''})"


def _param(param: typed.Param) -> Call:
    return call(
        "Param",
        name=text(param.name),
        shape=_sizes(param.shape),
        stored=_sizes(param.stored_shape),
        packing=text(param.packing),
        open_lower=str(param.lower is not None and param.lower.open),
        open_upper=str(param.upper is not None and param.upper.open),
        description=text(param.description),
        place=_place(param.span),
    )


def _entry(entry: offered.Entry) -> Call:
    inputs = [several([text(one.name), _size(one.size)]) for one in entry.inputs]
    return call(
        "Entry",
        name=text(entry.name),
        inputs=several(inputs),
        results=several(map(_result, entry.outputs)),
        of=text(entry.of),
    )


def _result(operand: Operand) -> Call:
    return call("Result", shape=_sizes(operand.matrix), number=str(operand.number))


def _sizes(shape: Sequence[Integer]) -> Call:
    return several(map(_size, shape))


def _size(size: Integer) -> str:
    dims = flat(texts(sorted(size.dims)))
    return f"Size({text(str(size))}, {dims}, lambda d: {expression(size)})"


# ── what only data can tell ──────────────────────────────────────────────────────────────────────


def _lookups(program: typed.Program) -> Iterator[Call]:
    """Where definitions read and write, unless that is inside for all sizes; then their order."""
    whole = build_statements(program, program.definitions)
    for number, statement in enumerate(whole.statements):
        yield from _statement_lookups(whole, statement, number)
    for definition in program.definitions:
        for one in definition.earlier:
            relation = "after" if one.backward else "before"
            yield _lookup(-1, relation, one.loops, one.place, one.step, "", one.span)


def _statement_lookups(program: Program, statement: Statement, number: int) -> Iterator[Call]:
    places = [(statement.target, statement.map)]
    places += [(read.tensor, read.map) for read in statement.reads if read.tensor is not None]
    edges = [edge for loop in statement.loops for edge in (loop.lower, loop.upper)]
    read = [*statement.map, *(part for one in statement.reads for part in one.map), *edges]
    for part in dict.fromkeys(read):
        divisors = [i.denominator for i in part.atoms() if isinstance(i, Quotient | Remainder)]
        if any(not divisor.value for divisor in divisors):
            value = part if part not in edges else constant(0)  # edges are computed anyhow
            yield _lookup(
                number, "defined", statement.loops, value, constant(0), "", statement.span
            )
        places += [(i.tensor, i.indices) for i in part.atoms() if isinstance(i, Entry)]
    ranges = {loop.index: loop for loop in statement.loops}
    sizes = {name: one.below for name, one in program.tensors.items() if one.below is not None}
    for tensor, place in dict.fromkeys(places):
        for part, extent in zip(place, program.tensors[tensor].shape, strict=True):
            packed = any("." in name for name in part.tensors)  # arrays of ours, that are right
            if not packed and not inside(part, constant(0), extent, ranges, sizes):
                yield _lookup(
                    number, "inside", statement.loops, part, extent, tensor, statement.span
                )


def _lookup(
    number: int,
    relation: str,
    loops: Sequence[Range],
    part: Integer,
    limit: Integer,
    tensor: str,
    span: Span | None,
) -> Call:
    shown = [loop.index for loop in loops if loop.index in part.indices]
    edges = [
        several([text(loop.index), computed(loop.lower), computed(loop.upper)]) for loop in loops
    ]
    return call(
        "Lookup",
        statement=str(number),
        relation=text(relation),
        loops=several(edges),
        value=computed(part),
        limit=computed(limit),
        text=text(as_written(str(part))),
        tensor=text(as_written(tensor)),
        shown=several(several([text(name), text(as_written(name))]) for name in shown),
        place="None" if span is None else _place(span),
    )


def _place(span: Span) -> Call:
    """A place, with its line as errors show it."""
    shown = render([Diagnostic(Kind.DATA, "", "", (Label(span),))]).splitlines()
    return call(
        "Place",
        file=text(span.source.name),
        start=str(span.start),
        position=text(str(span)),
        excerpt=text("\n".join(shown[1:])),
    )
