"""Hoisting by index set, on statements: done before differentiation, it holds after it.

What depends on a shorter index (one camera, one group, one component, no data at all) is computed
once over that index, not once per sample, and its adjoint is summed over the samples before it is
pushed further back.
"""

from __future__ import annotations

from symopt.statements.hoist.parts import hoist_parts
from symopt.statements.hoist.program import Hoisted, Hoisting
from symopt.statements.hoist.tensors import shrink_tensors
from symopt.statements.program import Program


def hoist(program: Program, options: Hoisting) -> tuple[Program, tuple[Hoisted, ...]]:
    """The same values from fewer operations, and what was hoisted over which loops.

    Every tensor keeps its name and shape: what is computed over fewer points has a new name, and
    the old one is a copy, which is dead unless something needs it. Values agree to rounding.
    """
    shrunk = shrink_tensors(program, options)
    result, parts = hoist_parts(shrunk, options)
    return result, shrunk.hoisted + parts
