"""Every function of a problem at one point, beside every oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.certify.faults import locate
from symopt.certify.objective import (
    compare_fisher,
    compare_gradients,
    compare_hessian_products,
    compare_hessians,
    compare_value,
)
from symopt.certify.oracle import Oracle
from symopt.certify.probe import Probe, probe
from symopt.certify.report import Comparison, Report
from symopt.certify.through_cut import (
    compare_gauss_newton,
    compare_jacobian_products,
    compare_jacobians,
    compare_residuals,
)
from symopt.derive.functions import unreached

if TYPE_CHECKING:
    from symopt.problem import Problem


def check(problem: Problem, oracle: Oracle, p: Any, seed: int = 0) -> Report:
    """The report on all functions of a problem at a point; directions are drawn from the seed."""
    at = probe(problem, oracle, np.asarray(p, dtype=np.float64), seed)
    with np.errstate(all="ignore"):
        comparisons, notes = _comparisons(at)
        failed = tuple(comparison for comparison in comparisons if not comparison.ok)
        failures = locate(problem.model.stages.program, oracle, at.p, failed)
    return Report(comparisons, failures, notes)


def _comparisons(at: Probe) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    found = [*compare_value(at)]
    notes: list[str] = []
    nonfinite = at.problem.explain_nonfinite(at.p)
    if nonfinite is not None:
        notes.append(f"not finite at this point: {nonfinite}")
    if at.problem.model.cut:
        found += compare_residuals(at)
    missing = unreached(at.oracle.task)
    if missing:
        listed = ", ".join(missing)
        notes.append(f"no derivative by {listed}: only piecewise constant functions see it")
    elif len(at.p):
        parts = [compare_gradients, compare_hessian_products, compare_hessians, compare_fisher]
        if at.problem.model.cut:
            parts += [compare_jacobians, compare_jacobian_products, compare_gauss_newton]
        for part in parts:
            found += part(at)
    return tuple(found), tuple(notes)
