"""An explanation as text: an overview of a program, then what there is to say of each function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from symopt.explain.counts import CHOICES, Operations
from symopt.explain.facts import (
    BufferFacts,
    Explanation,
    FunctionFacts,
    PassFacts,
    PhaseFacts,
    Sizes,
)
from symopt.explain.formula import ZERO, Formula
from symopt.explain.places import IndexPlaces
from symopt.statements.hoist import Hoisted
from symopt.typed.program import Rewrite

_LABEL = 11  # characters
_STAGES = {
    "analyse": "read and check",
    "passes": "LLVM passes",
    "code": "machine code",
    "cached": "machine code from the cache",
}


def explanation_text(explanation: Explanation) -> str:
    """All the facts."""
    lines = [*overview_lines(explanation), *rewrite_lines(explanation)]
    for function in explanation.functions:
        lines += ["", *function_lines(function, explanation.sizes)]
    return "\n".join([*lines, *cost_lines(explanation)])


def overview_lines(explanation: Explanation) -> Iterator[str]:
    """What all functions of a program share."""
    fixed = explanation.fixed
    inside = [f"{name} = {size}" for name, size in fixed.sizes]
    inside += [f"{name}[{', '.join(map(str, shape))}]" for name, shape, _ in fixed.entries]
    open_sizes = dict.fromkeys(name for f in explanation.functions for name in f.open_sizes)
    yield explanation.program
    yield _labelled("compiled in", ", ".join(inside) or "no sizes")
    yield _labelled("left open", ", ".join(open_sizes) or "nothing")
    yield _labelled("arrays of", explanation.precision)
    features = {
        "fused multiply-add": explanation.cpu.fma,
        "scaling by powers of two (AVX-512)": explanation.cpu.scalef,
    }
    used = [name for name, there in features.items() if there]
    yield _labelled("processor", ", ".join(used) or "common ground")
    yield _labelled("time", _times(explanation.seconds))


def cost_lines(explanation: Explanation) -> Iterator[str]:
    """What products cost beside what they are made of, in operations."""
    sizes = explanation.sizes
    counts = {f.name: sizes.number(f.counts.total.total) for f in explanation.functions}
    parts: list[str] = []
    for name, other in (("hvp", "grad"), ("gnvp", "hvp")):
        cost, base = counts.get(name), counts.get(other)
        if cost is not None and base:
            parts.append(f"{name} {times_text(cost / base)} x {other}")
    if parts:
        yield ""
        yield f"cost: {', '.join(parts)}"


def rewrite_lines(explanation: Explanation) -> Iterator[str]:
    """The stable forms that took the place of what is written, and where."""
    yield from _section("stable", map(_rewrite_text, explanation.rewrites))


def _rewrite_text(rewrite: Rewrite) -> str:
    text = f"{rewrite.span}: {rewrite.after} for {rewrite.before}"
    places = ", ".join(f"{span.line}:{span.column}" for span in rewrite.through)
    return f"{text}, through {places}" if places else text


def function_lines(function: FunctionFacts, sizes: Sizes) -> Iterator[str]:
    """Everything about one function."""
    yield f"{function.name}: {operations_text(function, sizes)}"
    if function.counts.once.kinds:
        yield _labelled("once", _kinds(function.counts.once))
    for number, one in enumerate(function.passes, start=1):
        yield from _section(f"pass {number}", _pass_lines(one))
    yield from _section("indices", map(_index_text, function.indices))
    yield from _section("hoisted", map(hoisted_text, function.hoisted))
    yield from _section("memory", _memory_lines(function, sizes))
    yield _labelled("time", _times(function.seconds))


def operations_text(function: FunctionFacts, sizes: Sizes) -> str:
    """The operations of a function, also as a number and as a multiple of the value's."""
    total = function.counts.total.total
    text = f"{total} operations"
    here, times = sizes.number(total), function.times_value(sizes)
    if here is not None and total.value is None:
        text += f", here {here:,.0f}"
    return text if times is None else f"{text}, {times_text(times)} x the value"


def times_text(times: float) -> str:
    """A quotient, to about a percent."""
    return f"{times:.2f}" if times < 10 else f"{times:,.1f}"


def accumulators_text(phases: Iterable[PhaseFacts]) -> str:
    """How many sums over samples are kept where."""
    counts = {"registers": ZERO, "lots": ZERO, "memory": ZERO}
    for phase in phases:
        counts["registers"] += phase.sums_in_registers
        counts["lots"] += phase.sums_in_lots
        counts["memory"] += phase.sums_in_memory
    return ", ".join(f"{count} in {where}" for where, count in counts.items() if count)


def hoisted_text(hoisted: Hoisted) -> str:
    """What is computed over fewer points, and its place in the program."""
    place = f"{hoisted.span}: " if hoisted.span else ""
    if hoisted.loops == hoisted.source_loops:
        loops = ", ".join(map(str, hoisted.loops))
        return f"{place}{hoisted.source}: a factor left its sum over {loops}"
    origin = "" if hoisted.source == hoisted.tensor else f" as {hoisted.source}"
    return f"{place}{hoisted}{origin}"


def _pass_lines(one: PassFacts) -> Iterator[str]:
    lanes = f"{one.lanes} lanes" if one.lanes > 1 else "one sample at a time"
    tile = f", tiles of {one.tile} samples" if one.tile else ""
    yield f"{one.loop}: {lanes}{tile}"
    yield f"a sample: {_kinds(one.sample)}"
    for phase in one.phases:
        where = f" for {', '.join(phase.loops)}" if phase.loops else ""
        yield f"phase{where}: {'; '.join(_phase_facts(phase))}"


def _phase_facts(phase: PhaseFacts) -> Iterator[str]:
    for moved in phase.moved:
        verb = "written" if moved.written else "read"
        yield f"rows of {moved.array} {verb}, {_counted(moved.columns, 'columns')}"
    if phase.updates:
        yield f"{_counted(phase.updates, 'updates')}, {phase.operations.total} operations a sample"
    if sums := accumulators_text([phase]):
        yield f"sums over samples: {sums}"


def _index_text(index: IndexPlaces) -> str:
    places = (f"{place} ({count})" for place, count in index.places.items())
    return f"{index.loop}: {', '.join(places)}"


def _memory_lines(function: FunctionFacts, sizes: Sizes) -> Iterator[str]:
    counts = Counter(buffer.kept for buffer in function.buffers)
    yield (
        f"{bytes_text(function.workspace, sizes)} of workspace; in registers "
        f"{_counted(counts['registers'], 'arrays')}, on the stack {counts['stack']}"
    )
    kept: dict[str, list[BufferFacts]] = {}
    for buffer in function.buffers:
        if buffer.kept == "memory":
            kept.setdefault(buffer.storage, []).append(buffer)
    for storage, buffers in kept.items():
        arrays = (f"{b.name}({', '.join(b.shape)}) {bytes_text(b.bytes, sizes)}" for b in buffers)
        yield f"{storage}: {'; '.join(arrays)}"


def bytes_text(room: Formula, sizes: Sizes) -> str:
    """A number of bytes, and the formula where it is not the same for all sizes."""
    here = sizes.number(room)
    if room.value is not None or here is None:
        return f"{room} bytes"
    return f"{here:,.0f} bytes ({room})"


def milliseconds(seconds: float) -> str:
    """A time in ms."""
    return f"{1e3 * seconds:.1f} ms"


def _kinds(operations: Operations) -> str:
    kinds = operations.kinds
    counted = [_counted(n, kind) for kind, n in kinds.items() if kind != CHOICES]
    text = ", ".join(counted) or "no operations"
    return f"{text}; {_counted(kinds[CHOICES], CHOICES)}" if CHOICES in kinds else text


def _counted(count: Formula | int, things: str) -> str:
    """A number of things; one of them in the singular."""
    return f"{count} {things.removesuffix('s') if str(count) == '1' else things}"


def _times(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{_STAGES.get(s, s)} {milliseconds(time)}" for s, time in seconds.items())


def _section(label: str, texts: Iterable[str]) -> Iterator[str]:
    """Lines, the first of them with a label."""
    for number, text in enumerate(texts):
        yield _labelled("" if number else label, text)


def _labelled(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}} {text}"
