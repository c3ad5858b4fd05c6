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
        """Raise a DataError for bounds that leave no room, or a declared start outside them."""
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
        given = {**self.bound.arrays, **more}
        values = setup_values(self.setup, wanted, self.bound.dims, given)
        return self.layout.pack(
            {name: missing if found is None else values[found] for name, found in named.items()}
        )

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
