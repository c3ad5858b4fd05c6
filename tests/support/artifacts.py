"""Compiled code called the way that C calls it: a record of sizes and addresses, and pointers."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import symopt
from symopt.artifacts.build import Code, generate_code, interface_of
from symopt.artifacts.entries.status import Status
from symopt.artifacts.interface import Entry, Interface, in_numbers
from symopt.artifacts.link import link
from symopt.native.targets import Target, host_target
from symopt.problem import Problem
from symopt.types import evaluate

REAL = {"float64": np.float64, "float32": np.float32}


def compiled_sizes(problem: Problem, model: symopt.Model) -> dict[str, int]:
    """What the just-in-time compiler compiles in of a problem's sizes."""
    return dict(model.fixed_by(problem.dims, {}).sizes)


class Compiled:
    """The library of an interface, linked in a folder."""

    def __init__(
        self,
        interface: Interface,
        folder: Path,
        targets: Sequence[Target] | None = None,
        code: Code | None = None,
    ) -> None:
        self.interface, self.real = interface, REAL[interface.precision]
        self.code = code or generate_code(interface, targets or [host_target()])
        (folder / f"{interface.stem}.o").write_bytes(self.code.image)
        linked = link(folder, interface.stem, self.code.targets[0])
        assert linked.library is not None, linked.problem
        self.library = ctypes.CDLL(str(linked.library))

    def function(self, name: str, result: Any = ctypes.c_int32) -> Any:
        found = getattr(self.library, f"{self.interface.stem}_{name}")
        found.restype = result
        return found

    def data(
        self,
        dims: Mapping[str, int],
        arrays: Mapping[str, Any],
        *,
        checked: int = 0,
        finite: int = 0,
    ) -> Record:
        """`loss_data` of some sizes and arrays."""
        return Record(self.interface, dims, arrays, checked, finite)

    def entry(self, name: str) -> Entry:
        return next(one for one in self.interface.entries if one.name == name)

    def workspace(self, name: str, record: Record) -> int:
        """What the workspace function says."""
        return self.function(f"{name}_workspace", ctypes.c_int64)(record.address)

    def call(
        self, name: str, record: Record, *inputs: np.ndarray, outputs: Sequence[np.ndarray] = ()
    ) -> tuple[Status, tuple[np.ndarray, ...]]:
        """The status, and the outputs, full of 7 before the call."""
        entry, real = self.entry(name), REAL[self.interface.precision]
        arrays = tuple(outputs) or tuple(
            np.full(record.shape(one.matrix), 7.0, np.float64 if one.number else real)
            for one in entry.outputs
        )
        needed = self.workspace(name, record)
        work = np.full(max(needed, 0) + 8, 0xA5, np.uint8)[1:]  # wherever it lies
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*inputs, *arrays)]
        room = ctypes.c_void_p(work.ctypes.data if needed else None)
        status = self.function(name)(
            record.address, *pointers, room, ctypes.c_int64(max(needed, 0))
        )
        return Status(status), arrays


class Record:
    """`loss_data` in memory."""

    def __init__(
        self,
        interface: Interface,
        dims: Mapping[str, int],
        arrays: Mapping[str, Any],
        checked: int,
        finite: int,
    ) -> None:
        self.interface, self.dims = interface, dict(dims)
        self.words = (ctypes.c_int64 * (len(interface.open_dims) + len(interface.fields) + 2))()
        for number, name in enumerate(interface.open_dims):
            self.words[number] = dims[name]
        self.arrays: dict[str, np.ndarray] = {}
        for number, one in enumerate(interface.fields, len(interface.open_dims)):
            if arrays.get(one.name) is not None:
                dtype = np.int64 if one.integers else REAL[interface.precision]
                self.arrays[one.name] = np.ascontiguousarray(arrays[one.name], dtype)
                self.words[number] = self.arrays[one.name].ctypes.data
        self.words[len(self.words) - 2], self.words[len(self.words) - 1] = checked, finite

    @property
    def address(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(ctypes.addressof(self.words))

    def shape(self, shape: Sequence[Any]) -> tuple[int, ...]:
        sizes = {**self.interface.sizes, **self.dims}
        return tuple(
            max(int(evaluate(in_numbers(one, sizes), self.dims, {}, {})), 0) for one in shape
        )


def compile_problem(
    problem: Problem,
    model: symopt.Model,
    folder: Path,
    functions: Sequence[str] | None = None,
    sizes: Mapping[str, int] | None = None,
    stem: str = "loss",
) -> tuple[Compiled, Record]:
    """A problem's model compiled with some sizes (default: as the problem does), and its data."""
    fixed = compiled_sizes(problem, model) if sizes is None else dict(sizes)
    precision = "float32" if problem.dtype == np.float32 else "float64"
    interface = interface_of(model, stem, functions, fixed, precision)
    compiled = Compiled(interface, folder)
    return compiled, compiled.data(problem.dims, bound_arrays(problem))


def bound_arrays(problem: Problem) -> dict[str, np.ndarray]:
    """The arrays that a problem is bound to."""
    return dict(problem._calls.kernels.bound.arrays)


def system_compiler(*words: str, folder: Path) -> None:
    """Run a command that must succeed."""
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{' '.join(words)}\n{run.stdout}{run.stderr}"
