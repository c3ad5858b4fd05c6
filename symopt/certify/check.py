"""Every function of a problem at one point, beside every oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from symopt.diagnostics import DataError, Diagnostic, Kind

if TYPE_CHECKING:
    from symopt.problem import Problem

# The functions that are compared together, and how: of any problem, then of one with a cut.
_Group = tuple[tuple[str, ...], Callable[[Probe], Iterator[Comparison]]]
_VALUES: tuple[_Group, ...] = ((("value",), compare_value),)
_CUT_VALUES: tuple[_Group, ...] = ((("residuals",), compare_residuals),)
_DERIVATIVES: tuple[_Group, ...] = (
    (("grad", "value_and_grad"), compare_gradients),
    (("hvp",), compare_hessian_products),
    (("hess", "hess_sparse"), compare_hessians),
    (("fisher",), compare_fisher),
)
_CUT_DERIVATIVES: tuple[_Group, ...] = (
    (("jac", "jac_sparse", "residuals_and_jac"), compare_jacobians),
    (("jvp", "vjp"), compare_jacobian_products),
    (("gauss_newton", "gauss_newton_sparse", "gnvp"), compare_gauss_newton),
)
CHECKED = tuple(
    name
    for groups in (_VALUES, _DERIVATIVES, _CUT_VALUES, _CUT_DERIVATIVES)
    for names, _ in groups
    for name in names
)


def check(
    problem: Problem, oracle: Oracle, p: Any, functions: Iterable[str] = CHECKED, seed: int = 0
) -> Report:
    """The report on some functions of a problem at a point; directions are drawn from the seed."""
    wanted = frozenset(functions)
    for name in sorted(wanted - {*CHECKED}):
        raise DataError(_unknown(name))
    at = probe(problem, oracle, np.asarray(p, dtype=np.float64), seed)
    nonfinite = problem.explain_nonfinite(at.p)
    if nonfinite is not None:
        # What is beside nan or inf says nothing about derivatives.
        note = f"not finite at this point, where nothing can be checked: {nonfinite}"
        return Report((), (), (note,), finite=False)
    missing = unreached(oracle.task) if len(at.p) else ()
    with np.errstate(all="ignore"):
        found = tuple(_comparisons(at, wanted, derivatives=bool(len(at.p)) and not missing))
        failed = tuple(comparison for comparison in found if not comparison.ok)
        failures = locate(problem.model.stages.program, oracle, at.p, failed)
    listed = ", ".join(missing)
    note = f"no derivative by {listed}: only piecewise constant functions see it"
    return Report(found, failures, (note,) if missing else ())


def _comparisons(at: Probe, wanted: frozenset[str], *, derivatives: bool) -> Iterator[Comparison]:
    cut = bool(at.problem.model.cut)
    groups = _VALUES + (_CUT_VALUES if cut else ())
    if derivatives:
        groups += _DERIVATIVES + (_CUT_DERIVATIVES if cut else ())
    for names, compare in groups:
        if not wanted.isdisjoint(names):
            for comparison in compare(at):
                if comparison.function.partition(" ")[0] in wanted:
                    yield comparison


def _unknown(name: str) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-function",
        f"there is no check of a function `{name}`",
        help=f"there is one of {', '.join(CHECKED)}",
    )
