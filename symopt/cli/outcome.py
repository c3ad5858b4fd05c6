"""What a fit found, gathered once: the table and the JSON file are two views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import DerivativeUnavailable, Diagnostic
from symopt.typed.packing import Pattern

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from symopt.model import Model
    from symopt.problem import Problem
    from symopt.syntax.tree import Packing

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A parameter or a report, with its standard errors where the fit has some.

    Arrays are full ones; of a packed parameter, only some entries are unknowns.
    """

    name: str
    value: Array
    standard_error: Array | None
    description: str | None
    packing: Packing | None = None

    @property
    def places(self) -> list[tuple[int, ...]]:
        """The entries that were found."""
        shape = self.value.shape
        if self.packing is None:
            return list(np.ndindex(shape))
        pattern = Pattern(self.packing, shape[-1])
        unknowns = list(zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True))
        return [(*batch, *place) for batch in np.ndindex(shape[:-2]) for place in unknowns]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A fit, told by names. `result` is what the optimizer returned.

    `entries` are the names of the unknowns in the order of its flat vectors and matrices.
    """

    program: str
    method: str
    seed: int | None
    maximize: bool
    entries: tuple[str, ...]
    params: tuple[Quantity, ...]
    reports: tuple[Quantity, ...]
    warnings: tuple[Diagnostic, ...]
    result: OptimizeResult


def gather_outcome(
    model: Model,
    problem: Problem,
    result: OptimizeResult,
    *,
    method: str,
    seed: int | None,
    remarks: Sequence[Diagnostic],
) -> Outcome:
    """The fit by names: parameters, reports and everything that was warned about."""
    errors = result.get("stderr") or {}
    params = tuple(
        Quantity(
            name=name,
            value=np.asarray(value, dtype=np.float64),
            standard_error=None if errors.get(name) is None else np.asarray(errors[name]),
            description=model.params[name].description,
            packing=model.params[name].packing,
        )
        for name, value in result.params.items()
    )
    definitions = {d.name: d for d in model.stages.program.definitions}
    reports = tuple(
        Quantity(
            name=name,
            value=np.asarray(problem.eval(name, result.x), dtype=np.float64),
            standard_error=_standard_error(problem, name, result),
            description=definitions[name].description,
        )
        for name in model.reports
    )
    return Outcome(
        program=model.name,
        method=method,
        seed=seed,
        maximize=problem.maximize,
        entries=problem.names,
        params=params,
        reports=reports,
        warnings=(*model.warnings, *remarks),
        result=result,
    )


def _standard_error(problem: Problem, name: str, result: OptimizeResult) -> Array | None:
    """A report's standard error where the fit has a covariance and the report a derivative."""
    if "covariance" not in result:
        return None
    try:
        return np.asarray(problem.stderr_of(name, result.x, result.covariance))
    except DerivativeUnavailable:
        return None
