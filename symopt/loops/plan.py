"""The plan: what runs over samples, what stays with its sample, and when each statement runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from symopt.loops.axis import Alignment, Key, Lead, lead_of, sample_dims
from symopt.loops.levels import Order, aligned, levels_of, put_off, together_of
from symopt.loops.options import Options
from symopt.loops.packed import pack_gathers
from symopt.loops.sizes import Fixed
from symopt.statements.program import Program, Statement
from symopt.types import dim

_FEWEST_LANES, _LARGE = 4, 10**9  # below which lanes are not worth it; of open sizes


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known about every statement before anything is placed."""

    program: Program
    leads: Mapping[int, Lead | None]
    alignment: Alignment
    local: frozenset[str]
    levels: Mapping[int, int]
    together: Mapping[int, range]  # for each statement with steps, all that share the first
    first: frozenset[int]  # statements that are the first to write their target
    scattered: frozenset[str]  # tensors written by more than one node of the kernel
    packs: frozenset[str] = frozenset()  # tensors that several statements write the columns of

    def node_of(self, number: int) -> tuple[int, Key | None]:
        """Which node of the kernel a statement goes to."""
        lead = self.leads[number]
        return self.levels[number], lead.key if lead else None

    @property
    def plain_steps(self) -> frozenset[range]:
        """The statements that go through steps together, outside of a pass."""
        return frozenset(own for own in self.together.values() if self.leads[own[0]] is None)

    def is_sink(self, number: int) -> bool:
        """Whether a statement's result outlives its sample."""
        return not set(self.program.statements[number].written) <= self.local


def planned(program: Program, options: Options, fixed: Fixed) -> Plan:
    """Leads, levels and what stays with its sample, gathers packed where that pays."""
    ranked = sample_dims(program, options.sample)
    plan = _plan(program, ranked, options)
    for name in _beside_steps(plan, fixed):
        # Where no sample goes through steps on its own, what is beside them can take the lanes.
        other = _plan(program, (name, *ranked), options)
        if len(other.plain_steps) < len(plan.plain_steps):
            plan, ranked = other, (name, *ranked)
            break
    if options.lanes == 1:
        return plan
    packed = pack_gathers(program, plan.leads, plan.alignment, plan.levels, fixed)
    return _plan(packed.program, ranked, options, packed.packs) if packed.packs else plan


def _beside_steps(plan: Plan, fixed: Fixed) -> tuple[str, ...]:
    """The dims that every statement of some steps outside of a pass runs over, large ones first."""
    found: Counter[str] = Counter()
    for numbers in plan.plain_steps:
        statements = [plan.program.statements[number] for number in numbers]
        names = [
            {name for loop in s.loops[len(s.steps) :] for name in loop.upper.dims}
            for s in statements
        ]
        found.update(frozenset.intersection(*map(frozenset, names)))
    sizes = {name: dim(name).with_sizes(fixed.known).value or _LARGE for name in found}
    large = (name for name in found if sizes[name] >= _FEWEST_LANES)
    return tuple(sorted(large, key=lambda name: (-found[name], -sizes[name], name)))


def _plan(
    program: Program,
    ranked: tuple[str, ...],
    options: Options,
    packs: frozenset[str] = frozenset(),
) -> Plan:
    statements = program.statements
    leads = {n: lead_of(s, ranked) for n, s in enumerate(statements)}
    together = together_of(statements)
    alignment = aligned(statements, leads, together)
    order = Order(program, leads, alignment, together)
    local = set(alignment.tensors) - set(program.outputs)
    for number, statement in enumerate(statements):
        for read in statement.reads:
            if not alignment.looks_at_own_sample(read, leads[number]):
                local.discard(read.tensor or "")
    local = _with_winners(statements, local)
    levels = levels_of(order)
    first = {s.target: n for n, s in reversed(tuple(enumerate(statements)))}
    plan = Plan(
        program,
        leads,
        alignment,
        frozenset(local),
        levels,
        together,
        frozenset(first.values()),
        frozenset(),
        packs,
    )
    floors = put_off(order, levels, (n for n in levels if plan.is_sink(n)))
    if floors:
        plan = replace(plan, levels=levels_of(order, floors))
    kept = _with_winners(statements, local - _needed_often(plan, options.recompute))
    plan = replace(plan, local=frozenset(kept))
    return replace(plan, scattered=_scattered(plan))


def _with_winners(statements: tuple[Statement, ...], local: set[str]) -> set[str]:
    """Without the tensors of statements that keep only one of target and winner to the sample."""
    for statement in statements:
        if not set(statement.written) <= local:
            local = local - set(statement.written)
    return local


def _needed_often(plan: Plan, limit: int) -> set[str]:
    """Local tensors that more passes than the limit would have to compute."""
    sinks: dict[tuple[int, Key | None], list[int]] = {}
    for number in plan.levels:
        if plan.is_sink(number) and plan.leads[number] is not None:
            sinks.setdefault(plan.node_of(number), []).append(number)
    counts: Counter[str] = Counter()
    for group in sinks.values():
        chosen = (plan.program.statements[n] for n in with_local_writers(plan, group))
        counts.update({name for s in chosen for name in s.written if name in plan.local})
    stepwise = {name for s in plan.program.statements if s.steps for name in s.written}
    # Steps wait for each other: what they compute is stored rather than computed again.
    return {name for name, count in counts.items() if count > (1 if name in stepwise else limit)}


def _scattered(plan: Plan) -> frozenset[str]:
    nodes: dict[str, set[tuple[int, Key | None]]] = {}
    for number, statement in enumerate(plan.program.statements):
        nodes.setdefault(statement.target, set()).add(plan.node_of(number))
    return frozenset(name for name, found in nodes.items() if len(found) > 1) - plan.local


def with_local_writers(plan: Plan, sinks: Iterable[int]) -> list[int]:
    """The sinks and, in order, every statement whose local result they need."""
    statements = plan.program.statements
    chosen, needed = set(sinks), set[str]()
    last = max(plan.together.get(n, range(n, n + 1))[-1] for n in chosen)
    pending = list(range(last + 1))
    while pending:
        number = pending.pop()
        statement, known = statements[number], len(needed)
        if number in chosen or not needed.isdisjoint(statement.written):
            chosen.add(number)
            needed |= {r.tensor for r in statement.reads if r.tensor in plan.local}
            group = plan.together.get(number)
            if group and len(needed) > known:
                pending[group[0] :] = group  # what comes later may be needed at the next step
    return sorted(chosen)
