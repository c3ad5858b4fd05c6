"""Updates as code: loop nests, written out or not, and what they do to their target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy

from symopt.loops.program import Buffer, Storage, Update
from symopt.loops.work import written_out
from symopt.native.matrices import matrix_function
from symopt.native.memory import Memory
from symopt.native.scalars import ScalarEmitter
from symopt.native.sums import Sums
from symopt.native.text import FLAGS, FunctionText, Value
from symopt.statements.program import IDENTITY, MATRIX_LOOPS, Read
from symopt.types import Integer, Range, constant

_MOST_UNROLLED, _MOST_COPIES = 8, 64  # of one loop; of a body, by all loops around it


@dataclass(slots=True)
class UpdateEmitter:
    """Emits updates in one function, at the place where it is."""

    text: FunctionText
    memory: Memory
    scalars: ScalarEmitter
    limit: int = 0  # operations of an update that is written out, in the pass at hand
    around: frozenset[str] = frozenset()  # indices of the loops around the blocks
    sums: Sums | None = None  # over samples, of the blocks at hand
    copies: int = 1  # how often the loops around have been written out
    written_out: bool = False  # all loops of the update at hand are

    def emit_at(self, point: Mapping[str, Integer], update: Update) -> None:
        """The update with some indices as numbers."""
        fixed = self.memory.integers.fixed
        fixed.update(point)
        self.emit(update)
        for name in point:
            del fixed[name]

    def emit(self, update: Update) -> None:
        """A nest; the loops at its end that the target does not see sum into a register."""
        self.written_out = self.memory.inside and written_out(update, self.limit)
        inner: list[Range] = []
        outer = list(update.loops)
        while outer and outer[-1].index not in update.seen:
            inner.insert(0, outer.pop())
        if update.of_matrix:
            count = len(update.loops) - MATRIX_LOOPS[update.reduction]
            inside = update.loops[count:]
            self._nest(list(update.loops[:count]), lambda: self._matrix(update, inside))
            return
        match update.reduction:
            case "=":
                self._nest(outer, lambda: self._assign(update))
            case "max" | "min":
                self._nest(outer, lambda: self._nest(inner, lambda: self._extremum(update)))
            case _:
                self._nest(outer, lambda: self._accumulate(update, inner))

    def _nest(self, loops: list[Range], body: Callable[[], None]) -> None:
        """The body at every point. Short loops of known length are written out.

        Bounds that differ by lane are not possible in a vector: lanes run in step.
        """
        if not loops:
            body()
            return
        (loop, *rest), integers = loops, self.memory.integers
        first = loop.lower.substitute(integers.fixed).value
        last = loop.upper.substitute(integers.fixed).value
        if first is not None and last is not None and self._short(last - first, rest):
            outer, self.copies = self.copies, self.copies * max(last - first, 1)
            for number in range(first, last):
                integers.fixed[loop.index] = constant(number)
                self._nest(rest, body)
                del integers.fixed[loop.index]
            self.copies = outer
            return
        lower, upper = integers.emit(loop.lower), integers.emit(loop.upper)
        assert self.text.lanes == 1 or not (lower.wide or upper.wide), "ragged lanes"
        with self.memory.loop(lower, upper) as number:
            integers.indices[loop.index] = number
            self._nest(rest, body)
            del integers.indices[loop.index]

    def _short(self, count: int, rest: Sequence[Range]) -> bool:
        """Whether to write a loop out: not around loops that stay, of which there would be many."""
        few = count <= _MOST_UNROLLED and count * self.copies <= _MOST_COPIES
        lengths = (loop.upper - loop.lower for loop in rest)
        stays = any(length.dims or length.tensors for length in lengths)
        return self.written_out or (few and not stays)

    def _assign(self, update: Update) -> None:
        self.memory.store(update.target, update.place, self._value(update))

    def _value(self, update: Update) -> Value:
        return self.scalars.emit(update.expression, self._symbols(update))

    def _symbols(self, update: Update) -> dict[sympy.Symbol, Value]:
        return {read.symbol: self._read(read) for read in update.reads}

    def _matrix(self, update: Update, inside: Sequence[Range]) -> None:
        """The function of one matrix, or of the lanes' matrices."""
        text, memory = self.text, self.memory
        fixed = memory.integers.fixed
        first = {loop.index: constant(0) for loop in inside}
        (read,) = update.reads
        assert read.tensor is not None
        fixed.update(first)
        source, target = (
            memory.matrix(read.tensor, read.map),
            memory.matrix(update.target, update.place),
        )
        for name in first:
            del fixed[name]
        size = memory.integers.emit(inside[-1].upper)
        together = text.lanes > 1 and source.by_lane and target.by_lane
        wide = text.lanes > 1 and (source.wide or target.wide)
        lanes = text.lanes if together else 1
        kinds = source.kind, target.kind
        function = matrix_function(update.reduction, lanes, kinds, text)
        for lane in range(text.lanes if wide and not together else 1):
            arguments = ", ".join(
                f"ptr {matrix.address(lane)}, i64 {matrix.stride}" for matrix in (source, target)
            )
            text.line(f"call void {function}({arguments}, i64 {size.text})")
        memory.known.forget(update.target)

    def _accumulate(self, update: Update, inner: list[Range]) -> None:
        """`sum` and `prod`: the inner loops into a register, then into the target."""
        text = self.text
        operation = "fadd" if update.reduction == "sum" else "fmul"
        identity = IDENTITY[update.reduction]
        if inner and self.written_out:
            value = self._written_out(update, inner)
        elif inner:
            wide = self._is_wide(update)
            slot = text.alloca(text.real, wide)
            start = text.number(identity)
            text.store(text.widen(start) if wide else start, slot)
            self._nest(inner, lambda: self._add_to_slot(update, operation, slot, wide))
            value = text.load(slot, text.real, wide)
        elif update.reduction == "sum" and not update.first and self._is_own(update):
            now = self.memory.load(update.target, update.place)
            total = self.scalars.add(now, update.expression, self._symbols(update))
            self.memory.store(update.target, update.place, total)
            return
        else:
            value = self._value(update)
        if update.first:
            self.memory.store(update.target, update.place, value)
        else:
            self._combine(update, operation, value, identity)

    def _is_own(self, update: Update) -> bool:
        """Whether the target holds values of the samples at hand, those of lanes beyond too."""
        return self.memory.kernel.buffers[update.target].of_samples

    def _written_out(self, update: Update, inner: list[Range]) -> Value:
        """The sum or product over loops of known length."""
        total: Value | None = None
        fixed = self.memory.integers.fixed
        for point in points_of(inner, fixed):
            fixed.update(point)
            if total is not None and update.reduction == "sum":
                total = self.scalars.add(total, update.expression, self._symbols(update))
            else:
                value = self._value(update)
                total = self.text.operate("fmul", total, value, flags=FLAGS) if total else value
            for name in point:
                del fixed[name]
        return total or self.text.number(IDENTITY[update.reduction])

    def _add_to_slot(self, update: Update, operation: str, slot: str, wide: bool) -> None:
        total = self.text.load(slot, self.text.real, wide)
        value = self.text.operate(operation, total, self._value(update), flags=FLAGS)
        self.text.store(value, slot)

    def _is_wide(self, update: Update) -> bool:
        """Whether the expression differs by lane: it reads a local value or by the sample."""
        for read in update.reads:
            buffer = self.memory.kernel.buffers.get(read.tensor or "")
            if buffer is not None and buffer.by_lane:
                return True
            if any(self._by_lane(place) for place in read.map):
                return True
        return False

    def _by_lane(self, place: Integer) -> bool:
        wide = {name for name, value in self.memory.integers.indices.items() if value.wide}
        return bool(place.indices & wide)

    def _combine(self, update: Update, operation: str, value: Value, identity: float) -> None:
        """`target[place] ⊕= value`, whichever of the two differs by lane."""
        text = self.text
        buffer = self.memory.kernel.buffers[update.target]
        # In their local values, lanes beyond the end are copies of the last sample; anywhere else
        # they count for nothing.
        if self.memory.mask is not None and not buffer.of_samples:
            value = text.select(self.memory.mask, text.widen(value), text.number(identity))
        slot = self._register(buffer, update.place)
        if slot is not None:
            now = text.load(slot, text.real, True)
            text.store(text.operate(operation, now, text.widen(value), flags=FLAGS), slot)
        elif text.lanes == 1 or buffer.by_lane or not value.wide:
            now = self.memory.held(update.target, update.place, None)
            result = text.operate(operation, now, value, flags=FLAGS)
            self.memory.store(update.target, update.place, result)
        else:
            value = text.converted(value, self.memory.slot_kind(buffer))
            for lane in range(text.lanes):
                now = self.memory.load_lane(update.target, update.place, lane)
                part = text.operate(operation, now, text.lane(value, lane), flags=FLAGS)
                self.memory.store_lane(update.target, update.place, lane, part)

    def _register(self, buffer: Buffer, place: tuple[Integer, ...]) -> str | None:
        """Where a sum over samples is kept while the blocks go by; None if it stays in memory."""
        if self.sums is None or buffer.storage is not Storage.PARTIAL:
            return None
        integers = self.memory.integers
        here = tuple(map(integers.closed, place))
        if any(part.indices - self.around for part in here):
            return None  # at another element from one step of a loop to the next
        return self.sums.slot(buffer.name, here)

    def _extremum(self, update: Update) -> None:
        """`max` and `min`: the best value at the least position wins; nan stays for good."""
        text = self.text
        value = self._value(update)
        position = None
        if update.winner is not None:
            place = self.memory.integers.emit(update.winner.position)
            position = text.converted(place, "double")
        if self.memory.kernel.buffers[update.target].by_lane or text.lanes == 1:
            self._improve(update, value, position, None)
        else:
            for lane in range(text.lanes):
                self._improve(update, value, position, lane)

    def _improve(
        self, update: Update, value: Value, position: Value | None, lane: int | None
    ) -> None:
        """Replace the target, and its winner, if a value at a position beats them."""
        text = self.text
        value = value if lane is None else text.lane(value, lane)
        now = self.memory.held(update.target, update.place, lane)
        predicate = "ogt" if update.reduction == "max" else "olt"
        better = text.compare(f"fcmp {predicate}", value, now)
        better = text.operate("or", better, text.compare("fcmp uno", value, value))
        better = text.operate("and", better, text.compare("fcmp ord", now, now))
        before = None
        if update.winner is not None and position is not None:
            position = position if lane is None else text.lane(position, lane)
            before = self.memory.held(update.winner.tensor, update.place, lane)
            better = text.operate("or", better, self._precedes(value, now, position, before))
        if lane is not None and self.memory.mask is not None:
            better = text.operate("and", better, text.lane(self.memory.mask, lane))
        self.memory.hold(update.target, update.place, lane, text.select(better, value, now))
        if update.winner is not None and position is not None and before is not None:
            chosen = text.select(better, position, before)
            self.memory.hold(update.winner.tensor, update.place, lane, chosen)

    def _precedes(self, value: Value, now: Value, position: Value, before: Value) -> Value:
        """Whether one of two equal values comes first: lanes do not run in order of position.

        A winner at -1 is none yet: an infinite value may be all there is.
        """
        text = self.text
        earlier = text.compare("fcmp olt", position, before)
        none = text.compare("fcmp olt", before, text.number(0.0))
        tied = text.compare("fcmp oeq", value, now)
        return text.operate("and", tied, text.operate("or", earlier, none))

    def _read(self, read: Read) -> Value:
        if read.tensor is None:
            return self.memory.integers.emit(read.map[0])
        return self.memory.load(read.tensor, read.map)


def points_of(loops: Sequence[Range], fixed: Mapping[str, Integer]) -> Iterator[dict[str, Integer]]:
    """The indices at every point of loops of known length."""
    if not loops:
        yield {}
        return
    loop, *rest = loops
    lower, upper = loop.lower.substitute(fixed).value, loop.upper.substitute(fixed).value
    assert lower is not None and upper is not None
    for number in range(lower, upper):
        here = {**fixed, loop.index: constant(number)}
        for point in points_of(rest, here):
            yield {loop.index: constant(number), **point}
