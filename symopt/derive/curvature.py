"""The second derivative of robust losses as a Gauss-Newton matrix uses it.

For ρ(s) with s = Σ r², the block is 2ρ' I + 4ρ'' r rᵀ; where ρ'' is so negative that this would
not be positive semi-definite it is raised to -ρ'/2s, as B. Triggs et al. (Bundle Adjustment - A
Modern Synthesis, 2000, section 4.3) do in another form. Computed in s, never through its root.
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from symopt.primitives.operators import divide, maximum
from symopt.primitives.record import Constant, Primitive
from symopt.primitives.robust import ROBUST_LOSSES
from symopt.statements.expression import operands, postorder, replaced
from symopt.statements.program import Program

_FIRST = {loss.rho2: loss.rho1 for loss in ROBUST_LOSSES.values()}


def positive_curvature(program: Program) -> Program:
    """The program with every ρ'' replaced by max(ρ'', -ρ'/2s)."""
    statements = tuple(
        replace(statement, expression=_raised(statement.expression))
        for statement in program.statements
    )
    return replace(program, statements=statements)


def _raised(expression: sympy.Expr) -> sympy.Expr:
    nodes = [
        node
        for node in postorder(expression)
        if isinstance(node, Primitive) and node.record in _FIRST
    ]
    return replaced(expression, {node: _bounded(node) for node in nodes}) if nodes else expression


def _bounded(node: Primitive) -> sympy.Expr:
    s, scale = operands(node)
    slope = _FIRST[node.record](s, scale)
    return maximum(node, -divide(slope, sympy.Mul(Constant(2.0), s)))
