"""Where each index of a program runs: over lanes, outside the blocks, written out, in a loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symopt.loops.axis import lead_of, sample_dims
from symopt.loops.expand import expand_reductions
from symopt.loops.program import Kernel, Pass, Phase, Steps, Update, updates_of
from symopt.loops.sizes import Fixed, sized_range
from symopt.loops.work import written_out
from symopt.source import Span
from symopt.statements.program import Program, Statement

LANES, ONE_BY_ONE = "lanes", "sample by sample"
OUTSIDE, IN_LOTS = "outside the blocks", "in lots"
WRITTEN_OUT, INSIDE, NEST = "written out", "loop in the block", "loop outside passes"
STEP_BY_STEP = "step by step"


@dataclass(frozen=True, slots=True)
class IndexPlaces:
    """Where an index with some range runs, and in how many updates of the kernel."""

    loop: str
    places: Mapping[str, int]


def index_places(
    program: Program, kernel: Kernel, sample: str | None, fixed: Fixed
) -> tuple[IndexPlaces, ...]:
    """Where the loops of the statements went, those over samples first.

    `program` are the statements that were scheduled as `kernel`.
    """
    expanded = expand_reductions(program)
    ranked = sample_dims(expanded, sample)
    origins: dict[Span | None, list[Statement]] = {}
    for statement in expanded.statements:
        origins.setdefault(statement.span, []).append(statement)
    found: dict[str, Counter[str]] = {}
    for node, phase, update in _updates(kernel):
        statement = _origin(update, origins.get(update.span, []))
        if statement is None:
            continue  # the schedule's own: a part of a buffer is filled
        lead = lead_of(statement, ranked)
        for loop in statement.loops:
            where = _place(loop.index, lead.index if lead else None, node, phase, update)
            if loop in statement.loops[: len(statement.steps)]:
                where = STEP_BY_STEP
            found.setdefault(str(sized_range(loop, fixed)), Counter())[where] += 1
    by_lanes = sorted(found.items(), key=lambda entry: not {LANES, ONE_BY_ONE} & entry[1].keys())
    return tuple(IndexPlaces(loop, dict(counts.most_common())) for loop, counts in by_lanes)


def _updates(kernel: Kernel) -> Iterator[tuple[Pass | None, Phase | None, Update]]:
    for node in kernel.nodes:
        if isinstance(node, Update | Steps):
            yield from ((None, None, update) for update in updates_of(node))
        elif isinstance(node, Pass):
            for phase in node.phases:
                for part in (*phase.body, *phase.sums):
                    yield from ((node, phase, update) for update in updates_of(part))


def _origin(update: Update, candidates: list[Statement]) -> Statement | None:
    """The statement that an update was: target, reads and loops may have been renamed since."""
    left = {loop.index for loop in update.loops}
    ranked = (
        (update.target.startswith(s.target), update.expression == s.expression, -number, s)
        for number, s in enumerate(candidates)
        if left <= {loop.index for loop in s.loops} and update.reduction == s.reduction
    )
    *likely, _, statement = max(ranked, key=lambda entry: entry[:3], default=(False, 0, None))
    return statement if any(likely) else None


def _place(
    index: str, sample: str | None, node: Pass | None, phase: Phase | None, update: Update
) -> str:
    if node is None or phase is None:
        return NEST
    if index == sample:
        return LANES if node.lanes > 1 else ONE_BY_ONE
    if index not in {loop.index for loop in update.loops}:
        return OUTSIDE
    if any(part is update for part in phase.sums):
        return IN_LOTS
    return WRITTEN_OUT if written_out(update, node.written_out) else INSIDE
