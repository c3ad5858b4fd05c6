"""The schedule: statements become passes over the sample axis, and plain nests between them.

Everything that looks only at its own sample runs in one pass, forward and backward, with values
that are local to the sample. What a later pass needs of an earlier one is computed again there
rather than stored, so memory does not grow with the number of samples; only what many passes need
is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from symopt.loops.axis import Alignment, Key, Lead, align, lead_of, sample_dims
from symopt.loops.expand import expand_reductions
from symopt.loops.options import Options
from symopt.loops.packed import pack_gathers
from symopt.loops.phases import in_one_phase, in_phases
from symopt.loops.program import (
    SAMPLE,
    Buffer,
    Collect,
    Fill,
    Kernel,
    Node,
    Part,
    Pass,
    Rows,
    Steps,
    Storage,
    Update,
    updates_of,
)
from symopt.loops.sizes import NOTHING_FIXED, Fixed, sized_range, with_sizes
from symopt.statements.program import IDENTITY, Program, Read, Role, Statement, sections
from symopt.types import Integer, Range, Step, dim, index


_FEWEST_LANES, _LARGE = 4, 10**9  # below which lanes are not worth it; of open sizes


@dataclass(frozen=True, slots=True)
class _Plan:
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


def schedule(program: Program, name: str, options: Options, fixed: Fixed = NOTHING_FIXED) -> Kernel:
    """The kernel that computes the outputs of a program, for all data that agree with `fixed`."""
    plan = _packed_plan(expand_reductions(program), options, fixed)
    # What runs over samples is found by the names of the sizes, and so before they are numbers.
    plan = replace(plan, program=with_sizes(plan.program, fixed))
    program, templates = plan.program, _buffers(plan)
    buffers = {name: buffer for name, buffer in templates.items() if not buffer.of_samples}
    nodes: list[Node] = []
    filled = _filled(plan)
    nodes.extend(Fill(tensor, value) for tensor, value in filled.items())
    for level in range(max(plan.levels.values(), default=0) + 1):
        here = [n for n, at in plan.levels.items() if at == level and plan.is_sink(n)]
        nodes.extend(_in_steps(plan, [n for n in here if plan.leads[n] is None], filled))
        passes: dict[Key, list[int]] = {}
        for number in here:
            lead = plan.leads[number]
            if lead is not None:
                passes.setdefault(lead.key, []).append(number)
        for key, sinks in passes.items():
            body = _body(plan, sinks, filled)
            loop = sized_range(Range(SAMPLE, *key), fixed)
            nodes.extend(_pass(plan, loop, body, options, templates, buffers))
    dims = _dims(nodes, buffers)
    return Kernel(name, tuple(nodes), buffers, program.outputs, dims, fixed.arrays)


def _packed_plan(program: Program, options: Options, fixed: Fixed) -> _Plan:
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


def _beside_steps(plan: _Plan, fixed: Fixed) -> tuple[str, ...]:
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
) -> _Plan:
    statements = program.statements
    leads = {n: lead_of(s, ranked) for n, s in enumerate(statements)}
    together = _together(statements)
    alignment = _aligned(statements, leads, together)
    local = set(alignment.tensors) - set(program.outputs)
    for number, statement in enumerate(statements):
        for read in statement.reads:
            if not alignment.looks_at_own_sample(read, leads[number]):
                local.discard(read.tensor or "")
    local = _with_winners(statements, local)
    levels = _levels(program, leads, alignment, together)
    first = {s.target: n for n, s in reversed(tuple(enumerate(statements)))}
    plan = _Plan(
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
    kept = _with_winners(statements, local - _needed_often(plan, options.recompute))
    plan = replace(plan, local=frozenset(kept))
    return replace(plan, scattered=_scattered(plan))


def _together(statements: tuple[Statement, ...]) -> dict[int, range]:
    """For each statement with steps the numbers of all that share the first of them."""
    found: dict[int, range] = {}
    begin = 0
    for part in sections(statements):
        numbers = range(begin, begin + len(part))
        begin += len(part)
        if part[0].steps:
            found.update(dict.fromkeys(numbers, numbers))
    return found


def _aligned(
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


def _with_winners(statements: tuple[Statement, ...], local: set[str]) -> set[str]:
    """Without the tensors of statements that keep only one of target and winner to the sample."""
    for statement in statements:
        if not set(statement.written) <= local:
            local = local - set(statement.written)
    return local


def _needed_often(plan: _Plan, limit: int) -> set[str]:
    """Local tensors that more passes than the limit would have to compute."""
    sinks: dict[tuple[int, Key | None], list[int]] = {}
    for number in plan.levels:
        if plan.is_sink(number) and plan.leads[number] is not None:
            sinks.setdefault(plan.node_of(number), []).append(number)
    counts: Counter[str] = Counter()
    for group in sinks.values():
        chosen = (plan.program.statements[n] for n in _with_local_writers(plan, group))
        counts.update({name for s in chosen for name in s.written if name in plan.local})
    stepwise = {name for s in plan.program.statements if s.steps for name in s.written}
    # Steps wait for each other: what they compute is stored rather than computed again.
    return {name for name, count in counts.items() if count > (1 if name in stepwise else limit)}


def _scattered(plan: _Plan) -> frozenset[str]:
    nodes: dict[str, set[tuple[int, Key | None]]] = {}
    for number, statement in enumerate(plan.program.statements):
        nodes.setdefault(statement.target, set()).add(plan.node_of(number))
    return frozenset(name for name, found in nodes.items() if len(found) > 1) - plan.local


def _levels(
    program: Program,
    leads: Mapping[int, Lead | None],
    alignment: Alignment,
    together: Mapping[int, range],
) -> dict[int, int]:
    """When each statement can run: plain nests of a level come before its passes."""
    writers: dict[str, list[int]] = {}
    for number, statement in enumerate(program.statements):
        for name in statement.written:
            writers.setdefault(name, []).append(number)
    levels: dict[int, int] = {}
    for number, statement in enumerate(program.statements):
        group = together.get(number, range(number, number + 1))
        level = levels.get(group[0], 0)
        for read in statement.reads:
            own = alignment.looks_at_own_sample(read, leads[number])
            for writer in writers.get(read.tensor or "", ()):
                # A start case that nothing in the steps reads may come after them.
                if writer < group[0]:
                    after_pass = leads[writer] is not None and not own
                    level = max(level, levels[writer] + int(after_pass))
        levels.update(dict.fromkeys(range(group[0], number + 1), level))
    return levels


def _filled(plan: _Plan) -> dict[str, float]:
    """Tensors that need a start value before the first of their statements."""
    needed: dict[str, float] = {}
    statements = plan.program.statements
    for number in sorted(plan.first):
        statement = statements[number]
        if statement.target not in plan.local and not _covers(plan, number):
            needed[statement.target] = IDENTITY[statement.reduction]
            if statement.winner is not None:
                needed[statement.winner.tensor] = -1.0
    written_to = {statement.target for statement in statements}
    for name in plan.program.outputs:
        if name not in written_to and plan.program.tensors[name].role is Role.COMPUTED:
            needed[name] = 0.0
    return needed


def _covers(plan: _Plan, number: int) -> bool:
    """Whether a statement visits every element of its target, each in one go."""
    statement, lead = plan.program.statements[number], plan.leads[number]
    if statement.target in plan.packs:
        return True  # with the others that write it
    if statement.target in plan.scattered:
        return False  # which node comes first is the schedule's choice
    if statement.steps and sum(s.target == statement.target for s in plan.program.statements) > 1:
        return False  # an earlier step of another statement may have written here already
    if statement.reduction in ("max", "min"):
        return False  # every value is compared with the one before
    if lead is not None and statement.target not in plan.alignment.tensors:
        return False  # another sample's iteration may have written here already
    shape = plan.program.tensors[statement.target].shape
    loops = {loop.index: loop for loop in statement.loops}
    used: list[str] = []
    for place, size in zip(statement.map, shape, strict=True):
        loop = loops.get(place.index or "")
        # Of the samples, a local buffer holds only those of the pass.
        whole = lead and place.index == lead.index and statement.target in plan.local
        if loop is None or not (whole or (loop.lower.value == 0 and loop.upper == size)):
            return False
        used.append(loop.index)
    if len(set(used)) < len(used) or (lead is not None and lead.index not in used):
        return False
    # Reduced loops must run inside the others, or an element is visited many times over.
    reduced = [
        loop.index not in used for loop in statement.loops if not lead or loop.index != lead.index
    ]
    return reduced == sorted(reduced)


def _body(
    plan: _Plan, sinks: list[int], filled: Mapping[str, float]
) -> list[Fill | Update | Steps]:
    """The sinks of a pass and all that they need of their own sample, in order."""
    body: list[Fill | Update | Steps] = []
    begun: set[str] = set()
    numbers = _with_local_writers(plan, sinks)
    for _, part in groupby(numbers, lambda n: plan.together.get(n, n)):
        own = list(part)
        for number in own:
            statement = plan.program.statements[number]
            for name in statement.written:
                if name in plan.local and name not in begun:
                    begun.add(name)
                    if not _covers(plan, number):
                        start = IDENTITY[statement.reduction] if name == statement.target else -1.0
                        body.append(Fill(name, start))
        body.extend(_in_steps(plan, own, filled))
    return body


def _in_steps(
    plan: _Plan, numbers: Sequence[int], filled: Mapping[str, float], level: int = 0
) -> list[Update | Steps]:
    """Statements as nests, those that share steps inside these."""
    found: list[Update | Steps] = []
    statements = plan.program.statements
    for step, part in groupby(numbers, lambda n: (statements[n].steps[level:] or (n,))[0]):
        own = list(part)
        if not isinstance(step, Step):
            found.append(_update(plan, own[0], filled))
            continue
        first = statements[own[0]]
        loop, names = first.loops[level], _step_indices(first)
        lower, upper = (edge.substitute(names) for edge in (loop.lower, loop.upper))
        inner = tuple(_in_steps(plan, own, filled, level + 1))
        found.append(Steps(Range(step.name, lower, upper), step.backward, inner))
    return found


def _step_indices(statement: Statement) -> dict[str, Integer]:
    """The loops of a statement that are steps, by the names that all statements have for these."""
    loops = zip(statement.loops, statement.steps, strict=False)
    return {loop.index: index(step.name) for loop, step in loops}


def _pass(
    plan: _Plan,
    loop: Range,
    body: list[Fill | Update | Steps],
    options: Options,
    templates: Mapping[str, Buffer],
    buffers: dict[str, Buffer],
) -> tuple[Node, ...]:
    """A pass, with its sums over samples taken lane by lane and brought together after it."""
    lanes = _lanes(body, options)
    if lanes == 1:
        return (in_one_phase(loop, body, templates, buffers),)
    partials: dict[str, None] = {}
    for number, part in enumerate(body):
        if isinstance(part, Update) and _sums_over_samples(part, plan):
            partials[part.target] = None
            body[number] = replace(part, target=_partial(part.target))
    for name in partials:
        shape = templates[name].shape
        buffers[_partial(name)] = Buffer(_partial(name), shape, Storage.PARTIAL)
    return (
        *(Fill(_partial(name), 0.0) for name in partials),
        in_phases(loop, body, options, templates, buffers),
        *(Collect(_partial(name), name) for name in partials),
    )


def _sums_over_samples(update: Update, plan: _Plan) -> bool:
    """Whether an update in a pass adds to the same elements for every sample."""
    return (
        update.reduction == "sum"
        and update.target not in plan.local
        and not any(SAMPLE in place.indices for place in update.place)
    )


def _partial(name: str) -> str:
    return f"{name}.lanes"


def _lanes(body: Iterable[Fill | Update | Steps], options: Options) -> int:
    """One lane where a loop's bounds differ from sample to sample: lanes run in step."""
    for part in body:
        loops = [loop for update in updates_of(part) for loop in update.loops]
        loops += part.loops if isinstance(part, Steps) else ()
        if any(SAMPLE in edge.indices for loop in loops for edge in (loop.lower, loop.upper)):
            return 1
    return options.lanes


def _with_local_writers(plan: _Plan, sinks: Iterable[int]) -> list[int]:
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


def _update(plan: _Plan, number: int, filled: Mapping[str, float]) -> Update:
    """The statement as a nest: inside a pass, with its sample loop taken out."""
    statement = plan.program.statements[number]
    lead = plan.leads[number]
    renaming = _step_indices(statement) | ({lead.index: index(SAMPLE)} if lead else {})
    loops = tuple(
        Range(loop.index, loop.lower.substitute(renaming), loop.upper.substitute(renaming))
        for loop in statement.loops
        if loop.index not in renaming
    )
    winner = statement.winner
    return Update(
        target=statement.target,
        place=_stored(plan, statement.target, statement.map, renaming),
        loops=loops,
        reduction=statement.reduction,
        expression=statement.expression,
        reads=tuple(_moved(plan, read, renaming) for read in statement.reads),
        first=number in plan.first and statement.target not in filled and _covers(plan, number),
        winner=replace(winner, position=winner.position.substitute(renaming)) if winner else None,
        span=statement.span,
    )


def _moved(plan: _Plan, read: Read, renaming: Mapping[str, Integer]) -> Read:
    return replace(read, map=_stored(plan, read.tensor, read.map, renaming))


def _stored(
    plan: _Plan, tensor: str | None, place: tuple[Integer, ...], renaming: Mapping[str, Integer]
) -> tuple[Integer, ...]:
    """A place in the buffer: a local buffer has no sample axis."""
    moved = tuple(part.substitute(renaming) for part in place)
    if tensor not in plan.local:
        return moved
    _, axis = plan.alignment.tensors[tensor or ""]
    return moved[:axis] + moved[axis + 1 :]


def _buffers(plan: _Plan) -> dict[str, Buffer]:
    buffers: dict[str, Buffer] = {}
    for tensor in plan.program.tensors.values():
        shape = tensor.shape
        if tensor.role is not Role.COMPUTED:
            storage = Storage.GIVEN
        elif tensor.name in plan.program.outputs:
            storage = Storage.OUTPUT
        elif tensor.name in plan.local:
            storage = Storage.LOCAL
            _, axis = plan.alignment.tensors[tensor.name]
            shape = shape[:axis] + shape[axis + 1 :]
        else:
            storage = Storage.WORKSPACE
        integers = tensor.role is Role.INDICES
        buffers[tensor.name] = Buffer(tensor.name, shape, storage, integers)
    return buffers


def _dims(nodes: Iterable[Node], buffers: Mapping[str, Buffer]) -> tuple[str, ...]:
    """Every dim that a bound, an index or an address mentions."""
    found: set[str] = set()
    pending: list[Node | Part] = list(nodes)
    for buffer in buffers.values():
        for size in buffer.shape:
            found |= size.dims
    while pending:
        node = pending.pop()
        match node:
            case Pass(loop):
                found |= loop.lower.dims | loop.upper.dims
                for phase in node.phases:
                    for around in phase.loops:
                        found |= around.lower.dims | around.upper.dims
                    pending.extend((*phase.body, *phase.sums))
            case Rows():
                for place in node.place:
                    found |= place.dims
            case Steps(loop):
                found |= loop.lower.dims | loop.upper.dims
                pending.extend(node.body)
            case Update():
                for loop in node.loops:
                    found |= loop.lower.dims | loop.upper.dims
                for place in (*node.place, *(p for read in node.reads for p in read.map)):
                    found |= place.dims
                if node.winner is not None:
                    found |= node.winner.position.dims
            case Fill() | Collect():
                pass
    return tuple(sorted(found))
