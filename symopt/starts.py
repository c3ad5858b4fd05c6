"""Where a fit starts and the box it stays in: declared starts and bounds, once data is bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.binding import Bound, setup_values
from symopt.diagnostics import DataError, Diagnostic, Kind, Label
from symopt.layout import Layout
from symopt.statements.program import Program
from symopt.typed import program as typed
from symopt.types import evaluate

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Starts:
    """The starts and bounds of a program's parameters as flat vectors."""

    program: typed.Program
    setup: Program
    bound: Bound
    layout: Layout

    def draw(self, seed: int) -> Vector:
        """The declared start, its random parts drawn from a seed; nan where there is none."""
        rng = np.random.default_rng(seed)
        draws: dict[str, NDArray[Any]] = {}
        for draw in self.program.draws:
            shape = tuple(int(evaluate(size, self.bound.dims, {}, {})) for size in draw.shape)
            normal = draw.distribution == "normal"
            draws[draw.name] = rng.standard_normal(shape) if normal else rng.random(shape)
        return self._pack(lambda param: param.init, np.nan, draws)

    def _check_symmetric(self) -> None:
        """Raise a DataError for a declared start or bound of a symmetric array that is not."""
        same = {
            draw.name: np.full([int(evaluate(s, self.bound.dims, {}, {})) for s in draw.shape], 0.5)
            for draw in self.program.draws
        }
        for name, pattern in self.layout.patterns.items():
            param = self.program.params[name]
            sides = [side and side.definition for side in (param.lower, param.upper)]
            wanted = [found for found in (param.init, *sides) if found is not None]
            if pattern.packing != "symmetric" or not wanted:
                continue
            given = {**self.bound.arrays, **same}
            for found, value in self._setup(tuple(wanted), given).items():
                stray = pattern.stray(value)
                if stray is not None:
                    raise DataError(_not_symmetric(param, found, value, stray))

    def lower(self) -> Vector:
        """The lower bounds, -inf where there are none."""
        return self._pack(lambda param: param.lower and param.lower.definition, -np.inf)

    def upper(self) -> Vector:
        """The upper bounds, inf where there are none."""
        return self._pack(lambda param: param.upper and param.upper.definition, np.inf)

    def open_lower(self) -> Mask:
        """Which lower bounds may not be reached."""
        return self._flags(lambda param: param.lower)

    def open_upper(self) -> Mask:
        """Which upper bounds may not be reached."""
        return self._flags(lambda param: param.upper)

    def check(self) -> None:
        """Raise a DataError for a start or bounds that cannot be.

        Bounds that leave no room, a start outside of them, either not symmetric where it has to be.
        """
        self._check_symmetric()
        start, lower, upper = self.draw(0), self.lower(), self.upper()
        open_lower, open_upper = self.open_lower(), self.open_upper()
        empty = (lower > upper) | ((lower == upper) & (open_lower | open_upper))
        below = (start < lower) | (open_lower & (start == lower))
        above = (start > upper) | (open_upper & (start == upper))
        for k in np.flatnonzero(empty):
            raise DataError(self._no_room(int(k), lower[k], upper[k]))
        for k in np.flatnonzero(below | above):
            side, bound = ("below", lower[k]) if below[k] else ("above", upper[k])
            touching = "at or " if (open_lower[k] if below[k] else open_upper[k]) else ""
            raise DataError(self._outside(int(k), start[k], f"{touching}{side}", bound))

    def _pack(
        self,
        definition: Callable[[typed.Param], str | None],
        missing: float,
        more: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> Vector:
        """A value for every parameter: its setup definition's, or `missing`."""
        named = {name: definition(param) for name, param in self.program.params.items()}
        wanted = tuple(name for name in named.values() if name is not None)
        values = self._setup(wanted, {**self.bound.arrays, **more})
        return self.layout.pack(
            {
                name: missing if found is None else self._unknowns(name, values[found])
                for name, found in named.items()
            }
        )

    def _setup(
        self, names: tuple[str, ...], given: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        return setup_values(self.setup, names, self.bound.dims, given)

    def _unknowns(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """Of a packed parameter, the unknowns in a full array, whatever else is in it."""
        pattern = self.layout.patterns.get(name)
        return value if pattern is None else pattern.packed(value)

    def _flags(self, side: Callable[[typed.Param], typed.Side | None]) -> Mask:
        found = {name: side(param) for name, param in self.program.params.items()}
        return self.layout.pack(
            {name: float(s is not None and s.open) for name, s in found.items()}
        ).astype(bool)

    def _label(self, k: int) -> tuple[str, tuple[Label, ...]]:
        name = self.layout.names[k]
        param = self.program.params[name.partition("[")[0]]
        return name, (Label(param.span, "declared here"),)

    def _outside(self, k: int, start: float, side: str, bound: float) -> Diagnostic:
        name, labels = self._label(k)
        return Diagnostic(
            Kind.DATA,
            "start-outside-bounds",
            f"the start of `{name}` is {start:g}, {side} its bound {bound:g}",
            labels,
            help="move the start inside the bounds, or widen them",
        )

    def _no_room(self, k: int, lower: float, upper: float) -> Diagnostic:
        name, labels = self._label(k)
        return Diagnostic(
            Kind.DATA,
            "empty-bounds",
            f"the bounds of `{name}`, {lower:g} and {upper:g}, leave no value",
            labels,
        )


def _not_symmetric(
    param: typed.Param, found: str, value: NDArray[Any], place: tuple[int, ...]
) -> Diagnostic:
    what = {"init": "start", "lower": "lower bound", "upper": "upper bound"}[found.split(".")[-1]]
    mirrored = (*place[:-2], place[-1], place[-2])
    here, there = (f"[{', '.join(map(str, p))}] is {value[p]:g}" for p in (place, mirrored))
    return Diagnostic(
        Kind.DATA,
        "not-symmetric",
        f"the {what} of `{param.name}` is not symmetric: {here} and {there}",
        (Label(param.span, "declared `as symmetric` here"),),
        help="make both halves equal, as in (A + A.T)/2",
    )
