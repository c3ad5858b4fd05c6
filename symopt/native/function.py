"""Calling a kernel: its buffers are made once, and a call only copies the parameters in.

Nothing is converted or looked up per call: the table of addresses is fixed, so a call is one
foreign call of one pointer.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symopt.loops.program import Buffer, Kernel, Storage
from symopt.native.jit import Library
from symopt.types import Integer, evaluate

Vector = NDArray[np.float64]
_ALIGNMENT = 64


def aligned_zeros(count: int) -> Vector:
    """Doubles on a cache line of their own; at least one, so that there is an address."""
    spare = _ALIGNMENT // 8
    block = np.zeros(max(count, 1) + spare)
    offset = (-block.ctypes.data // 8) % spare
    return block[offset : offset + max(count, 1)]


class NativeFunction:
    """A kernel bound to data.

    `inputs` are the vectors a caller fills before each run, and `flat` the tensors that are parts
    of them. The outputs lie one after another, row-major, in `result`; `parts` has them by name.
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
        self.sizes = [int(np.prod(shape, dtype=np.int64)) for shape in self.shapes.values()]
        self.result = aligned_zeros(sum(self.sizes))
        starts = np.cumsum([0, *self.sizes])
        self.parts: dict[str, NDArray] = {
            name: self.result[start : start + size].reshape(shape)
            for (name, shape), start, size in zip(
                self.shapes.items(), starts, self.sizes, strict=False
            )
        }
        self._workspace: list[Vector] = []
        addresses = [self._address(name) for name in kernel.arguments]
        numbers = [dims[name] for name in kernel.dims]
        self._table = np.array([*addresses, *numbers], dtype=np.int64)
        self._pointer = ctypes.c_void_p(self._table.ctypes.data)
        self._entry = library.entry

    def run(self) -> None:
        """Fill the results from the inputs as they are now. Hold the lock."""
        self._entry(self._pointer)

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
            case Storage.WORKSPACE | Storage.LOCAL | Storage.PARTIAL:
                size = int(np.prod(self._shape(buffer), dtype=np.int64))
                if not size:
                    return self._nothing(buffer)
                local = buffer.by_lane
                return self._scratch(size * self._kernel.lanes if local else size)

    def _nothing(self, buffer: Buffer) -> int:
        """Room to read where there is nothing: a clamped read of an empty axis reads element 0."""
        count = int(np.prod([max(size, 1) for size in self._shape(buffer)], dtype=np.int64))
        return self._scratch(count * self._kernel.lanes)

    def _scratch(self, count: int) -> int:
        block = aligned_zeros(count)
        self._workspace.append(block)
        return block.ctypes.data
