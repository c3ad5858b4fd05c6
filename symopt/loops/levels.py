"""When statements can run: those of passes after the finished sums that they read.

Statements that share steps are one: in one pass, if every sample goes through the steps on its
own, and at one level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from symopt.loops.axis import Alignment, Key, Lead, align
from symopt.statements.program import Program, Read, Statement, sections


def together_of(statements: tuple[Statement, ...]) -> dict[int, range]:
    """For each statement with steps the numbers of all that share the first of them."""
    found: dict[int, range] = {}
    begin = 0
    for part in sections(statements):
        numbers = range(begin, begin + len(part))
        begin += len(part)
        if part[0].steps:
            found.update(dict.fromkeys(numbers, numbers))
    return found


def aligned(
    statements: tuple[Statement, ...],
    leads: dict[int, Lead | None],
    together: Mapping[int, range],
) -> Alignment:
    """The alignment; what shares steps runs in a pass only if every part of it can.

    Others are taken out of `leads`.
    """
    while True:
        alignment = align(statements, leads)
        split = {
            numbers
            for numbers in together.values()
            if any(leads[n] for n in numbers)
            and not _in_a_pass(statements, leads, alignment, numbers)
        }
        if not split:
            return alignment
        leads.update({number: None for numbers in split for number in numbers})


def _in_a_pass(
    statements: tuple[Statement, ...],
    leads: Mapping[int, Lead | None],
    alignment: Alignment,
    numbers: range,
) -> bool:
    """Whether each sample can go through the steps on its own."""
    if len({lead.key if (lead := leads[n]) else None for n in numbers}) != 1:
        return False
    own = {name for n in numbers for name in statements[n].written}
    return own <= alignment.tensors.keys() and all(
        alignment.looks_at_own_sample(read, leads[n])
        for n in numbers
        for read in statements[n].reads
        if read.tensor in own
    )


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of the statements of a program before they have levels."""

    program: Program
    leads: Mapping[int, Lead | None]
    alignment: Alignment
    together: Mapping[int, range]  # for each statement with steps, all that share the first

    def waits(self, read: Read, reader: int, writer: int) -> int:
        """How many levels a statement comes after one that writes what it reads: 0 or 1."""
        own = self.alignment.looks_at_own_sample(read, self.leads[reader])
        return int(self.leads[writer] is not None and not own)

    def group(self, number: int) -> range:
        """The statements that share steps with one, or that one alone."""
        return self.together.get(number, range(number, number + 1))


def levels_of(order: Order, floors: Mapping[int, int] = MappingProxyType({})) -> dict[int, int]:
    """When each statement can run: plain nests of a level come before its passes.

    Some are not to run before a level, their floor.
    """
    writers: dict[str, list[int]] = {}
    for number, statement in enumerate(order.program.statements):
        for name in statement.written:
            writers.setdefault(name, []).append(number)
    levels: dict[int, int] = {}
    for number, statement in enumerate(order.program.statements):
        begin = order.group(number)[0]
        level = max(levels.get(begin, 0), floors.get(number, 0))
        for read in statement.reads:
            for writer in writers.get(read.tensor or "", ()):
                # A start case that nothing in the steps reads may come after them.
                if writer < begin:
                    level = max(level, levels[writer] + order.waits(read, number, writer))
        levels.update(dict.fromkeys(range(begin, number + 1), level))
    return levels


def put_off(order: Order, levels: Mapping[int, int], sinks: Iterable[int]) -> dict[int, int]:
    """Statements of passes that a later pass over the same samples can take in, and its level.

    What waits for finished sums goes through the samples once more in any case. `sinks` are the
    statements whose results outlive their samples.
    """
    latest = _latest(order, levels)
    passes: dict[tuple[int, Key], list[int]] = {}
    for number in sinks:
        lead = order.leads[number]
        if lead is not None:
            passes.setdefault((levels[number], lead.key), []).append(number)
    found: dict[int, int] = {}
    for level, key in sorted(passes, key=lambda node: node[0]):
        own = passes[level, key]
        last = min(latest[number] for number in own)
        later = [at for at, other in passes if other == key and level < at <= last]
        if later:
            passes[min(later), key] += own
            found.update(dict.fromkeys(own, min(later)))
    return found


def _latest(order: Order, levels: Mapping[int, int]) -> dict[int, int]:
    """The last level at which each statement is in time for all that need it."""
    statements = order.program.statements
    readers: dict[str, list[tuple[int, Read]]] = {}
    for number, statement in enumerate(statements):
        for read in statement.reads:
            readers.setdefault(read.tensor or "", []).append((number, read))
    latest = dict.fromkeys(range(len(statements)), max(levels.values(), default=0))
    for number in reversed(range(len(statements))):
        for name in statements[number].written:
            for reader, read in readers.get(name, ()):
                if reader > number:
                    before = latest[reader] - order.waits(read, reader, number)
                    latest[number] = min(latest[number], before)
        group = order.group(number)
        if number == group[0]:
            latest.update(dict.fromkeys(group, min(latest[n] for n in group)))
    return latest
