"""An explanation as text: an overview of a program, then what there is to say of each function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symopt.explain.counts import CHOICES, Operations
from symopt.explain.facts import BufferFacts, Explanation, FunctionFacts, PassFacts, PhaseFacts, Sizes
from symopt.explain.formula import Formula
from symopt.statements.hoist import Hoisted

_LABEL = 12  # characters


def explanation_text(explanation: Explanation) -> str:
    """All the facts."""
    lines = [*overview_lines(explanation), *rewrite_lines(explanation)]
    for function in explanation.functions:
        lines += ["", *function_lines(function, explanation.sizes)]
    return "\n".join(lines)


def overview_lines(explanation: Explanation) -> Iterator[str]:
    """What all functions of a program share."""
    fixed = explanation.fixed
    inside = [f"{name} = {size}" for name, size in fixed.sizes]
    inside += [f"{name}[{', '.join(map(str, shape))}]" for name, shape, _ in fixed.entries]
    open_sizes = dict.fromkeys(name for f in explanation.functions for name in f.open_sizes)
    yield explanation.program
    yield _labelled("compiled in", ", ".join(inside) or "no sizes")
    yield _labelled("left open", ", ".join(open_sizes) or "nothing")
    features = {
        "fused multiply-add": explanation.cpu.fma,
        "scaling by powers of two (AVX-512)": explanation.cpu.scalef,
    }
    used = [name for name, there in features.items() if there]
    yield _labelled("processor", ", ".join(used) or "common ground")
    yield _labelled("time", _times(explanation.seconds))


def rewrite_lines(explanation: Explanation) -> Iterator[str]:
    """The stable forms that took the place of what is written, and where."""
    for rewrite in explanation.rewrites:
        yield _labelled("stable form", f"{rewrite.span}: {rewrite.after} for {rewrite.before}")


def function_lines(function: FunctionFacts, sizes: Sizes) -> Iterator[str]:
    """Everything about one function."""
    yield f"{function.name}: {operations_text(function, sizes)}"
    if function.counts.once.kinds:
        yield _labelled("once", _kinds(function.counts.once))
    for number, one in enumerate(function.passes, start=1):
        yield from _pass_lines(number, one)
    for index in function.indices:
        places = (f"{place} ({count})" for place, count in index.places.items())
        yield _labelled("index", f"{index.loop}: {', '.join(places)}")
    for hoisted in function.hoisted:
        yield _labelled("hoisted", hoisted_text(hoisted))
    yield from _memory_lines(function, sizes)
    yield _labelled("time", _times(function.seconds))


def operations_text(function: FunctionFacts, sizes: Sizes) -> str:
    """The operations of a function, also as a number and as a multiple of the value's."""
    total = function.counts.total.total
    text = f"{total} operations"
    here, times = sizes.number(total), function.times_value(sizes)
    if here is not None and total.value is None:
        text += f", here {here:,.0f}"
    return text if times is None else f"{text}, {times:.3g} x the value"


def accumulators_text(phases: Iterable[PhaseFacts]) -> str:
    """How many sums over samples are kept where."""
    counts = [(p.sums_in_registers, p.sums_in_lots, p.sums_in_memory) for p in phases]
    words = ("in registers", "in lots", "in memory")
    totals = (sum(column) for column in zip(*counts, strict=True))
    return ", ".join(f"{n} {word}" for n, word in zip(totals, words, strict=False) if n)


def hoisted_text(hoisted: Hoisted) -> str:
    """What was hoisted over which loops, and its place in the program."""
    place = f"{hoisted.span}: " if hoisted.span else ""
    origin = "" if hoisted.source == hoisted.tensor else f" (of {hoisted.source})"
    return f"{place}{hoisted}{origin}"


def _pass_lines(number: int, one: PassFacts) -> Iterator[str]:
    lanes = f"{one.lanes} lanes" if one.lanes > 1 else "one sample at a time"
    tile = f", tiles of {one.tile} samples" if one.tile else ""
    yield _labelled(f"pass {number}", f"{one.loop}: {lanes}{tile}")
    yield _labelled("", f"a sample: {_kinds(one.sample)}")
    for phase in one.phases:
        plural = "" if phase.updates == 1 else "s"
        where = f" for {', '.join(phase.loops)}" if phase.loops else ""
        facts = [f"{phase.updates} update{plural}", f"{phase.operations.total} operations a sample"]
        for moved in phase.moved:
            verb = "written" if moved.written else "read"
            facts.append(f"rows of {moved.array} {verb}, {moved.columns} columns")
        if sums := accumulators_text([phase]):
            facts.append(f"sums: {sums}")
        yield _labelled("", f"phase{where}: {'; '.join(facts)}")


def _memory_lines(function: FunctionFacts, sizes: Sizes) -> Iterator[str]:
    kept: dict[str, list[BufferFacts]] = {}
    for buffer in function.buffers:
        if buffer.kept == "memory":
            kept.setdefault(buffer.storage, []).append(buffer)
    for storage, buffers in kept.items():
        names = (f"{b.name}({', '.join(b.shape)}) {bytes_text(b.bytes, sizes)}" for b in buffers)
        yield _labelled(storage, "; ".join(names))
    in_registers = sum(buffer.kept == "registers" for buffer in function.buffers)
    workspace = f"{bytes_text(function.workspace, sizes)} of workspace"
    yield _labelled("memory", f"{workspace}, {in_registers} arrays in registers")


def bytes_text(room: Formula, sizes: Sizes) -> str:
    """A number of bytes, and the formula where it is not the same for all sizes."""
    here = sizes.number(room)
    if room.value is not None or here is None:
        return f"{room} bytes"
    return f"{here:,.0f} bytes ({room})"


def _kinds(operations: Operations) -> str:
    kinds = operations.kinds
    counted = [f"{n} {kind}" for kind, n in kinds.items() if kind != CHOICES]
    text = ", ".join(counted) or "no operations"
    return f"{text}; {kinds[CHOICES]} {CHOICES}" if CHOICES in kinds else text


def _times(seconds: Mapping[str, float]) -> str:
    stages = (f"{name} {milliseconds(time)}" for name, time in seconds.items())
    return f"{', '.join(stages)}"


def milliseconds(seconds: float) -> str:
    """A time in ms."""
    return f"{1e3 * seconds:.1f} ms"


def _labelled(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}} {text}"
