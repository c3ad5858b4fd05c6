"""Rows of row-major arrays, moved whole and turned in registers: one vector per column.

Half a vector of each of two rows is read into one register, which does the first step of turning
on the way in, and the other steps are shuffles of two registers (Eklundh, "A fast computer method
for matrix transposing", 1972); results go the same way back.
"""

from __future__ import annotations

from symopt.loops.program import SAMPLE, Buffer, Rows
from symopt.native.memory import Memory
from symopt.native.text import Kind, Value, width
from symopt.types import Integer, constant, flat_place, index

_LINE = 64  # bytes in a line of the cache
_AHEAD = 4  # blocks from the one at hand to the one whose lines are asked for
_MOST_PREFETCHED = 4096  # bytes that a block writes


def move_rows(memory: Memory, rows: Rows) -> None:
    """Reads or writes the rows of the samples at hand."""
    array, columns = memory.kernel.buffers[rows.array], memory.kernel.buffers[rows.columns]
    size = columns.shape[0].value
    assert size is not None
    group = min(memory.text.lanes // 2, size)
    addresses = _addresses(memory, array, rows)
    # The last group once more over columns that are done, rather than a mask.
    last = constant(size - group)
    if rows.written_out(size):
        for start in range(0, size - group, group):
            _move(memory, rows, addresses, constant(start), group)
    else:
        start = index("column")
        ends = memory.text.integer(0), memory.text.integer(size - group)
        with memory.loop(*ends, group) as number:
            memory.integers.indices["column"] = number
            _move(memory, rows, addresses, start, group)
            del memory.integers.indices["column"]
    _move(memory, rows, addresses, last, group)
    if rows.write:
        memory.known.forget(rows.array)


def _move(memory: Memory, rows: Rows, addresses: list[str], first: Integer, count: int) -> None:
    """Some columns, from `first` on."""
    places = [(first + k,) for k in range(count)]
    start = memory.integers.emit(first)
    kind = memory.kind(memory.kernel.buffers[rows.array])
    here = [memory.text.element(address, start, kind=kind) for address in addresses]
    if rows.write:
        columns = [memory.load(rows.columns, place) for place in places]
        _store(memory, here, [memory.text.converted(column, kind) for column in columns])
    else:
        for place, value in zip(places, _load(memory, here, kind, count), strict=True):
            memory.store(rows.columns, place, value)


def _addresses(memory: Memory, array: Buffer, rows: Rows) -> list[str]:
    """Where the row of each lane's sample starts."""
    lead = len(rows.place)
    length = constant(1)
    for size in array.shape[lead:]:
        length = length * size
    start = memory.integers.closed(flat_place(rows.place, array.shape[:lead]) * length + rows.first)
    text, base, kind = memory.text, memory.bases[array.name], memory.kind(array)
    plain = SAMPLE not in (start - length * index(SAMPLE)).indices
    if length.value is None or not plain:
        if array.shape[0].value is None and not rows.write:
            _prefetch_gathered(memory, base, kind, start)
        return [_address(memory, base, kind, start, lane) for lane in range(text.lanes)]
    first = text.element(base, memory.integers.emit(memory.at_block(start)), kind=kind)
    if rows.write and text.lanes * length.value * width(kind) <= _MOST_PREFETCHED:
        # Results are written once and not read: without this, every line waits for memory.
        ahead = _AHEAD * text.lanes * length.value
        for line in range(0, text.lanes * length.value, _LINE // width(kind)):
            text.prefetch(first, text.integer(ahead + line), kind, for_writing=True)
    room = memory.integers.emit(memory.beyond_block() * length)
    offsets = (
        text.intrinsic("llvm.smin", text.integer(lane * length.value), room)
        for lane in range(text.lanes)
    )
    return [text.element(first, offset, kind=kind) for offset in offsets]


def _address(memory: Memory, base: str, kind: Kind, start: Integer, offset: int) -> str:
    """Where the row of a sample starts, counted from the first of the block."""
    with memory.at_sample(offset):
        return memory.text.element(base, memory.integers.emit(start), kind=kind)


def _prefetch_gathered(memory: Memory, base: str, kind: Kind, start: Integer) -> None:
    """Asks for rows of a later block: no processor foresees where an index array points to."""
    lanes = memory.text.lanes
    for offset in range(_AHEAD * lanes, (_AHEAD + 1) * lanes):
        with memory.at_sample(offset):
            memory.text.prefetch(base, memory.integers.emit(start), kind, for_writing=False)


def _load(memory: Memory, places: list[str], kind: Kind, count: int) -> list[Value]:
    text = memory.text
    half = text.lanes // 2
    parts = [_part(memory, place, kind, count) for place in places]
    pairs = [text.joined(parts[k], parts[k + half], half) for k in range(half)]
    return _turned(memory, pairs)[:count]


def _part(memory: Memory, place: str, kind: Kind, count: int) -> Value:
    """Half a vector of a row; what lies beyond `count` elements is undefined."""
    text = memory.text
    half = text.lanes // 2
    part = text.load_part(place, kind, count)
    return part if count == half else text.padded(part, count, half)


def _store(memory: Memory, places: list[str], values: list[Value]) -> None:
    text, count = memory.text, len(values)
    half = text.lanes // 2
    filled = values + [Value("poison", values[0].kind, True)] * (half - count)
    pairs = _turned(memory, filled)
    # Lanes beyond the end repeat the last sample, and write its row once more.
    for k, pair in enumerate(pairs):
        for side in range(2):
            text.store_part(pair, side * half, count, places[k + side * half])


def _turned(memory: Memory, vectors: list[Value]) -> list[Value]:
    """Both halves of the vectors, as two square matrices, transposed."""
    text, lanes = memory.text, memory.text.lanes
    step, found = lanes // 4, list(vectors)
    while step:
        for k in range(len(found)):
            if not k & step:
                a, b = found[k], found[k + step]
                low = [j if not j & step else lanes + j - step for j in range(lanes)]
                high = [j + step if not j & step else lanes + j for j in range(lanes)]
                found[k], found[k + step] = text.shuffled(a, b, low), text.shuffled(a, b, high)
        step //= 2
    return found
