"""How much work updates are, before they are code."""

from __future__ import annotations

from collections.abc import Sequence

from symopt.loops.program import SAMPLE, Update
from symopt.primitives.record import Intrinsic, Libm, Primitive
from symopt.statements.expression import postorder
from symopt.types import Integer, Range, constant

_FUNCTION = 20  # operations in an elementary function, about


def operations(update: Update) -> int:
    """Roughly how many instructions one point of an update takes."""
    apart = not update.first or any(SAMPLE in part.indices for part in update.place)
    total = 2 if apart and update.place else 1
    for node in postorder(update.expression):
        if isinstance(node, Primitive) and isinstance(node.record.lower, Intrinsic | Libm):
            total += _FUNCTION
        elif node.args:
            total += max(len(node.args) - 1, 1)
    return total


def points(loops: Sequence[Range]) -> int | None:
    """How many points a nest has; about half as many for a triangle; None if not known."""
    total, middle = 1, dict[str, Integer]()
    for loop in loops:
        lower, upper = loop.lower.substitute(middle).value, loop.upper.substitute(middle).value
        if lower is None or upper is None:
            return None
        total *= max(upper - lower, 0)
        middle[loop.index] = constant((lower + upper) // 2)
    return total


def elements(shape: Sequence[Integer]) -> int | None:
    """How many elements a shape has; None if not known."""
    return points([Range("", constant(0), size) for size in shape])


def written_out(update: Update, limit: int) -> bool:
    """Whether an update of a block is emitted once for each of its points, without loops."""
    count = points(update.loops)
    return count is not None and count * operations(update) <= limit
