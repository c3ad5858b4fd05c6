"""What a phase keeps in registers."""

from __future__ import annotations

from symopt.loops.program import SAMPLE, Buffer, Fill, Kernel, Phase, Rows, Update, touched
from symopt.loops.work import elements, written_out
from symopt.types import Integer

_MOST_PICKED = 16  # elements among which an index chooses by comparing it with each


def in_registers(phase: Phase, kernel: Kernel, limit: int) -> frozenset[str]:
    """The buffers of samples' values that the body of a phase can keep in registers.

    Those that it sets before anything else, and whose elements are named by number wherever it
    touches them; a few may also be picked by an index that differs from sample to sample.
    """
    buffers, known = kernel.buffers, frozenset(kernel.entries)
    places: dict[str, list[bool]] = {}
    begun: dict[str, bool] = {}
    for part in phase.body:
        match part:
            case Fill(name):
                begun.setdefault(name, True)
            case Rows():
                begun.setdefault(part.columns, not part.write)
                width = elements(buffers[part.columns].shape) or 0
                places.setdefault(part.columns, []).append(part.written_out(width))
            case Update():
                numbers = frozenset(loop.index for loop in part.loops)
                fixed = numbers if written_out(part, limit) else None
                written = {part.target} | ({part.winner.tensor} if part.winner else set())
                for name in touched(part):
                    begun.setdefault(name, part.first and name in written)
                accesses = [(name, part.place) for name in written]
                accesses += [(read.tensor, read.map) for read in part.reads if read.tensor]
                for name, place in accesses:
                    few = _few(buffers[name])
                    places.setdefault(name, []).append(_numbered(place, fixed, known, few))
                if fixed is None and part.reduction in ("max", "min"):
                    for name in written:  # the best so far goes from step to step in memory
                        places[name].append(False)
    return frozenset(
        name
        for name, set_first in begun.items()
        if set_first
        and buffers[name].of_samples
        and elements(buffers[name].shape) is not None
        and all(places.get(name, ()))
    )


def _few(buffer: Buffer) -> bool:
    count = elements(buffer.shape)
    return count is not None and count <= _MOST_PICKED


def _numbered(
    place: tuple[Integer, ...], fixed: frozenset[str] | None, known: frozenset[str], few: bool
) -> bool:
    """Whether a place is a number once the indices of the loops written out are."""
    if fixed is None:
        return not place
    free = any(part.indices - fixed or part.tensors - known for part in place)
    return not free or (few and any(SAMPLE in part.indices for part in place))
