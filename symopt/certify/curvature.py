"""The curvature that Gauss-Newton matrices give to robust losses, for the complex step.

Where ρ'' is less than -ρ'/2s, they use -ρ'/2s in its place. A complex step through ρ' sees ρ''
itself; here ρ' is replaced by a function of the same value whose imaginary part has the raised
slope. That is written from the formula, apart from the transformation that is to be checked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symopt.certify.oracle import STEP
from symopt.primitives.complex_step import to_first_order
from symopt.primitives.record import Elementwise, Primitive
from symopt.primitives.robust import ROBUST_LOSSES, RobustLoss
from symopt.statements.expression import operands, postorder, replaced
from symopt.statements.program import Program


def with_raised_curvature(program: Program) -> Program:
    """The program with every ρ' replaced by one whose complex step is raised."""
    raised = {loss.rho1: _raised(loss) for loss in ROBUST_LOSSES.values()}
    statements = []
    for statement in program.statements:
        nodes = {
            node: raised[node.record](*operands(node))
            for node in postorder(statement.expression)
            if isinstance(node, Primitive) and node.record in raised
        }
        if nodes:
            expression = replaced(statement.expression, nodes)
            statement = replace(statement, expression=expression)
        statements.append(statement)
    return replace(program, statements=tuple(statements))


def _raised(loss: RobustLoss) -> Elementwise:
    def curvature(s: Any, k: Any) -> Any:
        with np.errstate(all="ignore"):
            least = -loss.rho1.reference(s, k) / (2 * np.asarray(s, dtype=float))
        return np.fmax(loss.rho2.reference(s, k), least)

    def by_scale(s: Any, k: Any) -> Any:
        return np.imag(loss.rho1.reference(s, k + 1j * STEP)) / STEP

    return replace(loss.rho1, reference=to_first_order(loss.rho1.reference, curvature, by_scale))
