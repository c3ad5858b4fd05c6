"""The diagnostics of binding: data and sizes that do not fit the declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from symopt.diagnostics import DataError, Diagnostic, Kind, Label
from symopt.source import Span
from symopt.statements.program import Statement
from symopt.typed.errors import nearest, shape_text
from symopt.typed.program import Data, DimInfo, Earlier, Param
from symopt.typed.program import Program as TypedProgram
from symopt.types import Integer


def _data_error(
    code: str,
    message: str,
    span: Span | None,
    label: str = "",
    help: str | None = None,
    notes: tuple[str, ...] = (),
) -> Diagnostic:
    labels = (Label(span, label),) if span is not None else ()
    return Diagnostic(Kind.DATA, code, message, labels, notes, help)


def _shape(shape: Sequence[int]) -> str:
    return f"shape {tuple(shape)}" if shape else "a number"


def _entry(name: str, place: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, place))}]" if place else name


@contextmanager
def refusing_zero_divisors() -> Iterator[None]:
    """Turns a division by zero among sizes and indices into a DataError."""
    try:
        yield
    except ZeroDivisionError as error:
        help = "integer `//` and `%` need a divisor other than 0 at every point"
        raise DataError(_data_error("zero-divisor", str(error), None, help=help)) from None


def missing_data(data: Data) -> Diagnostic:
    shape = f" with shape {shape_text(data.shape)}" if data.shape else ""
    return _data_error(
        "missing-data",
        f"no data given for `{data.name}`{shape}",
        data.span,
        "declared here",
        f"give it by name: bind({data.name}=...), or --data on the command line",
    )


def extra_data(name: str, program: TypedProgram) -> Diagnostic:
    known = [*program.data, *program.dims]
    data = ", ".join(program.data) or "none"
    return _data_error(
        "extra-data",
        f"`{name}` is not data or a dim of this program",
        None,
        help=nearest(name, known)
        or f"its data: {data}; its dims: {', '.join(program.dims) or 'none'}",
    )


def not_numeric(data: Data, found: str, place: tuple[int, ...] = ()) -> Diagnostic:
    where = f" at {_entry(data.name, place)}" if place else ""
    return _data_error(
        "not-numeric", f"`{data.name}` must hold real numbers, found {found}{where}", data.span
    )


def beyond_single(data: Data, place: tuple[int, ...], found: float) -> Diagnostic:
    """A number that float32 does not have."""
    return _data_error(
        "beyond-float32",
        f"`{_entry(data.name, place)}` is {float(found):g}, beyond the numbers of float32",
        data.span,
        "declared here",
        'the largest is 3.4e38: scale the data, or bind with dtype="float64"',
    )


def wrong_rank(data: Data, found: tuple[int, ...]) -> Diagnostic:
    if data.shape:
        wanted = f"have shape {shape_text(data.shape)}"
        axes = "1 axis" if len(data.shape) == 1 else f"{len(data.shape)} axes"
        declared, fix = f"declared with {axes}", None
    else:
        wanted, declared = "be a number", "declared without axes"
        fix = f"declare it as an array, such as `data {data.name}[n]`, or give one of its entries"
    return _data_error(
        "wrong-shape",
        f"`{data.name}` must {wanted}, found {_shape(found)}",
        data.span,
        declared,
        fix,
    )


def wrong_size(
    data: Data, axis: int, size: Integer, expected: int, found: int, reasons: Iterable[str]
) -> Diagnostic:
    wanted = f"{size} = {expected}" if size.dims else f"{expected}"
    return _data_error(
        "wrong-shape",
        f"axis {axis} of `{data.name}` must have size {wanted}, found {found}",
        data.span,
        f"shape {shape_text(data.shape)}",
        notes=tuple(reasons),
    )


def size_unsolved(
    data: Data, axis: int, size: Integer, found: int, unknown: Sequence[str]
) -> Diagnostic:
    """An axis whose size gives no value to a dim, or leaves it open which."""
    if len(unknown) == 1:
        message = (
            f"axis {axis} of `{data.name}` has size {found}, but no {unknown[0]} makes {size} that"
        )
        fix = None
    else:
        names = " and ".join(unknown)
        message = (
            f"{names} cannot be told apart: axis {axis} of `{data.name}` has size {size} = {found}"
        )
        fix = f"give one of them by name: bind(..., {unknown[0]}=...) or --dim {unknown[0]}=..."
    return _data_error(
        "wrong-shape" if len(unknown) == 1 else "unknown-dim",
        message,
        data.span,
        f"shape {shape_text(data.shape)}",
        fix,
    )


def dim_unknown(info: DimInfo) -> Diagnostic:
    return _data_error(
        "unknown-dim",
        f"the size of dim `{info.name}` is not known: no data that was given has it",
        info.span,
        help=f"give it: bind(..., {info.name}=3), --dim {info.name}=3, or `dim {info.name} = 3`",
    )


def negative_size(info: DimInfo, value: int) -> Diagnostic:
    return _data_error(
        "negative-size", f"dim `{info.name}` cannot be negative, found {value}", info.span
    )


def missing_entries(data: Data, what: str, place: tuple[int, ...], count: int) -> Diagnostic:
    """Entries that are nan or masked: the first, and how many there are."""
    more = f", and {count - 1} more" if count > 1 else ""
    return _data_error(
        "missing-entries",
        f"{_entry(data.name, place)} is {what}{more}",
        data.span,
        help="drop or fill the missing entries before fitting",
    )


def not_integers(data: Data, place: tuple[int, ...], value: float) -> Diagnostic:
    return _data_error(
        "not-integers",
        f"`{data.name}` holds indices, which are whole numbers, "
        f"but {_entry(data.name, place)} is {value!r}",
        data.span,
        f"declared `in {data.index_of}`",
    )


def index_beyond(
    data: Data, place: tuple[int, ...], value: int, size: int, ends: tuple[int, int]
) -> Diagnostic:
    """`ends` are the least and the greatest entry there is."""
    least, greatest = ends
    allowed = f"0 to {size - 1}" if size > 0 else "none"
    fix = None
    if least >= 1 and greatest == size:
        fix = "indices count from 0: subtract 1 from all of them"
    elif least >= 0 and size <= greatest < 2 * size + 10:
        fix = f"the greatest entry is {greatest}: {data.index_of} would have to be {greatest + 1}"
    return _data_error(
        "index-out-of-range",
        f"{_entry(data.name, place)} is {value}, but `{data.name}` indexes "
        f"{data.index_of} = {size} ({allowed})",
        data.span,
        f"declared `in {data.index_of}`",
        fix,
    )


def nothing_below(param: Param) -> Diagnostic:
    """A matrix of one row has nothing below its diagonal."""
    return _data_error(
        "no-unknowns",
        f"`{param.name}` is strict lower, but of 1 x 1 matrices: it has no unknowns",
        param.span,
        f"{param.shape[-1]} is 1",
        "leave it out for data of one column",
    )


def read_outside(
    statement: Statement,
    tensor: str,
    part: Integer,
    value: int,
    extent: int,
    indices: Mapping[str, int],
) -> Diagnostic:
    at = ", ".join(f"{as_written(name)} = {number}" for name, number in indices.items())
    where = f" at {at}" if at else ""
    text = as_written(str(part))
    index = f"index {text} of `{as_written(tensor)}`"
    message = f"{index} is {value}{where}, but the axis has size {extent}"
    if text == str(value):
        message = f"{index} leaves the axis, which has size {extent}"
    return Diagnostic(
        Kind.SHAPE,
        "index-out-of-range",
        message,
        (Label(statement.span, "in this definition"),) if statement.span else (),
        help="shorten the range, or guard the read: `... if ... else 0`",
    )


def cases_meet(one: Statement, other: Statement, element: tuple[int, ...]) -> Diagnostic:
    """Two cases of a definition, and an element that both write."""
    places = [Label(case.span, "written here") for case in (one, other) if case.span]
    return Diagnostic(
        Kind.SHAPE,
        "cases-meet",
        f"two cases write {_entry(as_written(one.target), element)} for these sizes",
        tuple(places),
        help="each element has one case: leave it out of a range, or give larger sizes",
    )


def not_there_yet(earlier: Earlier, place: int, step: int) -> Diagnostic:
    order = "after" if earlier.backward else "before"
    return Diagnostic(
        Kind.DATA,
        "not-there-yet",
        f"step {step} reads what is computed at step {place}, which is not {order} it",
        (Label(earlier.span, "read here"),),
        help=f"entries of an index array that a recurrence reads itself at come {order} the step: "
        "sort them, and give the others a start case",
    )


def zero_divisor(statement: Statement, error: ZeroDivisionError) -> Diagnostic:
    return Diagnostic(
        Kind.SHAPE,
        "zero-divisor",
        as_written(str(error)),
        (Label(statement.span, "in this definition"),) if statement.span else (),
        help="integer `//` and `%` need a divisor other than 0 at every point",
    )


def as_written(text: str) -> str:
    """Index and auxiliary names as people wrote them: without the numbers that tell them apart."""
    return re.sub(r"\.\d+\b|\.pos\b|\[\]", "", text).removeprefix("~")
