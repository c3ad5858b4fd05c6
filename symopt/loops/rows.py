"""Row-major arrays in a pass of lanes: whole rows are moved and turned, never single elements.

Lanes are samples, and in `X[n, d]` those of one column lie `d` apart. So the rows of the samples
at hand are read at once into one vector per column, and results are written the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symopt.loops.program import Fill, Part, Rows, Steps, Update, updates_of
from symopt.loops.work import points
from symopt.statements.program import Read
from symopt.types import Integer, Range, constant, interval

_MOST_COLUMNS = 4096
_Key = tuple[str, tuple[Integer, ...]]


@dataclass(slots=True)
class _Columns:
    """The part of the rows at one place that is moved: elements `low` to `high`, both included.

    Unless `there`, nothing may be read of them after all, and they need not be in the array.
    """

    low: int
    high: int
    there: bool = False


@dataclass(slots=True)
class RowMoves:
    """Finds the rows that a body of updates moves, and rewrites the body to use their columns.

    `samples` is the loop of the pass; `shape_of` gives the shape of a buffer, () for one that holds
    values of samples.
    """

    samples: Range
    shape_of: Callable[[str], tuple[Integer, ...]]
    columns: dict[str, int] = field(default_factory=dict)  # new buffers and their sizes

    def rewrite(self, body: Sequence[Fill | Update | Steps]) -> tuple[Part, ...]:
        """The body with its row-major reads and writes as `Rows`."""
        written = {update.target for part in body for update in updates_of(part)}
        reads: dict[_Key, _Columns] = {}
        for part in body:
            around = part.loops if isinstance(part, Steps) else ()
            for update in updates_of(part):
                for read in update.reads:
                    if read.tensor is not None and read.tensor not in written:
                        self._note(reads, (*around, *update.loops), read)
        names = {key: self._name(key[0]) for key, c in reads.items() if c.there and c.high > c.low}
        for key, name in names.items():
            self.columns[name] = reads[key].high - reads[key].low + 1
        parts: list[Part] = [
            Rows(tensor, place, reads[tensor, place].low, name)
            for (tensor, place), name in names.items()
        ]
        outputs = self._outputs(body)

        def redirected(part: Update | Steps) -> Update | Steps:
            if isinstance(part, Steps):
                return replace(part, body=tuple(map(redirected, part.body)))
            return self._redirected(part, names, reads, outputs)

        for part in body:
            parts.append(part if isinstance(part, Fill) else redirected(part))
        parts += [Rows(key[0], key[1], 0, name, write=True) for key, name in outputs.items()]
        return tuple(parts)

    def _name(self, tensor: str) -> str:
        name, number = f"{tensor}.rows", 1
        while name in self.columns:
            number += 1
            name = f"{tensor}.rows{number}"
        self.columns[name] = 0
        return name

    def _split(self, tensor: str, place: tuple[Integer, ...]) -> tuple[int, int] | None:
        """How many axes lead to a row, and how long the row is; None if elements are single."""
        shape = self.shape_of(tensor)
        axes = [axis for axis, part in enumerate(place) if self.samples.index in part.indices]
        if not axes or len(shape) != len(place):
            return None
        size = 1
        for extent in shape[axes[-1] + 1 :]:
            if extent.value is None:
                return None
            size *= extent.value
        return (axes[-1] + 1, size) if 1 < size <= _MOST_COLUMNS else None

    def _note(self, reads: dict[_Key, _Columns], loops: Sequence[Range], read: Read) -> None:
        tensor = read.tensor or ""
        split = self._split(tensor, read.map)
        if split is None:
            return
        lead, size = split
        inner = {loop.index for loop in loops}
        if any(part.indices & inner for part in read.map[:lead]):
            return
        low, high = _hull(self._within(tensor, read.map, lead), loops, size)
        found = reads.setdefault((tensor, read.map[:lead]), _Columns(low, high))
        found.low, found.high = min(found.low, low), max(found.high, high)
        found.there |= bool(points(loops)) or self._is_there(tensor, read.map[:lead])

    def _is_there(self, tensor: str, lead: tuple[Integer, ...]) -> bool:
        """Whether the array has a row for every sample, whatever is read of it."""
        return all(
            part.index == self.samples.index
            and self.samples.lower.value == 0
            and self.samples.upper == size
            for part, size in zip(lead, self.shape_of(tensor), strict=False)
        )

    def _within(self, tensor: str, place: tuple[Integer, ...], lead: int) -> Integer:
        """The position of an element in its row."""
        total = constant(0)
        for part, extent in zip(place[lead:], self.shape_of(tensor)[lead:], strict=True):
            total = total * extent + part
        return total

    def _outputs(self, body: Sequence[Fill | Update | Steps]) -> dict[_Key, str]:
        """The tensors that an update of the body writes whole rows of, for good."""
        writers: dict[str, list[Update]] = {}
        for part in body:
            if isinstance(part, Update):
                writers.setdefault(part.target, []).append(part)
        stepwise = {name for part in body if isinstance(part, Steps) for name in part.written}
        found: dict[_Key, str] = {}
        for name, updates in writers.items():
            (first, *others) = updates
            split = self._split(name, first.place)
            if others or name in stepwise or split is None or not first.first:
                continue
            inner = {loop.index for loop in first.loops}
            if any(part.indices & inner for part in first.place[: split[0]]):
                continue  # several rows of each sample
            found[name, first.place[: split[0]]] = self._name(name)
            self.columns[found[name, first.place[: split[0]]]] = split[1]
        return found

    def _redirected(
        self,
        update: Update,
        names: Mapping[_Key, str],
        reads: Mapping[_Key, _Columns],
        outputs: Mapping[_Key, str],
    ) -> Update:
        written = {key[0]: (key, name) for key, name in outputs.items()}
        moved: list[Read] = []
        for read in update.reads:
            tensor = read.tensor or ""
            if tensor in written:
                (_, lead), name = written[tensor][0], written[tensor][1]
                place = self._within(tensor, read.map, len(lead))
                moved.append(replace(read, tensor=name, map=(place,)))
                continue
            split = self._split(tensor, read.map) if read.tensor is not None else None
            lead = split[0] if split else 0
            name = names.get((tensor, read.map[:lead]))
            if name is not None:
                place = self._within(tensor, read.map, lead) - reads[tensor, read.map[:lead]].low
                read = replace(read, tensor=name, map=(place,))
            moved.append(read)
        update = replace(update, reads=tuple(moved))
        if update.target in written:
            (_, lead), name = written[update.target][0], written[update.target][1]
            place = self._within(update.target, update.place, len(lead))
            update = replace(update, target=name, place=(place,))
        return update


def _hull(position: Integer, loops: Sequence[Range], size: int) -> tuple[int, int]:
    """The least and greatest position that loops of known lengths reach, else the whole row."""
    ranges: dict[str, tuple[int, int]] = {}
    try:
        for loop in loops:
            low, _ = interval(loop.lower, {}, ranges, _unknown)
            _, high = interval(loop.upper, {}, ranges, _unknown)
            ranges[loop.index] = (low, max(high - 1, low))
        low, high = interval(position, {}, ranges, _unknown)
    except KeyError:
        return 0, size - 1
    return min(max(low, 0), size - 1), max(min(high, size - 1), 0)


def _unknown(tensor: str) -> tuple[int, int]:
    raise KeyError(tensor)
