"""The diagnostics of binding: data and sizes that do not fit the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Span
from symopt.statements.program import Program, Statement
from symopt.typed.errors import nearest, shape_text
from symopt.typed.program import Data, DimInfo
from symopt.typed.program import Program as TypedProgram
from symopt.types import Integer


def _data_error(
    code: str, message: str, span: Span | None, label: str = "", help: str | None = None
) -> Diagnostic:
    labels = (Label(span, label),) if span is not None else ()
    return Diagnostic(Kind.DATA, code, message, labels, (), help)


def _entry(name: str, place: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, place))}]" if place else name


def missing_data(data: Data, program: TypedProgram) -> Diagnostic:
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
        help=nearest(name, known) or f"its data: {data}; its dims: {', '.join(program.dims) or 'none'}",
    )


def not_numeric(data: Data, found: str) -> Diagnostic:
    return _data_error(
        "not-numeric", f"`{data.name}` must hold real numbers, found {found}", data.span
    )


def wrong_rank(data: Data, found: tuple[int, ...]) -> Diagnostic:
    return _data_error(
        "wrong-shape",
        f"`{data.name}` must have shape {shape_text(data.shape)}, found shape {found}",
        data.span,
        f"declared with {len(data.shape)} {'axis' if len(data.shape) == 1 else 'axes'}",
    )


def wrong_size(
    data: Data, axis: int, size: Integer, expected: int, found: int, reasons: Iterable[str]
) -> Diagnostic:
    why = f" ({', '.join(reasons)})" if size.dims else ""
    return _data_error(
        "wrong-shape",
        f"axis {axis} of `{data.name}` must have size {size} = {expected}{why}, found {found}"
        if size.dims
        else f"axis {axis} of `{data.name}` must have size {expected}, found {found}",
        data.span,
        f"shape {shape_text(data.shape)}",
    )


def ambiguous_size(data: Data, axis: int, size: Integer, found: int) -> Diagnostic:
    return _data_error(
        "wrong-shape",
        f"axis {axis} of `{data.name}` has size {found}, which fits no value of {size}",
        data.span,
        help=f"give the dims by name, such as {sorted(size.dims)[0]}=...",
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


def nan_in_data(data: Data, place: tuple[int, ...], count: int) -> Diagnostic:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return _data_error(
        "nan-in-data",
        f"`{_entry(data.name, place)}` is nan{more}",
        data.span,
        help="drop or fill the missing entries before fitting",
    )


def not_integers(data: Data, place: tuple[int, ...], value: float) -> Diagnostic:
    return _data_error(
        "not-integers",
        f"`{data.name}` holds indices, but {_entry(data.name, place)} is {value!r}",
        data.span,
    )


def index_beyond(
    data: Data, place: tuple[int, ...], value: int, size: int, least: int
) -> Diagnostic:
    one_based = value == size and least >= 1
    return _data_error(
        "index-out-of-range",
        f"{_entry(data.name, place)} is {value}, but `{data.name}` indexes "
        f"{data.index_of} = {size} (0 to {size - 1})",
        data.span,
        help="indices count from 0: subtract 1 from all of them" if one_based else None,
    )


def read_outside(
    program: Program,
    statement: Statement,
    tensor: str,
    part: Integer,
    value: int,
    extent: int,
    indices: Mapping[str, int],
) -> Diagnostic:
    at = ", ".join(f"{name.partition('.')[0]} = {number}" for name, number in indices.items())
    where = f" at {at}" if at else ""
    return Diagnostic(
        Kind.SHAPE,
        "index-out-of-range",
        f"index {part} of `{tensor}` is {value}{where}, but the axis has size {extent}",
        (Label(statement.span, "in this definition"),) if statement.span else (),
        help="shorten the range, or guard the read: `... if ... else 0`",
    )
