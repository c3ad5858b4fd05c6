"""The function that `lambdify` returns, for any arguments: native code for each kind of call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.lambdified import errors
from symopt.lambdified.arguments import Argument, Group, Indexed, Scalar, leaves
from symopt.lambdified.formula import Formula
from symopt.lambdified.native import Variant, compile_variant
from symopt.lambdified.nodes import Nodes
from symopt.lambdified.results import Filler, Result
from symopt.lambdified.statements import SAMPLES
from symopt.types import interval

Array = NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """The values of one call, and the shape that those of scalars broadcast to."""

    values: dict[str, Array]
    shape: Shape

    @property
    def arrays(self) -> frozenset[str]:
        """Scalars that have more than one value."""
        return frozenset(name for name, value in self.values.items() if value.size != 1)


class Function:
    """Compiles itself for the kinds of arguments it is called with: which of them are arrays."""

    def __init__(
        self, arguments: tuple[Argument, ...], result: Result, formula: Formula, nodes: Nodes
    ) -> None:
        self.arguments = arguments
        self.result = result
        self.formula = formula
        self._nodes = nodes
        self.leaves = tuple(leaves(arguments))
        self._names = {leaf.tensor: leaf.name for leaf in self.leaves}
        used = {read.tensor for read in formula.reads.values()}
        self._indexed = tuple(
            leaf for leaf in self.leaves if isinstance(leaf, Indexed) and leaf.tensor in used
        )
        self._ranks = {read.tensor: len(read.map) for read in formula.reads.values() if read.tensor}
        self.used = frozenset(formula.scalars.values())
        self._variants: dict[frozenset[str], Variant] = {}
        self._lock = threading.Lock()

    def variant(self, arrays: frozenset[str]) -> Variant:
        """The code for calls where these scalars are arrays."""
        found = self._variants.get(arrays)
        if found is None:
            with self._lock:
                found = self._variants.get(arrays)
                if found is None:
                    found = compile_variant(self.formula, self._nodes, arrays, self._ranks)
                    self._variants[arrays] = found
        return found

    def has_variant(self, arrays: frozenset[str]) -> bool:
        """Whether there is code for such calls already."""
        return arrays in self._variants

    def __call__(self, *values: Any) -> Any:
        scalars, indexed = self._unpacked(values)
        given = self._broadcast(scalars)
        sizes = self._sizes(given, indexed)
        self._check_reads(sizes, indexed)
        count = len(self.formula.roots)
        samples = prod(given.shape)
        if not given.shape:
            numbers = np.empty(count)
            self._run(given, indexed, numbers, sizes)
            return Filler(numbers.tolist(), None).fill(self.result)
        results = np.empty((count, *given.shape))
        if samples:
            self._run(given, indexed, results.reshape(count, samples), sizes)
        return Filler(results, given.shape).fill(self.result)

    def _run(
        self, given: _Given, indexed: dict[str, Array], results: Array, sizes: dict[str, int]
    ) -> None:
        arrays = given.arrays & self.used
        variant = self.variant(arrays)
        vectors: dict[str, Array] = {}
        for name in self.used:
            value = given.values[name]
            whole = name in arrays and value.shape != given.shape
            vectors[name] = np.ascontiguousarray(
                np.broadcast_to(value, given.shape) if whole else value
            )
        addresses = {name: array.ctypes.data for name, array in (vectors | indexed).items()}
        start, step = results.ctypes.data, results.strides[0]
        if results.ndim == 1 or arrays or results.shape[1] == 1:
            addresses |= {f"out{k}": start + k * step for k in range(len(results))}
            variant.run(addresses, sizes | {SAMPLES: prod(given.shape)})
            return
        # No array is in the formula: numbers, each as often as there are samples.
        numbers = np.empty(len(results))
        start = numbers.ctypes.data
        addresses |= {f"out{k}": start + 8 * k for k in range(len(results))}
        variant.run(addresses, sizes)
        results[...] = numbers[:, np.newaxis]

    # ── arguments ────────────────────────────────────────────────────────────────────────────

    def _unpacked(self, values: Sequence[Any]) -> tuple[dict[str, Array], dict[str, Array]]:
        """The values of scalars and of indexed arrays, by tensor."""
        scalars: dict[str, Array] = {}
        indexed: dict[str, Array] = {}
        pending = list(zip(self.arguments, values, strict=True))[::-1]
        while pending:
            argument, value = pending.pop()
            match argument:
                case Scalar():
                    scalars[argument.tensor] = _real(argument.name, value)
                case Indexed():
                    indexed[argument.tensor] = self._array(argument, value)
                case Group():
                    parts = _members(argument, value)
                    pending.extend(reversed(list(zip(argument.members, parts, strict=True))))
        return scalars, {leaf.tensor: indexed[leaf.tensor] for leaf in self._indexed}

    def _array(self, argument: Indexed, value: Any) -> Array:
        array = np.ascontiguousarray(_real(argument.name, value))
        rank = self._ranks.get(argument.tensor)
        if argument.shape is not None and array.shape != argument.shape:
            raise errors.wrong_shape(argument.name, f"have shape {argument.shape}", array.shape)
        if rank is not None and array.ndim != rank:
            raise errors.wrong_shape(argument.name, f"have {rank} axes", array.shape)
        return array

    def _broadcast(self, values: dict[str, Array]) -> _Given:
        shapes = {value.shape for value in values.values()} - {()}
        if len(shapes) <= 1:
            return _Given(values, next(iter(shapes), ()))
        try:
            return _Given(values, np.broadcast_shapes(*shapes))
        except ValueError:
            found = ((self._names[name], array.shape) for name, array in values.items())
            raise errors.not_broadcast(found) from None

    def _sizes(self, given: _Given, indexed: dict[str, Array]) -> dict[str, int]:
        """All open sizes but the number of samples: of arrays, and numbers that limit sums."""
        sizes = {
            f"{name}.{axis}": size
            for name, array in indexed.items()
            for axis, size in enumerate(array.shape)
        }
        for name in self.formula.whole:
            value = given.values[name]
            if value.size != 1 or not value.item().is_integer():
                raise errors.not_an_integer(self._names[name], value)
            sizes[name] = int(value.item())
        return sizes

    def _check_reads(self, sizes: dict[str, int], indexed: dict[str, Array]) -> None:
        """Every element that is read is there."""
        if not indexed:
            return
        ranges: dict[str, tuple[int, int]] = {}
        for total in self.formula.totals.values():
            loop = total.loop
            low, _ = interval(loop.lower, sizes, ranges, lambda _: (0, 0))
            _, high = interval(loop.upper, sizes, ranges, lambda _: (0, 0))
            ranges[loop.index] = low, max(high - 1, low - 1)
        for read in self.formula.reads.values():
            if read.tensor is None:
                continue
            for place, size in zip(read.map, indexed[read.tensor].shape, strict=True):
                if any(ranges[name][1] < ranges[name][0] for name in place.indices):
                    break  # a sum of nothing
                low, high = interval(place, sizes, ranges, lambda _: (0, 0))
                if low < 0 or high >= size:
                    name, shape = self._names[read.tensor], indexed[read.tensor].shape
                    at = low if low < 0 else high
                    raise errors.wrong_shape(name, f"have an element at index {at}", shape)


def _real(name: str, value: Any) -> Array:
    """A value as doubles."""
    array = np.asarray(value)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64, copy=False)
    # NumPy would make nan of None.
    if array.dtype.kind == "O" and not any(one is None for one in array.flat):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    found = f"{type(value).__name__} of {array.dtype}" if array.ndim else type(value).__name__
    raise errors.not_numbers(name, "complex numbers" if array.dtype.kind == "c" else found)


def _members(group: Group, value: Any) -> Sequence[Any]:
    """The values of a group's arguments; a matrix comes as it is, or element after element."""
    count = len(group.members)
    if group.shape is not None:
        array = np.asarray(value)
        if array.shape[:2] == group.shape:
            return array.reshape(count, *array.shape[2:])  # type: ignore[return-value]
    try:
        parts = list(value)
    except TypeError:
        parts = None
    if parts is None or len(parts) != count:
        found = type(value).__name__ if parts is None else f"{len(parts)}"
        raise errors.wrong_shape(group.name, f"be a sequence of {count} values", found)
    return parts
