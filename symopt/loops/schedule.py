"""The schedule: statements become passes over the sample axis, and plain nests between them.

Everything that looks only at its own sample runs in one pass, forward and backward, with values
that are local to the sample. What a later pass needs of an earlier one is computed again there
rather than stored, so memory does not grow with the number of samples; only what many passes need
is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from symopt.loops.axis import Key
from symopt.loops.expand import expand_reductions
from symopt.loops.options import Options
from symopt.loops.phases import in_one_phase, in_phases
from symopt.loops.plan import Plan, planned, with_local_writers
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
from symopt.statements.program import IDENTITY, Program, Read, Role, Statement
from symopt.types import Integer, Range, Step, index


def schedule(program: Program, name: str, options: Options, fixed: Fixed = NOTHING_FIXED) -> Kernel:
    """The kernel that computes the outputs of a program, for all data that agree with `fixed`."""
    plan = planned(expand_reductions(program), options, fixed)
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


def _filled(plan: Plan) -> dict[str, float]:
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


def _covers(plan: Plan, number: int) -> bool:
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


def _body(plan: Plan, sinks: list[int], filled: Mapping[str, float]) -> list[Fill | Update | Steps]:
    """The sinks of a pass and all that they need of their own sample, in order."""
    body: list[Fill | Update | Steps] = []
    begun: set[str] = set()
    numbers = with_local_writers(plan, sinks)
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
    plan: Plan, numbers: Sequence[int], filled: Mapping[str, float], level: int = 0
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
    plan: Plan,
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


def _sums_over_samples(update: Update, plan: Plan) -> bool:
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


def _update(plan: Plan, number: int, filled: Mapping[str, float]) -> Update:
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


def _moved(plan: Plan, read: Read, renaming: Mapping[str, Integer]) -> Read:
    return replace(read, map=_stored(plan, read.tensor, read.map, renaming))


def _stored(
    plan: Plan, tensor: str | None, place: tuple[Integer, ...], renaming: Mapping[str, Integer]
) -> tuple[Integer, ...]:
    """A place in the buffer: a local buffer has no sample axis."""
    moved = tuple(part.substitute(renaming) for part in place)
    if tensor not in plan.local:
        return moved
    _, axis = plan.alignment.tensors[tensor or ""]
    return moved[:axis] + moved[axis + 1 :]


def _buffers(plan: Plan) -> dict[str, Buffer]:
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
