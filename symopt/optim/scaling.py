"""Units of the unknowns that a method sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from symopt.optim import errors
from symopt.optim.problem import Mask, Problem, Vector, parameter_of, typical_sizes


def scales_of(problem: Problem, start: Vector, free: Mask, given: Any) -> Vector | None:
    """The unit of each free entry; None for those of the problem.

    From sizes by parameter name (the others keep their unit), a vector for all entries, or "auto":
    the root mean square of each parameter's start.
    """
    if given is None:
        return None
    if isinstance(given, str):
        if given != "auto":
            raise errors.bad_setting("scale", given, '"auto", sizes by name or a vector')
        return typical_sizes(problem, start)[free]
    if isinstance(given, Mapping):
        sizes = _by_name(problem, cast("Mapping[str, Any]", given))
    else:
        sizes = np.array(given, np.float64).ravel()
        if len(sizes) != problem.n:
            raise errors.wrong_length("scale", len(sizes), problem.n)
    wrong = np.flatnonzero(~((sizes > 0) & np.isfinite(sizes)))
    if wrong.size:
        entry = int(wrong[0])
        raise errors.bad_setting(
            f"scale of {problem.names[entry]}", float(sizes[entry]), "positive"
        )
    return sizes[free]


def _by_name(problem: Problem, given: Mapping[str, Any]) -> Vector:
    owners = np.array([parameter_of(name) for name in problem.names])
    sizes = np.ones(problem.n)
    for name, size in given.items():
        entries = np.flatnonzero(owners == name)
        if not entries.size:
            raise errors.unknown_scale(name, list(problem.names))
        flat = np.ravel(np.asarray(size, np.float64))
        if flat.size not in (1, entries.size):
            raise errors.wrong_length(f"scale of {name}", flat.size, entries.size)
        sizes[entries] = flat
    return sizes
