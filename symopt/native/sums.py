"""Sums over samples: in registers while the blocks of a tile go by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from symopt.loops.program import Update
from symopt.loops.work import points
from symopt.native.text import FunctionText
from symopt.types import Integer, Range


@dataclass(slots=True)
class Sums:
    """Registers for sums over samples, by the element that they will be added to."""

    text: FunctionText
    lanes: int
    slots: dict[tuple[str, tuple[Integer, ...]], str] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)

    def slot(self, target: str, place: tuple[Integer, ...]) -> str:
        """The register of an element, which starts at 0."""
        key = target, place
        if key not in self.slots:
            slot = self.slots[key] = self.text.alloca(self.text.real, True)
            vector = f"<{self.lanes} x {self.text.real}>"
            self.starts.append(f"  store {vector} zeroinitializer, ptr {slot}")
        return self.slots[key]


def lots(
    sums: Sequence[Update], registers: int
) -> Iterator[tuple[tuple[Update, ...], tuple[Range, ...]]]:
    """Sums to take together, and loops to run around the blocks for them.

    A rectangle of more elements than there are registers keeps its outer loops; what is left, and
    what is no rectangle, is taken element by element.
    """
    single: list[Update] = []
    for update in sums:
        loops = [loop for loop in update.loops if loop.index in update.seen]
        if any(loop.lower.indices | loop.upper.indices for loop in loops):
            single.append(update)
            continue
        around: list[Range] = []
        while (points(loops) or 0) > registers:
            around.append(loops.pop(0))
        rest = tuple(loop for loop in update.loops if loop not in around)
        if around:
            yield (replace(update, loops=rest),), tuple(around)
        else:
            single.append(update)
    if single:
        yield tuple(single), ()
