"""Calling a kernel: its buffers and its table of addresses are made once.

A method in native code (`entry.py`) runs it on a caller's arrays. `run` is the long way round: on
vectors of the function's own, to which everything else is copied first.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.loops.program import Buffer, Kernel, Storage
from symopt.native.entry import Call, entry, make_method, new_lock, padded, pairs
from symopt.native.jit import Library
from symopt.types import Integer, evaluate

Vector = NDArray[np.floating[Any]]
_ALIGNMENT = 64
# A run over more elements than this takes about a microsecond, and gives up the GIL.
_FEW = 512


def aligned_zeros(count: int) -> Vector:
    """Doubles on a cache line of their own; at least one, so that there is an address."""
    spare = _ALIGNMENT // 8
    block = np.zeros(max(count, 1) + spare)
    offset = (-block.ctypes.data // 8) % spare
    return block[offset : offset + max(count, 1)]


def aligned_vector(count: int, dtype: np.dtype[Any]) -> Vector:
    """Zeros on a cache line of their own."""
    words = -(-count * dtype.itemsize // 8)
    return aligned_zeros(words).view(dtype)[:count]


class NativeFunction:
    """A kernel bound to data.

    `inputs` are the vectors a caller fills before each run, and `flat` the tensors that are parts
    of them. The outputs lie one after another, row-major, in `result`; `parts` has them by name.
    A number is a double there, whatever arrays are of.
    """

    def __init__(
        self,
        kernel: Kernel,
        library: Library,
        dims: Mapping[str, int],
        data: Mapping[str, NDArray],
        flat: Mapping[str, NDArray],
        inputs: Mapping[str, Vector],
    ) -> None:
        self._kernel = kernel
        self._dims = dims
        self._library = library  # keeps the code mapped
        self._data = dict(data)  # keeps the arrays alive
        self._flat = dict(flat)
        self.inputs = dict(inputs)
        self.lock = threading.Lock()
        self.shapes = {name: self._shape(kernel.buffers[name]) for name in kernel.outputs}
        self.dtype = np.dtype(np.float32 if kernel.single else np.float64)
        alone = [name in kernel.numbers for name in self.shapes]
        self.sizes = [
            self._room(shape, number=number)
            for shape, number in zip(self.shapes.values(), alone, strict=True)
        ]
        self.result = aligned_vector(max(sum(self.sizes), 1), self.dtype)
        self.parts = dict(zip(self.shapes, self._cut(self.shapes.values(), alone), strict=True))
        self._workspace: list[Vector] = []
        addresses = [self._address(name) for name in kernel.arguments]
        numbers = [dims[name] for name in kernel.dims]
        self._table = np.array([*addresses, *numbers], dtype=np.int64)
        self._pointer = ctypes.c_void_p(self._table.ctypes.data)
        self._entry = entry(kernel.single)
        self._long = self._elements() > _FEW
        self._turns = new_lock(self) if self._entry and self._long and self._workspace else None
        self._call = self._record()
        self._call_pointer = ctypes.c_void_p(ctypes.addressof(self._call))

    def run(self) -> None:
        """Fill the results from the inputs as they are now. Hold the lock."""
        if self._entry is None:
            self._library.entry(self._pointer)
        else:
            self._entry.run(self._call_pointer, self._pointer)

    def method(
        self, shapes: Sequence[tuple[int, ...]], fallback: MethodType, *, symmetric: bool = False
    ) -> Callable[..., Any] | None:
        """A built-in function of the inputs; None where there is no entry.

        It returns the outputs as floats and fresh arrays of these shapes, one after another, or in
        the arrays of `out=`. What is not plainly right goes to `fallback`, whose name and
        documentation it has. `symmetric` says that the outputs begin with the lower triangle of a
        matrix, which is to be completed.
        """
        if self._entry is None:
            return None
        call = self._record()
        places, ranges = pairs(self._places(shapes)), pairs(self._ranges())
        width = self.dtype.itemsize
        call.slot_count, call.slots = len(self._table), ctypes.addressof(places)
        call.range_count, call.ranges = len(ranges) // 2, ctypes.addressof(ranges)
        arrays = [shape for shape in shapes if shape]
        call.input_count = len(self.inputs)
        vectors = [vector.shape for vector in self.inputs.values()]
        call.first, call.second = padded(vectors, width)
        call.number_count, call.array_count = len(shapes) - len(arrays), len(arrays)
        call.large, call.small = padded(arrays, width)
        call.order = arrays[0][0] if symmetric else 0
        call.keep = (self, places, ranges)
        return make_method(self._entry, call, self.dtype, fallback)

    def _record(self) -> Call:
        """What it takes to run the kernel with some table."""
        kernel = ctypes.cast(self._library.entry, ctypes.c_void_p).value
        return Call(kernel=kernel, long=self._long, lock=self._turns)

    def _places(self, shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
        """Of each slot of the table, the number of the vector it is a part of, and where it is.

        A caller's vectors take the place of the inputs (1 and 2) and of the parts of the result (a
        number 3, arrays 4 and 5); all other slots stay as they are (0).
        """
        vectors = [(k, v.ctypes.data, v.nbytes) for k, v in enumerate(self.inputs.values(), 1)]
        start, arrays = self.result.ctypes.data, itertools.count(4)
        for shape in shapes:
            size = self.dtype.itemsize * self._room(shape, number=not shape)
            vectors.append((next(arrays) if shape else 3, start, size))
            start += size
        assert start == self.result.ctypes.data + sum(self.sizes) * self.dtype.itemsize, (
            "the shapes are those of all outputs"
        )
        found = [(0, int(number)) for number in self._table]
        for slot in range(len(self._kernel.arguments)):
            for base, start, size in vectors:
                if start <= self._table[slot] < start + size:
                    found[slot] = base, int(self._table[slot]) - start
        return found

    def _ranges(self) -> list[tuple[int, int]]:
        """Where the kernel reads bound data: addresses, and how many bytes."""
        return [(self._data[name].ctypes.data, self._data[name].nbytes) for name in self._read]

    @property
    def _read(self) -> list[str]:
        names = self._kernel.arguments
        given = (n for n in names if self._kernel.buffers[n].storage is Storage.GIVEN)
        return [name for name in given if name not in self._flat]

    def _elements(self) -> int:
        """The elements of all that a run reads and writes, which its time goes with."""
        vectors = [*self.inputs.values(), self.result, *self._workspace]
        return sum(array.size for array in (*vectors, *(self._data[name] for name in self._read)))

    # ── buffers ──────────────────────────────────────────────────────────────────────────────

    def cut(self, shapes: Sequence[tuple[int, ...]]) -> tuple[NDArray[Any], ...]:
        """The result as numbers and arrays of these shapes, one after another."""
        return tuple(self._cut(shapes, [not shape for shape in shapes]))

    def _cut(
        self, shapes: Iterable[tuple[int, ...]], numbers: Iterable[bool]
    ) -> Iterator[NDArray[Any]]:
        start = 0
        for shape, number in zip(shapes, numbers, strict=True):
            end = start + self._room(shape, number=number)
            part = self.result[start:end]
            yield (part.view(np.float64) if number else part).reshape(shape)
            start = end

    def _room(self, shape: tuple[int, ...], *, number: bool) -> int:
        """How many elements of the result something takes: a number those of a double."""
        return 8 // self.dtype.itemsize if number else int(np.prod(shape, dtype=np.int64))

    def _shape(self, buffer: Buffer) -> tuple[int, ...]:
        return tuple(max(self._number(size), 0) for size in buffer.shape)

    def _number(self, value: Integer) -> int:
        return int(evaluate(value, self._dims, {}, {}))

    def _address(self, name: str) -> int:
        buffer = self._kernel.buffers[name]
        match buffer.storage:
            case Storage.GIVEN:
                array = self._flat[name] if name in self._flat else self._data[name]
                return array.ctypes.data if array.size else self._nothing(buffer)
            case Storage.OUTPUT:
                part = self.parts[name]
                return part.ctypes.data if part.size else self._nothing(buffer)
            case Storage.WORKSPACE | Storage.LOCAL | Storage.TILE | Storage.PARTIAL:
                size = int(np.prod(self._shape(buffer), dtype=np.int64))
                if not size:
                    return self._nothing(buffer)
                return self._scratch(name, size)

    def _nothing(self, buffer: Buffer) -> int:
        """Room to read where there is nothing: a clamped read of an empty axis reads element 0."""
        count = int(np.prod([max(size, 1) for size in self._shape(buffer)], dtype=np.int64))
        return self._scratch(buffer.name, count)

    def _scratch(self, name: str, elements: int) -> int:
        """Room for the elements of a buffer, in all its copies."""
        bytes_each = 4 if self._kernel.is_single(name) else 8
        block = aligned_zeros(-(-elements * self._kernel.copies(name) * bytes_each // 8))
        self._workspace.append(block)
        return block.ctypes.data
