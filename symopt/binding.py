"""Binding: data meets the program's declarations, dims get their values, reads are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.bind_errors import (
    beyond_single,
    cases_meet,
    dim_unknown,
    extra_data,
    index_beyond,
    missing_data,
    missing_entries,
    negative_size,
    not_integers,
    not_numeric,
    not_there_yet,
    nothing_below,
    read_outside,
    size_unsolved,
    wrong_rank,
    wrong_size,
    zero_divisor,
)
from symopt.derive.simplify import drop_dead
from symopt.diagnostics import Report
from symopt.precision import Precision
from symopt.statements.cases import uncertain_cases
from symopt.statements.evaluate import evaluate as evaluate_statements
from symopt.statements.evaluate import points
from symopt.statements.program import Program, Statement
from symopt.typed import program as typed
from symopt.typed.packing import Pattern, positions_name
from symopt.types import Entry, Integer, Quotient, Remainder, atom, evaluate, flat_place, interval

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Bound:
    """Sizes and arrays: everything given, of the right type, contiguous, and in range."""

    dims: Mapping[str, int]
    arrays: Mapping[str, Array]
    precision: Precision = "float64"

    @property
    def dtype(self) -> np.dtype[Any]:
        """What arrays of real numbers are of."""
        return np.dtype(self.precision)


def bind(
    program: typed.Program,
    setup: Program,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    precision: Precision = "float64",
) -> Bound:
    """Check what is given against the declarations; raises every mismatch found."""
    report = Report()
    names = given.keys() - program.data.keys()
    for name in sorted(names):
        report.add(extra_data(name, program))
    arrays: dict[str, Array] = {}
    for data in program.data.values():
        if data.name in given:
            array = numbers(data, given[data.name], report, np.dtype(precision))
            if array is not None:
                arrays[data.name] = array
        elif data.default is None:
            report.add(missing_data(data))
        elif _is_literal(setup.tensors[data.default].shape, data.shape):
            # An array written out has a size of its own, from which dims can be read off.
            arrays[data.name] = setup_values(setup, (data.default,), {}, {})[data.default]
    report.stop_if_errors()
    dims = _dims(program, arrays, sizes, report)
    report.stop_if_errors()
    _check_indices(program, arrays, dims, report)
    arrays |= _defaults(program, setup, arrays, dims)
    arrays |= _positions(program, dims, report)
    _check_indices(program, arrays, dims, report)
    return Bound(dims, {n: _rounded(a, precision) for n, a in arrays.items()}, precision)


def _check_indices(
    program: typed.Program, arrays: dict[str, Array], dims: Mapping[str, int], report: Report
) -> None:
    """Make integers of the indices among the arrays, or raise what is wrong with them."""
    for data in program.data.values():
        if data.index_of is not None and data.name in arrays:
            arrays[data.name] = indices(data, arrays[data.name], dims, report)
    report.stop_if_errors()


def numbers(data: typed.Data, value: object, report: Report, dtype: np.dtype[Any]) -> Array | None:
    """The value as a contiguous array of reals, without a copy where it is one."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = np.ma.getmaskarray(value)
        report.add(missing_entries(data, "masked", _first(masked), int(masked.sum())))
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        report.add(not_numeric(data, "rows of different lengths"))
        return None
    bad = _first_bad(array) if array.dtype.kind not in "biuf" else None
    if bad is not None:
        report.add(not_numeric(data, *bad))
        return None
    if array.ndim != len(data.shape):
        report.add(wrong_rank(data, array.shape))
        return None
    if array.dtype.kind == "i" and data.index_of is not None:
        return np.ascontiguousarray(array, dtype=np.int64).reshape(array.shape)
    if data.index_of is not None:
        dtype = np.dtype(np.float64)  # a float has no whole numbers beyond 2^24
    with np.errstate(over="ignore"):
        rounded = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    if dtype != array.dtype and dtype == np.float32:
        beyond = np.isinf(rounded) & ~np.isinf(array)
        if beyond.any():
            report.add(beyond_single(data, _first(beyond), array[_first(beyond)]))
    array = rounded
    if array.size and np.isnan(array.min()):
        missing = np.isnan(array)
        report.add(missing_entries(data, "nan", _first(missing), int(missing.sum())))
        return None
    return array


def _is_literal(written: tuple[Integer, ...], declared: tuple[Integer, ...]) -> bool:
    return written != declared and all(size.value is not None for size in written)


def _first(mask: Array) -> tuple[int, ...]:
    """The place of the first true entry."""
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(mask)), mask.shape))


def _first_bad(array: Array) -> tuple[str, tuple[int, ...]] | None:
    """What is no real number in an array of another kind, and where; None if all are."""
    if array.dtype.kind == "c":
        return "complex numbers", ()
    for place, item in np.ndenumerate(array):
        plain = item.item() if isinstance(item, np.generic) else item
        try:
            if not isinstance(plain, str | bytes):
                float(plain)
                continue
        except (TypeError, ValueError, OverflowError):
            pass
        text = repr(plain)
        return text if len(text) <= 40 else text[:37] + "...", place
    return None


def _dims(
    program: typed.Program, arrays: Mapping[str, Array], sizes: Mapping[str, int], report: Report
) -> dict[str, int]:
    """The value of every dim: from the caller, from shapes, or its default."""
    dims: dict[str, int] = {}
    origin: dict[str, str] = {}
    for name, value in sizes.items():
        if name in program.dims:
            dims[name], origin[name] = int(value), "the caller"
        else:
            report.add(extra_data(name, program))
    pending = [
        (data, axis, size, arrays[data.name].shape[axis])
        for data in program.data.values()
        if data.name in arrays
        for axis, size in enumerate(data.shape)
    ]
    while pending:
        left = [item for item in pending if not _settle(item, dims, origin, report)]
        if len(left) == len(pending):
            missing = {n for _, _, size, _ in left for n in size.dims if n not in dims}
            defaults = {n: program.dims[n].default for n in sorted(missing)}
            known = {n: d for n, d in defaults.items() if d is not None}
            if not known:
                for data, axis, size, found in left:
                    unknown = [name for name in sorted(size.dims) if name not in dims]
                    report.add(size_unsolved(data, axis, size, found, unknown))
                return dims
            dims |= known
            origin |= dict.fromkeys(known, "its default")
        pending = left
    for name, info in program.dims.items():
        if name not in dims and info.default is not None:
            dims[name] = info.default
        if name not in dims:
            report.add(dim_unknown(info))
        elif dims[name] < 0:
            report.add(negative_size(info, dims[name]))
    return dims


def _settle(
    item: tuple[typed.Data, int, Integer, int],
    dims: dict[str, int],
    origin: dict[str, str],
    report: Report,
) -> bool:
    """Learn a dim from one axis, or check the axis; False if more than one dim is unknown."""
    data, axis, size, found = item
    unknown = [name for name in sorted(size.dims) if name not in dims]
    if len(unknown) > 1:
        return False
    if unknown:
        solved = _solve(size, unknown[0], found, dims)
        if solved is None:
            return False
        dims[unknown[0]] = solved
        origin[unknown[0]] = f"axis {axis} of `{data.name}`"
        return True
    expected = int(evaluate(size, dims, {}, {}))
    if expected != found:
        reasons = [f"{n} = {dims[n]} from {origin[n]}" for n in sorted(size.dims)]
        report.add(wrong_size(data, axis, size, expected, found, reasons))
    return True


def _solve(size: Integer, name: str, found: int, dims: Mapping[str, int]) -> int | None:
    """The dim for which the size is `found`, if the size is linear in it and that is whole."""
    try:
        at = [int(evaluate(size, {**dims, name: value}, {}, {})) for value in (0, 1, 2)]
    except ZeroDivisionError:
        return None
    slope = at[1] - at[0]
    if slope == 0 or at[2] - at[1] != slope or (found - at[0]) % slope:
        return None
    return (found - at[0]) // slope


def _defaults(
    program: typed.Program, setup: Program, arrays: Mapping[str, Array], dims: Mapping[str, int]
) -> dict[str, Array]:
    """The arrays that were not given, from their defaults, each from those before it."""
    found: dict[str, Array] = {}
    for data in program.data.values():
        if data.name in arrays or data.default is None:
            continue
        values = setup_values(setup, (data.default,), dims, {**arrays, **found})
        array = np.ascontiguousarray(values[data.default], dtype=np.float64)
        found[data.name] = array.reshape(values[data.default].shape)
    return found


def _positions(
    program: typed.Program, dims: Mapping[str, int], report: Report
) -> dict[str, NDArray[np.int64]]:
    """For every packed parameter, where its entries are stored."""
    found: dict[str, NDArray[np.int64]] = {}
    for param in program.params.values():
        if param.packing is not None:
            side = int(evaluate(param.shape[-1], dims, {}, {}))
            if param.packing == "strict lower" and side == 1:
                report.add(nothing_below(param))
            found[positions_name(param.name)] = Pattern(param.packing, max(side, 0)).positions
    return found


def setup_values(
    setup: Program, names: tuple[str, ...], dims: Mapping[str, int], given: Mapping[str, Array]
) -> dict[str, Array]:
    """Values of setup definitions: defaults, starts and bounds; reads outside are errors."""
    program = drop_dead(Program(setup.statements, setup.tensors, names))
    needed = {name: in_double(a) for name, a in given.items() if name in program.tensors}
    check_reads(program, Bound(dims, needed))
    tensors = evaluate_statements(program, dims, needed).tensors
    return {name: tensors[name] for name in names}


def in_double(array: Array) -> Array:
    """The array as doubles, if it is one of reals."""
    return array.astype(np.float64, copy=False) if array.dtype.kind == "f" else array


def _rounded(array: Array, precision: Precision) -> Array:
    """The array in a precision, if it is one of reals."""
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        return array.astype(precision, copy=False)


def indices(
    data: typed.Data, array: Array, dims: Mapping[str, int], report: Report
) -> NDArray[np.int64]:
    """Integer data, each entry checked against the size it indexes."""
    assert data.index_of is not None
    whole = array if array.dtype.kind == "i" else np.rint(array)
    broken = np.zeros(array.shape, dtype=bool)
    if array.dtype.kind != "i":
        broken = (whole != array) | ~np.isfinite(array)
    if broken.any():
        place = _first(broken)
        report.add(not_integers(data, place, float(array[place])))
        return np.zeros(array.shape, dtype=np.int64)
    size = int(evaluate(data.index_of, dims, {}, {}))
    outside = (whole < 0) | (whole >= size)
    if outside.any():
        place = _first(outside)
        ends = int(whole.min()), int(whole.max())
        report.add(index_beyond(data, place, int(whole[place]), size, ends))
        return np.zeros(array.shape, dtype=np.int64)
    # A copy of our own: native code trusts these entries, and a caller may change its array.
    return np.array(whole, dtype=np.int64, order="C")


def check_reads(program: Program, bound: Bound) -> None:
    """Every place read or written is inside its tensor, or an error names the first that is not.

    Proven by intervals where these suffice; looked at point by point elsewhere.
    """
    report, entries = Report(), _ends(bound)
    for statement in program.statements:
        try:
            _check_divisors(statement, bound)
        except ZeroDivisionError as error:
            report.add(zero_divisor(statement, error))
            continue
        places = [(statement.target, statement.map)]
        places += [(r.tensor, r.map) for r in statement.reads if r.tensor is not None]
        places += [
            (item.tensor, item.indices)
            for part in _all_integers(statement)
            for item in part.atoms()
            if isinstance(item, Entry)
        ]
        for tensor, place in places:
            _check_place(program, statement, tensor, place, bound, entries, report)
    report.stop_if_errors()


def check_cases(program: Program, bound: Bound) -> None:
    """No two cases of a definition write the same element, or an error names the first."""
    report = Report()
    indices = {name: array for name, array in bound.arrays.items() if array.dtype.kind == "i"}
    for one, other in uncertain_cases(program):
        shape = program.tensors[one.target].shape

        def written(case: Statement, shape: tuple[Integer, ...] = shape) -> Array:
            where, total = points(case.loops, bound.dims, indices)
            place = flat_place(case.map, shape)
            return np.broadcast_to(evaluate(place, bound.dims, where, indices), (total,))

        both = np.intersect1d(written(one), written(other))
        if len(both):
            sizes = [int(evaluate(size, bound.dims, {}, {})) for size in shape]
            element = tuple(int(part) for part in np.unravel_index(int(both[0]), sizes))
            report.add(cases_meet(one, other, element))
    report.stop_if_errors()


def check_order(program: typed.Program, bound: Bound) -> None:
    """What recurrences read by index arrays is there by then, or an error names the first step."""
    report = Report()
    indices = {name: array for name, array in bound.arrays.items() if array.dtype.kind == "i"}
    for definition in program.definitions:
        for one in definition.earlier:
            where, total = points(one.loops, bound.dims, indices)
            place, step = (
                np.broadcast_to(evaluate(part, bound.dims, where, indices), total)
                for part in (one.place, one.step)
            )
            late = np.flatnonzero(place <= step if one.backward else place >= step)
            if len(late):
                report.add(not_there_yet(one, int(place[late[0]]), int(step[late[0]])))
    report.stop_if_errors()


def _all_integers(statement: Statement) -> list[Integer]:
    found = [*statement.map, *(part for read in statement.reads for part in read.map)]
    return found + [edge for loop in statement.loops for edge in (loop.lower, loop.upper)]


def _check_divisors(statement: Statement, bound: Bound) -> None:
    """Raises ZeroDivisionError where an index or a range divides by zero."""
    divisions = [
        atom(item)
        for part in _all_integers(statement)
        for item in part.atoms()
        if isinstance(item, Quotient | Remainder) and item.denominator.value is None
    ]
    if divisions:
        indices = {name: array for name, array in bound.arrays.items() if array.dtype.kind == "i"}
        where, _ = points(statement.loops, bound.dims, indices)
        for division in divisions:
            evaluate(division, bound.dims, where, indices)


def _ends(bound: Bound) -> Callable[[str], tuple[int, int]]:
    """The least and greatest entry of an integer array, looked up once each."""
    known: dict[str, tuple[int, int]] = {}

    def entries(name: str) -> tuple[int, int]:
        if name not in known:
            array = bound.arrays[name]
            known[name] = (int(array.min()), int(array.max())) if array.size else (0, 0)
        return known[name]

    return entries


def _check_place(
    program: Program,
    statement: Statement,
    tensor: str,
    place: tuple[Integer, ...],
    bound: Bound,
    entries: Callable[[str], tuple[int, int]],
    report: Report,
) -> None:
    dims = bound.dims
    shape = program.tensors[tensor].shape
    extents = [max(int(evaluate(size, dims, {}, {})), 0) for size in shape]

    ranges: dict[str, tuple[int, int]] = {}
    for loop in statement.loops:
        low = interval(loop.lower, dims, ranges, entries)[0]
        ranges[loop.index] = low, interval(loop.upper, dims, ranges, entries)[1] - 1
        if ranges[loop.index][1] < low:
            return  # the loop never runs
    for part, extent in zip(place, extents, strict=True):
        low, high = interval(part, dims, ranges, entries)
        if low < 0 or high >= extent:
            _look(statement, tensor, part, extent, bound, report)


def _look(
    statement: Statement,
    tensor: str,
    part: Integer,
    extent: int,
    bound: Bound,
    report: Report,
) -> None:
    indices = {name: array for name, array in bound.arrays.items() if array.dtype.kind == "i"}
    where, total = points(statement.loops, bound.dims, indices)
    found = np.broadcast_to(evaluate(part, bound.dims, where, indices), total)
    outside = np.flatnonzero((found < 0) | (found >= extent))
    if len(outside):
        first = outside[0]
        names = {name: int(array[first]) for name, array in where.items() if name in part.indices}
        report.add(read_outside(statement, tensor, part, int(found[first]), extent, names))
