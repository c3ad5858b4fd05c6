"""Packs: values that samples gather at the same place lie side by side, in one row.

A dozen small tensors of one camera, each read at `cam[sample]`, take as many gathers, lane by lane.
As columns of one row-major array they come in one move of rows. The pass that computes them keeps
them to its own sample and writes the pack at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symopt.loops.axis import Alignment, Key, Lead
from symopt.loops.program import SAMPLE, Rows
from symopt.loops.sizes import Fixed
from symopt.statements.program import Program, Read, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, flat_place, index

_ENTRY = "entry"  # the index of a pack's rows
_Place = tuple[Key, Integer]  # the range of the samples that gather, and where


@dataclass(frozen=True, slots=True)
class Packed:
    """A program whose gathers are those of packs, and the names of these."""

    program: Program
    packs: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Member:
    """A tensor that samples gather along one axis, and how long its others are."""

    tensor: Tensor
    axis: int
    key: Key  # the range of the axis
    level: int  # when it is complete
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many columns of a row it takes."""
        total = 1
        for size in self.shape:
            total *= size
        return total

    def column(self, place: Sequence[Integer], first: int) -> Integer:
        """The column of an element, of a pack in which it has the columns from `first` on."""
        rest = (*place[: self.axis], *place[self.axis + 1 :])
        return flat_place(rest, tuple(map(constant, self.shape))) + first


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a tensor's columns are."""

    pack: str
    first: int
    member: _Member


def pack_gathers(
    program: Program,
    leads: Mapping[int, Lead | None],
    alignment: Alignment,
    levels: Mapping[int, int],
    fixed: Fixed,
) -> Packed:
    """The program with its gathers from small tensors of one range as gathers from packs."""
    search = _Search(program, leads, alignment, levels, fixed.known)
    columns, widths = _columns(program, search.groups())
    if not columns:
        return Packed(program, frozenset())
    tensors = dict(program.tensors)
    for column in columns.values():
        rows = column.member.key[1]
        shape = (rows, constant(widths[column.pack]))
        tensors[column.pack] = Tensor(column.pack, shape, Role.COMPUTED)
    # A pack is complete when the passes of its level are, and read at later levels alone.
    numbered = [
        ((levels[number], False), _redirected(statement, number, search, columns))
        for number, statement in enumerate(program.statements)
    ]
    numbered += [((c.member.level, True), _copy(c)) for c in columns.values()]
    ordered = tuple(statement for _, statement in sorted(numbered, key=lambda pair: pair[0]))
    program = replace(program, statements=ordered, tensors=tensors)
    return Packed(program, frozenset(widths))


@dataclass(slots=True)
class _Search:
    """Finds the gathers of a program and what is worth packing."""

    program: Program
    leads: Mapping[int, Lead | None]
    alignment: Alignment
    levels: Mapping[int, int]
    known: Mapping[str, Integer]  # sizes compiled in
    _members: dict[str, _Member | None] = field(default_factory=dict)

    def groups(self) -> list[list[_Member]]:
        """Tensors that are complete together and share places; those of one place are adjacent."""
        places = self._places()
        found: list[list[_Member]] = []
        for name in sorted(places, key=lambda name: sorted(places[name])):
            member = self.member(name)
            assert member is not None
            joined: list[_Member] = []
            apart: list[list[_Member]] = []
            for group in found:
                if any(
                    (other.level, other.key) == (member.level, member.key)
                    and places[other.tensor.name] & places[name]
                    for other in group
                ):
                    joined += group
                else:
                    apart.append(group)
            found = [*apart, [*joined, member]]
        return found

    def _places(self) -> dict[str, set[int]]:
        """By number, the places where each tensor is gathered."""
        numbers: dict[_Place, int] = {}
        places: dict[str, set[int]] = {}
        for number, statement in enumerate(self.program.statements):
            for read in statement.reads:
                place = self.gathered(read, number)
                if place is not None:
                    here = numbers.setdefault(place, len(numbers))
                    places.setdefault(read.tensor or "", set()).add(here)
        return places

    def gathered(self, read: Read, number: int) -> _Place | None:
        """Where the samples of a statement gather a row of what is read; None if they do not."""
        member, lead = self.member(read.tensor), self.leads[number]
        if member is None or lead is None:
            return None
        if lead.key[1].with_sizes(self.known).value is not None:
            return None  # so few samples that code counts for more
        place = read.map[member.axis]
        rest = (part for axis, part in enumerate(read.map) if axis != member.axis)
        if place.indices != {lead.index} or any(lead.index in part.indices for part in rest):
            return None
        if lead.index not in (place - index(lead.index)).indices:
            return None  # the samples' elements lie one after another
        return lead.key, place.substitute({lead.index: index(SAMPLE)})

    def member(self, name: str | None) -> _Member | None:
        """What is known of a tensor that a pack can have a copy of."""
        if name is None:
            return None
        if name not in self._members:
            self._members[name] = self._found(name)
        return self._members[name]

    def _found(self, name: str) -> _Member | None:
        tensor = self.program.tensors[name]
        if name in self.program.outputs or name not in self.alignment.tensors:
            return None
        key, axis = self.alignment.tensors[name]
        shape: list[int] = []
        for size in (*tensor.shape[:axis], *tensor.shape[axis + 1 :]):
            number = size.with_sizes(self.known).value
            if not number:
                return None
            shape.append(number)
        if key != (constant(0), tensor.shape[axis]):
            return None  # some elements have no sample of their own
        level = max(
            self.levels[number]
            for number, statement in enumerate(self.program.statements)
            if statement.target == name or (statement.winner and statement.winner.tensor == name)
        )
        member = _Member(tensor, axis, key, level, tuple(shape))
        return member if Rows.written_out(member.width) else None


def _columns(
    program: Program, groups: Sequence[Sequence[_Member]]
) -> tuple[dict[str, _Column], dict[str, int]]:
    """Where every member of a pack is, and how wide the packs are."""
    columns: dict[str, _Column] = {}
    widths: dict[str, int] = {}
    for pack in (pack for group in groups for pack in _rows(group)):
        width = sum(member.width for member in pack)
        if width == 1 or (len(pack) == 1 and pack[0].axis == 0):
            continue  # a row already
        name = _name(pack, (*program.tensors, *widths))
        widths[name] = 0
        for member in pack:
            columns[member.tensor.name] = _Column(name, widths[name], member)
            widths[name] += member.width
    return columns, widths


def _rows(group: Sequence[_Member]) -> Iterator[list[_Member]]:
    """The members in rows that are moved without a loop."""
    row: list[_Member] = []
    for member in group:
        if row and not Rows.written_out(sum(m.width for m in row) + member.width):
            yield row
            row = []
        row.append(member)
    yield row


def _name(pack: Sequence[_Member], taken: Sequence[str]) -> str:
    stem = f"per.{pack[0].key[1]}"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}.{number}"
    return name


def _redirected(
    statement: Statement, number: int, search: _Search, columns: Mapping[str, _Column]
) -> Statement:
    """The statement with its gathers from packs."""
    reads: list[Read] = []
    for read in statement.reads:
        column = columns.get(read.tensor or "")
        if column is not None and search.gathered(read, number) is not None:
            member = column.member
            place = read.map[member.axis], member.column(read.map, column.first)
            read = replace(read, tensor=column.pack, map=place)
        reads.append(read)
    return replace(statement, reads=tuple(reads))


def _copy(column: _Column) -> Statement:
    """A tensor's elements, written to their columns."""
    member = column.member
    others = [
        Range(f"axis{axis}", constant(0), constant(size)) for axis, size in enumerate(member.shape)
    ]
    place = [index(loop.index) for loop in others]
    place.insert(member.axis, index(_ENTRY))
    read = read_of(member.tensor.name, tuple(place))
    target = index(_ENTRY), member.column(place, column.first)
    loops = (Range(_ENTRY, *member.key), *others)
    return Statement(column.pack, target, loops, "=", read.symbol, (read,))
