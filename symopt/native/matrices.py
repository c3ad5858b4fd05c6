"""Functions of square matrices as code: loops over rows and columns, of one matrix or one a lane.

Elements are `stride` places apart, so that matrices of several lanes can lie interleaved. Then all
lanes go through the same steps, and only the rows that each of them exchanges are its own. Sizes
are arguments: code does not grow with them. Elements may be floats; arithmetic is that of doubles.
"""

from __future__ import annotations

from dataclasses import dataclass

from symopt.native.text import FunctionText, Kind, Value

_FLAGS = "contract"  # sums in the order written
_NAN = float("nan")


def matrix_function(kind: str, lanes: int, elements: tuple[Kind, Kind], into: FunctionText) -> str:
    """The name of a function of (source, stride, target, stride, size), defined if it is new.

    `elements` says what those of source and target are.
    """
    name = "_".join(["@matrix", kind, str(lanes), *elements])
    if name not in into.functions:
        text = FunctionText(lanes)
        size = Value("%size", "i64")
        source = _Matrix(text, "%source", Value("%source_stride", "i64"), size, elements[0])
        target = _Matrix(text, "%target", Value("%target_stride", "i64"), size, elements[1])
        match kind:
            case "inverse":
                _invert(text, source, target)
            case "cholesky":
                _factorise(text, source, target)
            case "elimination":
                _eliminate(text, source, target)
            case _:
                raise AssertionError(f"{kind} is no function of matrices")
        into.declarations.update(text.declarations)
        into.functions[name] = "\n".join(
            [
                f"define internal void {name}(ptr noalias %source, i64 %source_stride, "
                "ptr noalias %target, i64 %target_stride, i64 %size) noinline #0 {",
                "entry:",
                *text.head,
                *text.lines,
                "  ret void",
                "}",
            ]
        )
    return name


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A square matrix in memory, row by row."""

    text: FunctionText
    base: str
    stride: Value
    size: Value
    element: Kind

    def address(self, row: Value, column: Value, lane: int = 0) -> str:
        text = self.text
        place = text.operate("add", text.operate("mul", row, self.size), column)
        place = text.operate("mul", place, self.stride)
        if lane:
            place = text.operate("add", place, text.integer(lane))
        return text.element(self.base, place, kind=self.element)

    def load(self, row: Value, column: Value) -> Value:
        value = self.text.load(self.address(row, column), self.element, True)
        return self.text.converted(value, "double")

    def store(self, value: Value, row: Value, column: Value) -> None:
        value = self.text.converted(self.text.widen(value), self.element)
        self.text.store(value, self.address(row, column))

    def subtract(self, row: Value, column: Value, factor: Value, other: Value) -> None:
        """An element less a product."""
        text = self.text
        product = text.operate("fmul", factor, other, flags=_FLAGS)
        now = self.load(row, column)
        self.store(text.operate("fsub", now, product, flags=_FLAGS), row, column)


def _copy(text: FunctionText, source: _Matrix, target: _Matrix) -> None:
    zero = text.integer(0)
    with text.loop(zero, source.size) as row, text.loop(zero, source.size) as column:
        target.store(source.load(row, column), row, column)


def _following(text: FunctionText, k: Value) -> Value:
    return text.operate("add", k, text.integer(1), flags="nsw")


def _pivot_row(text: FunctionText, matrix: _Matrix, k: Value) -> Value:
    """The row from k on, in every lane, with the greatest element in column k."""
    greatest, chosen = text.alloca("double", True), text.alloca("i64", True)
    text.store(text.intrinsic("llvm.fabs", matrix.load(k, k)), greatest)
    text.store(text.widen(k), chosen)
    with text.loop(_following(text, k), matrix.size) as row:
        size = text.intrinsic("llvm.fabs", matrix.load(row, k))
        best = text.load(greatest, "double", True)
        better = text.compare("fcmp ogt", size, best)
        text.store(text.select(better, size, best), greatest)
        before = text.load(chosen, "i64", True)
        text.store(text.select(better, text.widen(row), before), chosen)
    return text.load(chosen, "i64", True)


def _exchange(text: FunctionText, matrix: _Matrix, k: Value, other: Value, *, rows: bool) -> None:
    """Swaps row (column) k with another one, which differs by lane."""
    for lane in range(text.lanes):
        there = text.lane(other, lane)
        with text.loop(text.integer(0), matrix.size) as along:
            pair = (k, along, there, along) if rows else (along, k, along, there)
            first = matrix.address(pair[0], pair[1], lane)
            second = matrix.address(pair[2], pair[3], lane)
            a = text.load(first, matrix.element, False)
            b = text.load(second, matrix.element, False)
            text.store(b, first)
            text.store(a, second)


def _invert(text: FunctionText, source: _Matrix, target: _Matrix) -> None:
    """Gauss and Jordan in place, with partial pivoting; all is nan where a pivot is 0."""
    _copy(text, source, target)
    zero, size = text.integer(0), target.size
    room = text.operate("mul", size, text.integer(text.lanes))
    pivots = text.assign(f"alloca i64, i64 {room.text}, align 64", "i64", False, pure=False).text
    lanes = text.integer(text.lanes)
    with text.loop(zero, size) as k:
        chosen = _pivot_row(text, target, k)
        text.store(chosen, text.element(pivots, text.operate("mul", k, lanes)))
        _exchange(text, target, k, chosen, rows=True)
        pivot = target.load(k, k)
        singular = text.compare("fcmp oeq", pivot, text.number(0.0))
        pivot = text.select(singular, text.number(_NAN), pivot)
        scale = text.operate("fdiv", text.number(1.0), pivot)
        target.store(text.number(1.0), k, k)
        with text.loop(zero, size) as column:
            scaled = text.operate("fmul", target.load(k, column), scale)
            target.store(scaled, k, column)
        for lower, upper in ((zero, k), (_following(text, k), size)):
            with text.loop(lower, upper) as row:
                factor = target.load(row, k)
                target.store(text.number(0.0), row, k)
                with text.loop(zero, size) as column:
                    target.subtract(row, column, factor, target.load(k, column))
    # The columns, as the rows were exchanged, from the last exchange back.
    last = text.operate("sub", size, text.integer(1))
    with text.loop(zero, size) as count:
        k = text.operate("sub", last, count)
        chosen = text.load(text.element(pivots, text.operate("mul", k, lanes)), "i64", True)
        _exchange(text, target, k, chosen, rows=False)


def _eliminate(text: FunctionText, source: _Matrix, target: _Matrix) -> None:
    """Gauss with partial pivoting: the product of the diagonal is the determinant.

    Of two rows that are exchanged, one changes its sign. Below the diagonal is what was left there.
    """
    _copy(text, source, target)
    size = target.size
    with text.loop(text.integer(0), size) as k:
        chosen = _pivot_row(text, target, k)
        _exchange(text, target, k, chosen, rows=True)
        stays = text.compare("icmp eq", chosen, text.widen(k))
        sign = text.select(stays, text.number(1.0), text.number(-1.0))
        with text.loop(k, size) as column:
            target.store(text.operate("fmul", target.load(k, column), sign), k, column)
        pivot = target.load(k, k)
        # Under a pivot of 0, all is 0.
        singular = text.compare("fcmp oeq", pivot, text.number(0.0))
        scale = text.operate("fdiv", text.number(1.0), pivot)
        scale = text.select(singular, text.number(0.0), scale)
        below = _following(text, k)
        with text.loop(below, size) as row:
            factor = text.operate("fmul", target.load(row, k), scale)
            with text.loop(below, size) as column:
                target.subtract(row, column, factor, target.load(k, column))


def _factorise(text: FunctionText, source: _Matrix, target: _Matrix) -> None:
    """The Cholesky factor of the symmetric part; nan from the first pivot that is not positive."""
    zero, size = text.integer(0), target.size
    with text.loop(zero, size) as k:
        pivot = _remainder(text, source, target, k, k)
        positive = text.compare("fcmp ogt", pivot, text.number(0.0))
        pivot = text.select(positive, pivot, text.number(_NAN))
        root = text.intrinsic("llvm.sqrt", pivot)
        target.store(root, k, k)
        with text.loop(_following(text, k), size) as row:
            rest = _remainder(text, source, target, row, k)
            target.store(text.operate("fdiv", rest, root), row, k)
            target.store(text.number(0.0), k, row)


def _remainder(
    text: FunctionText, source: _Matrix, target: _Matrix, row: Value, column: Value
) -> Value:
    """An element of the symmetric part less the product of the rows known of the factor."""
    slot = text.alloca("double", True)
    both = text.operate("fadd", source.load(row, column), source.load(column, row))
    text.store(text.operate("fmul", both, text.number(0.5)), slot)
    with text.loop(text.integer(0), column) as k:
        product = text.operate("fmul", target.load(row, k), target.load(column, k), flags=_FLAGS)
        now = text.load(slot, "double", True)
        text.store(text.operate("fsub", now, product, flags=_FLAGS), slot)
    return text.load(slot, "double", True)
