"""Where a fit starts and the box it stays in: declared starts and bounds, once data is bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.artifacts.python.runtime.binding import in_numbers
from symopt.artifacts.python.runtime.calls import Function
from symopt.artifacts.python.runtime.errors import DataError, Mistake
from symopt.artifacts.python.runtime.layout import Layout
from symopt.artifacts.python.runtime.specification import Place, Specification

SETUPS = ("start", "bounds")  # the functions that starts are made of


class Starts:
    """The starts and bounds of parameters as flat vectors, made by the library's functions."""

    def __init__(
        self,
        loss: Specification,
        layout: Layout,
        functions: Mapping[str, Function],
        dims: Mapping[str, int],
    ) -> None:
        self._layout = layout
        self._dtype = np.dtype(loss.dtype)
        self._start = functions.get("start")
        self._draws = [(draw.distribution, in_numbers(draw.shape, dims)) for draw in loss.draws]
        self._places = {param.name: param.place for param in loss.params}
        self.bounds = self._bounds(functions.get("bounds"))
        self.open_bounds = (
            self._flags({param.name: param.open_lower for param in loss.params}),
            self._flags({param.name: param.open_upper for param in loss.params}),
        )

    def draw(self, seed: int) -> NDArray[Any]:
        """The declared start, its random parts drawn from a seed; nan where there is none."""
        generator = np.random.default_rng(seed)
        if self._start is None:
            return np.full(self._layout.size, np.nan, self._dtype)
        if not self._draws:
            return self._start()
        numbers = [
            (generator.standard_normal(shape) if kind == "normal" else generator.random(shape))
            for kind, shape in self._draws
        ]
        return self._start(np.concatenate([np.ravel(drawn) for drawn in numbers]))

    def check(self) -> None:
        """Raise a DataError for bounds that leave no room, or a start outside of them."""
        start, (lower, upper), (open_lower, open_upper) = (
            self.draw(0),
            self.bounds,
            self.open_bounds,
        )
        empty = (lower > upper) | ((lower == upper) & (open_lower | open_upper))
        below = (start < lower) | (open_lower & (start == lower))
        above = (start > upper) | (open_upper & (start == upper))
        for k in np.flatnonzero(empty):
            raise DataError(str(self._no_room(int(k), lower[k], upper[k])))
        for k in np.flatnonzero(below | above):
            side, bound = ("below", lower[k]) if below[k] else ("above", upper[k])
            touching = "at or " if (open_lower[k] if below[k] else open_upper[k]) else ""
            raise DataError(str(self._outside(int(k), start[k], f"{touching}{side}", bound)))

    def _bounds(self, function: Function | None) -> tuple[NDArray[Any], NDArray[Any]]:
        if function is not None:
            return function()
        size = self._layout.size
        return np.full(size, -np.inf, self._dtype), np.full(size, np.inf, self._dtype)

    def _flags(self, named: Mapping[str, bool]) -> NDArray[np.bool_]:
        found = np.zeros(self._layout.size, dtype=bool)
        for name, part in self._layout.arrays(found).items():
            part[...] = named[name]
        return found

    def _declared(self, k: int) -> tuple[str, Place]:
        name = self._layout.names[k]
        return name, self._places[name.partition("[")[0]]

    def _outside(self, k: int, start: float, side: str, bound: float) -> Mistake:
        name, place = self._declared(k)
        return Mistake(
            f"the start of `{name}` is {start:g}, {side} its bound {bound:g}",
            place,
            "declared here",
            help="move the start inside the bounds, or widen them",
        )

    def _no_room(self, k: int, lower: float, upper: float) -> Mistake:
        name, place = self._declared(k)
        message = f"the bounds of `{name}`, {lower:g} and {upper:g}, leave no value"
        return Mistake(message, place, "declared here")
