"""A formula as native code, for one choice of which arguments are arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from symopt.lambdified.formula import Formula
from symopt.lambdified.nodes import Nodes
from symopt.lambdified.statements import SAMPLES, build_statements
from symopt.loops.options import Options
from symopt.loops.program import Kernel, Storage
from symopt.loops.schedule import schedule
from symopt.native.emit import emit_module
from symopt.native.function import Vector, aligned_zeros
from symopt.native.jit import Library, compile_ir
from symopt.native.targets import host
from symopt.types import Integer, evaluate

_NAME = "symopt_lambdified"


@dataclass(frozen=True, slots=True)
class Variant:
    """Compiled code, and what it takes: a table of addresses, then of sizes.

    `scratch` are arrays it works in: their shapes, and how many values an element is. A `plain`
    one has none, and takes inputs, outputs and, at most, the number of samples.
    """

    library: Library
    addresses: tuple[str, ...]
    sizes: tuple[str, ...]
    scratch: Mapping[str, tuple[tuple[Integer, ...], int]]
    plain: bool

    def run(self, addresses: Mapping[str, int], sizes: Mapping[str, int]) -> None:
        """Computes the outputs, at their addresses."""
        made: dict[str, Vector] = {}  # of this call, so that calls do not get in each other's way
        for name, (shape, copies) in self.scratch.items():
            extent = [max(int(evaluate(size, sizes, {}, {})), 1) for size in shape]
            made[name] = aligned_zeros(prod(extent) * copies)
        slots = [
            made[name].ctypes.data if name in made else addresses[name] for name in self.addresses
        ]
        slots += [sizes[name] for name in self.sizes]
        table = (ctypes.c_int64 * max(len(slots), 1))(*slots)
        self.library.entry(ctypes.addressof(table))


def _variant(kernel: Kernel, library: Library) -> Variant:
    names = kernel.arguments
    storage = {name: kernel.buffers[name].storage for name in names}
    given = tuple(name for name in names if storage[name] is Storage.GIVEN)
    written = tuple(name for name in names if storage[name] is Storage.OUTPUT)
    scratch = {
        name: (kernel.buffers[name].shape, kernel.copies(name))
        for name in names
        if storage[name] not in (Storage.GIVEN, Storage.OUTPUT)
    }
    plain = names == given + written and set(kernel.dims) <= {SAMPLES}
    return Variant(library, names, kernel.dims, scratch, plain)


def compile_variant(
    formula: Formula, nodes: Nodes, arrays: frozenset[str], ranks: Mapping[str, int]
) -> Variant:
    """The code for a formula of which these scalars are arrays."""
    program = build_statements(formula, nodes, arrays, ranks)
    kernel = schedule(program, _NAME, Options(sample=SAMPLES))
    return _variant(kernel, compile_ir(emit_module(kernel, host()), _NAME))
